//! The plan as lines of JSON, one a step, hold and so on, for a reader that takes them as they come.

use super::encode::MapEntry;
use super::json::{
    DiagnosticJson, FORMAT_VERSION, HoldJson, KeyJson, SourceJson, StepJson, UndeclaredJson, id,
};
use crate::plan::{Plan, PlanSummary};
use serde::Serialize;
use std::io::{self, Write};

/// Writes a plan as one line a step, hold, finding and so on, each with its `type`; the first line
/// says which plan it is and the last one is the summary.
pub fn write_lines(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    line(out, "plan", &HeaderLine::of(plan))?;
    for step in &plan.steps {
        line(out, "step", &StepJson { step, origin: true })?;
    }
    for held in &plan.held {
        line(out, "held", &HoldJson { held, origin: true })?;
    }
    for (ty, keys) in [("orphan", &plan.orphans), ("released", &plan.released)] {
        keys.iter()
            .try_for_each(|key| line(out, ty, &KeyJson(key)))?;
    }
    for accepted in &plan.accepted {
        line(out, "accepted", &MapEntry("override", accepted))?;
    }
    for (key, field) in &plan.undeclared {
        line(out, "undeclared", &UndeclaredJson(key, field))?;
    }
    for diagnostic in &plan.diagnostics {
        line(out, "diagnostic", &DiagnosticJson(diagnostic))?;
    }
    let last = SummaryLine {
        summary: &plan.summary,
        errored: plan.errored,
    };
    line(out, "summary", &last)
}

fn line(out: &mut dyn Write, ty: &str, body: &impl Serialize) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct TypedLine<'a, T> {
        r#type: &'a str,
        #[serde(flatten)]
        body: &'a T,
    }
    serde_json::to_writer(&mut *out, &TypedLine { r#type: ty, body })?;
    out.write_all(b"\n")
}

/// The first of several lines.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct HeaderLine<'a> {
    format_version: &'static str,
    id: String,
    source: SourceJson<'a>,
    database: Option<&'a str>,
    environment: Option<&'a str>,
}

impl<'a> HeaderLine<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            id: id(plan),
            source: SourceJson(plan),
            database: plan.database.as_deref(),
            environment: plan.environment.as_deref(),
        }
    }
}

/// The last of several lines.
#[derive(serde::Serialize)]
struct SummaryLine<'a> {
    summary: &'a PlanSummary,
    errored: bool,
}

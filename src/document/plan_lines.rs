//! The plan as lines of JSON, one for each step or hold, for readers that process them one at a
//! time.

use super::{
    DiagnosticDocument, EffectDocument, FORMAT_VERSION, HoldDocument, KeyDocument,
    PlanBaseDocument, SourceRefDocument, StepDocument, TakenLoginDocument, UndeclaredDocument,
    VisibilityChangeDocument, plan_id,
};
use crate::plan::{Plan, PlanSummary};
use serde::Serialize;
use std::io::{self, Write};

/// A line. `type` says what it describes.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum PlanLine<'a> {
    #[serde(rename_all = "camelCase")]
    Plan {
        format_version: &'static str,
        id: String,
        source: SourceRefDocument<'a>,
        database: Option<&'a str>,
        environment: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        base: Option<PlanBaseDocument<'a>>,
    },
    Step(StepDocument<'a>),
    Held(HoldDocument<'a>),
    Orphan(KeyDocument<'a>),
    Released(KeyDocument<'a>),
    Login(TakenLoginDocument<'a>),
    Accepted {
        r#override: &'a str,
    },
    Undeclared(UndeclaredDocument<'a>),
    Effect(EffectDocument<'a>),
    #[serde(rename = "effectsOmitted")]
    EffectsOmitted {
        effect: &'a str,
        count: u64,
    },
    Visibility(VisibilityChangeDocument<'a>),
    #[serde(rename = "visibilityOmitted")]
    VisibilityOmitted {
        count: u64,
    },
    Diagnostic(DiagnosticDocument<'a>),
    Summary {
        summary: &'a PlanSummary,
        errored: bool,
    },
}

/// Writes a plan with one line per step, hold, diagnostic and so on, each with its `type`. The
/// first line identifies the plan, and the last one is the summary.
pub fn write_lines(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let first = PlanLine::Plan {
        format_version: FORMAT_VERSION,
        id: plan_id(plan),
        source: (&plan.source).into(),
        database: plan.database.as_deref(),
        environment: plan.environment.as_deref(),
        base: plan.base.as_ref().map(PlanBaseDocument::from),
    };
    let last = PlanLine::Summary {
        summary: &plan.summary,
        errored: plan.errored,
    };
    let steps = plan.steps.iter().map(|step| PlanLine::Step(step.into()));
    let held = plan.held.iter().map(|held| PlanLine::Held(held.into()));
    let orphans = plan.orphans.iter().map(|key| PlanLine::Orphan(key.into()));
    let released = plan.released.iter();
    let released = released.map(|key| PlanLine::Released(key.into()));
    let logins = plan.logins.iter();
    let logins = logins.map(|login| PlanLine::Login(login.into()));
    let accepted = plan.accepted.iter();
    let accepted = accepted.map(|given| PlanLine::Accepted { r#override: given });
    let undeclared = plan.undeclared.iter();
    let undeclared = undeclared.map(|field| PlanLine::Undeclared(field.into()));
    let effects = plan.effects.listed.iter();
    let effects = effects.map(|effect| PlanLine::Effect(effect.into()));
    let effects_omitted = plan.effects.omitted.iter();
    let effects_omitted =
        effects_omitted.map(|(effect, &count)| PlanLine::EffectsOmitted { effect, count });
    let visibility = plan.visibility.changes.iter();
    let visibility = visibility.map(|change| PlanLine::Visibility(change.into()));
    let count = plan.visibility.omitted;
    let omitted = (count > 0).then_some(PlanLine::VisibilityOmitted { count });
    let diagnostics = plan.diagnostics.iter();
    let diagnostics = diagnostics.map(|found| PlanLine::Diagnostic(found.into()));
    let lines = std::iter::once(first)
        .chain(steps)
        .chain(held)
        .chain(orphans)
        .chain(released)
        .chain(logins)
        .chain(accepted)
        .chain(undeclared)
        .chain(effects)
        .chain(effects_omitted)
        .chain(visibility)
        .chain(omitted)
        .chain(diagnostics)
        .chain([last]);
    for line in lines {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

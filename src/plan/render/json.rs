//! The JSON plan, which is also the saved plan: written step by step, the same bytes for the same
//! plan, nothing but the line being written in memory.

use super::encode::ChangeList;
use super::json_frame::JsonFrame;
use crate::diagnostic::{Diagnostic, Origin};
use crate::kinds;
use crate::model::{FieldDigests, FieldRef, HeldStep, Key, KindId, digest};
use crate::plan::{HoldEntry, Plan, PlanSummary, Step, StepClaim, StepVerb};
use serde::ser::{Serialize, SerializeMap, Serializer};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

/// The version of the format; a reader of `1.x` reads every `1.y` that says nothing new.
pub const FORMAT_VERSION: &str = "1.0";

/// Writes a plan as one JSON document, a line a step.
pub fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = JsonFrame::pretty(&mut out);
    document(plan, &mut frame, DocumentParts::All(&id(plan)))?;
    frame.end_line()?;
    out.flush()
}

/// Writes several plans, in their order, as one document.
pub fn write_all(plans: &[Plan], out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = JsonFrame::pretty(&mut out);
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    frame.key("plans")?;
    frame.open('[')?;
    for plan in plans {
        frame.next()?;
        document(plan, &mut frame, DocumentParts::All(&id(plan)))?;
    }
    frame.close(']')?;
    frame.close('}')?;
    frame.end_line()?;
    out.flush()
}

/// Writes what an apply came to: the run, if anything was recorded, and the plan that was applied.
pub fn write_applied(
    plan: &Plan,
    run: Option<i64>,
    outcome: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = JsonFrame::pretty(&mut out);
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    frame.member("run", &run)?;
    frame.key("plan")?;
    document(plan, &mut frame, DocumentParts::All(&id(plan)))?;
    frame.member("outcome", &outcome)?;
    frame.member("summary", &plan.summary)?;
    let held = plan.held.iter().map(|held| HoldJson { held, origin: true });
    frame.list("held", held)?;
    frame.list("diagnostics", plan.diagnostics.iter().map(DiagnosticJson))?;
    frame.close('}')?;
    frame.end_line()?;
    out.flush()
}

/// Writes several plans, and what became of each, as one document.
pub fn write_all_applied(
    plans: &[&Plan],
    results: &[serde_json::Value],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = JsonFrame::pretty(&mut out);
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    frame.key("plans")?;
    frame.open('[')?;
    for plan in plans {
        frame.next()?;
        document(plan, &mut frame, DocumentParts::All(&id(plan)))?;
    }
    frame.close(']')?;
    frame.list("results", results.iter())?;
    frame.close('}')?;
    frame.end_line()?;
    out.flush()
}

/// The id of a plan: the SHA-256, in hexadecimal, of its document without id, database, origins,
/// diagnostics and `--exact` notes, all on one line, keys in their order.
///
/// # Panics
/// Never: a hasher takes every byte.
#[must_use]
pub fn id(plan: &Plan) -> String {
    let mut hasher = BufWriter::new(Sha256::new());
    let mut frame = JsonFrame::compact(&mut hasher);
    document(plan, &mut frame, DocumentParts::Identity).expect("a hasher takes every byte");
    hasher.flush().expect("a hasher takes every byte");
    format!("{:x}", hasher.get_ref().clone().finalize())
}

/// Writes one finding as a JSON object.
pub fn diagnostic(diagnostic: &Diagnostic, out: &mut dyn Write) -> io::Result<()> {
    Ok(serde_json::to_writer(out, &DiagnosticJson(diagnostic))?)
}

/// Which parts of the document are written.
#[derive(Clone, Copy)]
enum DocumentParts<'a> {
    /// All, with this id.
    All(&'a str),
    /// What the id is made of.
    Identity,
}

fn document(plan: &Plan, frame: &mut JsonFrame<'_>, parts: DocumentParts<'_>) -> io::Result<()> {
    let origin = matches!(parts, DocumentParts::All(_));
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    if let DocumentParts::All(id) = parts {
        frame.member("id", &id)?;
    }
    frame.member("source", &SourceJson(plan))?;
    if origin {
        frame.member("database", &plan.database)?;
    }
    frame.member("environment", &plan.environment)?;
    frame.member("summary", &plan.summary)?;
    frame.list(
        "steps",
        plan.steps.iter().map(|step| StepJson { step, origin }),
    )?;
    frame.list(
        "held",
        plan.held.iter().map(|held| HoldJson { held, origin }),
    )?;
    frame.list("orphans", plan.orphans.iter().map(KeyJson))?;
    frame.list("released", plan.released.iter().map(KeyJson))?;
    frame.list("accepted", plan.accepted.iter())?;
    if !plan.budget_use.is_empty() {
        frame.member("budgets", &BudgetsJson(plan))?;
    }
    if origin && !plan.remembered_steps.is_empty() {
        frame.list(
            "remembered",
            plan.remembered_steps.iter().map(RememberedStepJson),
        )?;
    }
    if origin {
        if !plan.undeclared.is_empty() {
            let undeclared = plan.undeclared.iter();
            frame.list(
                "undeclared",
                undeclared.map(|(key, field)| UndeclaredJson(key, field)),
            )?;
        }
        frame.list("diagnostics", plan.diagnostics.iter().map(DiagnosticJson))?;
    }
    frame.member("errored", &plan.errored)?;
    frame.close('}')
}

pub(super) struct SourceJson<'a>(pub &'a Plan);

impl Serialize for SourceJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("name", &*self.0.source.name)?;
        map.serialize_entry("revision", &*self.0.source.revision)?;
        map.end()
    }
}

impl Serialize for PlanSummary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, count) in self.entries() {
            map.serialize_entry(name, &count)?;
        }
        map.end()
    }
}

pub(super) struct StepJson<'a> {
    pub step: &'a Step,
    pub origin: bool,
}

impl Serialize for StepJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let step = self.step;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("verb", step.verb.word())?;
        key_entries(&mut map, &step.key)?;
        optional(&mut map, "version", step.version.as_ref())?;
        map.serialize_entry("reason", step.reason.word())?;
        let origin = step.origin.as_ref().filter(|_| self.origin);
        optional(&mut map, "origin", origin.map(OriginJson).as_ref())?;
        optional(
            &mut map,
            "claim",
            step.claim.as_ref().map(ClaimJson).as_ref(),
        )?;
        map.serialize_entry(
            "changes",
            &ChangeList {
                kind: step.key.kind,
                created: step.verb == StepVerb::Create,
                all: &step.changes(),
            },
        )?;
        map.end()
    }
}

pub(super) struct HoldJson<'a> {
    pub held: &'a HoldEntry,
    pub origin: bool,
}

impl Serialize for HoldJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let held = self.held;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("verb", held.verb.word())?;
        key_entries(&mut map, &held.key)?;
        map.serialize_entry("code", held.code.name())?;
        let root = (held.root != held.code).then(|| held.root.name());
        optional(&mut map, "root", root.as_ref())?;
        map.serialize_entry("message", &held.message)?;
        map.serialize_entry("hold", &held.hold)?;
        optional(&mut map, "count", held.count.as_ref())?;
        optional(&mut map, "of", held.total.as_ref())?;
        optional(&mut map, "limit", held.limit.as_ref())?;
        optional(&mut map, "override", held.accept_option.as_ref())?;
        let origin = held.origin.as_ref().filter(|_| self.origin);
        optional(&mut map, "origin", origin.map(OriginJson).as_ref())?;
        map.serialize_entry(
            "changes",
            &ChangeList {
                kind: held.key.kind,
                created: held.verb == StepVerb::Create,
                all: &held.changes,
            },
        )?;
        if let Some(becomes) = &held.becomes {
            map.serialize_entry("becomes", &becomes.id)?;
        }
        map.end()
    }
}

pub(super) struct DiagnosticJson<'a>(pub &'a Diagnostic);

impl Serialize for DiagnosticJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let found = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("severity", &found.severity.to_string())?;
        map.serialize_entry("code", found.code.name())?;
        map.serialize_entry("message", &found.message)?;
        optional(&mut map, "help", found.help.as_ref())?;
        if let Some(key) = &found.key {
            key_entries(&mut map, key)?;
        }
        optional(&mut map, "field", found.field.as_ref())?;
        let origin = found.origin.as_ref().map(OriginJson);
        optional(&mut map, "origin", origin.as_ref())?;
        let related: Vec<OriginJson<'_>> = found.related.iter().map(OriginJson).collect();
        map.serialize_entry("related", &related)?;
        optional(&mut map, "djustCode", found.code.rule().djust.as_ref())?;
        map.end()
    }
}

pub(super) struct KeyJson<'a>(pub &'a Key);

impl Serialize for KeyJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        key_entries(&mut map, self.0)?;
        map.end()
    }
}

/// What the steps use up of each budget, and of how many that is.
struct BudgetsJson<'a>(&'a Plan);

impl Serialize for BudgetsJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct BudgetUse {
            count: u64,
            of: u64,
        }
        let plan = self.0;
        to.collect_map(plan.budget_use.iter().map(|(name, count)| {
            let of = plan.budget_bases.get(name).copied().unwrap_or_default();
            (name, BudgetUse { count: *count, of })
        }))
    }
}

/// A step that a guard held, as a later pass needs it.
struct RememberedStepJson<'a>(&'a HeldStep);

impl Serialize for RememberedStepJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let step = self.0;
        let mut map = to.serialize_map(None)?;
        key_entries(&mut map, &step.key)?;
        map.serialize_entry("budget", &step.budget)?;
        map.serialize_entry("field", &step.field)?;
        map.serialize_entry("verb", &step.verb)?;
        map.serialize_entry("hold", &step.hold)?;
        map.serialize_entry("count", &step.count)?;
        map.serialize_entry("earlier", &step.earlier)?;
        map.serialize_entry("of", &step.total)?;
        map.serialize_entry("declared", &step.declared.to_string())?;
        map.serialize_entry("step", &step.step.to_string())?;
        map.end()
    }
}

pub(super) struct UndeclaredJson<'a>(pub &'a Key, pub &'a str);

impl Serialize for UndeclaredJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(3))?;
        key_entries(&mut map, self.0)?;
        map.serialize_entry("field", self.1)?;
        map.end()
    }
}

struct OriginJson<'a>(&'a Origin);

impl Serialize for OriginJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("path", &*self.0.path)?;
        if self.0.at.line > 0 {
            map.serialize_entry("line", &self.0.at.line)?;
            map.serialize_entry("column", &self.0.at.column)?;
        }
        map.end()
    }
}

struct ClaimJson<'a>(&'a StepClaim);

impl Serialize for ClaimJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        struct ClaimFields<'a>(&'a FieldDigests);
        impl Serialize for ClaimFields<'_> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_map(self.0.iter().map(|(name, said)| (name, HexDigest(said))))
            }
        }
        let claimed = self.0.digests();
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("digest", &claimed.digest.to_string())?;
        map.serialize_entry("fields", &ClaimFields(&claimed.fields))?;
        map.end()
    }
}

struct HexDigest(u64);

impl Serialize for HexDigest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(digest::hex(&self.0.to_be_bytes(), &mut [0; 16]))
    }
}

/// The name of a field as in plans.
pub(super) fn field_name(kind: KindId, field: &FieldRef) -> Cow<'static, str> {
    match kinds::get(kind).field(field) {
        Some(field) => Cow::Borrowed(field.name),
        None => Cow::Owned(kinds::get(kind).field_name(field)),
    }
}

fn key_entries<M: SerializeMap>(map: &mut M, key: &Key) -> Result<(), M::Error> {
    map.serialize_entry("kind", kinds::get(key.kind).name)?;
    map.serialize_entry("externalId", &key.id)
}

fn optional<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    value: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;

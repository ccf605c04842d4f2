//! The JSON plan, which is also the saved plan: written step by step, the same bytes for the same
//! plan, nothing but the line being written in memory.

use super::encode::{Changes, Entry};
use super::frame::Frame;
use crate::diagnostic::{Diagnostic, Origin};
use crate::kinds;
use crate::model::{FieldDigests, FieldRef, Key, KindId, digest};
use crate::plan::{Held, Plan, Step, StepClaim, Summary, Verb};
use serde::ser::{Serialize, SerializeMap, Serializer};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

/// The version of the format; a reader of `1.x` reads every `1.y` that says nothing new.
pub const FORMAT_VERSION: &str = "1.0";

/// Writes a plan as one JSON document, a line a step.
///
/// # Errors
/// Those of `out`.
pub fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = Frame::pretty(&mut out);
    document(plan, &mut frame, Parts::All(&id(plan)))?;
    frame.end_line()?;
    out.flush()
}

/// Writes several plans, in their order, as one document.
///
/// # Errors
/// Those of `out`.
pub fn write_all(plans: &[Plan], out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = Frame::pretty(&mut out);
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    frame.key("plans")?;
    frame.open('[')?;
    for plan in plans {
        frame.next()?;
        document(plan, &mut frame, Parts::All(&id(plan)))?;
    }
    frame.close(']')?;
    frame.close('}')?;
    frame.end_line()?;
    out.flush()
}

/// Writes a plan as one line a step, hold, finding and so on, each with its `type`; the first line
/// says which plan it is and the last one is the summary.
///
/// # Errors
/// Those of `out`.
pub fn write_lines(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    line(out, "plan", &Header::of(plan))?;
    for step in &plan.steps {
        line(out, "step", &StepLine { step, origin: true })?;
    }
    for held in &plan.held {
        line(out, "held", &HeldLine { held, origin: true })?;
    }
    for (ty, keys) in [("orphan", &plan.orphans), ("released", &plan.released)] {
        keys.iter()
            .try_for_each(|key| line(out, ty, &KeyLine(key)))?;
    }
    for accepted in &plan.accepted {
        line(out, "accepted", &Entry("override", accepted))?;
    }
    for (key, field) in &plan.undeclared {
        line(out, "undeclared", &UndeclaredLine(key, field))?;
    }
    for diagnostic in &plan.diagnostics {
        line(out, "diagnostic", &DiagnosticLine(diagnostic))?;
    }
    let last = Last {
        summary: &plan.summary,
        errored: plan.errored,
    };
    line(out, "summary", &last)
}

/// Writes what an apply came to: the run, if anything was recorded, and the plan that was applied.
///
/// # Errors
/// Those of `out`.
pub fn write_applied(
    plan: &Plan,
    run: Option<i64>,
    outcome: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = Frame::pretty(&mut out);
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    frame.member("run", &run)?;
    frame.key("plan")?;
    document(plan, &mut frame, Parts::All(&id(plan)))?;
    frame.member("outcome", &outcome)?;
    frame.member("summary", &plan.summary)?;
    let held = plan.held.iter().map(|held| HeldLine { held, origin: true });
    frame.list("held", held)?;
    frame.list("diagnostics", plan.diagnostics.iter().map(DiagnosticLine))?;
    frame.close('}')?;
    frame.end_line()?;
    out.flush()
}

/// Writes several plans, and what became of each, as one document.
///
/// # Errors
/// Those of `out`.
pub fn write_all_applied(
    plans: &[&Plan],
    results: &[serde_json::Value],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut frame = Frame::pretty(&mut out);
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    frame.key("plans")?;
    frame.open('[')?;
    for plan in plans {
        frame.next()?;
        document(plan, &mut frame, Parts::All(&id(plan)))?;
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
    let mut frame = Frame::compact(&mut hasher);
    document(plan, &mut frame, Parts::Identity).expect("a hasher takes every byte");
    hasher.flush().expect("a hasher takes every byte");
    format!("{:x}", hasher.get_ref().clone().finalize())
}

/// Writes one finding as a JSON object.
///
/// # Errors
/// Those of `out`.
pub fn diagnostic(diagnostic: &Diagnostic, out: &mut dyn Write) -> io::Result<()> {
    Ok(serde_json::to_writer(out, &DiagnosticLine(diagnostic))?)
}

/// Which parts of the document are written.
#[derive(Clone, Copy)]
enum Parts<'a> {
    /// All, with this id.
    All(&'a str),
    /// What the id is made of.
    Identity,
}

fn document(plan: &Plan, frame: &mut Frame<'_>, parts: Parts<'_>) -> io::Result<()> {
    let origin = matches!(parts, Parts::All(_));
    frame.open('{')?;
    frame.member("formatVersion", &FORMAT_VERSION)?;
    if let Parts::All(id) = parts {
        frame.member("id", &id)?;
    }
    frame.member("source", &Source(plan))?;
    if origin {
        frame.member("database", &plan.database)?;
    }
    frame.member("environment", &plan.environment)?;
    frame.member("summary", &plan.summary)?;
    frame.list(
        "steps",
        plan.steps.iter().map(|step| StepLine { step, origin }),
    )?;
    frame.list(
        "held",
        plan.held.iter().map(|held| HeldLine { held, origin }),
    )?;
    frame.list("orphans", plan.orphans.iter().map(KeyLine))?;
    frame.list("released", plan.released.iter().map(KeyLine))?;
    frame.list("accepted", plan.accepted.iter())?;
    if origin {
        if !plan.undeclared.is_empty() {
            let undeclared = plan.undeclared.iter();
            frame.list(
                "undeclared",
                undeclared.map(|(key, field)| UndeclaredLine(key, field)),
            )?;
        }
        frame.list("diagnostics", plan.diagnostics.iter().map(DiagnosticLine))?;
    }
    frame.member("errored", &plan.errored)?;
    frame.close('}')
}

fn line(out: &mut dyn Write, ty: &str, body: &impl Serialize) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct Line<'a, T> {
        r#type: &'a str,
        #[serde(flatten)]
        body: &'a T,
    }
    serde_json::to_writer(&mut *out, &Line { r#type: ty, body })?;
    out.write_all(b"\n")
}

/// The first of several lines.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    format_version: &'static str,
    id: String,
    source: Source<'a>,
    database: Option<&'a str>,
    environment: Option<&'a str>,
}

impl<'a> Header<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            id: id(plan),
            source: Source(plan),
            database: plan.database.as_deref(),
            environment: plan.environment.as_deref(),
        }
    }
}

/// The last of several lines.
#[derive(serde::Serialize)]
struct Last<'a> {
    summary: &'a Summary,
    errored: bool,
}

struct Source<'a>(&'a Plan);

impl Serialize for Source<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("name", &*self.0.source.name)?;
        map.serialize_entry("revision", &*self.0.source.revision)?;
        map.end()
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, count) in self.entries() {
            map.serialize_entry(name, &count)?;
        }
        map.end()
    }
}

struct StepLine<'a> {
    step: &'a Step,
    origin: bool,
}

impl Serialize for StepLine<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let step = self.step;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("verb", step.verb.word())?;
        key_entries(&mut map, &step.key)?;
        optional(&mut map, "version", step.version.as_ref())?;
        map.serialize_entry("reason", step.reason.word())?;
        let origin = step.origin.as_ref().filter(|_| self.origin);
        optional(&mut map, "origin", origin.map(Place).as_ref())?;
        optional(&mut map, "claim", step.claim.as_ref().map(Claim).as_ref())?;
        map.serialize_entry(
            "changes",
            &Changes {
                kind: step.key.kind,
                created: step.verb == Verb::Create,
                all: &step.changes(),
            },
        )?;
        map.end()
    }
}

struct HeldLine<'a> {
    held: &'a Held,
    origin: bool,
}

impl Serialize for HeldLine<'_> {
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
        optional(&mut map, "of", held.of.as_ref())?;
        optional(&mut map, "limit", held.limit.as_ref())?;
        optional(&mut map, "override", held.over.as_ref())?;
        let origin = held.origin.as_ref().filter(|_| self.origin);
        optional(&mut map, "origin", origin.map(Place).as_ref())?;
        map.serialize_entry(
            "changes",
            &Changes {
                kind: held.key.kind,
                created: held.verb == Verb::Create,
                all: &held.changes,
            },
        )?;
        if let Some(becomes) = &held.becomes {
            map.serialize_entry("becomes", &becomes.id)?;
        }
        map.end()
    }
}

struct DiagnosticLine<'a>(&'a Diagnostic);

impl Serialize for DiagnosticLine<'_> {
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
        let origin = found.origin.as_ref().map(Place);
        optional(&mut map, "origin", origin.as_ref())?;
        let related: Vec<Place<'_>> = found.related.iter().map(Place).collect();
        map.serialize_entry("related", &related)?;
        optional(&mut map, "djustCode", found.code.rule().djust.as_ref())?;
        map.end()
    }
}

struct KeyLine<'a>(&'a Key);

impl Serialize for KeyLine<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        key_entries(&mut map, self.0)?;
        map.end()
    }
}

struct UndeclaredLine<'a>(&'a Key, &'a str);

impl Serialize for UndeclaredLine<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(3))?;
        key_entries(&mut map, self.0)?;
        map.serialize_entry("field", self.1)?;
        map.end()
    }
}

struct Place<'a>(&'a Origin);

impl Serialize for Place<'_> {
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

struct Claim<'a>(&'a StepClaim);

impl Serialize for Claim<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        struct Fields<'a>(&'a FieldDigests);
        impl Serialize for Fields<'_> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_map(self.0.iter().map(|(name, said)| (name, Hex(said))))
            }
        }
        let claimed = self.0.digests();
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("digest", &claimed.digest.to_string())?;
        map.serialize_entry("fields", &Fields(&claimed.fields))?;
        map.end()
    }
}

struct Hex(u64);

impl Serialize for Hex {
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

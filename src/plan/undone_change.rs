//! Finds the recorded change that a step takes back: a branch that is older than what was applied, a
//! force push or a bad merge would undo the work of somebody else. [`find_undone`] compares a step
//! with the history of its resource; [`UndoneChange`] names what it found.

use super::compare::stored as without_empty;
use super::set_back::{links, whole};
use super::types::{HoldEntry, Step, StepVerb};
use crate::kinds::{self, FieldType, Kind};
use crate::model::{
    FieldChange, FieldRef, Key, Link, RecordedChange, RecordedValues, RecordedVerb, SHORT_REVISION,
    Value, is_commit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many characters of the subject of a commit are shown.
const SUBJECT: usize = 72;

/// A recorded change that a step takes back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UndoneChange {
    /// The run that made it.
    pub run: i64,
    /// The source of the run.
    pub source: Arc<str>,
    /// The revision that the run applied: a git commit or a content digest.
    pub revision: Arc<str>,
    /// The first line of the message of the commit, where it is known.
    pub subject: Option<Arc<str>>,
    /// Whether the planned revision has the commit in its history; `None` if that is not known.
    pub is_contained: Option<bool>,
    /// The run that the run itself reverted, if a person did.
    pub reverted_run: Option<i64>,
    /// The fields that get their earlier value again. None of a resource that goes as a whole.
    pub fields: Vec<String>,
}

impl UndoneChange {
    /// The short name of the commit, or of the run where there is none: a person who reverted a run
    /// made no commit.
    #[must_use]
    pub fn name(&self) -> String {
        match self.reverted_run {
            Some(reverted) => format!("run {}, which reverted run {reverted}", self.run),
            None if is_commit(&self.revision) => self.revision[..SHORT_REVISION].to_owned(),
            None => format!("run {}", self.run),
        }
    }

    /// The name with the subject of the commit.
    #[must_use]
    pub fn title(&self) -> String {
        let subject = self.subject.as_deref().unwrap_or_default();
        let short: String = subject.chars().take(SUBJECT).collect();
        let more = if short.len() < subject.len() {
            "…"
        } else {
            ""
        };
        match &*short {
            "" => self.name(),
            short => format!("{} \"{short}{more}\"", self.name()),
        }
    }

    /// What a step of `changes` fields takes back, in words.
    fn words(&self, changes: usize) -> String {
        let mut words = format!("reverts {}", self.title());
        if !self.fields.is_empty() && self.fields.len() < changes {
            words.push_str(&format!(" ({})", self.fields.join(", ")));
        }
        if self.is_contained == Some(false) {
            words.push_str(", which this revision does not contain");
        }
        words
    }

    /// What all of these take back, in words.
    #[must_use]
    pub fn all_words(all: &[Self], changes: usize) -> Vec<String> {
        all.iter().map(|undone| undone.words(changes)).collect()
    }
}

impl Step {
    /// Which recorded changes it takes back, in words.
    pub(super) fn undone_words(&self) -> Vec<String> {
        match &self.undoes[..] {
            [] => Vec::new(),
            undoes => UndoneChange::all_words(undoes, self.changes().len()),
        }
    }
}

impl HoldEntry {
    /// Which recorded changes it would take back, in words.
    #[must_use]
    pub fn undone_words(&self) -> Vec<String> {
        UndoneChange::all_words(&self.undoes, self.changes.len())
    }
}

/// Finds which changes of a resource, newest first, a step with these field changes takes back: the
/// index of each, with the fields that get their earlier value again. The index of a creation has no
/// fields: the step deactivates what was created.
#[must_use]
pub fn find_undone(
    key: &Key,
    changes: &[FieldChange],
    history: &[RecordedChange],
) -> BTreeMap<usize, Vec<String>> {
    let kind = kinds::get(key.kind);
    let mut undone: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for change in changes {
        let ty = kind.field(&change.field).map(|field| &field.ty);
        let found: BTreeSet<usize> = match ty.filter(|ty| ty.has_link_table()) {
            Some(ty) => undone_members(ty, change, history),
            None => undone_value(kind, change, history).into_iter().collect(),
        };
        for at in found {
            let fields = undone.entry(at).or_default();
            if history[at].verb != RecordedVerb::Create {
                fields.push(kind.field_name(&change.field));
            }
        }
    }
    undone
}

/// What a recorded change says of a field.
enum PastField<'h> {
    /// Nothing.
    Silent,
    Known(Option<&'h Value>, Option<&'h Value>),
    /// Something that is not recorded, or no longer.
    Unknown,
}

fn past_field<'h>(past: &'h RecordedChange, field: &FieldRef) -> PastField<'h> {
    let found = past.fields.iter().find(|it| it.field == *field);
    match found.map(|it| &it.values) {
        None => PastField::Silent,
        Some(RecordedValues::Known { before, after }) => {
            PastField::Known(before.as_ref(), after.as_ref())
        }
        Some(RecordedValues::Unknown) => PastField::Unknown,
    }
}

/// The change that gave a field the value that it loses, if it gets the value from before that again.
fn undone_value(kind: &Kind, change: &FieldChange, history: &[RecordedChange]) -> Option<usize> {
    for (at, past) in history.iter().enumerate() {
        match (past.verb, past_field(past, &change.field)) {
            (RecordedVerb::Create, _) => return deactivates(kind, change).then_some(at),
            (RecordedVerb::Delete, _) | (_, PastField::Unknown) => return None,
            (RecordedVerb::Change, PastField::Silent) => {}
            (RecordedVerb::Change, PastField::Known(before, after)) => {
                let is_same = |one: Option<&Value>, other: &Option<Value>| {
                    without_empty(one) == without_empty(other.as_ref())
                };
                let is_undone = is_same(after, &change.before) && is_same(before, &change.after);
                return is_undone.then_some(at);
            }
        }
    }
    None
}

fn deactivates(kind: &Kind, change: &FieldChange) -> bool {
    let becomes = change.after.as_ref().and_then(Value::as_text);
    kind.has_status
        && change.field == kinds::own_field(kind.status_index())
        && becomes == Some("inactive")
}

/// The changes that gave the members of a list what they lose, where they get back what they were
/// before that. Each member has its own.
fn undone_members(
    ty: &FieldType,
    change: &FieldChange,
    history: &[RecordedChange],
) -> BTreeSet<usize> {
    let sides = |before: Option<&Value>, after: Option<&Value>| {
        [before, after]
            .map(|list| -> Vec<Link> { links(list).iter().map(|link| whole(ty, link)).collect() })
    };
    let [before, after] = sides(change.before.as_ref(), change.after.as_ref());
    let targets = before.iter().chain(&after).map(|link| &link.target);
    let targets: BTreeSet<_> = targets.collect();
    let undone = targets.into_iter().filter_map(|target| {
        let find = |links: &[Link]| links.iter().find(|link| link.target == *target).cloned();
        for (at, past) in history.iter().enumerate() {
            let (then, now) = match (past.verb, past_field(past, &change.field)) {
                (RecordedVerb::Create | RecordedVerb::Delete, _) | (_, PastField::Unknown) => {
                    return None;
                }
                (RecordedVerb::Change, PastField::Silent) => continue,
                (RecordedVerb::Change, PastField::Known(before, after)) => {
                    let [then, now] = sides(before, after);
                    (find(&then), find(&now))
                }
            };
            // The change is about other members.
            if then.is_none() && now.is_none() {
                continue;
            }
            return (now == find(&before) && then == find(&after)).then_some(at);
        }
        None
    });
    undone.collect()
}

/// Whether a step of this verb may take something back.
#[must_use]
pub fn may_undo(verb: StepVerb) -> bool {
    match verb {
        StepVerb::Deactivate | StepVerb::Reactivate | StepVerb::Update => true,
        // What is new or adopted was not as declared before, and a deletion is asked for by name.
        StepVerb::Create | StepVerb::Adopt | StepVerb::Delete => false,
    }
}

#[cfg(test)]
#[path = "undone_change_tests.rs"]
mod tests;

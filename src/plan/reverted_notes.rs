//! Notes about fields that a revert keeps from what the source declares. Drafting collects them; they
//! become one note for each run, kind and set of fields.

use super::context::PlanContext;
use crate::diagnostic::{Diagnostic, codes, plural};
use crate::kinds;
use crate::model::{FieldRef, Key, KindId};
use std::collections::{BTreeMap, BTreeSet};

/// How many resources a note names.
const NAMED: usize = 5;

/// The resources of which the same fields are kept.
#[derive(Default)]
pub(super) struct RevertedNotes(BTreeMap<RevertedGroup, BTreeSet<Key>>);

/// The run, the kind and the names of the fields.
type RevertedGroup = (i64, KindId, Vec<String>);

impl RevertedNotes {
    pub fn add(&mut self, key: &Key, fields: Vec<(FieldRef, i64)>) {
        let mut by_run: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (field, run) in fields {
            let name = kinds::get(key.kind).field_name(&field);
            by_run.entry(run).or_default().push(name);
        }
        for (run, mut names) in by_run {
            names.sort();
            let group = self.0.entry((run, key.kind, names)).or_default();
            group.insert(key.clone());
        }
    }

    /// Few notes, however many resources a revert concerns.
    pub fn notes(self, context: &PlanContext<'_>) -> Vec<Diagnostic> {
        let source = &context.desired.source;
        let notes = self.0.into_iter().map(|((run, _, fields), keys)| {
            let message = format!(
                "{}: {} as run {run} left {}, until source {source} is at another revision",
                resources(&keys),
                match &fields[..] {
                    [field] => format!("{field} stays"),
                    fields => format!("{} stay", fields.join(", ")),
                },
                if fields.len() == 1 { "it" } else { "them" },
            );
            Diagnostic::new(codes::REVERTED, message).help(format!(
                "Correct the files too. To write what they declare now, run `roster revert {run}`"
            ))
        });
        notes.collect()
    }
}

fn resources(keys: &BTreeSet<Key>) -> String {
    let named: Vec<String> = keys.iter().take(NAMED).map(Key::to_string).collect();
    let named = named.join(", ");
    match keys.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {}", plural(more, "other")),
    }
}

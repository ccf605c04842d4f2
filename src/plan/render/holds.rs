//! The holds of a plan as somebody decides about them: one by one, each with its resources.

use super::wording::visible;
use crate::diagnostic::codes;
use crate::model::Key;
use crate::plan::{HoldEntry, Plan};
use std::collections::{HashMap, HashSet};

/// What is decided together: the entries of one hold or, where no approval helps, of one rule.
pub struct HoldGroup<'a> {
    /// Its entries, in the order of the plan.
    pub entries: Vec<&'a HoldEntry>,
}

/// The holds of a plan; those that wait for somebody come first.
#[must_use]
pub fn holds(plan: &Plan) -> Vec<HoldGroup<'_>> {
    let mut at: HashMap<(bool, &str, &str), usize> = HashMap::new();
    let mut holds: Vec<HoldGroup<'_>> = Vec::new();
    for held in &plan.held {
        let one = if held.is_approvable() {
            (true, &*held.hold, "")
        } else {
            (false, held.code.name(), held.root.name())
        };
        let index = *at.entry(one).or_insert(holds.len());
        match holds.get_mut(index) {
            Some(hold) => hold.entries.push(held),
            None => holds.push(HoldGroup {
                entries: vec![held],
            }),
        }
    }
    holds.sort_by_key(|hold| (!hold.first().is_approvable(), hold.is_standing()));
    holds
}

impl<'a> HoldGroup<'a> {
    /// Its first entry.
    pub fn first(&self) -> &'a HoldEntry {
        self.entries[0]
    }

    /// The resources it is about: each once, though more than one part of it may be held.
    pub fn resources(&self) -> Vec<&'a Key> {
        let mut seen = HashSet::new();
        let keys = self.entries.iter().map(|held| &held.key);
        keys.filter(|key| seen.insert(*key)).collect()
    }

    /// Whether it only stands there and changes no exit code.
    pub fn is_standing(&self) -> bool {
        self.first().root.is_standing()
    }

    /// The message that all entries share, if they do.
    pub fn message(&self) -> Option<String> {
        let message = &self.first().message;
        let shared = self.entries.iter().all(|held| held.message == *message);
        shared.then(|| visible(message).into_owned())
    }

    /// The commands that let it through.
    pub fn commands(&self) -> Vec<String> {
        let first = self.first();
        let approve = format!(
            "roster approve hold {} --reason \"…\"",
            visible(&first.hold)
        );
        let over = first
            .accept_option
            .as_ref()
            .map(|over| visible(over).into_owned());
        let approve = first.is_approvable().then_some(approve);
        approve.into_iter().chain(over).collect()
    }

    /// What seems to be renamed: each that goes, with the one that comes.
    pub fn renames(&self) -> Vec<(&'a HoldEntry, &'a Key)> {
        let entries = self.entries.iter().copied();
        entries
            .filter_map(|held| Some((held, held.becomes.as_ref()?)))
            .collect()
    }

    /// What has to happen where no command lets it through.
    pub fn required_action(&self) -> Option<&'static str> {
        let first = self.first();
        match (first.code, first.root) {
            _ if first.is_approvable() => None,
            (_, root) if root.is_standing() => {
                Some("Held until that changes. It does not affect the exit code.")
            }
            (codes::HELD_DEPENDENCY, _) => Some("Applied once the step that it needs is applied."),
            _ if first.is_error() => Some("Applied once fixed. Other changes are not blocked."),
            _ => Some("Cannot be approved. Change the sources."),
        }
    }
}

//! Groups the held steps of a plan into the holds that somebody decides about.
//!
//! The planner holds single steps. An approval covers all steps with one hold id. Text, Markdown
//! and the state of the daemon show these groups, with the commands that approve them.

use super::effects::{self, EffectLine};
use super::wording::{id, thousands, visible};
use crate::diagnostic::codes;
use crate::model::Key;
use crate::plan::visibility::PlanVisibility;
use crate::plan::{HoldEntry, Plan, PlanEffects, StepConsequence};
use std::collections::{HashMap, HashSet};

/// Entries that are decided together: those of one hold or, where no approval helps, of one rule.
pub struct HoldGroup<'a> {
    /// The entries in the order of the plan. Never empty.
    pub entries: Vec<&'a HoldEntry>,
}

/// Returns a line for each resource that goes or changes because of a held one.
pub(super) fn consequence_lines(held: &HoldEntry, limit: usize) -> Vec<String> {
    let all = held.consequences.iter();
    let lines = all.take(limit).map(|consequence| {
        let (verb, key) = (consequence.verb, &consequence.key);
        format!("with it: {verb}  {}/{}", key.kind, id(&key.id))
    });
    let more = held.consequences.len().saturating_sub(limit);
    let more = (more > 0).then(|| format!("and {} more", thousands(more)));
    lines.chain(more).collect()
}

/// Returns the holds of a plan. Those that need a decision come first, standing ones last.
#[must_use]
pub fn holds(plan: &Plan) -> Vec<HoldGroup<'_>> {
    let mut at: HashMap<(bool, &str, &str), usize> = HashMap::new();
    let mut holds: Vec<HoldGroup<'_>> = Vec::new();
    for held in &plan.held {
        // By id where somebody can approve. Where nobody can, the entries of one rule have the same
        // way out.
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
    // Stable: within these, holds stay in the order of the plan.
    holds.sort_by_key(|hold| (!hold.first().is_approvable(), hold.is_standing()));
    holds
}

impl<'a> HoldGroup<'a> {
    /// How many people have to approve it, if one is not enough.
    pub fn people_needed(&self) -> Option<String> {
        let needed = self.first().approvals_needed;
        (needed > 1).then(|| format!("{needed} different people have to approve it"))
    }

    /// The first entry, which stands for the others.
    pub fn first(&self) -> &'a HoldEntry {
        self.entries[0]
    }

    /// Returns the resources, each once. Several fields of one resource may be held.
    pub fn resources(&self) -> Vec<&'a Key> {
        let mut seen = HashSet::new();
        let keys = self.entries.iter().map(|held| &held.key);
        keys.filter(|key| seen.insert(*key)).collect()
    }

    /// Returns what is deleted or changed together with its resources.
    pub fn consequences(&self) -> impl Iterator<Item = &'a StepConsequence> {
        let entries = self.entries.iter().copied();
        entries.flat_map(|held| &held.consequences)
    }

    /// Whether this hold is only listed, without needing a decision or changing the exit code.
    pub fn is_standing(&self) -> bool {
        self.first().root.is_standing()
    }

    /// Returns the message, if all entries have the same.
    pub fn message(&self) -> Option<String> {
        let message = &self.first().message;
        let shared = self.entries.iter().all(|held| held.message == *message);
        shared.then(|| visible(message).into_owned())
    }

    /// The same without the override, for where the commands are named too.
    pub(super) fn message_alone(&self) -> Option<String> {
        let message = self.message()?;
        let over = self.first().accept_option.as_deref().map(visible);
        let over = over.map(|over| format!("; if this is intended, pass `{over}`"));
        Some(match over {
            Some(over) => message.replace(&over, ""),
            None => message,
        })
    }

    /// Says who would gain or lose what if it were approved.
    pub fn effect_sentence(&self) -> Option<String> {
        let effects = self.effects()?;
        effects::sentence(&effects, std::iter::empty(), effects::as_text)
    }

    /// Returns what the sentence leaves out: whom it is about, and because of what. At most `limit`
    /// lines, each with at most `named` names.
    pub fn effect_lines(&self, limit: usize, named: usize) -> Vec<String> {
        let effects = self.effects().unwrap_or_default();
        let lines = effects::lines(&effects, named, &PlanVisibility::default());
        let lines = lines.iter().filter(|line| line.adds_to_sentence());
        lines.take(limit).map(EffectLine::text).collect()
    }

    /// Who would gain or lose what if it were approved.
    pub(super) fn effects(&self) -> Option<PlanEffects> {
        let all = self.entries.iter().map(|held| &held.effects);
        self.first()
            .is_approvable()
            .then(|| PlanEffects::union(all))
    }

    /// Returns the commands that approve it.
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

    /// Returns possible renames: each entry that goes, with the key that comes.
    pub fn renames(&self) -> Vec<(&'a HoldEntry, &'a Key)> {
        let entries = self.entries.iter().copied();
        entries
            .filter_map(|held| Some((held, held.becomes.as_ref()?)))
            .collect()
    }

    /// Says what has to happen if no command can approve it.
    pub fn required_action(&self) -> Option<&'static str> {
        let first = self.first();
        match (first.code, first.root) {
            _ if first.is_approvable() => None,
            (_, root) if root.is_standing() => {
                Some("Held until that changes. It does not affect the exit code.")
            }
            // What it needs is gone for good.
            (codes::HELD_DEPENDENCY, codes::RETIRED_ID) => {
                Some("Cannot be approved. Change the sources.")
            }
            // Before errors: what is wrong is the step it needs, not this one.
            (codes::HELD_DEPENDENCY, _) => Some("Applied once the step that it needs is applied."),
            _ if first.is_error() => Some("Applied once fixed. Other changes are not blocked."),
            _ => Some("Cannot be approved. Change the sources."),
        }
    }
}

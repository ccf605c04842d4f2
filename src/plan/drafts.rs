//! Collects the drafts of all resources, before any rule or guard. [`draft_all`] puts together what
//! is declared (`draft.rs`) and what is no longer declared (`removal.rs`). The rules judge the
//! resulting [`PlanDrafts`] (`judge.rs`), which no longer changes; what is left after holds is a
//! [`PlanRemainder`](super::remainder::PlanRemainder).

use super::consequences::{self, ConsequenceDrafts};
use super::context::PlanContext;
use super::draft::{self, DraftPart, ResourceDraft};
use super::planned_change::put_change;
use super::removal::{self, RemovalDrafts};
use super::rename::{self, RenamePair};
use super::reverted_notes::RevertedNotes;
use super::stored_ends;
use super::types::StepReason;
use super::waiting_fields::WaitingFields;
use crate::check::{DeletionConsequence, PlannedChange, PlannedOutcome};
use crate::diagnostic::Diagnostic;
use crate::model::{CompactText, FieldChange, FieldRef, Key, KeyedList};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// The drafts of all resources of a plan.
#[derive(Clone, Default)]
pub(super) struct PlanDrafts {
    /// What would happen, without the parts that are held unless approved.
    pub effects: KeyedList<PlannedChange>,
    /// The reasons other than `declared`.
    pub reasons: HashMap<Key, StepReason>,
    /// Parts that are held unless approved.
    pub parts: Vec<DraftPart>,
    pub claims: ClaimDrafts,
    pub removals: RemovalDrafts,
    /// Resources that arrive here while another source still holds them under an old id.
    pub peer_renames: Vec<RenamePair>,
    pub notes: Vec<Diagnostic>,
}

/// What the claims on declared resources say afterwards, where that differs from the declaration.
#[derive(Clone, Default)]
pub(super) struct ClaimDrafts {
    /// Fields whose claim stays as it is.
    pub open_fields: HashMap<Key, BTreeSet<FieldRef>>,
    /// What the claims record of open fields nevertheless.
    pub recorded: HashMap<Key, Vec<(FieldRef, CompactText)>>,
    /// Resources found equal: only their claim moves.
    pub refreshed: BTreeSet<Key>,
}

/// Compares everything declared with everything stored.
pub(super) fn draft_all(context: &PlanContext<'_>) -> PlanDrafts {
    let mut drafts = PlanDrafts::default();
    let declared = &context.desired.resources;
    // A first plan has an effect for each resource. In later ones most are equal and need no room.
    let room = declared.len().saturating_sub(context.stored.rows.len());
    drafts.effects.reserve(room);
    let mut waiting = WaitingFields::default();
    let mut reverted = RevertedNotes::default();
    let only = context.rules.only.as_ref();
    for declared in declared {
        if only.is_none_or(|only| only.contains(&declared.key))
            && let Some(mut draft) = draft::draft(context, declared)
        {
            waiting.add(&declared.key, std::mem::take(&mut draft.waiting));
            reverted.add(&declared.key, std::mem::take(&mut draft.reverted));
            drafts.add(&declared.key, draft);
        }
    }
    drafts.notes.extend(waiting.notes(context));
    drafts.notes.extend(reverted.notes(context));
    // After the declared resources: a removal is a rename if its successor is among them.
    drafts.add_removals(removal::removals(context));
    // After all of these: what the plan does anyway is no consequence.
    drafts.add_consequences(consequences::consequences(context, &drafts.effects));
    drafts.add_overdue(stored_ends::overdue(context, &drafts.effects));
    drafts.peer_renames = rename::renames_from_peers(context, &drafts.effects);
    drafts
}

impl PlanDrafts {
    fn add(&mut self, key: &Key, draft: ResourceDraft) {
        self.notes.extend(draft.notes);
        self.parts.extend(draft.parts);
        if !draft.open_fields.is_empty() {
            let open = &mut self.claims.open_fields;
            open.insert(key.clone(), draft.open_fields);
        }
        if !draft.recorded.is_empty() {
            let recorded = &mut self.claims.recorded;
            recorded.insert(key.clone(), draft.recorded);
        }
        if draft.refresh_claim {
            self.claims.refreshed.insert(key.clone());
        }
        if let Some(outcome) = draft.outcome {
            let key = key.clone();
            self.add_effect(PlannedChange { key, outcome }, draft.reason);
        }
    }

    fn add_removals(&mut self, mut removals: RemovalDrafts) {
        for effect in std::mem::take(&mut removals.effects) {
            self.add_effect(effect, StepReason::Removed);
        }
        self.notes.append(&mut removals.notes);
        self.removals = removals;
    }

    fn add_consequences(&mut self, drafts: ConsequenceDrafts) {
        for DeletionConsequence { key, changes, .. } in drafts.all {
            match (changes, self.effects.get_mut(&key)) {
                // In place of a deactivation, if the source no longer declares it.
                (None, _) => self.replace_effect(key, PlannedOutcome::Delete(Box::default())),
                (Some(changes), None) => self.replace_effect(key, PlannedOutcome::Change(changes)),
                (Some(changes), Some(effect)) => {
                    for change in changes {
                        put_change(effect, change);
                    }
                }
            }
        }
        for (account, consequences) in drafts.by_account {
            if let Some(effect) = self.effects.get_mut(&account) {
                effect.outcome = PlannedOutcome::Delete(consequences.into());
            }
        }
    }

    fn add_overdue(&mut self, overdue: Vec<(Key, FieldChange)>) {
        for (key, change) in overdue {
            if let Some(effect) = self.effects.get_mut(&key) {
                put_change(effect, change);
            } else {
                let outcome = PlannedOutcome::Change(vec![change]);
                let _ = self.effects.insert(PlannedChange { key, outcome });
            }
        }
    }

    fn replace_effect(&mut self, key: Key, outcome: PlannedOutcome) {
        self.reasons.insert(key.clone(), StepReason::Consequence);
        match self.effects.get_mut(&key) {
            Some(effect) => effect.outcome = outcome,
            None => _ = self.effects.insert(PlannedChange { key, outcome }),
        }
    }

    /// Adds what a person asked for.
    pub fn request(&mut self, effect: PlannedChange) {
        self.add_effect(effect, StepReason::Requested);
    }

    fn add_effect(&mut self, effect: PlannedChange, reason: StepReason) {
        if reason != StepReason::Declared {
            self.reasons.insert(effect.key.clone(), reason);
        }
        let _ = self.effects.insert(effect);
    }

    /// The effects with every held part included. What is declared is judged whole: that a part
    /// waits for a decision is no fault of the source.
    pub fn effects_with_parts(&self) -> Cow<'_, KeyedList<PlannedChange>> {
        let mut effects = Cow::Borrowed(&self.effects);
        for part in &self.parts {
            let key = &part.hold.members[0].key;
            if let Some(full) = &part.full
                && let Some(effect) = effects.to_mut().get_mut(key)
            {
                put_change(effect, full.clone());
            }
        }
        effects
    }

    /// The effects without those that are held whole; `None` when no part is held.
    pub fn effects_without_waiting(&self) -> Option<KeyedList<PlannedChange>> {
        if self.parts.is_empty() {
            return None;
        }
        let members = self.parts.iter().flat_map(|part| &part.hold.members);
        let whole: BTreeSet<&Key> = members
            .filter(|member| member.whole)
            .map(|member| &member.key)
            .collect();
        let effects = self.effects.iter();
        let left = effects.filter(|effect| !whole.contains(&effect.key));
        Some(left.cloned().collect())
    }
}

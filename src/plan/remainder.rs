//! What holds leave of the drafts. Rules look at a [`PlanRemainder`] and return what they hold;
//! [`PlanRemainder::decide`] records it, and [`PlanRemainder::subtract`] is the only place where
//! held changes leave the effects. Between the two, rules still see the whole plan: a guard also
//! counts a step that another rule holds.

use super::context::PlanContext;
use super::draft::DraftPart;
use super::drafts::{ClaimDrafts, PlanDrafts};
use super::hold_ledger::{HoldLedger, RuleOutcome};
use super::planned_change::put_change;
use super::removal::RemovalDrafts;
use super::rename::RenamePair;
use super::types::StepReason;
use crate::check::{PlannedChange, PlannedOutcome};
use crate::model::{Key, KeyedList};
use std::collections::HashMap;

pub(super) struct PlanRemainder {
    pub effects: KeyedList<PlannedChange>,
    pub claims: ClaimDrafts,
    pub removals: RemovalDrafts,
    pub parts: Vec<DraftPart>,
    pub peer_renames: Vec<RenamePair>,
    pub ledger: HoldLedger,
    reasons: HashMap<Key, StepReason>,
}

impl PlanRemainder {
    pub fn of(drafts: PlanDrafts) -> Self {
        Self {
            effects: drafts.effects,
            claims: drafts.claims,
            removals: drafts.removals,
            parts: drafts.parts,
            peer_renames: drafts.peer_renames,
            ledger: HoldLedger::default(),
            reasons: drafts.reasons,
        }
    }

    pub fn reason(&self, key: &Key) -> StepReason {
        let reason = self.reasons.get(key).copied();
        reason.unwrap_or(StepReason::Declared)
    }

    /// Records what a rule holds. The effects stay, apart from approved parts of drafts, which are
    /// put in.
    #[must_use]
    pub fn decide(mut self, context: &PlanContext<'_>, mut outcome: RuleOutcome) -> Self {
        let mut is_held = false;
        for hold in std::mem::take(&mut outcome.holds) {
            is_held |= self.ledger.add_hold(context, hold);
        }
        for part in std::mem::take(&mut outcome.parts) {
            self = self.decide_part(context, part);
        }
        if outcome.is_whole_source && is_held {
            // Nothing of the export is accepted, so no claim moves.
            self.removals.claim_updates.clear();
            self.removals.released.clear();
            self.claims.refreshed.clear();
        }
        self.ledger.add_consents(outcome);
        self
    }

    /// Holds a part of a draft or, when it is approved, puts it into its effect.
    fn decide_part(mut self, context: &PlanContext<'_>, part: DraftPart) -> Self {
        let key = part.hold.members[0].key.clone();
        if self.ledger.add_part(context, part.hold) {
            return self;
        }
        let Some(full) = part.full else { return self };
        // Approved and about to be written: the claim may record the new value.
        if let Some(open) = self.claims.open_fields.get_mut(&key) {
            open.remove(&full.field);
        }
        if let Some(effect) = self.effects.get_mut(&key) {
            put_change(effect, full);
        }
        self
    }

    /// Takes what is held out of the effects. The claims keep what they said of the held fields.
    #[must_use]
    pub fn subtract(mut self) -> Self {
        for (key, fields) in self.ledger.take_blocked_fields() {
            if let Some(effect) = self.effects.get_mut(&key)
                && let PlannedOutcome::Change(changes) = &mut effect.outcome
            {
                changes.retain(|change| !fields.contains(&change.field));
            }
            let open = self.claims.open_fields.entry(key).or_default();
            open.extend(fields);
        }
        let ledger = &self.ledger;
        self.effects
            .retain(|effect| !ledger.is_blocked(&effect.key));
        self
    }

    /// Drops the effects of which nothing is left, unless they adopt a row: claiming it is a
    /// change.
    #[must_use]
    pub fn without_empty_effects(mut self, context: &PlanContext<'_>) -> Self {
        let source = &context.desired.source;
        self.effects.retain(|effect| match &effect.outcome {
            PlannedOutcome::Change(changes) => {
                !changes.is_empty() || context.stored.claim(source, &effect.key).is_none()
            }
            PlannedOutcome::Create { .. } | PlannedOutcome::Delete(_) => true,
        });
        self
    }
}

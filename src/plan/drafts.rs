//! What reading both sides came to: what would happen to each resource and why, before any rule or
//! guard.
//!
//! [`draft_all`] puts together what is declared, one resource at a time (`draft.rs`), and what is no
//! longer declared (`removal.rs`). Nothing changes a [`Drafts`] afterwards: the rules judge it
//! (`judge.rs`), and what is left of it after holds is a
//! [`PlanRemainder`](super::remainder::PlanRemainder).

use super::context::PlanContext;
use super::draft::{self, DraftPart, ResourceDraft};
use super::effects::put_change;
use super::removal::{self, RemovalDrafts};
use super::rename::{self, RenamePair};
use super::types::StepReason;
use super::waiting_fields::WaitingFields;
use crate::check::ResourceEffect;
use crate::diagnostic::Diagnostic;
use crate::model::{CompactText, FieldRef, Key, KeyedList};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// What would happen to each resource.
#[derive(Default)]
pub(super) struct Drafts {
    /// What would happen, without the parts that are held unless approved.
    pub effects: KeyedList<ResourceEffect>,
    /// Why, where it is not simply declared.
    pub reasons: HashMap<Key, StepReason>,
    /// Parts that are held unless approved.
    pub parts: Vec<DraftPart>,
    pub claims: ClaimDrafts,
    pub removals: RemovalDrafts,
    /// Who comes here and has not gone yet under an old id in another source.
    pub peer_renames: Vec<RenamePair>,
    pub notes: Vec<Diagnostic>,
}

/// What the claims on declared resources say afterwards, where it is not simply what is declared.
#[derive(Default)]
pub(super) struct ClaimDrafts {
    /// Fields of which the claim keeps what it said.
    pub open_fields: HashMap<Key, BTreeSet<FieldRef>>,
    /// Of open fields, what the claim records all the same.
    pub recorded: HashMap<Key, Vec<(FieldRef, CompactText)>>,
    /// What was found equal: its claim moves though nothing else changes.
    pub refreshed: BTreeSet<Key>,
}

/// Compares both sides.
pub(super) fn draft_all(context: &PlanContext<'_>) -> Drafts {
    let mut drafts = Drafts::default();
    let declared = &context.desired.resources;
    // A first plan has an effect for each resource. Later most are stored and equal, and need no room.
    let room = declared.len().saturating_sub(context.stored.rows.len());
    drafts.effects.reserve(room);
    let mut waiting = WaitingFields::default();
    let only = context.rules.only.as_ref();
    for declared in declared {
        if only.is_none_or(|only| only.contains(&declared.key))
            && let Some(mut draft) = draft::draft(context, declared)
        {
            waiting.add(&declared.key, std::mem::take(&mut draft.waiting));
            drafts.add(&declared.key, draft);
        }
    }
    drafts.notes.extend(waiting.notes(context));
    drafts.add_removals(removal::removals(context));
    drafts.peer_renames = rename::renames_from_peers(context, &drafts.effects);
    drafts
}

impl Drafts {
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
            self.add_effect(ResourceEffect { key, outcome }, draft.reason);
        }
    }

    fn add_removals(&mut self, mut removals: RemovalDrafts) {
        for effect in std::mem::take(&mut removals.effects) {
            self.add_effect(effect, StepReason::Removed);
        }
        self.notes.append(&mut removals.notes);
        self.removals = removals;
    }

    fn add_effect(&mut self, effect: ResourceEffect, reason: StepReason) {
        if reason != StepReason::Declared {
            self.reasons.insert(effect.key.clone(), reason);
        }
        let _ = self.effects.insert(effect);
    }

    /// The effects with every part in its place, for what is declared is judged whole: that a part of it
    /// waits for somebody is no fault of the source.
    pub fn effects_with_parts(&self) -> Cow<'_, KeyedList<ResourceEffect>> {
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

    /// The effects without those that parts hold whole; `None` when there are no parts.
    pub fn effects_without_waiting(&self) -> Option<KeyedList<ResourceEffect>> {
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

//! Compares what is desired with what is stored: effects first, then what keeps them back, then
//! steps in order.

use super::context::PlanContext;
use super::draft::{self, ResourceDraft};
use super::effects::{put, put_back};
use super::finish::{diagnostics_only, finish, refused};
use super::guard_base::BudgetBases;
use super::hold::{Hold, HoldMember};
use super::rename::RenamePair;
use super::rules::PlanRules;
use super::types::{ClaimUpdate, HoldEntry, Plan, StepReason, StepVerb};
use super::waiting_fields::WaitingByPeer;
use super::{fixpoint, forbid, guard, removal, rename};
use crate::check::{self, EffectOutcome, ResourceEffect};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{
    CompactText, DeclaredResource, Desired, FieldChange, FieldRef, HeldStep, Key, KeyedList,
    Snapshot,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Plans what makes `stored` equal to `desired`.
///
/// `found` is what reading the source came upon: an error of it refuses the plan or, with
/// `hold_errors`, holds its resource.
pub fn plan(desired: &Desired, stored: &Snapshot, rules: &PlanRules, found: &[Diagnostic]) -> Plan {
    plan_with(desired, stored, rules, found, finish)
}

/// What a plan would say is wrong, without making its steps.
pub fn diagnostics(
    desired: &Desired,
    stored: &Snapshot,
    rules: &PlanRules,
    found: &[Diagnostic],
) -> Vec<Diagnostic> {
    plan_with(desired, stored, rules, found, diagnostics_only).diagnostics
}

fn plan_with(
    desired: &Desired,
    stored: &Snapshot,
    rules: &PlanRules,
    found: &[Diagnostic],
    finish: fn(&PlanContext<'_>, PlanInProgress) -> Plan,
) -> Plan {
    let definitions = check::definitions(desired, stored);
    let context = PlanContext {
        desired,
        stored,
        rules,
        definitions: &definitions,
        fingerprint: rules.fingerprint(),
    };
    let mut work = PlanInProgress {
        diagnostics: found.to_vec(),
        ..PlanInProgress::default()
    };
    work.draft(&context);
    work.note_waiting(&context);
    removal::removals(&context, &mut work);
    work.from_elsewhere = rename::renames_from_peers(&context, &work);
    let parted = work.insert_parts();
    let verdict = fixpoint::judge(&context, &mut work, &parted);
    work.remove_parts(parted);
    if verdict.refused {
        return refused(&context, work);
    }
    apply_holds(&context, &mut work);
    fixpoint::settle(&context, &mut work, verdict);
    finish(&context, work)
}

/// Holds and guards, all on the whole plan, before any of it is taken out.
fn apply_holds(context: &PlanContext<'_>, work: &mut PlanInProgress) {
    forbid::hold_doubted_export(context, work);
    forbid::hold_doubtful_fields(context, work);
    let parts = std::mem::take(&mut work.parts);
    parts
        .into_iter()
        .for_each(|part| work.apply_part(context, part));
    forbid::hold_forbidden_removals(context, work);
    forbid::login_changes(context, work);
    let mut covered = rename::renames(context, work);
    let bases = BudgetBases::of(context, work);
    covered.extend(removal::hold_emptied_kinds(
        context,
        work,
        &bases.live,
        &covered,
    ));
    covered.extend(work.undecidable.iter().cloned());
    guard::guards(context, work, &bases, &covered);
    work.let_through.extend(covered);
    work.remove_held();
}

/// A plan in the making.
#[derive(Default)]
pub(super) struct PlanInProgress {
    /// What would happen; what is held is taken out.
    pub effects: KeyedList<ResourceEffect>,
    /// Why, where it is not simply declared.
    reasons: HashMap<Key, StepReason>,
    /// Fields of which the claim keeps what it said.
    pub open_fields: HashMap<Key, BTreeSet<FieldRef>>,
    /// Of open fields, what the claim records all the same.
    pub recorded: HashMap<Key, Vec<(FieldRef, CompactText)>>,
    /// Parts of drafts that are held unless approved.
    parts: Vec<draft::DraftPart>,
    /// What is held so far.
    pub held: Vec<HoldEntry>,
    /// The effects that are to be taken out whole, with the rule that held them first.
    pub blocked: BTreeMap<Key, Code>,
    /// The fields that are to be taken out.
    blocked_fields: BTreeMap<Key, BTreeSet<FieldRef>>,
    /// The fields that an export has lost: they wait, and count against nothing else.
    pub doubtful_fields: BTreeMap<Key, BTreeSet<FieldRef>>,
    /// The resources of which fields are held, with the rule that held them first.
    partly_held: BTreeMap<Key, Code>,
    /// Of these, those that nobody can decide about now.
    undecidable: BTreeSet<Key>,
    /// Whether the effects are no longer those that the rules judged first.
    pub effects_changed: bool,
    /// Overrides and approvals that were used.
    pub used_consents: Vec<String>,
    /// Budgets that an override lets through.
    pub exempt_budgets: BTreeSet<String>,
    /// Resources that an approval or override lets through.
    pub let_through: BTreeSet<Key>,
    /// Of each resource, the fields about which an approval decided: they count against nothing.
    pub approved_fields: BTreeMap<Key, BTreeSet<FieldRef>>,
    /// Who comes here and has not gone yet under an old id in another source.
    pub from_elsewhere: Vec<RenamePair>,
    /// What guards held, for later passes.
    pub remembered: Vec<HeldStep>,
    pub claim_updates: Vec<ClaimUpdate>,
    pub orphans: Vec<Key>,
    pub released: Vec<Key>,
    pub diagnostics: Vec<Diagnostic>,
    /// What waits for sources that decide it and write nothing now.
    pub waiting: WaitingByPeer,
    /// The sources that have to be read or accepted before what is no longer declared is decided.
    pub waits_for: BTreeSet<String>,
    pub refreshed: BTreeSet<Key>,
}

impl PlanInProgress {
    fn draft(&mut self, context: &PlanContext<'_>) {
        let new = context.desired.resources.len();
        self.effects
            .reserve(new.saturating_sub(context.stored.rows.len()));
        for declared in &context.desired.resources {
            let wanted = context
                .rules
                .only
                .as_ref()
                .is_none_or(|only| only.contains(&declared.key));
            if wanted && let Some(draft) = draft::draft(context, declared) {
                self.add_draft(declared, draft);
            }
        }
    }

    fn add_draft(&mut self, declared: &Arc<DeclaredResource>, draft: ResourceDraft) {
        let key = &declared.key;
        self.diagnostics.extend(draft.notes);
        self.wait(key, draft.waiting);
        self.parts.extend(draft.parts);
        if !draft.open_fields.is_empty() {
            self.open_fields.insert(key.clone(), draft.open_fields);
        }
        if !draft.recorded.is_empty() {
            self.recorded.insert(key.clone(), draft.recorded);
        }
        if draft.refresh_claim {
            self.refreshed.insert(key.clone());
        }
        if let Some(outcome) = draft.outcome {
            self.add_effect(
                ResourceEffect {
                    key: key.clone(),
                    outcome,
                },
                draft.reason,
            );
        }
    }

    /// Adds what would happen to a resource, and why.
    pub fn add_effect(&mut self, effect: ResourceEffect, reason: StepReason) {
        if reason != StepReason::Declared {
            self.reasons.insert(effect.key.clone(), reason);
        }
        let _ = self.effects.insert(effect);
    }

    /// Why something would happen to a resource.
    pub fn reason(&self, key: &Key) -> StepReason {
        self.reasons
            .get(key)
            .copied()
            .unwrap_or(StepReason::Declared)
    }

    /// Keeps back what no approval lets through.
    pub fn hold(&mut self, context: &PlanContext<'_>, hold: Hold) {
        self.effects_changed = true;
        let id = |hold: &Hold| hold.id(&context.desired.source, &context.rules.salt);
        let all = hold.members.clone();
        let approved = &context.stored.approved_holds;
        let mut left = Some(hold);
        // What is left of a hold of which a part was approved is a hold of its own.
        while let Some(hold) = left.take_if(|hold| hold.code.is_approvable()) {
            let (count, id) = (hold.members.len(), id(&hold));
            left = hold.without_approved(&id, approved, &mut self.used_consents);
            if left.as_ref().is_none_or(|left| left.members.len() == count) {
                break;
            }
        }
        if let Some(hold) = &left {
            self.held.extend(hold.entries(&id(hold)));
            for member in &hold.members {
                self.block(hold.code, &member.key, member.whole, &member.changes);
            }
        }
        let still = |key: &Key| {
            left.iter()
                .flat_map(|hold| &hold.members)
                .any(|member| member.key == *key)
        };
        for member in all.into_iter().filter(|member| !still(&member.key)) {
            self.let_member_through(member);
        }
    }

    /// Lets a part of a hold through that a person approved.
    pub fn let_member_through(&mut self, member: HoldMember) {
        if member.verb == StepVerb::Delete {
            self.let_through.insert(member.key.clone());
        }
        let fields = member.changes.into_iter().map(|change| change.field);
        self.approved_fields
            .entry(member.key)
            .or_default()
            .extend(fields);
    }

    /// Notes what is to be taken out.
    pub fn block(&mut self, code: Code, key: &Key, whole: bool, changes: &[FieldChange]) {
        if code.is_standing() {
            self.undecidable.insert(key.clone());
        }
        if whole {
            self.blocked.entry(key.clone()).or_insert(code);
        } else {
            self.partly_held.entry(key.clone()).or_insert(code);
            let fields = changes.iter().map(|change| change.field.clone());
            self.blocked_fields
                .entry(key.clone())
                .or_default()
                .extend(fields);
        }
    }

    /// A part of a draft: held, or, approved, put into the effect.
    fn apply_part(&mut self, context: &PlanContext<'_>, part: draft::DraftPart) {
        let key = part.hold.members[0].key.clone();
        let whole = part.hold.members[0].whole;
        let blocked = |work: &Self| work.held.len();
        let before = blocked(self);
        self.hold(context, part.hold);
        if blocked(self) > before {
            if !whole {
                // The field is not in the effect: nothing of it has to be taken out.
                self.blocked_fields.remove(&key);
            }
            return;
        }
        let Some(full) = part.full else { return };
        if let Some(open) = self.open_fields.get_mut(&key) {
            open.remove(&full.field);
        }
        if let Some(effect) = self.effects.get_mut(&key) {
            put(effect, full);
        }
    }

    /// Whether a field is to be taken out already.
    pub fn holds_field(&self, key: &Key, field: &FieldRef) -> bool {
        let fields = self.blocked_fields.get(key);
        fields.is_some_and(|fields| fields.contains(field))
    }

    /// The rule that holds a resource or some of its fields.
    pub fn holding_rule(&self, key: &Key) -> Option<Code> {
        self.blocked
            .get(key)
            .or_else(|| self.partly_held.get(key))
            .copied()
    }

    /// Puts every part into its effect, for what is declared is judged whole: that a part of it
    /// waits for somebody is no fault of the source. Returns the effects without.
    fn insert_parts(&mut self) -> Vec<ResourceEffect> {
        let mut without = Vec::new();
        for part in &self.parts {
            if let Some(full) = &part.full
                && let Some(effect) = self.effects.get_mut(&part.hold.members[0].key)
            {
                without.push(effect.clone());
                put(effect, full.clone());
            }
        }
        without
    }

    /// Undoes [`PlanInProgress::insert_parts`].
    fn remove_parts(&mut self, without: Vec<ResourceEffect>) {
        // What was judged was more than what may be left.
        self.effects_changed |= !without.is_empty();
        put_back(&mut self.effects, without);
    }

    /// The effects without the parts of drafts that are held; `None` when there are no such parts.
    pub fn without_waiting(&self, without: &[ResourceEffect]) -> Option<KeyedList<ResourceEffect>> {
        if self.parts.is_empty() {
            return None;
        }
        let mut effects = self.effects.clone();
        put_back(&mut effects, without.to_vec());
        let members = self.parts.iter().flat_map(|part| &part.hold.members);
        let whole: BTreeSet<&Key> = members
            .filter(|member| member.whole)
            .map(|member| &member.key)
            .collect();
        effects.retain(|effect| !whole.contains(&effect.key));
        Some(effects)
    }

    /// Takes what is held out of the effects.
    pub fn remove_held(&mut self) {
        let (blocked, fields) = (&self.blocked, std::mem::take(&mut self.blocked_fields));
        for (key, fields) in &fields {
            if let Some(effect) = self.effects.get_mut(key)
                && let EffectOutcome::Change(changes) = &mut effect.outcome
            {
                changes.retain(|change| !fields.contains(&change.field));
            }
        }
        for (key, fields) in fields {
            self.open_fields.entry(key).or_default().extend(fields);
        }
        self.effects
            .retain(|effect| !blocked.contains_key(&effect.key));
    }
}

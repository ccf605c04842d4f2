//! Keeps what the rules have held so far and what people let through. A rule returns a
//! [`RuleOutcome`]; the ledger looks up approvals, keeps the rest as entries of the plan, and
//! remembers which effects and fields are blocked. Rules read it to leave decided things alone;
//! only [`PlanRemainder`](super::remainder::PlanRemainder) writes to it.

use super::budget_share::BudgetName;
use super::context::PlanContext;
use super::draft::DraftPart;
use super::exceeded_limit::{self, ExceededLimit};
use super::hold::{Hold, HoldMember};
use super::types::{HoldEntry, StepVerb};
use crate::check::DeletionConsequence;
use crate::diagnostic::Code;
use crate::kinds::{self, effective};
use crate::model::{FieldChange, FieldRef, HeldStep, Key};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

/// What one rule holds, and what overrides or approvals let through.
#[derive(Default)]
pub(super) struct RuleOutcome {
    pub holds: Vec<Hold>,
    /// Held parts of drafts, each with the change to make on approval.
    pub parts: Vec<DraftPart>,
    /// The overrides and approvals used.
    pub consents: Vec<String>,
    /// Members that an approval of an earlier pass lets through.
    pub approved: Vec<HoldMember>,
    /// Resources decided as a whole, held or not; guards leave them alone.
    pub covered: BTreeSet<Key>,
    pub exempt_budget: Option<BudgetName>,
    /// The steps that an override of their budget accepts, each with the field that counts.
    pub accepted_steps: Vec<(Key, Option<FieldRef>)>,
    /// Whether the hold covers everything that the source sent. Then no claim moves.
    pub is_whole_source: bool,
}

impl From<Vec<Hold>> for RuleOutcome {
    fn from(holds: Vec<Hold>) -> Self {
        Self {
            holds,
            ..Self::default()
        }
    }
}

/// What is held, and what was let through.
#[derive(Default)]
pub(super) struct HoldLedger {
    pub held: Vec<HoldEntry>,
    /// Steps held by guards, to be remembered for later passes.
    pub remembered: Vec<HeldStep>,
    /// The overrides and approvals used.
    pub used_consents: Vec<String>,
    /// Whether any rule held anything, approved or not.
    pub has_holds: bool,
    /// Effects held as a whole, with the first rule that held them.
    blocked: BTreeMap<Key, Code>,
    /// Fields that are still to be taken out of their effects.
    blocked_fields: BTreeMap<Key, BTreeSet<FieldRef>>,
    /// Resources with held fields, with the first rule that held them.
    partly_held: BTreeMap<Key, Code>,
    /// Holds of guards by id, with their place in `held`.
    guard_holds: BTreeMap<String, (Range<usize>, Vec<ExceededLimit>)>,
    exemptions: BudgetExemptions,
}

/// What counts against no budget.
#[derive(Default)]
struct BudgetExemptions {
    /// Budgets that an override lets through.
    budgets: BTreeSet<BudgetName>,
    /// The steps under them, each with the field that counts or, without one, as a whole.
    steps: BTreeSet<(Key, Option<FieldRef>)>,
    /// Resources that other rules decided as a whole.
    covered: BTreeSet<Key>,
    /// Resources under a standing hold, which nobody can decide now.
    undecidable: BTreeSet<Key>,
    /// Approved deletes.
    deletes: BTreeSet<Key>,
    /// The approved fields of each resource.
    fields: BTreeMap<Key, BTreeSet<FieldRef>>,
}

impl HoldLedger {
    pub fn is_blocked(&self, key: &Key) -> bool {
        self.blocked.contains_key(key)
    }

    /// Whether a field is held and not yet taken out.
    pub fn holds_field(&self, key: &Key, field: &FieldRef) -> bool {
        let fields = self.blocked_fields.get(key);
        fields.is_some_and(|fields| fields.contains(field))
    }

    pub fn holding_rule(&self, key: &Key) -> Option<Code> {
        let whole = self.blocked.get(key);
        whole.or_else(|| self.partly_held.get(key)).copied()
    }

    /// The approved fields of a resource; `None` without an approval.
    pub fn approved_fields(&self, key: &Key) -> Option<&BTreeSet<FieldRef>> {
        self.exemptions.fields.get(key)
    }

    /// Resources that rules decided as a whole.
    pub fn covered(&self) -> &BTreeSet<Key> {
        &self.exemptions.covered
    }

    /// Whether guards leave a resource alone, because another rule decided about it or nobody can
    /// now.
    pub fn is_beyond_guards(&self, key: &Key) -> bool {
        self.exemptions.covered.contains(key) || self.exemptions.undecidable.contains(key)
    }

    /// Whether the rest of a resource counts against no budget.
    pub fn is_uncounted(&self, key: &Key) -> bool {
        self.is_beyond_guards(key) || self.exemptions.deletes.contains(key)
    }

    pub fn is_exempt(&self, budget: &str) -> bool {
        self.exemptions.budgets.contains(budget)
    }

    /// Whether an override accepts a step, as a whole or as far as a field counts.
    pub fn is_accepted(&self, key: &Key, field: Option<&FieldRef>) -> bool {
        let step = (key.clone(), field.cloned());
        self.exemptions.steps.contains(&step)
    }

    /// Whether a resource is held as a whole, or the field of it.
    pub fn is_held(&self, key: &Key, field: Option<&FieldRef>) -> bool {
        self.is_blocked(key) || field.is_some_and(|field| self.holds_field(key, field))
    }

    /// Whether a guard holds exactly the steps of a hold already.
    pub fn is_guard_hold(&self, context: &PlanContext<'_>, hold: &Hold) -> bool {
        self.guard_holds.contains_key(&hold_id(context, hold))
    }

    /// Takes the fields still to be taken out, so that each is taken out once.
    pub fn take_blocked_fields(&mut self) -> BTreeMap<Key, BTreeSet<FieldRef>> {
        std::mem::take(&mut self.blocked_fields)
    }

    /// Adds what approvals leave of a hold. Returns whether anything is held.
    pub fn add_hold(&mut self, context: &PlanContext<'_>, hold: Hold) -> bool {
        self.add(context, hold, true)
    }

    /// Adds the hold of a draft part. Its change is not in the effect, so no field has to be taken
    /// out.
    pub fn add_part(&mut self, context: &PlanContext<'_>, hold: Hold) -> bool {
        self.add(context, hold, false)
    }

    /// Records what a rule let through.
    pub fn add_consents(&mut self, outcome: RuleOutcome) {
        self.used_consents.extend(outcome.consents);
        self.exemptions.covered.extend(outcome.covered);
        self.exemptions.budgets.extend(outcome.exempt_budget);
        self.exemptions.steps.extend(outcome.accepted_steps);
        for member in outcome.approved {
            self.let_through(member);
        }
    }

    fn add(&mut self, context: &PlanContext<'_>, mut hold: Hold, is_in_effect: bool) -> bool {
        self.has_holds = true;
        let limits = std::mem::take(&mut hold.limits);
        let id = (!limits.is_empty()).then(|| hold_id(context, &hold));
        // The same steps are held by another guard already: the limits are added to that hold.
        if let Some(entries) = id.as_ref().and_then(|id| self.add_limits(id, &limits)) {
            self.remember(entries, hold.records);
            return false;
        }
        let before = self.held.len();
        if let Some((id, hold)) = self.without_approved(context, hold) {
            self.held.extend(hold.entries(&id));
            for member in &hold.members {
                self.block(&hold, member, is_in_effect);
            }
            self.remember(before..self.held.len(), hold.records);
        }
        let entries = before..self.held.len();
        let is_held = !entries.is_empty();
        // Noted even when approved: a second guard over the same steps must find them decided.
        if let Some(id) = id {
            self.guard_holds.insert(id, (entries, limits));
        }
        is_held
    }

    /// Adds limits to a hold that exists. One step can exceed several limits, since replacing a
    /// group is both a change and an unlink; a person should decide about it once. Returns the
    /// place of the hold, if there is one.
    fn add_limits(&mut self, id: &str, limits: &[ExceededLimit]) -> Option<Range<usize>> {
        let (entries, all) = self.guard_holds.get_mut(id)?;
        all.extend_from_slice(limits);
        for held in &mut self.held[entries.clone()] {
            held.message = exceeded_limit::message(all);
            held.accept_option = Some(exceeded_limit::overrides(all));
        }
        Some(entries.clone())
    }

    /// What approvals leave of a hold, with its id; the rest is let through.
    fn without_approved(
        &mut self,
        context: &PlanContext<'_>,
        hold: Hold,
    ) -> Option<(String, Hold)> {
        let mut id = hold_id(context, &hold);
        if !hold.is_approvable() {
            return Some((id, hold));
        }
        let all = hold.members.clone();
        let approved = context.approved;
        let mut left = Some(hold);
        // After a part was approved, the rest is a hold with an id of its own, which may be
        // approved too. Hence the loop.
        while let Some(hold) = left.take() {
            let count = hold.members.len();
            left = hold.without_approved(&id, approved, &mut self.used_consents);
            match &left {
                Some(left) if left.members.len() < count => id = hold_id(context, left),
                _ => break,
            }
        }
        let still: HashSet<&Key> = left
            .iter()
            .flat_map(|hold| &hold.members)
            .map(|member| &member.key)
            .collect();
        for member in all.into_iter().filter(|it| !still.contains(&it.key)) {
            self.let_through(member);
        }
        Some((id, left?))
    }

    /// Lets an approved member through.
    fn let_through(&mut self, member: HoldMember) {
        for consequence in member.consequences {
            match consequence.changes {
                None => _ = self.exemptions.deletes.insert(consequence.key),
                Some(changes) => {
                    let fields = changes.into_iter().map(|change| change.field);
                    let approved = self.exemptions.fields.entry(consequence.key).or_default();
                    approved.extend(fields);
                }
            }
        }
        if member.verb == StepVerb::Delete {
            self.exemptions.deletes.insert(member.key.clone());
        }
        let fields = member.changes.into_iter().map(|change| change.field);
        let approved = self.exemptions.fields.entry(member.key).or_default();
        approved.extend(fields);
    }

    /// Blocks what would go or change because of a held member. It has no entry of its own.
    fn block_consequence(&mut self, consequence: &DeletionConsequence, root: Code) {
        let key = consequence.key.clone();
        let Some(changes) = consequence.changes.as_ref().filter(|_| !consequence.alone) else {
            self.blocked.entry(key).or_insert(root);
            return;
        };
        // The plan does more to it, which goes on.
        self.partly_held.entry(key.clone()).or_insert(root);
        let fields = changes.iter().map(|change| change.field.clone());
        self.blocked_fields.entry(key).or_default().extend(fields);
    }

    /// Blocks a held member.
    fn block(&mut self, hold: &Hold, member: &HoldMember, is_in_effect: bool) {
        let (key, root) = (&member.key, hold.root_code());
        if hold.code.is_standing() {
            self.exemptions.undecidable.insert(key.clone());
        }
        for consequence in &member.consequences {
            self.block_consequence(consequence, root);
        }
        if member.whole {
            self.blocked.entry(key.clone()).or_insert(root);
            return;
        }
        self.partly_held.entry(key.clone()).or_insert(root);
        if is_in_effect {
            let kind = kinds::get(key.kind);
            let blocked = self.blocked_fields.entry(key.clone()).or_default();
            for FieldChange { field, .. } in &member.changes {
                blocked.insert(field.clone());
                // Stored without what they decide, the dates would later count as known before.
                blocked.extend(effective::dates_of(kind, field));
            }
        }
    }

    /// Keeps the records of held steps, with the id of their hold.
    fn remember(&mut self, entries: Range<usize>, records: Vec<HeldStep>) {
        let entries = self.held[entries].iter();
        let ids: BTreeMap<&Key, &str> = entries.map(|held| (&held.key, &*held.hold)).collect();
        let held = records.into_iter().filter_map(|record| {
            let hold = (*ids.get(&record.key)?).to_owned();
            Some(HeldStep { hold, ..record })
        });
        self.remembered.extend(held);
    }
}

fn hold_id(context: &PlanContext<'_>, hold: &Hold) -> String {
    hold.id(&context.desired.source, &context.rules.salt)
}

//! The bases of guards: of how many a count is a share.
//!
//! The base of a budget is what exists before the plan, without what the plan takes away for
//! another reason, held or not. Otherwise the base would shrink once a part of the plan is applied,
//! and the next pass of the same tree would hold more. Start reading at
//! [`BudgetBases::base_for_budget`].

use super::budget_share::{BudgetName, accounts_left, is_live};
use super::context::PlanContext;
use super::effect_budget::EffectBudget;
use super::effects;
use super::planned_change::{change_of, takes_out_of_use};
use super::remainder::PlanRemainder;
use super::types::{ClaimAction, ClaimUpdate};
use crate::check::{PlannedChange, PlannedOutcome};
use crate::kinds;
use crate::model::{
    ClaimState, CompactText, FieldRef, GuardBase, Key, KindId, Row, SnapshotLookup, Value,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The bases of all budgets of a plan.
pub(super) struct BudgetBases {
    /// The live rows of each kind that the source claims, before the plan.
    live: BTreeMap<KindId, u64>,
    leaving: DepartingRows,
}

/// The rows that the plan takes out of a base, held or not.
#[derive(Default)]
struct DepartingRows {
    /// Live rows of the source that are no longer live, or no longer its own, afterwards.
    live: HashSet<Key>,
    /// Rows of the source that are no longer its own afterwards.
    claimed: BTreeSet<Key>,
    /// The users that leave, by account.
    users: HashMap<CompactText, HashSet<Key>>,
}

impl BudgetBases {
    pub fn of(context: &PlanContext<'_>, left: &PlanRemainder) -> Self {
        Self {
            live: live(context),
            leaving: DepartingRows::of(context, left),
        }
    }

    /// The base of a budget: what exists before the plan and is taken away by nothing but this
    /// budget. `own` are the members of the budget.
    pub fn base_for_budget<'k>(
        &self,
        context: &PlanContext<'_>,
        left: &PlanRemainder,
        budget: &str,
        own: impl Iterator<Item = &'k Key>,
    ) -> u64 {
        let base = base(context, &self.live, budget);
        let leaving = self.leaving.of_budget(context, left, budget);
        let own = own.filter(|key| leaving.contains(key)).count();
        base.saturating_sub((leaving.len() - own) as u64)
    }
}

impl DepartingRows {
    fn of(context: &PlanContext<'_>, left: &PlanRemainder) -> Self {
        let mut leaving = Self::default();
        // Released rows stay live, but the source no longer counts them in the next pass.
        let released = left
            .removals
            .released
            .iter()
            .chain(released(&left.removals.claim_updates));
        for row in released.filter_map(|key| context.stored.rows.get(key)) {
            leaving.unclaim(context, row);
        }
        for effect in &left.effects {
            let Some(row) = context.stored.rows.get(&effect.key) else {
                continue;
            };
            let (live, goes) = (is_live(row), takes_out_of_use(effect));
            if goes && live && is_ours(context, &row.key) {
                leaving.live.insert(row.key.clone());
            }
            // A declared resource that is deactivated stays claimed; a removed or deleted one does
            // not.
            let declared = context.desired.resources.contains(&row.key);
            if goes && (!declared || matches!(effect.outcome, PlannedOutcome::Delete(_))) {
                leaving.unclaim(context, row);
            }
            if row.key.kind == kinds::USER && live {
                for account in accounts_left(row, effect).stored {
                    let users = leaving.users.entry(CompactText::new(account)).or_default();
                    users.insert(row.key.clone());
                }
            }
        }
        leaving
    }

    fn unclaim(&mut self, context: &PlanContext<'_>, row: &Row) {
        if !is_ours(context, &row.key) {
            return;
        }
        self.claimed.insert(row.key.clone());
        if is_live(row) {
            self.live.insert(row.key.clone());
        }
    }

    fn of_budget(
        &self,
        context: &PlanContext<'_>,
        left: &PlanRemainder,
        budget: &str,
    ) -> HashSet<Key> {
        match BudgetBaseKind::budget(budget) {
            None => HashSet::new(),
            Some(BudgetBaseKind::Users(account)) => {
                self.users.get(account).cloned().unwrap_or_default()
            }
            Some(BudgetBaseKind::Live(kind)) => {
                let live = self.live.iter().filter(|key| key.kind == kind);
                live.cloned().collect()
            }
            Some(BudgetBaseKind::Filled(kind, field)) => {
                let filled = |key: &&Key| {
                    let row = context.stored.rows.get(key);
                    row.is_some_and(|row| is_filled(row, &field))
                };
                let claimed = self.claimed.iter().filter(|key| key.kind == kind);
                let emptied = left.effects.iter().filter(|effect| {
                    effect.key.kind == kind
                        && is_ours(context, &effect.key)
                        && leaves_field_empty(effect, &field)
                });
                let emptied = emptied.map(|effect| &effect.key);
                claimed.chain(emptied).filter(filled).cloned().collect()
            }
        }
    }
}

/// What a budget counts a share of.
enum BudgetBaseKind<'b> {
    /// The live users of an account.
    Users(&'b str),
    /// The live rows of a kind.
    Live(KindId),
    /// The rows of a kind that have a value in a field.
    Filled(KindId, FieldRef),
}

impl<'b> BudgetBaseKind<'b> {
    fn budget(budget: &'b str) -> Option<Self> {
        if let Some((_, account)) = budget.split_once('@') {
            return Some(Self::Users(account));
        }
        let (kind, rest) = budget.split_once('.')?;
        let kind = kinds::by_name(kind)?;
        let Some((field, _)) = rest.rsplit_once('.') else {
            return Some(Self::Live(kind.id));
        };
        // `field` is `email` or, for an attribute of a link, `accounts.level`.
        let field = kind
            .field_ref(field)
            .or_else(|| kind.field_ref(field.split('.').next()?))?;
        Some(Self::Filled(kind.id, field))
    }
}

fn released(agreed: &[ClaimUpdate]) -> impl Iterator<Item = &Key> {
    let released =
        |agreed: &&ClaimUpdate| matches!(agreed.claim, ClaimAction::Release | ClaimAction::Gone);
    agreed.iter().filter(released).map(|agreed| &agreed.key)
}

fn leaves_field_empty(effect: &PlannedChange, field: &FieldRef) -> bool {
    change_of(effect, field)
        .is_some_and(|change| change.after.as_ref().is_none_or(Value::is_empty_list))
}

/// The live rows of each kind that the source claims before the plan. Rows that the plan creates,
/// adopts or reactivates are not among them.
pub(super) fn live(context: &PlanContext<'_>) -> BTreeMap<KindId, u64> {
    let mut live = BTreeMap::new();
    for row in &context.stored.rows {
        if is_live(row) && is_ours(context, &row.key) {
            *live.entry(row.key.kind).or_default() += 1;
        }
    }
    live
}

/// The same for some kinds, also where only a part of the rows is at hand.
pub(super) fn live_of(
    context: &PlanContext<'_>,
    kinds: impl Iterator<Item = KindId>,
) -> BTreeMap<KindId, u64> {
    let live = live(context);
    let source = CompactText::new(&context.desired.source);
    let counts = kinds.map(|kind| {
        let of = GuardBase::Live(source.clone(), kind);
        let count = || live.get(&kind).copied().unwrap_or_default();
        (kind, context.stored.guard_base(of, count))
    });
    counts.collect()
}

fn is_ours(context: &PlanContext<'_>, key: &Key) -> bool {
    context
        .stored
        .claim(&context.desired.source, key)
        .is_some_and(|claim| claim.state == ClaimState::Active)
}

/// The bases of some budgets, before the plan.
pub(super) fn bases<'b>(
    context: &PlanContext<'_>,
    budgets: impl Iterator<Item = &'b BudgetName>,
) -> BTreeMap<BudgetName, u64> {
    // Counting reads every row, so it is done at most once and only if needed.
    let mut live = None;
    let base = |budget: &'b BudgetName| {
        let live = live.get_or_insert_with(|| self::live(context));
        (budget.clone(), base(context, live, budget))
    };
    budgets.map(base).collect()
}

/// The base of one budget, before the plan.
fn base(context: &PlanContext<'_>, live: &BTreeMap<KindId, u64>, budget: &str) -> u64 {
    let (stored, source) = (context.stored, CompactText::new(&context.desired.source));
    match BudgetBaseKind::budget(budget) {
        None => of_effect(context, budget),
        Some(BudgetBaseKind::Users(account)) => {
            let of = GuardBase::Users(account.into());
            stored.guard_base(of, || users_of(context, account))
        }
        Some(BudgetBaseKind::Live(kind)) => {
            let of = GuardBase::Live(source, kind);
            stored.guard_base(of, || live.get(&kind).copied().unwrap_or_default())
        }
        Some(BudgetBaseKind::Filled(kind, FieldRef::Own(index))) => {
            let of = GuardBase::Filled(source, kind, index.into());
            stored.guard_base(of, || filled(context, kind, &FieldRef::Own(index)))
        }
        // The database cannot count values of custom fields, so a partial snapshot has to give way.
        Some(BudgetBaseKind::Filled(kind, custom)) => {
            stored.rows.note_lookup(|| SnapshotLookup::Everything);
            filled(context, kind, &custom)
        }
    }
}

/// Of how many the count of an effect is a share.
pub(super) fn of_effect(context: &PlanContext<'_>, budget: &str) -> u64 {
    let Some(budget) = EffectBudget::by_name(budget) else {
        return 0;
    };
    let of = budget.base();
    let stored = context.stored;
    stored.guard_base(of.clone(), || effects::count_before(stored, &of))
}

fn users_of(context: &PlanContext<'_>, account: &str) -> u64 {
    let field = kinds::get(kinds::USER).expect_index("accounts");
    let rows = context.stored.rows.iter();
    let users = rows.filter(|row| row.key.kind == kinds::USER && is_live(row));
    let of_account = users.filter(|row| {
        let mut members = row.values[field].iter().flat_map(Value::members);
        members.any(|member| member == account)
    });
    of_account.count() as u64
}

/// How many rows of a kind that the source claims have a value in a field. Links count once for the
/// resource that holds them.
fn filled(context: &PlanContext<'_>, kind: KindId, field: &FieldRef) -> u64 {
    let rows = context.stored.rows.iter();
    let ours = rows.filter(|row| row.key.kind == kind && is_ours(context, &row.key));
    ours.filter(|row| is_filled(row, field)).count() as u64
}

fn is_filled(row: &Row, field: &FieldRef) -> bool {
    row.value(field).is_some_and(|value| !value.is_empty_list())
}

//! Takes what is held out of the judged drafts, until the rest passes every rule.
//!
//! [`settle`] first runs the rules that hold by themselves ([`HOLD_RULES`], then the guards) on the
//! whole plan. Then faulty resources go, and whatever is only valid together with something held:
//! the rules of `check` judge the rest again until nothing more is held. Every rule gets a
//! [`PlanRemainder`] and returns holds; the next remainder is made from both.

use super::consequence_holds;
use super::context::PlanContext;
use super::guard::BudgetGuards;
use super::hold::Hold;
use super::hold_ledger::RuleOutcome;
use super::judge::{JudgedDrafts, RuleVerdict};
use super::remainder::PlanRemainder;
use super::resource_holds::{AccountUnits, HoldCause, field_hold, resource_hold, unit_holds};
use super::rule_diagnostics::{leaves_nobody, rule_diagnostics, signature};
use super::types::StepReason;
use super::{emptied_kinds, forbid, impact, open_jobs, record_mates, rename, successors};
use crate::check::{PlannedOutcome, RuleDiagnostic};
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::kinds;
use crate::model::{FieldChange, Key};
use std::collections::BTreeSet;

/// What is left after all holds, with all diagnostics.
pub(super) struct SettledPlan {
    pub left: PlanRemainder,
    pub diagnostics: Vec<Diagnostic>,
}

/// A rule that holds something by itself, whatever the rules of `check` say.
type HoldRule = fn(&PlanContext<'_>, &PlanRemainder) -> RuleOutcome;

/// The rules that hold by themselves. Each sees the whole plan, held or not, so that its counts and the
/// ids of its holds do not depend on the other rules. The order decides which rule is named first where
/// several hold the same resource. Beyond that:
///
/// - parts of drafts come before the rules that look at removals: an approved part may remove something;
/// - renames come before emptied kinds: what goes under a new id does not count as gone;
/// - guards come after all of these, in [`hold_over_budget`]: they leave alone what is decided already.
const HOLD_RULES: &[HoldRule] = &[
    forbid::hold_doubted_export,
    forbid::hold_doubtful_fields,
    forbid::hold_draft_parts,
    forbid::hold_forbidden_removals,
    open_jobs::hold_open_jobs,
    forbid::hold_login_changes,
    rename::hold_renames,
    emptied_kinds::hold_emptied_kinds,
    impact::hold_impact,
];

pub(super) fn settle(context: &PlanContext<'_>, judged: JudgedDrafts) -> SettledPlan {
    let JudgedDrafts {
        drafts,
        verdict,
        diagnostics,
    } = judged;
    let mut diagnostics = forbid::with_doubts(context, &drafts.effects, diagnostics);
    let mut left = PlanRemainder::of(drafts);
    for rule in HOLD_RULES {
        let outcome = rule(context, &left);
        left = left.decide(context, outcome);
    }
    // Subtracted once, after all of these: a rule that saw less of the plan than the others would
    // count less and give its hold another id in the next pass.
    left = hold_over_budget(context, left).subtract();
    if verdict.faulty.is_empty()
        && !left.ledger.has_holds
        && successors::held_elsewhere(context).is_empty()
    {
        // Nothing is held, here or in another source, so the rules would only repeat what they
        // said.
        diagnostics.extend(verdict.non_errors);
        return SettledPlan { left, diagnostics };
    }
    left = hold_faulty(context, left, &verdict).subtract();
    loop {
        let (rest, others) = hold_dependents(context, left, &verdict);
        // What is held may have been what made up for a loss: an account that would have replaced
        // another one.
        let held_before = rest.ledger.held.len();
        left = hold_effects(context, rest).subtract();
        if left.ledger.held.len() == held_before || context.rules.stop.is_set() {
            diagnostics.extend(others);
            return SettledPlan { left, diagnostics };
        }
    }
}

/// Judges the budgets one after the other, kinds before accounts, so that an account whose steps
/// are all decided is not held a second time. The budgets of effects come last: they leave alone
/// what is held, approved or accepted already.
fn hold_over_budget(context: &PlanContext<'_>, mut left: PlanRemainder) -> PlanRemainder {
    for outcome in BudgetGuards::effect_overrides(context, &left) {
        left = left.decide(context, outcome);
    }
    let guards = BudgetGuards::of_steps(context, &left);
    left = judge_all(context, left, &guards);
    hold_effects(context, left)
}

/// Holds the steps that take or give too much, whatever the road.
fn hold_effects(context: &PlanContext<'_>, left: PlanRemainder) -> PlanRemainder {
    let guards = BudgetGuards::of_effects(context, &left);
    judge_all(context, left, &guards)
}

fn judge_all(
    context: &PlanContext<'_>,
    mut left: PlanRemainder,
    guards: &BudgetGuards,
) -> PlanRemainder {
    for budget in guards.budgets() {
        let outcome = guards.judge(context, &left, budget);
        left = left.decide(context, outcome);
    }
    left
}

/// Holds the resources with errors, and the others in their records.
fn hold_faulty(
    context: &PlanContext<'_>,
    mut left: PlanRemainder,
    verdict: &RuleVerdict,
) -> PlanRemainder {
    let mates = record_mates::mates(context, &verdict.faulty);
    let keys = verdict.faulty.keys();
    let keys = keys.chain(mates.iter().map(|mate| &mate.key));
    let units = AccountUnits::of(context, &left, keys);
    for (key, code) in &verdict.faulty {
        let message = format!("{key} has errors; it is held until they are fixed");
        let cause = HoldCause {
            code: *code,
            root: *code,
            message: &message,
        };
        let holds = unit_holds(context, &left, &units, key, cause);
        left = left.decide(context, holds.into());
    }
    for mate in mates {
        let message = format!(
            "{} is in the same record as {}, which has errors; the whole record is held",
            mate.key, mate.faulty_key
        );
        let cause = HoldCause::dependency(mate.code, &message);
        let holds = unit_holds(context, &left, &units, &mate.key, cause);
        left = left.decide(context, holds.into());
    }
    left
}

/// Holds what is only valid together with something held, round by round, until a round holds
/// nothing. Each round removes at least one effect or field, so the loop ends. Returns the
/// diagnostics of the rest, none of which is an error.
fn hold_dependents(
    context: &PlanContext<'_>,
    mut left: PlanRemainder,
    verdict: &RuleVerdict,
) -> (PlanRemainder, Vec<Diagnostic>) {
    while !context.rules.stop.is_set() {
        // Before the rules: they would only report the links to an account that cannot go.
        let holds = consequence_holds::holds_of_incomplete(context, &left);
        left = left.decide(context, holds.into()).subtract();
        let findings = rule_diagnostics(context, &left.effects);
        let held_before = left.ledger.held.len();
        let is_new = |finding: &RuleDiagnostic| {
            let known = verdict.warned.contains(&signature(finding));
            leaves_nobody(finding) && !known && !is_drift(&left, finding)
        };
        let wrong = findings
            .iter()
            .filter(|finding| finding.diagnostic.is_error() || is_new(finding));
        let wrong: Vec<&RuleDiagnostic> = wrong.collect();
        let subjects = wrong.iter().filter_map(|it| it.diagnostic.key.as_ref());
        let subjects = subjects.filter(|key| left.effects.contains(key));
        let units = AccountUnits::of(context, &left, subjects);
        // One by one, since a hold for one finding may already resolve the next.
        for finding in wrong {
            let holds = dependent_holds(context, &left, &units, finding, verdict);
            left = left.decide(context, holds.into());
        }
        // After the findings: a successor may only have been held in this round.
        let holds = successors::predecessor_holds(context, &left, &verdict.faulty);
        left = left.decide(context, holds.into()).subtract();
        if left.ledger.held.len() == held_before {
            let others = findings.into_iter().map(|finding| finding.diagnostic);
            let others = others.filter(|diagnostic| !diagnostic.is_error()).collect();
            return (left, others);
        }
    }
    (left, Vec::new())
}

/// Whether a finding comes from taking back access that was given outside Roster.
fn is_drift(left: &PlanRemainder, finding: &RuleDiagnostic) -> bool {
    let mut keys = finding.involves.iter().chain(&finding.diagnostic.key);
    keys.any(|key| left.effects.contains(key) && left.reason(key) == StepReason::Drift)
}

/// Holds what, by a finding, is not valid without something that is held.
fn dependent_holds(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    units: &AccountUnits,
    finding: &RuleDiagnostic,
    verdict: &RuleVerdict,
) -> Vec<Hold> {
    let Some(subject) = &finding.diagnostic.key else {
        return Vec::new();
    };
    let held: Option<(&Key, Code)> = finding
        .involves
        .iter()
        .chain([subject])
        .find_map(|key| Some((key, left.ledger.holding_rule(key)?)));
    let message;
    let cause = match held {
        // An error that was there before anything was held is a fault of its own and not the
        // consequence of a hold.
        Some((held, root)) if !verdict.error_signatures.contains(&signature(finding)) => {
            let needs = if held == subject {
                format!("a part of {subject} is held ({root})")
            } else {
                format!("{subject} needs {held}, which is held ({root})")
            };
            message = format!("{needs}: {}", finding.diagnostic.message);
            HoldCause::dependency(root, &message)
        }
        _ if !finding.diagnostic.is_error() => return Vec::new(),
        _ => HoldCause {
            code: finding.diagnostic.code,
            root: finding.diagnostic.code,
            message: &finding.diagnostic.message,
        },
    };
    if cause.code == codes::HELD_DEPENDENCY
        && let Some(change) = dependent_change(left, finding)
    {
        let hold = field_hold(context, left, subject, change, cause);
        return hold.into_iter().collect();
    }
    if left.effects.contains(subject) && !left.ledger.is_blocked(subject) {
        return unit_holds(context, left, units, subject, cause);
    }
    // The subject itself does not change, so what it involves is what breaks the rule.
    let mut named = BTreeSet::new();
    let involved = finding.involves.iter().filter(|key| named.insert(*key));
    let holds = involved.filter_map(|key| resource_hold(context, left, key, cause));
    holds.collect()
}

/// The field of a finding, if more than that changes; the other fields go on.
fn dependent_change(left: &PlanRemainder, finding: &RuleDiagnostic) -> Option<FieldChange> {
    let (key, field) = (
        finding.diagnostic.key.as_ref()?,
        finding.diagnostic.field.as_ref()?,
    );
    let PlannedOutcome::Change(changes) = &left.effects.get(key)?.outcome else {
        return None;
    };
    let kind = kinds::get(key.kind);
    let found = changes
        .iter()
        .find(|change| kind.field_name(&change.field) == *field);
    found.filter(|_| changes.len() > 1).cloned()
}

//! The planner: compares what is declared with what is stored and returns the plan that makes both
//! equal.
//!
//! It goes through stages, each with a type of its own: [`PlanDrafts`] of all
//! changes, [`JudgedDrafts`](super::judge::JudgedDrafts) after the rules, a [`SettledPlan`] after
//! holds, and the finished [`Plan`]. It is pure: no clock, no files, no database.

use super::context::PlanContext;
use super::drafts::PlanDrafts;
use super::finish::{diagnostics_only, finish, refused};
use super::rules::PlanRules;
use super::settle::{SettledPlan, settle};
use super::types::Plan;
use super::{
    account_folders, commit_approvals, drafts, judge, required_approvals, retired_members,
};
use crate::check;
use crate::diagnostic::Diagnostic;
use crate::model::{Desired, Snapshot};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Plans what makes `stored` equal to `desired`.
///
/// `found` are the diagnostics from reading the source. An error among them refuses the plan or,
/// with `hold_errors`, holds its resource.
pub fn plan(desired: &Desired, stored: &Snapshot, rules: &PlanRules, found: &[Diagnostic]) -> Plan {
    commit_approvals::plan_with_commits(stored, rules, |given| {
        required_approvals::plan_with_enough(stored, given, rules, |approved| {
            plan_with(desired, stored, (rules, approved), found, finish)
        })
    })
}

/// The diagnostics of a plan, without making its steps.
pub fn diagnostics(
    desired: &Desired,
    stored: &Snapshot,
    rules: &PlanRules,
    found: &[Diagnostic],
) -> Vec<Diagnostic> {
    let approved = &stored.approved_holds;
    plan_with(desired, stored, (rules, approved), found, diagnostics_only).diagnostics
}

fn plan_with(
    desired: &Desired,
    stored: &Snapshot,
    (rules, approved): (&PlanRules, &BTreeSet<String>),
    found: &[Diagnostic],
    finish: fn(&PlanContext<'_>, SettledPlan) -> Plan,
) -> Plan {
    let living = retired_members::without_retired(desired, stored);
    let mut found = Cow::Borrowed(found);
    let desired = living.as_ref().map_or(desired, |living| &living.desired);
    if let Some(living) = &living {
        found.to_mut().extend_from_slice(&living.notes);
    }
    let outside = account_folders::violations(desired, stored, &rules.folders);
    if !outside.is_empty() {
        found.to_mut().extend(outside);
    }
    let found = &*found;
    let definitions = check::definitions(desired, stored);
    let context = PlanContext {
        desired,
        stored,
        rules,
        approved,
        definitions: &definitions,
        fingerprint: rules.fingerprint(),
    };
    // The order matters: rules judge the whole plan before anything is held, or a fault could hide
    // behind a hold.
    let drafts = drafts::draft_all(&context);
    let mut plan = finish_drafts(&context, found, drafts, finish);
    if !plan.errored {
        let found = found.iter().filter_map(|found| found.key.clone());
        plan.open.extend(found);
    }
    plan
}

/// Makes a plan of drafts that come from no declaration.
pub(super) fn plan_drafts(
    context: &PlanContext<'_>,
    found: &[Diagnostic],
    drafts: PlanDrafts,
) -> Plan {
    finish_drafts(context, found, drafts, finish)
}

fn finish_drafts(
    context: &PlanContext<'_>,
    found: &[Diagnostic],
    drafts: PlanDrafts,
    finish: fn(&PlanContext<'_>, SettledPlan) -> Plan,
) -> Plan {
    let judged = judge::judge(context, found, drafts);
    if judged.verdict.refused {
        return refused(context, judged);
    }
    finish(context, settle(context, judged))
}

//! Compares what is desired with what is stored, and says what makes both equal.
//!
//! Planning goes through stages, each a value of its own: both sides become
//! [`Drafts`](super::drafts::Drafts), the rules make them [`JudgedDrafts`](super::judge::JudgedDrafts),
//! what is left after holds is a [`SettledPlan`], and that is finished into the [`Plan`]. Pure: no
//! clock, no files, no database.

use super::context::PlanContext;
use super::finish::{diagnostics_only, finish, refused};
use super::rules::PlanRules;
use super::settle::{SettledPlan, settle};
use super::types::Plan;
use super::{drafts, judge};
use crate::check;
use crate::diagnostic::Diagnostic;
use crate::model::{Desired, Snapshot};

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
    finish: fn(&PlanContext<'_>, SettledPlan) -> Plan,
) -> Plan {
    let definitions = check::definitions(desired, stored);
    let context = PlanContext {
        desired,
        stored,
        rules,
        definitions: &definitions,
        fingerprint: rules.fingerprint(),
    };
    let drafts = drafts::draft_all(&context);
    let judged = judge::judge(&context, found, drafts);
    if judged.verdict.refused {
        return refused(&context, judged);
    }
    finish(&context, settle(&context, judged))
}

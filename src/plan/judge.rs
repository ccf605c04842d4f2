//! What the rules say of the drafts as a whole, before anything is held.
//!
//! [`judge`] runs the rules on everything that would happen. Out comes the drafts with a verdict: which
//! resources are faulty, and whether that refuses the plan. If it does not, `settle.rs` holds what is
//! faulty.

use super::context::PlanContext;
use super::drafts::Drafts;
use super::rename;
use super::rule_diagnostics::{RuleSignature, leaves_nobody, rule_diagnostics, signature};
use crate::check::{self, RuleDiagnostic};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::model::Key;
use std::collections::{BTreeMap, BTreeSet};

/// Drafts, and what the rules say of them.
pub(super) struct JudgedDrafts {
    pub drafts: Drafts,
    pub verdict: RuleVerdict,
    /// Everything found so far, but for [`RuleVerdict::non_errors`].
    pub diagnostics: Vec<Diagnostic>,
}

/// What the rules say of the whole plan, before anything is held.
pub(super) struct RuleVerdict {
    pub refused: bool,
    /// The resources with errors, and the rule each broke first.
    pub faulty: BTreeMap<Key, Code>,
    /// What the rules said, whoever's doing it is.
    pub error_signatures: BTreeSet<RuleSignature>,
    /// What they warned of that nobody wants who has a successor in the same plan.
    pub warned: BTreeSet<RuleSignature>,
    /// What they said beside errors, true as long as the effects are the same.
    pub non_errors: Vec<Diagnostic>,
}

/// Runs the rules on everything that would happen, parts that are held unless approved included.
pub(super) fn judge(
    context: &PlanContext<'_>,
    found: &[Diagnostic],
    drafts: Drafts,
) -> JudgedDrafts {
    let mut findings = rule_diagnostics(context, &drafts.effects_with_parts());
    // Whose e-mail another source still has to give up is held, and that is no fault of this one.
    findings.retain(|finding| !finding_waits(context, &drafts, finding));
    let (mut findings, waiting) = split_if_approved(context, &drafts, findings);
    let mut diagnostics = found.to_vec();
    diagnostics.extend_from_slice(&drafts.notes);
    diagnostics.extend(waiting);
    // What a partial plan is not about is shown and refuses nothing.
    if let Some(only) = &context.rules.only {
        let of_findings = findings.iter_mut().map(|finding| &mut finding.diagnostic);
        for found in diagnostics.iter_mut().chain(of_findings) {
            let inside = found.key.as_ref().is_some_and(|key| only.contains(key));
            if found.is_error() && !inside {
                found.severity = Severity::Warning;
            }
        }
    }
    let is_error = |finding: &&RuleDiagnostic| finding.diagnostic.is_error();
    let of_findings = findings.iter().map(|finding| &finding.diagnostic);
    let errors = diagnostics.iter().chain(of_findings);
    let mut refused = false;
    let mut faulty: BTreeMap<Key, Code> = BTreeMap::new();
    for error in errors.filter(|diagnostic| diagnostic.is_error()) {
        refused = !context.rules.hold_errors;
        if let Some(key) = &error.key {
            faulty.entry(key.clone()).or_insert(error.code);
        }
    }
    let warned = findings.iter().filter(|finding| leaves_nobody(finding));
    let mut verdict = RuleVerdict {
        refused,
        faulty,
        error_signatures: findings.iter().filter(is_error).map(signature).collect(),
        warned: warned.map(signature).collect(),
        non_errors: Vec::new(),
    };
    if refused {
        diagnostics.extend(check::fold_unread(findings, context.desired));
    } else {
        let (errors, others): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| is_error(&finding));
        let others = others.into_iter().map(|finding| finding.diagnostic);
        verdict.non_errors = others.collect();
        diagnostics.extend(check::fold_unread(errors, context.desired));
    }
    JudgedDrafts {
        drafts,
        verdict,
        diagnostics,
    }
}

/// Splits off the errors that only what is held anyway would make, were it approved, as warnings:
/// somebody else changed the row, which is no reason to refuse the source.
fn split_if_approved(
    context: &PlanContext<'_>,
    drafts: &Drafts,
    findings: Vec<RuleDiagnostic>,
) -> (Vec<RuleDiagnostic>, Vec<Diagnostic>) {
    let mut errors = findings.iter().filter(|found| found.diagnostic.is_error());
    let Some(without) = errors.next().and_then(|_| drafts.effects_without_waiting()) else {
        return (findings, Vec::new());
    };
    let left = rule_diagnostics(context, &without);
    let left = left.iter().filter(|found| found.diagnostic.is_error());
    let left: BTreeSet<RuleSignature> = left.map(signature).collect();
    let (kept, waits): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|found| !found.diagnostic.is_error() || left.contains(&signature(found)));
    let warnings = waits.into_iter();
    let warnings = warnings.map(|found| found.diagnostic.severity(Severity::Warning));
    (kept, warnings.collect())
}

/// Whether a diagnostic is about an e-mail that goes in another source while it comes here.
fn finding_waits(context: &PlanContext<'_>, drafts: &Drafts, finding: &RuleDiagnostic) -> bool {
    let about =
        |key: &Key| finding.diagnostic.key.as_ref() == Some(key) || finding.involves.contains(key);
    finding.diagnostic.code == codes::EMAIL_DUPLICATE
        && drafts
            .peer_renames
            .iter()
            .any(|rename| about(&rename.new) && !rename::is_accepted(context, &rename.old))
}

//! Runs the rules on the drafts as a whole, before anything is held. [`judge`] returns the drafts
//! with a verdict: which resources are faulty, and whether that refuses the plan. If it does not,
//! `settle.rs` holds the faulty ones.

use super::context::PlanContext;
use super::drafts::PlanDrafts;
use super::rename;
use super::rule_diagnostics::{
    RuleSignature, leaves_nobody, rule_diagnostics, set_found_severities, signature,
};
use crate::check::{self, RuleDiagnostic};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::model::Key;
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct JudgedDrafts {
    pub drafts: PlanDrafts,
    pub verdict: RuleVerdict,
    /// Everything found so far, except [`RuleVerdict::non_errors`].
    pub diagnostics: Vec<Diagnostic>,
}

/// The verdict of the rules on the whole plan.
pub(super) struct RuleVerdict {
    pub refused: bool,
    /// The resources with errors, and the first rule each broke.
    pub faulty: BTreeMap<Key, Code>,
    /// The errors by rule and resource, whoever caused them.
    pub error_signatures: BTreeSet<RuleSignature>,
    /// Warnings about a resource that loses its last user or approver, although the plan has a
    /// successor.
    pub warned: BTreeSet<RuleSignature>,
    /// Other findings, valid as long as the effects stay the same.
    pub non_errors: Vec<Diagnostic>,
}

/// Runs the rules on all drafts, including the parts that are held unless approved.
pub(super) fn judge(
    context: &PlanContext<'_>,
    found: &[Diagnostic],
    drafts: PlanDrafts,
) -> JudgedDrafts {
    let effects = drafts.effects_with_parts();
    let mut findings = rule_diagnostics(context, &effects);
    // An e-mail that another source still has to give up is held as a rename, and no fault of this
    // source.
    findings.retain(|finding| !finding_waits(context, &drafts, finding));
    let (mut findings, waiting) = split_if_approved(context, &drafts, findings);
    let mut diagnostics = found.to_vec();
    diagnostics.extend_from_slice(&drafts.notes);
    set_found_severities(context, &effects, &mut diagnostics);
    drop(effects);
    diagnostics.extend(waiting);
    // With `--target`, faults elsewhere are shown, but do not refuse what was asked for.
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
    // A refused plan shows everything at once. Otherwise the warnings wait: they may no longer be
    // true once the faulty resources are held.
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

/// Turns errors that only an approval of held parts would cause into warnings. Somebody else
/// changed the row, which is no reason to refuse the source.
fn split_if_approved(
    context: &PlanContext<'_>,
    drafts: &PlanDrafts,
    findings: Vec<RuleDiagnostic>,
) -> (Vec<RuleDiagnostic>, Vec<Diagnostic>) {
    let mut errors = findings.iter().filter(|found| found.diagnostic.is_error());
    let Some(without) = errors.next().and_then(|_| drafts.effects_without_waiting()) else {
        return (findings, Vec::new());
    };
    // Run again without the held parts: an error that is still there is the source's own.
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

/// Whether a finding is about an e-mail that moves here from a resource of another source.
fn finding_waits(context: &PlanContext<'_>, drafts: &PlanDrafts, finding: &RuleDiagnostic) -> bool {
    let about =
        |key: &Key| finding.diagnostic.key.as_ref() == Some(key) || finding.involves.contains(key);
    finding.diagnostic.code == codes::EMAIL_DUPLICATE
        && drafts
            .peer_renames
            .iter()
            .any(|rename| about(&rename.new) && !rename::is_accepted(context, &rename.old))
}

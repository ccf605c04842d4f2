//! What a file that cannot be read may declare is not missing.

use super::Finding;
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::kinds::{self, CUSTOM_FIELD, SETTINGS, USER};
use crate::model::{Desired, KindId};
use std::collections::{BTreeMap, BTreeSet};

/// The rules that miss a resource of a kind.
const MISSING: &[(Code, KindId)] = &[
    (codes::ACCOUNT_WITHOUT_USER, USER),
    (codes::LAST_USER, USER),
    (codes::LAST_ADMINISTRATOR, USER),
    (codes::CUSTOM_FIELD_UNKNOWN, CUSTOM_FIELD),
    (codes::ENUM, SETTINGS),
    (codes::LEGAL_USER, SETTINGS),
];

/// What the findings say; those that miss what could not be read are said once, counted.
#[must_use]
pub fn fold(findings: Vec<Finding>, desired: &Desired) -> Vec<Diagnostic> {
    let unread = &desired.unread;
    if unread.is_empty() {
        return findings.into_iter().map(|it| it.diagnostic).collect();
    }
    let (folded, shown): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| misses(finding, unread));
    let mut shown: Vec<Diagnostic> = shown.into_iter().map(|it| it.diagnostic).collect();
    shown.extend(once(&folded, desired));
    shown
}

fn misses(finding: &Finding, unread: &BTreeSet<KindId>) -> bool {
    let code = finding.diagnostic.code;
    if code == codes::REFERENCE {
        let target = finding.involves.first();
        return target.is_some_and(|target| unread.contains(&target.kind));
    }
    // One id that cannot be made out hides one resource: what else is wrong is said.
    if unread.len() < kinds::ALL.len() {
        return false;
    }
    let mut missing = MISSING.iter();
    missing.any(|(known, kind)| *known == code && unread.contains(kind))
}

fn once(folded: &[Finding], desired: &Desired) -> Option<Diagnostic> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in folded {
        *counts.entry(finding.diagnostic.code.name()).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(code, count)| format!("{count} {code}"))
        .collect();
    let first = folded.first()?;
    let why = desired.removals_off.first();
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    let message = format!(
        "not checked, because a file cannot be read{why}: {}",
        counts.join(", ")
    );
    let mut found = Diagnostic::new(first.diagnostic.code, message)
        .severity(Severity::Warning)
        .help("Fix the file first; what is still missing is reported then");
    found.origin.clone_from(&first.diagnostic.origin);
    found.member.clone_from(&first.diagnostic.member);
    let places = folded[1..].iter();
    found.related = places
        .filter_map(|finding| finding.diagnostic.origin.clone())
        .collect();
    Some(found)
}

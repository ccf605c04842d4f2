//! Adds "did you mean" to references that lead nowhere.

use super::{CheckContext, RuleDiagnostic, RuleDiagnostics};
use crate::diagnostic::{codes, did_you_mean};
use crate::model::KindId;
use std::collections::BTreeMap;

/// The number of suggestions in a report. So many dangling references are hardly typos: more likely
/// a file is missing.
const SUGGESTIONS: usize = 50;

/// Adds the nearest known id to the help of the first dangling references.
pub(super) fn add_suggestions(scene: &CheckContext<'_, '_>, findings: &mut RuleDiagnostics) {
    let mut known: BTreeMap<KindId, Option<Vec<&str>>> = BTreeMap::new();
    let dangling = findings
        .iter_mut()
        .filter(|finding| finding.diagnostic.code == codes::REFERENCE);
    for finding in dangling.take(SUGGESTIONS) {
        let Some(missing) = finding.involves.first().cloned() else {
            continue;
        };
        let few = known
            .entry(missing.kind)
            .or_insert_with(|| scene.world.few_after(missing.kind));
        let meant = if let Some(ids) = few {
            did_you_mean(&missing.id, ids.iter().copied())
        } else {
            // Edit distances to a million ids are too slow.
            let ids = scene.world.similar_after(missing.kind, &missing.id);
            did_you_mean(&missing.id, ids.filter(|id| looks_like(id, &missing.id)))
        };
        suggest(finding, meant);
    }
}

fn suggest(finding: &mut RuleDiagnostic, meant: Option<&str>) {
    if let Some(meant) = meant {
        // The rule's own help stays, since the guess may be wrong. It continues the sentence, so
        // its first letter becomes small.
        let help = finding.diagnostic.help.take().unwrap_or_default();
        let (first, rest) = help.split_at(help.chars().next().map_or(0, char::len_utf8));
        finding.diagnostic.help = Some(format!(
            "Did you mean `{meant}`? If not, {}{rest}",
            first.to_lowercase()
        ));
    }
}

/// Whether two ids differ in at most two neighbouring bytes: one typo, or two letters swapped.
fn looks_like(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let longer = one.len().max(other.len());
    if longer - one.len().min(other.len()) > 2 {
        return false;
    }
    let pairs = || one.iter().zip(other);
    let head = pairs()
        .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
        .count();
    let backwards = one.iter().rev().zip(other.iter().rev());
    let tail = backwards
        .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
        .count();
    head + tail + 2 >= longer
}

//! What makes a notice: a change of state, never its going on.

use super::NoticeEvent;
use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How a source stands after a pass, as far as anybody is told.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NoticeState {
    /// In which way the last pass failed, without times or anything else that differs from pass to
    /// pass (see [`fingerprint`]); `None` when it did not.
    pub failed: Option<String>,
    /// The ids of the holds that wait for a decision.
    pub held: BTreeSet<String>,
    /// Whether somebody else has changed what the source declares.
    pub drift: bool,
    /// The last run that wrote something.
    pub applied: Option<String>,
}

/// What is told after a pass, in this order. A failure is told once, and again when it is another
/// one; that it is over, once. Holds are told when one is new: a decision or a repair is what
/// somebody did, and needs no notice. A state that is not known (`NoticeState::default()`) counts as well.
#[must_use]
pub fn events_between(before: &NoticeState, after: &NoticeState) -> Vec<NoticeEvent> {
    let recovered = before.failed.is_some() && after.failed.is_none();
    let failed = after.failed.is_some() && before.failed != after.failed;
    let held = !after.held.is_subset(&before.held);
    let drift = after.drift && !before.drift;
    let applied = after.applied.is_some() && before.applied != after.applied;
    let told = [
        (failed, NoticeEvent::Failed),
        (recovered, NoticeEvent::Recovered),
        (held, NoticeEvent::Held),
        (drift, NoticeEvent::Drift),
        (applied, NoticeEvent::Applied),
    ];
    let told = told.into_iter().filter(|(told, _)| *told);
    told.map(|(_, event)| event).collect()
}

/// What makes findings the same failure: which rules, of what, in which file and how often; not the
/// line, which moves with every edit above it, and not the words.
#[must_use]
pub fn fingerprint<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>) -> String {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for finding in findings {
        let key = finding.key.as_ref().map(ToString::to_string);
        let path = finding.origin.as_ref().map(|origin| origin.path.as_ref());
        let one = [
            finding.code.name(),
            key.as_deref().unwrap_or_default(),
            finding.field.as_deref().unwrap_or_default(),
            path.unwrap_or_default(),
        ];
        *seen.entry(one.join("\0")).or_default() += 1;
    }
    let mut hasher = blake3::Hasher::new();
    for (one, count) in seen {
        hasher.update(one.as_bytes());
        hasher.update(&count.to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

//! Decides which notices a pass causes: those for changes of state, never for a state that
//! continues.
//!
//! [`NoticeState`] is stored with the source, so a restart or another replica does not repeat a
//! notice. Start with [`events_between`].

use super::NoticeEvent;
use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The state of a source after a pass, as far as notices depend on it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NoticeState {
    /// How the last pass failed, or `None` if it did not. Contains no times or anything else that
    /// differs from pass to pass (see [`fingerprint`]).
    pub failed: Option<String>,
    /// The ids of the holds that need a decision.
    pub held: BTreeSet<String>,
    /// Whether rows differ that somebody changed outside Roster.
    pub drift: bool,
    /// The id of the last run that wrote something.
    pub applied: Option<String>,
}

/// Returns the events between two states, in the order in which they are sent.
///
/// `NoticeState::default()` stands for a source without a known state.
#[must_use]
pub fn events_between(before: &NoticeState, after: &NoticeState) -> Vec<NoticeEvent> {
    let recovered = before.failed.is_some() && after.failed.is_none();
    // Another failure is sent again: whoever fixed the first one has to learn of the second.
    let failed = after.failed.is_some() && before.failed != after.failed;
    // Only new holds. One that is gone was approved, rejected or fixed, and whoever did that knows.
    let held = !after.held.is_subset(&before.held);
    let drift = after.drift && !before.drift;
    let applied = after.applied.is_some() && before.applied != after.applied;
    let all = [
        (failed, NoticeEvent::Failed),
        (recovered, NoticeEvent::Recovered),
        (held, NoticeEvent::Held),
        (drift, NoticeEvent::Drift),
        (applied, NoticeEvent::Applied),
    ];
    let happened = all.into_iter().filter(|(happened, _)| *happened);
    happened.map(|(_, event)| event).collect()
}

/// Identifies a failure by its diagnostics: codes, resources, fields, files and their number.
///
/// Lines are left out, because every edit above moves them, and so are the messages. Otherwise a
/// source that is still broken would send a notice after each commit.
#[must_use]
pub fn fingerprint<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> String {
    // Sorted and counted, so that the order of the diagnostics makes no difference.
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for diagnostic in diagnostics {
        let key = diagnostic.key.as_ref().map(ToString::to_string);
        let path = diagnostic
            .origin
            .as_ref()
            .map(|origin| origin.path.as_ref());
        let one = [
            diagnostic.code.name(),
            key.as_deref().unwrap_or_default(),
            diagnostic.field.as_deref().unwrap_or_default(),
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

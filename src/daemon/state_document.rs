//! What the database keeps of a source between passes, for every replica and every restart: its
//! state, the notices sent, its last plan, and its commits. `load` and `load_all` read it; `pass`
//! writes it.

use super::notice;
use crate::config::{Config, Source};
use crate::diagnostic::codes;
use crate::document::{self, CommitList, CommitSummary, SourceState};
use crate::git;
use crate::plan::Plan;
use crate::store::{ALL_SOURCES, Store, StoreError, Suspension};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest plan that is stored whole.
const MAX_PLAN_BYTES: usize = 8 << 20;
/// How many steps of a larger plan are stored.
const STEPS: usize = 2000;

/// How many effects of each name are stored with them, and how many users who see more or less.
const EFFECTS: usize = 500;

/// How many commits of a pass are listed.
const COMMITS: usize = 100;

/// Identifies a stored pass: the replica and the time.
pub(super) type PassStamp = (String, i64);

/// The document that is stored for a source.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SourceStateDocument {
    pub(super) state: SourceState,
    /// The state as of the last notices.
    // Stored under this name by every release.
    #[serde(rename = "told")]
    pub(super) notified: notice::NoticeState,
    /// When the last pass ended.
    pub(super) ended: Option<DateTime<Utc>>,
}

impl SourceStateDocument {
    fn read(document: &str) -> Self {
        // A document of another release may be unreadable. The state starts anew: it only explains,
        // and the next pass fills it.
        serde_json::from_str(document).unwrap_or_default()
    }
}

/// Loads the document of a source and the pass that wrote it.
pub(super) async fn load(
    store: &Store,
    source: &str,
) -> Result<(SourceStateDocument, Option<PassStamp>), StoreError> {
    let all = store.source_states().await?;
    let mut of = all.into_iter().filter(|watched| watched.source == source);
    Ok(of.next().map_or_else(Default::default, |watched| {
        let memory = SourceStateDocument::read(&watched.state);
        (memory, Some((watched.holder, watched.at)))
    }))
}

/// Loads the documents of all sources, with the replica that wrote each.
pub(super) async fn load_all(
    store: &Store,
) -> Result<BTreeMap<String, (String, SourceStateDocument)>, StoreError> {
    let all = store.source_states().await?.into_iter();
    let kept = all.map(|watched| {
        let memory = SourceStateDocument::read(&watched.state);
        (watched.source, (watched.holder, memory))
    });
    Ok(kept.collect())
}

/// Serializes a document for the database.
pub(super) fn to_json(of: &impl Serialize) -> String {
    // Cannot fail: the documents have only text as keys.
    serde_json::to_string(of).unwrap_or_default()
}

/// The commits of a source from the last applied one to `revision`.
pub(super) fn commits(
    config: &Config,
    source: &Source,
    state: &SourceState,
    revision: &str,
) -> Option<CommitList> {
    let place = source.git()?;
    let applied = state.last_applied.as_ref().map(|mark| &*mark.revision);
    if applied == Some(revision) {
        return None;
    }
    match git::commits_since(place, &config.cache, applied, revision, COMMITS) {
        Ok((listed, count)) => Some(CommitList {
            count,
            listed: listed.into_iter().map(CommitSummary::from).collect(),
        }),
        Err(error) => {
            // The pass reads the tree of the commit. Its history only names authors, so failing to
            // list it is no reason to stop.
            tracing::warn!("source {}: {error}", source.name);
            None
        }
    }
}

/// The plan as a document; of a large one only the first steps.
pub(super) fn plan_document(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = document::write_plan(plan, &mut bytes);
    if written.is_ok() && bytes.len() <= MAX_PLAN_BYTES {
        return bytes;
    }
    // The summary is left whole, so the counts stay right.
    let mut part = plan.clone();
    part.steps.truncate(STEPS);
    part.held.truncate(STEPS);
    part.orphans.truncate(STEPS);
    part.effects.truncate(EFFECTS);
    let visibility = &mut part.visibility;
    visibility.omitted += visibility.changes.len().saturating_sub(EFFECTS) as u64;
    visibility.changes.truncate(EFFECTS);
    // Those about administrators are part of what a plan does, and the state of the source has the
    // others.
    part.diagnostics
        .retain(|found| found.code == codes::LAST_ADMINISTRATOR);
    part.diagnostics.truncate(STEPS);
    // Nobody applies what is stored here.
    part.remembered_steps.clear();
    bytes.clear();
    // Writing to memory cannot fail.
    let _ = document::write_plan(&part, &mut bytes);
    bytes
}

/// The suspension of a source, by its own name or together with all others.
pub(super) async fn suspension(
    store: &Store,
    source: &str,
) -> Result<Option<Suspension>, StoreError> {
    let all = store.suspensions().await?;
    let mut found = all
        .into_iter()
        .filter(|(name, _)| name == source || name == ALL_SOURCES);
    Ok(found.next().map(|(_, suspension)| suspension))
}

//! The pushes that a pass reads, and what becomes of each one after the pass.

use super::originals::PushOriginals;
use super::report::{self, OmittedRecords};
use crate::config::Source;
use crate::daemon::state::SourceState;
use crate::feed;
use crate::model::{Key, MatchTerm, RowMatches};
use crate::plan::Plan;
use crate::reconcile::{PassError, PassOutcome, PushedBody, SourcePushes};
use crate::store::{DroppedRecord, ImportEnding, Store, StoredImport};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

/// The pushes that a pass of a pushed source reads.
pub(in crate::daemon) struct PushInput {
    /// Their bodies, in the form in which the pass reads them.
    pub(in crate::daemon) pushed: Arc<SourcePushes>,
    /// The stored users that their records without an external id mean.
    pub(in crate::daemon) row_matches: Arc<RowMatches>,
    /// The push that this pass is for, if there is one.
    new_import: Option<StoredImport>,
    /// Earlier pushes of which something is held.
    held_imports: Vec<StoredImport>,
    /// The records of the new push that were not stored.
    dropped: Vec<DroppedRecord>,
}

impl PushInput {
    /// Loads the new push and the held ones. `None` if there is nothing to read.
    pub(in crate::daemon) async fn load(
        store: &Store,
        originals: &PushOriginals,
        source: &Source,
        new: Option<StoredImport>,
    ) -> Result<Option<Self>, PassError> {
        let (mut before, mut bodies) = (Vec::new(), Vec::new());
        for import in store.held_imports(&source.name).await? {
            let Some(body) = store.import_body(&import.id).await? else {
                continue;
            };
            let held = import.held.iter().filter_map(|key| Key::parse(key));
            bodies.push(PushedBody {
                name: import.name.as_str().into(),
                bytes: originals.get(&import.id).unwrap_or_else(|| body.into()),
                only_keys: Some(held.collect()),
            });
            before.push(import);
        }
        if let Some(import) = &new {
            let Some(body) = store.import_body(&import.id).await? else {
                return Ok(None);
            };
            bodies.push(PushedBody {
                name: import.name.as_str().into(),
                bytes: originals.get(&import.id).unwrap_or_else(|| body.into()),
                only_keys: None,
            });
        }
        let dropped = match &new {
            Some(import) => store.dropped_records(&import.id).await?,
            None => Vec::new(),
        };
        let pushed = Arc::new(SourcePushes {
            source: Arc::clone(&source.name),
            bodies,
        });
        let terms = match_terms(source, &pushed);
        let row_matches = Arc::new(store.row_matches(&terms).await?);
        Ok((!pushed.bodies.is_empty()).then_some(Self {
            pushed,
            row_matches,
            new_import: new,
            held_imports: before,
            dropped,
        }))
    }

    /// The name in the history of the apply.
    pub(in crate::daemon) fn actor(&self) -> &str {
        self.new_import
            .as_ref()
            .map_or("roster serve", |import| &import.actor)
    }

    /// Whether one bad record refuses the whole push.
    pub(in crate::daemon) fn atomic(&self) -> bool {
        self.new_import.as_ref().is_some_and(|import| import.atomic)
    }

    /// What this plan makes of each push: its answer, and what of it stays held.
    pub(in crate::daemon) fn endings(
        &self,
        source: &Source,
        plan: &Plan,
        decided: PassOutcome,
        state: &SourceState,
        erased: &BTreeSet<Key>,
    ) -> Vec<ImportEnding> {
        let waiting = waiting_keys(source, plan, decided);
        let result = (decided, &*state.reason);
        let before = self.held_imports.iter().map(|import| {
            let held = import.held.iter();
            let held = held.filter(|key| waiting.contains(*key)).cloned();
            ImportEnding {
                id: import.id.clone(),
                held: held.collect(),
                ..ImportEnding::default()
            }
        });
        let new = self.new_import.iter().filter_map(|import| {
            let omitted = OmittedRecords {
                erased,
                dropped: &self.dropped,
            };
            self.new_import_ending(import, source, (plan, result), &waiting, &omitted)
        });
        before.chain(new).collect()
    }

    fn new_import_ending(
        &self,
        import: &StoredImport,
        source: &Source,
        (plan, result): (&Plan, (PassOutcome, &str)),
        waiting: &BTreeSet<String>,
        omitted: &OmittedRecords<'_>,
    ) -> Option<ImportEnding> {
        let sent = self.pushed.bodies.last()?;
        let mapping = &source.feed()?.mapping;
        let bytes = Cursor::new(&*sent.bytes);
        let (_, listed) = feed::read_with_keys(
            bytes,
            &sent.name,
            &source.name,
            mapping,
            Some(&self.row_matches),
        );
        let answer = report::build_report(&listed, &sent.name, plan, result, omitted);
        let keys = listed.iter().flat_map(|record| &record.keys);
        let held: BTreeSet<String> = keys.map(ToString::to_string).collect();
        Some(ImportEnding {
            id: import.id.clone(),
            answer: Some(crate::daemon::state_document::to_json(&answer)),
            abandoned: false,
            held: held.intersection(waiting).cloned().collect(),
        })
    }
}

/// The values by which the records without an external id are matched.
fn match_terms(source: &Source, pushed: &SourcePushes) -> BTreeSet<MatchTerm> {
    let Some(feed) = source.feed() else {
        return BTreeSet::new();
    };
    let bodies = pushed.bodies.iter();
    bodies
        .flat_map(|sent| feed::match_terms(Cursor::new(&*sent.bytes), &feed.mapping))
        .collect()
}

/// The resources that are held and may still be applied.
fn waiting_keys(source: &Source, plan: &Plan, outcome: PassOutcome) -> BTreeSet<String> {
    if !source.apply || outcome == PassOutcome::Refused {
        return BTreeSet::new();
    }
    let held = plan.held.iter();
    let held = held
        .filter(|held| !held.is_error() && !held.root.is_standing())
        .map(|held| held.key.to_string());
    let steps = plan.steps.iter().map(|step| step.key.to_string());
    let applied = matches!(outcome, PassOutcome::Applied | PassOutcome::Unchanged);
    held.chain(steps.filter(|_| !applied)).collect()
}

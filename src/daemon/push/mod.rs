//! Sources that are pushed to: what was sent is kept in the database, and the worker of the source
//! makes a pass of each, as of any export. What a pass holds back stays with the source, beneath
//! what is sent later, until it goes through or something else is said.

pub mod report;

use super::pass::{self, PassEnd};
use super::pass_readiness::PassFetches;
use super::serve::{Daemon, DaemonSetup};
use super::state::SourceState;
use crate::config::Source;
use crate::feed;
use crate::model::Key;
use crate::plan::Plan;
use crate::reconcile::PassOutcome;
use crate::reconcile::{LeaseGuard, PassError, PushedBody, SourcePushes};
use crate::store::{ImportEnding, Store, StoredImport};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

/// How often one is begun before it is given up.
const MAX_TRIES: i64 = 5;

/// What a pass of such a source reads.
pub(super) struct PushInput {
    /// As the pass reads it.
    pub(super) pushed: Arc<SourcePushes>,
    /// What was sent and not looked at yet.
    new_import: Option<StoredImport>,
    /// What was sent before, of which something was held back.
    held_imports: Vec<StoredImport>,
}

/// Makes a pass of everything that waits; without anything, of what was held back.
pub(super) async fn make_passes(
    daemon: &Daemon,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    lease: &LeaseGuard,
) -> Result<PassEnd, PassError> {
    let store = &daemon.store;
    let mut made = false;
    for import in store.queued_imports(source).await? {
        if import.attempts >= MAX_TRIES {
            give_up(store, source, import).await?;
            daemon.announce_answer();
            continue;
        }
        store.begin_import(&import.id).await?;
        let Some(push) = PushInput::load(store, source, Some(import)).await? else {
            continue;
        };
        let ended = pass::make_pass(
            daemon,
            setup,
            source,
            triggers,
            PassFetches::empty(),
            lease,
            Some(push),
        )
        .await?;
        daemon.announce_answer();
        if matches!(ended, PassEnd::Completed { retry: true }) {
            return Ok(ended);
        }
        made = true;
    }
    if made {
        return Ok(PassEnd::Completed { retry: false });
    }
    match PushInput::load(store, source, None).await? {
        Some(push) => {
            let found = PassFetches::empty();
            pass::make_pass(daemon, setup, source, triggers, found, lease, Some(push)).await
        }
        None => Ok(PassEnd::Completed { retry: false }),
    }
}

async fn give_up(store: &Store, source: &str, import: StoredImport) -> Result<(), PassError> {
    let (memory, _) = super::state_document::load(store, source).await?;
    let last = match memory.state.outcome {
        PassOutcome::Failed => memory.state.reason,
        _ => "the daemon ended during each attempt".to_owned(),
    };
    let why = format!(
        "gave up after {} attempts; last error: {last}",
        import.attempts
    );
    tracing::error!("source {source}: import {}: {why}", import.id);
    let ending = ImportEnding {
        id: import.id,
        answer: Some(why),
        abandoned: true,
        held: Vec::new(),
    };
    Ok(store.end_imports(&[ending]).await?)
}

impl PushInput {
    /// What there is to be read; `None` when there is nothing.
    async fn load(
        store: &Store,
        source: &str,
        new: Option<StoredImport>,
    ) -> Result<Option<Self>, PassError> {
        let (mut before, mut bodies) = (Vec::new(), Vec::new());
        for import in store.held_imports(source).await? {
            let Some(body) = store.import_body(&import.id).await? else {
                continue;
            };
            let held = import.held.iter().filter_map(|key| Key::parse(key));
            bodies.push(PushedBody {
                name: import.name.as_str().into(),
                bytes: body.into(),
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
                bytes: body.into(),
                only_keys: None,
            });
        }
        let pushed = Arc::new(SourcePushes {
            source: source.into(),
            bodies,
        });
        Ok((!pushed.bodies.is_empty()).then_some(Self {
            pushed,
            new_import: new,
            held_imports: before,
        }))
    }

    /// In whose name it is applied.
    pub(super) fn actor(&self) -> &str {
        self.new_import
            .as_ref()
            .map_or("roster serve", |import| &import.actor)
    }

    /// Whether one bad record refuses all of it.
    pub(super) fn atomic(&self) -> bool {
        self.new_import.as_ref().is_some_and(|import| import.atomic)
    }

    /// How everything that was sent comes to its end by this plan.
    pub(super) fn endings(
        &self,
        source: &Source,
        plan: &Plan,
        decided: PassOutcome,
        state: &SourceState,
    ) -> Vec<ImportEnding> {
        let waiting = waiting_keys(source, plan, decided);
        let came_to = (decided, &*state.reason);
        let before = self.held_imports.iter().map(|import| {
            let held = import.held.iter();
            let held = held.filter(|key| waiting.contains(*key)).cloned();
            ImportEnding {
                id: import.id.clone(),
                held: held.collect(),
                ..ImportEnding::default()
            }
        });
        let new = self
            .new_import
            .iter()
            .filter_map(|import| self.new_import_ending(import, source, plan, came_to, &waiting));
        before.chain(new).collect()
    }

    fn new_import_ending(
        &self,
        import: &StoredImport,
        source: &Source,
        plan: &Plan,
        came_to: (PassOutcome, &str),
        waiting: &BTreeSet<String>,
    ) -> Option<ImportEnding> {
        let sent = self.pushed.bodies.last()?;
        let mapping = &source.feed()?.mapping;
        let bytes = Cursor::new(&*sent.bytes);
        let (_, listed) = feed::read_with_keys(bytes, &sent.name, &source.name, mapping);
        let answer = report::build_report(&listed, &sent.name, plan, came_to);
        let keys = listed.iter().flat_map(|record| &record.keys);
        let held: BTreeSet<String> = keys.map(ToString::to_string).collect();
        Some(ImportEnding {
            id: import.id.clone(),
            answer: Some(super::state_document::to_json(&answer)),
            abandoned: false,
            held: held.intersection(waiting).cloned().collect(),
        })
    }
}

/// What is held back and may still go through.
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

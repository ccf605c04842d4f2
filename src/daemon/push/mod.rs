//! Runs the passes of sources that receive pushes.
//!
//! The API stores each push in the database. The worker of the source then runs one pass for each
//! with `make_passes`, like for an export. What a pass holds stays stored and is read again in
//! later passes, below newer pushes, until it is applied or replaced. The answer to a push is built
//! in [`report`].

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

/// The number of attempts for a push. One that crashes the daemon each time would otherwise block
/// all later pushes of its source for ever.
const MAX_TRIES: i64 = 5;

/// The pushes that one pass reads.
pub(super) struct PushInput {
    /// The bodies, in the order in which they are read.
    pub(super) pushed: Arc<SourcePushes>,
    /// The push that no pass has read yet, if there is one.
    new_import: Option<StoredImport>,
    /// Earlier pushes of which something is held.
    held_imports: Vec<StoredImport>,
}

/// Runs a pass for each queued push. If none is queued, runs one pass for what is held.
pub(super) async fn make_passes(
    daemon: &Daemon,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    lease: &LeaseGuard,
) -> Result<PassEnd, PassError> {
    let store = &daemon.store;
    // One pass for each push, in order: an answer says what became of this push alone, and a bad
    // record cannot refuse another sender's.
    let mut made = false;
    for import in store.queued_imports(source).await? {
        if import.attempts >= MAX_TRIES {
            give_up(store, source, import).await?;
            daemon.announce_answer();
            continue;
        }
        // Counted before the pass. If the pass kills the process, the attempt still counts.
        store.begin_import(&import.id).await?;
        let Some(push) = PushInput::load(store, source, Some(import)).await? else {
            // Its body is gone, so it has been answered already.
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
        // The failure is most likely not this push's, so the next ones would fail too and use up
        // their attempts. They also have to stay in order.
        if matches!(ended, PassEnd::Completed { retry: true }) {
            return Ok(ended);
        }
        made = true;
    }
    if made {
        // Each of these passes read what is held as well.
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
    // An error is in the stored state. If there is none, the process ended before it could write
    // one.
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
    /// Loads the held pushes and the new one. `None` if there is nothing to read.
    async fn load(
        store: &Store,
        source: &str,
        new: Option<StoredImport>,
    ) -> Result<Option<Self>, PassError> {
        // Held ones first: bodies are merged in order, and a later push of a resource takes
        // precedence.
        let (mut before, mut bodies) = (Vec::new(), Vec::new());
        for import in store.held_imports(source).await? {
            let Some(body) = store.import_body(&import.id).await? else {
                continue;
            };
            let held = import.held.iter().filter_map(|key| Key::parse(key));
            bodies.push(PushedBody {
                name: import.name.as_str().into(),
                bytes: body.into(),
                // The rest of that push was applied. Reading it again would undo what came later.
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

    /// The actor in the history. A pass of held records alone is nobody's push.
    pub(super) fn actor(&self) -> &str {
        self.new_import
            .as_ref()
            .map_or("roster serve", |import| &import.actor)
    }

    /// Whether one bad record refuses the whole push.
    pub(super) fn atomic(&self) -> bool {
        self.new_import.as_ref().is_some_and(|import| import.atomic)
    }

    /// Returns what the plan means for each push: its answer, and which of its records stay held.
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
                // No answer: the sender keeps the one from the push's own pass.
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
        // A plan knows resources, not records. The body is read again to list each record with its
        // keys.
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

/// Returns the keys of records that are held and may still be applied.
fn waiting_keys(source: &Source, plan: &Plan, outcome: PassOutcome) -> BTreeSet<String> {
    // A source in mode `plan` applies nothing, and a refused push has to be fixed and sent again.
    // Nothing of either is kept for later.
    if !source.apply || outcome == PassOutcome::Refused {
        return BTreeSet::new();
    }
    let held = plan.held.iter();
    let held = held
        .filter(|held| !held.is_error() && !held.root.is_standing())
        .map(|held| held.key.to_string());
    // Steps that nothing holds wait as well if the window is closed or the source is not approved
    // yet.
    let steps = plan.steps.iter().map(|step| step.key.to_string());
    let applied = matches!(outcome, PassOutcome::Applied | PassOutcome::Unchanged);
    held.chain(steps.filter(|_| !applied)).collect()
}

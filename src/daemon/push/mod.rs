//! Runs the passes of sources that receive pushes.
//!
//! The API stores each push in the database. The worker of the source then runs one pass for each
//! with `make_passes`, like for an export. What a pass holds stays stored and is read again in
//! later passes, below newer pushes, until it is applied or replaced. The answer to a push is built
//! in [`report`].

mod input;
mod originals;
mod replies;
pub mod report;

pub(super) use input::PushInput;
pub(super) use originals::PushOriginals;
pub(super) use replies::ImportReplies;

use super::pass::{self, PassRunner};
use super::pass_progress::PassEnd;
use super::pass_readiness::PassFetches;
use super::setup::DaemonSetup;
use crate::reconcile::{LeaseGuard, PassError, PassOutcome};
use crate::store::{ImportEnding, Store, StoredImport};
use std::collections::BTreeSet;

/// The number of attempts for a push. One that crashes the daemon each time would otherwise block
/// all later pushes of its source.
const MAX_TRIES: i64 = 5;

/// Runs a pass for each queued push. If none is queued, runs one pass for what is held.
pub(super) async fn make_passes(
    runner: &PassRunner,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    lease: &LeaseGuard,
) -> Result<PassEnd, PassError> {
    let store = &runner.store;
    let Some(pushed_to) = setup.config.source(source) else {
        return Ok(PassEnd::Completed { retry: false });
    };
    // One pass for each push, in order: an answer says what became of this push alone, and a bad
    // record cannot refuse another sender's.
    let mut made = false;
    for import in store.queued_imports(source).await? {
        if import.attempts >= MAX_TRIES {
            runner.originals.forget(&import.id);
            give_up(store, source, import).await?;
            runner.replies.announce();
            continue;
        }
        // Counted before the pass. If the pass kills the process, the attempt still counts.
        store.begin_import(&import.id).await?;
        let Some(push) = PushInput::load(store, &runner.originals, pushed_to, Some(import)).await?
        else {
            // Its body is gone, so it has been answered already.
            continue;
        };
        let ended = pass::make_pass(
            runner,
            setup,
            source,
            triggers,
            PassFetches::empty(),
            lease,
            Some(push),
        )
        .await?;
        runner.replies.announce();
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
    match PushInput::load(store, &runner.originals, pushed_to, None).await? {
        Some(push) => {
            let found = PassFetches::empty();
            pass::make_pass(runner, setup, source, triggers, found, lease, Some(push)).await
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

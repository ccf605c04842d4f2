//! One pass of one source, under its lease: read, plan, decide, apply, and save the result. It does
//! what `roster apply` does, and when it does nothing it records the reason. Start at `make_pass`;
//! `pass_decision` holds the decision, `pass_progress` the state in between.

use super::counters::ReplicaCounters;
use super::feed;
use super::outbox::{self, NoticeOutbox};
use super::pass_decision::DaemonConsent;
use super::pass_progress::{PassEnd, PassInProgress};
use super::pass_readiness::PassFetches;
use super::pass_turns::PassTurns;
use super::push::{ImportReplies, PushInput, PushOriginals};
use super::readiness::UnwritableSources;
use super::schedule;
use super::setup::{CurrentSetup, DaemonSetup};
use super::source_waits::SourceWaits;
use super::stable_read::{DirectoryStamp, read_settled};
use super::state::{RevisionMark, SourceState};
use super::state_document::{SourceStateDocument, load, plan_document, to_json};
use crate::diagnostic::chain;
use crate::plan::Plan;
use crate::reconcile::{
    self, LeaseGuard, Pass, PassDone, PassError, PassOutcome, PassRequest, PassResult,
};
use crate::store::{ApplyError, Store};
use chrono::Utc;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// How many plans a pass makes when others keep writing between its plan and its apply.
const MAX_TRIES: usize = 5;

/// What the passes of this replica share.
pub(super) struct PassRunner {
    pub(super) store: Store,
    pub(super) replica: Arc<str>,
    pub(super) current: Arc<CurrentSetup>,
    pub(super) counters: ReplicaCounters,
    pub(super) unwritable: Arc<UnwritableSources>,
    pub(super) waits: SourceWaits,
    pub(super) outbox: Arc<NoticeOutbox>,
    pub(super) turns: Arc<PassTurns>,
    pub(super) replies: Arc<ImportReplies>,
    pub(super) originals: Arc<PushOriginals>,
}

impl PassRunner {
    /// Wakes the sources that waited for this one, and leaves what was read to the next pass.
    fn finish_pass(
        &self,
        setup: &DaemonSetup,
        (pass, index): (Pass<'_>, usize),
        plan: &Plan,
        applied: bool,
        seen: Option<(DirectoryStamp, Instant)>,
    ) {
        let source = &setup.config.sources[index].name;
        for waiting in self.waits.finish_pass(&pass, index, plan, applied) {
            self.current
                .request_pass(&waiting, &format!("source {source}"));
        }
        // Only for a pass that is already waiting: the readings may be large, and would be stale
        // for a later one.
        if let Some(seen) = seen.filter(|_| self.turns.others_wait()) {
            setup.readings_cache.put(pass.readings, seen);
        }
    }
}

/// Makes one pass. The caller holds the lease of the source.
pub(super) async fn make_pass(
    runner: &PassRunner,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
    lease: &LeaseGuard,
    push: Option<PushInput>,
) -> Result<PassEnd, PassError> {
    // Read again under the lease: another replica may have made passes since this one was
    // triggered.
    let (memory, last) = load(&runner.store, source).await?;
    let before = memory.state.clone();
    let begun = Utc::now();
    let Some(index) = setup
        .config
        .sources
        .iter()
        .position(|known| *known.name == *source)
    else {
        return Err(PassError::Usage(setup.config.no_source(source)));
    };
    let seen =
        schedule::recent_pass_elsewhere(&before, &setup.config.sources[index], triggers, begun);
    // A push is never skipped, because its sender waits for the answer.
    if let Some(at) = seen.filter(|_| push.is_none()) {
        return Ok(PassEnd::MadeByOtherReplica(at));
    }
    let mut fetches = found.fetches;
    if last != found.last_pass && !fetches.is_empty() {
        // Another replica made a pass since the fetch, maybe of a later commit. Applying the older
        // one would undo it.
        fetches = reconcile::fetch(&setup.config, Some(source));
    }
    let mut made = PassInProgress::new(memory, triggers, &fetches, push);
    // The lease and the state could be read and written, so an earlier failure to write is over
    // until this pass finds another one.
    runner.unwritable.record_pass_end(source, None);
    let mut tries = 1;
    while let Err(error) = made.plan_and_apply(runner, setup, index, lease).await {
        let stale = matches!(error, PassError::Apply(ApplyError::Stale { .. }));
        if !stale || tries == MAX_TRIES {
            runner.unwritable.record_pass_end(source, Some(&error));
            made.fail(&error);
            break;
        }
        // Somebody wrote between plan and apply, and the apply was refused. The next plan sees the
        // change.
        tracing::info!("source {source}: {}; planning again", chain(&error));
        tries += 1;
    }
    // After the apply: what was fetched earlier is still applied when the remote is unreachable,
    // and the reason of the pass then names both facts.
    made.record_fetches(fetches);
    if made.state.outcome != PassOutcome::Failed {
        made.state.failures = 0;
    }
    made.state.note_lag(&before, begun);
    if made.state.outcome != before.outcome || made.state.reason != before.reason {
        made.state.since = Some(begun);
    }
    // `save` consumes the pass.
    let again = made.retry;
    made.save(runner, setup, source, &before, lease).await?;
    Ok(PassEnd::Completed { retry: again })
}

impl PassInProgress {
    async fn plan_and_apply(
        &mut self,
        runner: &PassRunner,
        setup: &DaemonSetup,
        index: usize,
        lease: &LeaseGuard,
    ) -> Result<(), PassError> {
        let (store, begun) = (&runner.store, Instant::now());
        let request = PassRequest {
            scrub: self.state.scrub_due(Utc::now()),
            ..self.request(&setup.config.sources[index])
        };
        let (mut pass, seen) =
            read_settled(&setup.config, &setup.readings_cache, request, store).await?;
        schedule::note_closed(&mut pass.readings, index, Utc::now());
        // An atomic push is refused as a whole if one record is bad.
        if self.push.as_ref().is_some_and(PushInput::atomic) {
            pass.readings[index].source.hold_errors = false;
        }
        let mut consent = DaemonConsent {
            made: self,
            config: &setup.config,
            store,
            phase: begun,
            report: false,
        };
        let made = reconcile::run(&mut pass, index, store, lease, &mut consent).await?;
        let (report, phase) = (consent.report, consent.phase);
        let PassResult { plan, done } = made;
        let done = done?;
        // Nothing was decided on an outdated commit, so nothing of it may be recorded either.
        if self.behind {
            return Ok(());
        }
        let applied = matches!(done, PassDone::Applied(_));
        if applied {
            self.record_seconds("apply", phase);
            let run = done.run(&plan);
            self.state
                .note_applied(RevisionMark::from_plan(&plan, Utc::now(), run));
            // An apply without steps has no run; the last one stays the current one.
            self.state.run = run.or(self.state.run);
            self.state.approvals = reconcile::used_approvals(&setup.config, store, &plan).await?;
            if run.is_some() && !plan.accepted.is_empty() && !plan.held.is_empty() {
                self.refresh_holds(setup, index, store).await?;
            }
            self.state.set_applied(&plan, run);
        } else {
            // An apply ends its imports in its own transaction. Without one, they end here;
            // otherwise their senders would wait until they are given up.
            store.end_imports(&pass.request.push_endings).await?;
        }
        let endings = pass.request.push_endings.iter();
        for ending in endings.filter(|ending| ending.held.is_empty()) {
            runner.originals.forget(&ending.id);
        }
        let feed = feed::feed_state(
            &pass.readings[index],
            store,
            self.unchanged_because.as_deref(),
        );
        if let Some(mut feed) = feed.await? {
            feed.report = report;
            self.state.feed = Some(feed);
        }
        // The readings of a pushed pass contain its records, which no other pass may reuse.
        let seen = seen.filter(|_| self.push.is_none());
        runner.finish_pass(setup, (pass, index), &plan, applied, seen);
        self.plan = Some(plan);
        Ok(())
    }

    /// Records what is left of partly approved holds. The rest is a new hold with a new id, so
    /// nobody can decide on the old one.
    async fn refresh_holds(
        &mut self,
        setup: &DaemonSetup,
        index: usize,
        store: &Store,
    ) -> Result<(), PassError> {
        let request = self.request(&setup.config.sources[index]);
        let (mut pass, _) =
            read_settled(&setup.config, &setup.readings_cache, request, store).await?;
        let left = pass.plan(index, store, &[]).await?;
        self.state.record_holds(&left, Utc::now());
        let held = &mut self.state.held;
        reconcile::find_hold_accounts(store, held).await?;
        let source = &setup.config.sources[index];
        Ok(reconcile::find_hold_commits(&setup.config, source, store, &left, held).await?)
    }

    async fn save(
        self,
        runner: &PassRunner,
        setup: &DaemonSetup,
        source: &str,
        before: &SourceState,
        lease: &LeaseGuard,
    ) -> Result<(), PassError> {
        let (store, plan) = (&runner.store, self.plan.as_ref());
        runner.counters.count_pass(source, &self.state);
        let notified = self.state.notice_state(plan);
        let states = [&self.notice_state, &notified];
        let notices = outbox::notices(
            &setup.config,
            source,
            states,
            self.last_ended,
            &self.state,
            plan,
        );
        let state = self.state;
        // Only passes with a new result are listed. Every interval would otherwise add one that
        // says nothing.
        let pass = state
            .is_noteworthy(before)
            .then(|| to_json(&state.without_details()));
        let (reason, ended) = (state.reason.clone(), Some(Utc::now()));
        let memory = to_json(&SourceStateDocument {
            state,
            notified,
            ended,
        });
        let plan = plan.map(plan_document);
        // Before the state is saved: if the daemon dies in between, the notice repeats, which is
        // better than losing it.
        runner.outbox.enqueue(&setup.targets, &notices).await?;
        let config = &setup.config;
        let accounts = runner
            .outbox
            .enqueue_approvals(config, &setup.targets, source);
        accounts.await?;
        let kept = store.save_source_state(
            source,
            &memory,
            plan.as_deref(),
            pass.as_deref(),
            &runner.replica,
            // The lease is checked in the same transaction. A daemon that was paused must not
            // overwrite the state of its successor.
            lease.lease(),
        );
        if !kept.await? {
            tracing::warn!("source {source}: another replica took over");
        } else if pass.is_some() {
            // Logged after the state is saved, so whoever reacts to the line finds the state there.
            tracing::info!("source {source}: {reason}");
        }
        Ok(())
    }
}

//! One pass of one source: what `roster apply` does, with a reason for every nothing.

use super::counters::ReplicaCounters;
use super::feed;
use super::outbox::{self, Notifier};
use super::pass_decision::DaemonConsent;
use super::pass_progress::{PassEnd, PassInProgress};
use super::pass_readiness::PassFetches;
use super::pass_turns::PassTurns;
use super::push::{ImportReplies, PushInput};
use super::readiness::UnwritableSources;
use super::schedule;
use super::setup::{CurrentSetup, DaemonSetup};
use super::source_waits::SourceWaits;
use super::stable_read::{DirectoryStamp, read_settled};
use super::state::{RevisionMark, SourceState};
use super::state_document::{
    SourceStateDocument, find_hold_accounts, load, plan_document, to_json,
};
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

/// How often somebody may write between a plan and its apply before the pass counts as failed.
const MAX_TRIES: usize = 5;

/// What makes the passes of this replica.
pub(super) struct PassRunner {
    pub(super) store: Store,
    pub(super) replica: Arc<str>,
    pub(super) current: Arc<CurrentSetup>,
    pub(super) counters: ReplicaCounters,
    pub(super) unwritable: Arc<UnwritableSources>,
    pub(super) waits: SourceWaits,
    pub(super) notifier: Arc<Notifier>,
    pub(super) turns: Arc<PassTurns>,
    pub(super) replies: Arc<ImportReplies>,
}

impl PassRunner {
    /// What a pass leaves to the others: those that waited for what it changed get a pass, and the
    /// next one has what it read.
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
        if let Some(seen) = seen.filter(|_| self.turns.others_wait()) {
            setup.readings_cache.put(pass.readings, seen);
        }
    }
}

/// Makes one pass, under the lease.
pub(super) async fn make_pass(
    runner: &PassRunner,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
    lease: &LeaseGuard,
    push: Option<PushInput>,
) -> Result<PassEnd, PassError> {
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
    if let Some(at) = seen.filter(|_| push.is_none()) {
        return Ok(PassEnd::MadeByOtherReplica(at));
    }
    let mut fetches = found.fetches;
    if last != found.last_pass && !fetches.is_empty() {
        // Another replica made a pass meanwhile, maybe of a later commit than the one found before.
        fetches = reconcile::fetch(&setup.config, Some(source));
    }
    let mut made = PassInProgress::new(
        memory,
        &setup.config.sources[index],
        triggers,
        &fetches,
        push,
        begun,
    );
    runner.unwritable.record_pass_end(source, None);
    let mut tries = 1;
    while let Err(error) = made.plan_and_apply(runner, setup, index, lease).await {
        let stale = matches!(error, PassError::Apply(ApplyError::Stale { .. }));
        if !stale || tries == MAX_TRIES {
            runner.unwritable.record_pass_end(source, Some(&error));
            made.fail(&error);
            break;
        }
        // Somebody wrote in between: the next plan sees it.
        tracing::info!("source {source}: {}; planning again", chain(&error));
        tries += 1;
    }
    made.record_fetches(fetches);
    if made.state.outcome != PassOutcome::Failed {
        made.state.failures = 0;
    }
    made.state.note_lag(&before, begun);
    if made.state.outcome != before.outcome || made.state.reason != before.reason {
        made.state.since = Some(begun);
    }
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
        if self.behind {
            return Ok(());
        }
        let applied = matches!(done, PassDone::Applied(_));
        if applied {
            self.record_seconds("apply", phase);
            let run = done.run(&plan);
            self.state.last_applied = Some(RevisionMark::from_plan(&plan, Utc::now(), run));
            self.state.run = run.or(self.state.run);
            if run.is_some() && !plan.accepted.is_empty() && !plan.held.is_empty() {
                self.refresh_holds(setup, index, store).await?;
            }
            self.state.set_applied(&plan, run);
        } else {
            store.end_imports(&pass.request.push_endings).await?;
        }
        let told = feed::feed_state(
            &pass.readings[index],
            store,
            self.unchanged_because.as_deref(),
        );
        if let Some(mut feed) = told.await? {
            feed.report = report;
            self.state.feed = Some(feed);
        }
        let seen = seen.filter(|_| self.push.is_none());
        runner.finish_pass(setup, (pass, index), &plan, applied, seen);
        self.plan = Some(plan);
        Ok(())
    }

    /// What is left of a hold is another hold: nobody may decide on the old one.
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
        Ok(find_hold_accounts(store, &mut self.state).await?)
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
        let told = self.state.notice_state(plan);
        let states = [&self.notice_state, &told];
        let notices = outbox::notices(
            &setup.config,
            source,
            states,
            self.last_ended,
            &self.state,
            plan,
        );
        let state = self.state;
        let pass = state.is_noteworthy(before).then(|| to_json(&state));
        let (reason, ended) = (state.reason.clone(), Some(Utc::now()));
        let memory = to_json(&SourceStateDocument { state, told, ended });
        let plan = plan.map(plan_document);
        // Before the state is kept: told twice is better than never.
        runner.notifier.enqueue(&setup.targets, &notices).await?;
        let kept = store.save_source_state(
            source,
            &memory,
            plan.as_deref(),
            pass.as_deref(),
            &runner.replica,
            lease.lease(),
        );
        if !kept.await? {
            tracing::warn!("source {source}: another replica took over");
        } else if pass.is_some() {
            // Only now: whoever reads it here finds it so there.
            tracing::info!("source {source}: {reason}");
        }
        Ok(())
    }
}

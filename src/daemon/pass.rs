//! One pass of one source: what `roster apply` does, with a reason for every nothing.

use super::feed;
use super::memory::{Memory, Seen, commits, document, kept, plan_document, suspension, whose};
use super::notice;
use super::push::{self, Push};
use super::reason;
use super::schedule;
use super::serve::{Daemon, Setup};
use super::settle::read;
use super::state::{Mark, Outcome, State};
use super::tell;
use crate::config::{Feed, Source, Window};
use crate::diagnostic::chain;
use crate::git::Moved;
use crate::plan::Plan;
use crate::reconcile::{self, Fetches, Kept, PassError, Request};
use crate::store::{ApplyError, LeaseError, Store, Suspension};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often somebody may write between a plan and its apply before the pass counts as failed.
const TRIES: usize = 5;
/// The trigger of a pass that applies whatever the windows say.
pub(super) const OVERRULE: &str = "overrule";

/// How a pass ended.
pub(super) enum Ended {
    /// It was made; whether it has to be tried again soon.
    Made {
        /// Whether to try again.
        again: bool,
    },
    /// Another replica is at it.
    Elsewhere(String),
    /// Another replica has just made it.
    Recent(DateTime<Utc>),
    /// Somebody suspended the source.
    Suspended(Suspension),
    /// The database cannot be asked.
    Unknown(String),
}

/// What there is to know before a pass has its turn.
pub(super) enum Begun {
    /// Nothing keeps it from being made.
    Ready(Found),
    /// There is none.
    Not(Ended),
}

/// What came of going to the network.
pub(super) struct Found {
    fetches: Fetches,
    /// The pass that was the last one before.
    after: Option<Seen>,
}

impl Found {
    /// Nothing: there was no need to go anywhere.
    pub(super) fn none() -> Self {
        Self {
            fetches: Fetches::new(),
            after: None,
        }
    }
}

/// Looks whether there is to be a pass, and goes to the network for it: a remote that does not
/// answer keeps no other source waiting.
pub(super) async fn begin(daemon: &Daemon, setup: &Setup, source: &str) -> Begun {
    match suspension(&daemon.store, source).await {
        Ok(None) => {}
        Ok(Some(suspension)) => return Begun::Not(Ended::Suspended(suspension)),
        Err(error) => return Begun::Not(Ended::Unknown(chain(&error))),
    }
    match kept(&daemon.store, source).await {
        Ok((_, after)) => Begun::Ready(Found {
            fetches: reconcile::fetch(&setup.config, Some(source)),
            after,
        }),
        Err(error) => Begun::Not(Ended::Unknown(chain(&error))),
    }
}

/// Makes a pass of a source.
pub(super) async fn run(
    daemon: &Daemon,
    setup: &Setup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: Found,
) -> Ended {
    match attempt(daemon, setup, source, triggers, found).await {
        Ok(ended) => ended,
        Err(error) => {
            daemon.unwritable.ended(source, Some(&error));
            Ended::Unknown(chain(&error))
        }
    }
}

async fn attempt(
    daemon: &Daemon,
    setup: &Setup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: Found,
) -> Result<Ended, PassError> {
    let store = &daemon.store;
    let lease = match Kept::take(store, source, Duration::ZERO).await {
        Ok(lease) => lease,
        Err(PassError::Lease(error @ LeaseError::Timeout(_))) => {
            return Ok(Ended::Elsewhere(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let ended = leased(daemon, setup, source, triggers, found, &lease).await;
    lease.release(store).await;
    ended
}

async fn leased(
    daemon: &Daemon,
    setup: &Setup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: Found,
    lease: &Kept,
) -> Result<Ended, PassError> {
    let pushed = setup.config.source(source);
    if pushed.and_then(Source::feed).is_some_and(Feed::is_pushed) {
        return push::work(daemon, setup, source, triggers, lease).await;
    }
    once(daemon, setup, source, triggers, found, lease, None).await
}

/// Makes one pass, under the lease.
pub(super) async fn once(
    daemon: &Daemon,
    setup: &Setup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: Found,
    lease: &Kept,
    push: Option<Push>,
) -> Result<Ended, PassError> {
    let (memory, last) = kept(&daemon.store, source).await?;
    let Memory {
        state: before,
        told,
        ended,
    } = memory;
    let begun = Utc::now();
    let Some(index) = setup
        .config
        .sources
        .iter()
        .position(|known| *known.name == *source)
    else {
        return Err(PassError::Usage(setup.config.no_source(source)));
    };
    let seen = schedule::recent(&before, &setup.config.sources[index], triggers, begun);
    if let Some(at) = seen.filter(|_| push.is_none()) {
        return Ok(Ended::Recent(at));
    }
    let mut fetches = found.fetches;
    if last != found.after && !fetches.is_empty() {
        // Another replica made a pass meanwhile, maybe of a later commit than the one found before.
        fetches = reconcile::fetch(&setup.config, Some(source));
    }
    let mut made = Made {
        window: Window::state(&setup.config.sources[index].timing.windows, begun),
        overruled: triggers.contains(OVERRULE),
        state: before.clone(),
        told,
        ended,
        plan: None,
        again: false,
        unreached: fetches.iter().any(|(_, fetched)| fetched.is_err()),
        found: fetches
            .iter()
            .find_map(|(_, fetched)| Some(fetched.as_ref().ok()?.revision.clone()))
            .unwrap_or_default(),
        behind: false,
        lost: false,
        same: fetches
            .iter()
            .find_map(|(_, fetched)| fetched.as_ref().ok()?.same.map(str::to_owned)),
        push,
    };
    made.state.triggers = triggers.clone();
    made.state.seconds.clear();
    daemon.unwritable.ended(source, None);
    let mut tries = 1;
    while let Err(error) = made.make(daemon, setup, index, lease).await {
        let stale = matches!(error, PassError::Apply(ApplyError::Stale { .. }));
        if !stale || tries == TRIES {
            daemon.unwritable.ended(source, Some(&error));
            made.fail(&error);
            break;
        }
        // Somebody wrote in between: the next plan sees it.
        tracing::info!("source {source}: {}; planned again", chain(&error));
        tries += 1;
    }
    made.fetched(fetches);
    if made.state.outcome != Outcome::Failed {
        made.state.failures = 0;
    }
    made.state.note_lag(&before, begun);
    if made.state.outcome != before.outcome || made.state.reason != before.reason {
        made.state.since = Some(begun);
    }
    let again = made.again;
    made.keep(daemon, setup, source, &before, lease).await?;
    Ok(Ended::Made { again })
}

/// A pass being made.
struct Made {
    /// Whether a window lets it apply.
    window: schedule::State,
    /// Whether somebody said to apply all the same.
    overruled: bool,
    state: State,
    told: notice::State,
    /// When the pass before ended.
    ended: Option<DateTime<Utc>>,
    plan: Option<Plan>,
    again: bool,
    /// Whether the remote could not be asked.
    unreached: bool,
    /// The commit that was fetched.
    found: String,
    /// Whether what is here is not what a pass saw before: another replica knows a later commit.
    behind: bool,
    /// Whether nothing of the source can be read.
    lost: bool,
    /// Why the export that was fetched is none that is new.
    same: Option<String>,
    /// What was sent, of a source that is pushed to.
    push: Option<Push>,
}

impl Made {
    /// What the pass is asked for.
    fn request(&self, source: &Source) -> Request {
        Request {
            source: Some(source.name.to_string()),
            pushed: self.push.as_ref().map(|push| push.pushed.clone()),
            ..Request::default()
        }
    }

    async fn make(
        &mut self,
        daemon: &Daemon,
        setup: &Setup,
        index: usize,
        lease: &Kept,
    ) -> Result<(), PassError> {
        let source = &setup.config.sources[index];
        let (store, begun) = (&daemon.store, Instant::now());
        let request = Request {
            scrub: self.state.scrub_due(Utc::now()),
            ..self.request(source)
        };
        let scrub = request.scrub;
        let (mut pass, seen) = read(setup, request, store).await?;
        schedule::note_closed(&mut pass.readings, index, Utc::now());
        if self.push.as_ref().is_some_and(Push::atomic) {
            pass.readings[index].source.hold_errors = false;
        }
        let plan = pass.plan(index, store, &[]).await?;
        self.state
            .seconds
            .insert("plan".to_owned(), begun.elapsed().as_secs_f64());
        let before = self.state.last_attempted.as_ref();
        self.behind =
            self.unreached && before.is_some_and(|mark| *mark.revision != *plan.source.revision);
        if self.behind {
            return Ok(());
        }
        self.lost = pass.readings[index].is_unreadable();
        let now = Utc::now();
        self.state.tell(&plan, now);
        whose(store, &mut self.state).await?;
        self.state.commits = commits(&setup.config, source, &self.state, &plan.source.revision);
        let mut attempted = Mark::of(&plan, now, None);
        if attempted.revision.is_empty() {
            // A commit that could not be read was looked at all the same.
            attempted.revision.clone_from(&self.found);
        }
        self.state.last_attempted = Some(attempted);
        if scrub {
            self.state.scrubbed = Some(now);
        }
        let decided = self.decide(pass.readings[index].only_planned(), &plan);
        let reading = &pass.readings[index];
        let pushed = self.push.as_ref().map(|push| &*push.pushed);
        let report = feed::reported(reading, &plan, pushed, store).await?;
        if let Some(push) = &self.push {
            pass.request.ended = push.endings(source, &plan, decided, &self.state);
        }
        if decided == Outcome::Applied {
            let begun = Instant::now();
            let actor = self.push.as_ref().map_or("roster serve", Push::actor);
            let applied = reconcile::apply(&pass, index, store, &plan, lease, actor).await?;
            self.state
                .seconds
                .insert("apply".to_owned(), begun.elapsed().as_secs_f64());
            let run = applied.run.filter(|_| !plan.steps.is_empty());
            self.state.last_applied = Some(Mark::of(&plan, Utc::now(), run));
            self.state.run = run.or(self.state.run);
            if run.is_some() && !plan.accepted.is_empty() && !plan.held.is_empty() {
                self.look_again(setup, index, store).await?;
            }
            self.state.applied(&plan, run);
        } else {
            store.end_imports(&pass.request.ended).await?;
        }
        let told = feed::told(&pass.readings[index], store, self.same.as_deref());
        if let Some(mut feed) = told.await? {
            feed.report = report;
            self.state.feed = Some(feed);
        }
        let seen = seen.filter(|_| self.push.is_none());
        let applied = decided == Outcome::Applied;
        daemon.leave(setup, (pass, index), &plan, applied, seen);
        self.plan = Some(plan);
        Ok(())
    }

    /// What is left of a hold is another hold: nobody may decide on the old one.
    async fn look_again(
        &mut self,
        setup: &Setup,
        index: usize,
        store: &Store,
    ) -> Result<(), PassError> {
        let request = self.request(&setup.config.sources[index]);
        let (mut pass, _) = read(setup, request, store).await?;
        let left = pass.plan(index, store, &[]).await?;
        self.state.tell_held(&left, Utc::now());
        Ok(whose(store, &mut self.state).await?)
    }

    /// What is to be done with a plan; `Applied` when it is to be applied.
    fn decide(&mut self, planned: Option<String>, plan: &Plan) -> Outcome {
        let outcome = if self.lost {
            self.again = true;
            self.state.unreadable();
            Outcome::Failed
        } else if plan.errored {
            let first = self.state.findings.first();
            let first = first.map(ToString::to_string).unwrap_or_default();
            self.state.reason = format!(
                "{} refused the plan, the first: {first}",
                reason::errors(self.state.errors)
            );
            Outcome::Refused
        } else if let Some(why) = planned {
            self.state.reason = why;
            Outcome::Planned
        } else if let (schedule::State::Closed { by, until }, false) =
            (&self.window, self.overruled || plan.steps.is_empty())
        {
            let until = until.map_or(String::new(), |until| {
                format!(
                    " until {}",
                    until.to_rfc3339_opts(SecondsFormat::Secs, true)
                )
            });
            let steps = match plan.steps.len() {
                1 => "1 step waits".to_owned(),
                many => format!("{many} steps wait"),
            };
            self.state.reason = format!("{steps}{until}: {by}");
            Outcome::WindowClosed
        } else {
            return Outcome::Applied;
        };
        self.state.outcome = outcome;
        outcome
    }

    fn fail(&mut self, error: &PassError) {
        (self.state.outcome, self.again) = (Outcome::Failed, true);
        self.state.failures += 1;
        self.state.reason = chain(error);
        tracing::warn!("{}", self.state.reason);
    }

    /// Takes over what came of going to the network. What could not be fetched stays as it was
    /// fetched last, and is repaired as that.
    fn fetched(&mut self, fetches: Fetches) {
        for (_, fetched) in fetches {
            match fetched.map(|fetched| fetched.moved) {
                Ok(Moved::Rewound { from }) => self.state.rewound = Some(from),
                Ok(Moved::Same) => {}
                Ok(_) => self.state.rewound = None,
                Err(error) => {
                    if self.state.outcome != Outcome::Failed || self.behind {
                        self.state.failures += 1;
                    }
                    let what = match (self.lost, self.behind) {
                        (true, _) => "nothing was ever fetched, so nothing is done",
                        (_, true) => "another commit was applied since, so nothing is done",
                        _ => "what was fetched last stays",
                    };
                    (self.state.outcome, self.again) = (Outcome::Failed, true);
                    self.state.reason = format!("{error}; {what}");
                }
            }
        }
    }

    async fn keep(
        self,
        daemon: &Daemon,
        setup: &Setup,
        source: &str,
        before: &State,
        lease: &Kept,
    ) -> Result<(), PassError> {
        let (store, plan) = (&daemon.store, self.plan.as_ref());
        daemon.counted.pass(source, &self.state);
        let told = self.state.told(plan);
        let states = [&self.told, &told];
        let notices = tell::notices(setup, source, states, self.ended, &self.state, plan);
        let state = self.state;
        let pass = state.is_news(before).then(|| document(&state));
        let (reason, ended) = (state.reason.clone(), Some(Utc::now()));
        let memory = document(&Memory { state, told, ended });
        let plan = plan.map(plan_document);
        // Before the state is kept: told twice is better than never.
        tell::post(daemon, setup, &notices).await?;
        let kept = store.keep(
            source,
            &memory,
            plan.as_deref(),
            pass.as_deref(),
            &daemon.replica,
            lease.lease(),
        );
        if !kept.await? {
            tracing::warn!("source {source}: another replica has taken over");
        } else if pass.is_some() {
            // Only now: whoever reads it here finds it so there.
            tracing::info!("source {source}: {reason}");
        }
        Ok(())
    }
}

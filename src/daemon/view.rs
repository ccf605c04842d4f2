//! What the daemon shows: the status of the sources, the holds and the recent acts. It combines the
//! configuration, the state in the database and what this replica's workers are doing. The API and
//! the page both render it.

use super::idle_policies::IdlePolicyWatch;
use super::schedule;
use super::setup::CurrentSetup;
use super::state_document::{self, SourceStateDocument};
use crate::config::{ApplyWindow, FeedConfig, Source};
use crate::document::{
    ActView, ClosedWindow, DaemonStatus, DiagnosticState, HoldState, HoldView, PassOutcome,
    SourceState, SourceView, SuspensionView, WorkerActivity,
};
use crate::reconcile;
use crate::store::{ALL_SOURCES, Store, StoreError, Suspension};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads the state of the daemon for the API and the page.
pub struct StatusBoard {
    /// This replica: host and process.
    pub replica: Arc<str>,
    pub(super) store: Store,
    pub(super) current: Arc<CurrentSetup>,
    pub(super) idle_policies: IdlePolicyWatch,
}

impl StatusBoard {
    /// The state of everything, of sources only those for which `sees` returns true.
    pub async fn status(&self, sees: impl Fn(&str) -> bool) -> Result<DaemonStatus, StoreError> {
        let setup = self.current.get();
        let (notices, notice_error) = self.store.waiting_notices().await?;
        let shown = setup
            .config
            .sources
            .iter()
            .filter(|source| sees(&source.name));
        let mut kept = state_document::load_all(&self.store).await?;
        let suspensions: BTreeMap<_, _> = self.store.suspensions().await?.into_iter().collect();
        let now = Utc::now();
        let sources = shown.map(|source| {
            // The suspension by name comes first, because resuming all sources does not end it.
            let own = suspensions.get(&*source.name).map(|one| (one, false));
            let all = suspensions.get(ALL_SOURCES).map(|one| (one, true));
            let (replica, memory) = kept.remove(&*source.name).unzip();
            // Only this replica's worker. What others do now is not in the database; their results
            // are.
            let worker = setup.workers.get(&*source.name);
            let activity = worker.map_or(
                WorkerActivity::Waiting {
                    next: now,
                    why: None,
                },
                |worker| worker.activity(),
            );
            view(
                source,
                memory.unwrap_or_default(),
                replica,
                own.or(all),
                activity,
                now,
            )
        });
        Ok(DaemonStatus {
            replica: self.replica.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            environment: setup.config.environment.clone(),
            time: now,
            sources: sources.collect(),
            diagnostics: Vec::new(),
            notices,
            notice_error,
            reload_error: self.current.reload_error(),
        })
    }

    /// What is wrong with the directory now, whatever a source declares.
    pub async fn directory_diagnostics(&self) -> Result<Vec<DiagnosticState>, StoreError> {
        self.idle_policies.diagnostics(&self.store).await
    }

    /// Every hold, those that need a decision first.
    pub async fn holds(
        &self,
        sees: impl Fn(&str, &HoldState) -> bool,
    ) -> Result<Vec<HoldView>, StoreError> {
        let setup = self.current.get();
        let ttl = setup.config.approval_ttl;
        // The state of a source that was removed from the configuration stays in the database, but
        // no pass would ever act on an approval. A revert needs no source.
        let is_listed = |source: &str, hold: &HoldState| {
            let is_used = hold.reverts.is_some() || setup.config.source(source).is_some();
            is_used && sees(source, hold)
        };
        reconcile::hold_views(&self.store, ttl, is_listed).await
    }

    /// The latest acts of persons, newest first.
    pub async fn acts(&self, limit: u32) -> Result<Vec<ActView>, StoreError> {
        let acts = self.store.acts_before(None, limit).await?;
        Ok(acts.into_iter().map(ActView::from).collect())
    }
}

fn view(
    source: &Source,
    memory: SourceStateDocument,
    replica: Option<String>,
    suspended: Option<(&Suspension, bool)>,
    activity: WorkerActivity,
    now: DateTime<Utc>,
) -> SourceView {
    let SourceStateDocument { state, ended, .. } = memory;
    let suspended = suspended.map(|(suspension, all)| SuspensionView {
        by: suspension.actor.clone(),
        reason: suspension.reason.clone(),
        since: from_millis(suspension.at),
        all,
    });
    let window = match ApplyWindow::state(&source.timing.windows, now) {
        schedule::WindowState::Open { .. } => None,
        schedule::WindowState::Closed { by, until } => Some(ClosedWindow { by, until }),
    };
    // One sentence has to answer why nothing happens. A suspension explains more than a wait, and a
    // wait more than the last pass.
    let why = match (&suspended, &activity) {
        (Some(suspended), _) => format!("suspended by {}: {}", suspended.by, suspended.reason),
        (None, WorkerActivity::Waiting { why: Some(why), .. }) => why.clone(),
        _ => status_sentence(source, &state),
    };
    SourceView {
        name: source.name.to_string(),
        ended,
        from: source.written.clone(),
        mode: if source.apply { "apply" } else { "plan" }.into(),
        why,
        suspended,
        window,
        activity,
        replica,
        state,
    }
}

/// The sentence about the last pass.
fn status_sentence(source: &Source, state: &SourceState) -> String {
    let feed = state.feed.as_ref();
    match (state.outcome, feed.and_then(|feed| feed.same.as_deref())) {
        (PassOutcome::Never, _) if source.feed().is_some_and(FeedConfig::is_pushed) => {
            "no push yet".to_owned()
        }
        (PassOutcome::Unchanged, Some(same)) => format!("{}; {same}", state.reason),
        _ => state.reason.clone(),
    }
}

/// A time as the database stores it, in milliseconds since 1970.
fn from_millis(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

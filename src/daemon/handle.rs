//! What requests can reach of the running daemon: the database, the current setup, the counters and
//! the queue of passes. Handlers of the API, the page and the metrics get a `DaemonHandle` and ask
//! through `query`, which keeps their work off the async threads.

use super::blocking::run_blocking;
use super::counters::ReplicaCounters;
use super::login_guard::LoginGuard;
use super::pass_turns::PassTurns;
use super::push::{ImportReplies, PushOriginals};
use super::readiness::ReadinessProbe;
use super::setup::{CurrentSetup, DaemonSetup};
use super::view::StatusBoard;
use super::webhook::{SeenDeliveries, WebhookPush};
use crate::diagnostic::chain;
use crate::http::ReadinessCheck;
use crate::http::problem::{self, HttpProblem};
use crate::http::rate::RateLimiter;
use crate::store::{Store, StoreError};
use std::sync::{Arc, Mutex, PoisonError};

/// The parts of the running daemon that requests use.
pub(super) struct DaemonParts {
    pub(super) store: Store,
    pub(super) current: Arc<CurrentSetup>,
    pub(super) board: StatusBoard,
    pub(super) counters: ReplicaCounters,
    pub(super) turns: Arc<PassTurns>,
    pub(super) replies: Arc<ImportReplies>,
    pub(super) originals: Arc<PushOriginals>,
    pub(super) readiness: ReadinessProbe,
    pub(super) seen_deliveries: Mutex<SeenDeliveries>,
    /// Counts links that do not exist.
    pub(super) wrong_links: RateLimiter,
    pub(super) logins: LoginGuard,
}

impl DaemonParts {
    /// Records a webhook delivery. Returns false if it was seen before.
    pub(super) fn remember_delivery(&self, source: &str, push: &WebhookPush) -> bool {
        let seen = self.seen_deliveries.lock();
        // A set of names is valid whatever a panicking holder did, so a poisoned lock is no reason
        // to refuse every webhook from then on.
        let mut seen = seen.unwrap_or_else(PoisonError::into_inner);
        seen.insert_push(source, push)
    }
}

/// The daemon as handlers get it. Empty where only the table of routes is needed, for example to
/// write the OpenAPI document.
#[derive(Clone, Default)]
pub struct DaemonHandle(Option<Arc<DaemonParts>>);

impl DaemonHandle {
    pub(super) fn new(parts: DaemonParts) -> Self {
        Self(Some(Arc::new(parts)))
    }

    pub(super) fn daemon(&self) -> Result<&Arc<DaemonParts>, HttpProblem> {
        let open = self.0.as_ref();
        open.ok_or_else(|| HttpProblem::new(problem::UNAVAILABLE, "no daemon is running here"))
    }

    /// Runs a question that reads the database, on a blocking thread.
    pub(super) async fn query<T, F, E>(
        &self,
        question: impl FnOnce(Arc<DaemonParts>) -> F + Send + 'static,
    ) -> Result<T, HttpProblem>
    where
        T: Send + 'static,
        E: Into<HandlerError> + Send + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let daemon = Arc::clone(self.daemon()?);
        let answer = run_blocking(move || question(daemon))
            .await
            .map_err(HttpProblem::internal)?;
        answer.map_err(|error| error.into().0)
    }

    /// Like `query`, for questions that need only the database.
    pub(super) async fn query_store<T, F, E>(
        &self,
        question: impl FnOnce(Store) -> F + Send + 'static,
    ) -> Result<T, HttpProblem>
    where
        T: Send + 'static,
        E: Into<HandlerError> + Send + 'static,
        F: Future<Output = Result<T, E>>,
    {
        self.query(move |daemon| question(daemon.store.clone()))
            .await
    }

    /// The configuration in force.
    pub(super) fn setup(&self) -> Result<Arc<DaemonSetup>, HttpProblem> {
        Ok(self.daemon()?.current.get())
    }
}

impl ReadinessCheck for DaemonHandle {
    async fn ready(&self) -> Result<(), String> {
        let asked = self.query(async |daemon| {
            // A source that a reload removed never has another pass that could clear its mark, so
            // only configured sources count.
            let setup = daemon.current.get();
            let is_configured = |source: &str| setup.workers.contains_key(source);
            Ok::<_, HttpProblem>(daemon.readiness.check(is_configured).await)
        });
        asked.await.map_err(|problem| problem.detail)?
    }
}

/// Turns the errors of a question into a problem for the client.
pub(super) struct HandlerError(HttpProblem);

impl From<StoreError> for HandlerError {
    fn from(error: StoreError) -> Self {
        // The cause is in the log too: whoever runs the daemon may not be the one who gets the
        // response.
        let why = chain(&error);
        tracing::warn!("{why}");
        Self(HttpProblem::new(problem::UNAVAILABLE, why))
    }
}

impl From<HandlerError> for HttpProblem {
    fn from(error: HandlerError) -> Self {
        error.0
    }
}

impl From<HttpProblem> for HandlerError {
    fn from(problem: HttpProblem) -> Self {
        Self(problem)
    }
}

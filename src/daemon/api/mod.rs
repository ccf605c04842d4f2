//! `/api/v1`: the daemon as programs see it.

pub(super) mod exports;
pub(super) mod holds;
mod imports;
mod plans;
mod push_messages;
pub(super) mod records;
mod server_paths;
pub(super) mod sources;
mod upload_files;
mod webhooks;

use super::metrics;
use super::serve::Daemon;
use super::worker::run_blocking;
use crate::diagnostic::{chain, none_called};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, ReadinessCheck, Route};
use crate::store::StoreError;
use std::sync::Arc;

/// The daemon, as handlers are handed it; none where only the table of routes is wanted.
#[derive(Clone, Default)]
pub struct DaemonHandle(Option<Arc<Daemon>>);

/// Every route of the API.
#[must_use]
pub fn routes() -> Vec<Route<DaemonHandle>> {
    let all = [
        sources::routes(),
        exports::routes(),
        holds::routes(),
        records::routes(),
        plans::routes(),
        webhooks::routes(),
        imports::routes(),
        metrics::routes(),
    ];
    let all = all.into_iter().flatten();
    all.map(|route| route.problems(&[problem::UNAVAILABLE]))
        .collect()
}

impl DaemonHandle {
    /// The door to a daemon.
    pub(super) fn for_daemon(daemon: &Arc<Daemon>) -> Self {
        Self(Some(Arc::clone(daemon)))
    }

    /// The daemon.
    pub(in crate::daemon) fn daemon(&self) -> Result<&Arc<Daemon>, HttpProblem> {
        let open = self.0.as_ref();
        open.ok_or_else(|| HttpProblem::new(problem::UNAVAILABLE, "no daemon is running here"))
    }

    /// Asks the daemon something that reads the database, on a thread of its own.
    pub(in crate::daemon) async fn query<T, F, E>(
        &self,
        question: impl FnOnce(Arc<Daemon>) -> F + Send + 'static,
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
}

impl ReadinessCheck for DaemonHandle {
    async fn ready(&self) -> Result<(), String> {
        let asked = self.query(async |daemon| Ok::<_, HttpProblem>(daemon.ready().await));
        asked.await.map_err(|problem| problem.detail)?
    }
}

/// Why a question has no answer.
pub(in crate::daemon) struct HandlerError(HttpProblem);

impl From<StoreError> for HandlerError {
    fn from(error: StoreError) -> Self {
        let why = chain(&error);
        tracing::warn!("{why}");
        Self(HttpProblem::new(problem::UNAVAILABLE, why))
    }
}

impl From<HttpProblem> for HandlerError {
    fn from(problem: HttpProblem) -> Self {
        Self(problem)
    }
}

/// A source that is configured and that the caller may see.
pub(in crate::daemon) fn require_visible_source(
    daemon: &Daemon,
    caller: &Caller,
    source: &str,
) -> Result<(), HttpProblem> {
    let setup = daemon.setup();
    let sources = setup.config.sources.iter();
    // Whoever may not see a source does not learn its name.
    let seen = sources.map(|known| &*known.name);
    let seen: Vec<&str> = seen.filter(|name| caller.may_access_source(name)).collect();
    if seen.contains(&source) {
        return Ok(());
    }
    let why = none_called("source", source, seen);
    Err(HttpProblem::not_found(why))
}

/// How long a reason may be.
const MAX_REASON_LENGTH: usize = 2000;
/// That a reason says something; what a pattern takes for a space is not all that is one.
const NOT_BLANK: &str = r"[^\s\u0085]";

/// The reason of an act: it must say something.
fn require_reason(given: &str) -> Result<&str, HttpProblem> {
    let given = require_max_length(MAX_REASON_LENGTH, "reason", given)?.trim();
    if given.is_empty() {
        return Err(HttpProblem::new(
            problem::INVALID,
            "`reason` is empty; say why",
        ));
    }
    Ok(given)
}

/// A text that is not longer than the document says.
fn require_max_length<'t>(most: usize, name: &str, text: &'t str) -> Result<&'t str, HttpProblem> {
    if text.chars().count() > most {
        let detail = format!("`{name}` is longer than {most} characters");
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    Ok(text)
}

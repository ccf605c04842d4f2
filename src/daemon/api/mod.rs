//! `/api/v1`: the daemon as programs see it.

mod conceal;
pub(super) mod exports;
mod files;
pub(super) mod holds;
mod hooks;
mod imports;
mod plans;
mod pushed;
pub(super) mod records;
pub(super) mod sources;

use super::metrics;
use super::serve::Daemon;
use super::worker::apart;
use crate::diagnostic::{chain, none_called};
use crate::http::problem::{self, Problem};
use crate::http::{Caller, Ready, Route};
use crate::store::StoreError;
use std::sync::Arc;

/// The daemon, as handlers are handed it; none where only the table of routes is wanted.
#[derive(Clone, Default)]
pub struct Door(Option<Arc<Daemon>>);

/// Every route of the API.
#[must_use]
pub fn routes() -> Vec<Route<Door>> {
    let all = [
        sources::routes(),
        exports::routes(),
        holds::routes(),
        records::routes(),
        plans::routes(),
        hooks::routes(),
        imports::routes(),
        metrics::routes(),
    ];
    let all = all.into_iter().flatten();
    all.map(|route| route.problems(&[problem::UNAVAILABLE]))
        .collect()
}

impl Door {
    /// The door to a daemon.
    pub(super) fn to(daemon: &Arc<Daemon>) -> Self {
        Self(Some(Arc::clone(daemon)))
    }

    /// The daemon.
    pub(in crate::daemon) fn daemon(&self) -> Result<&Arc<Daemon>, Problem> {
        let open = self.0.as_ref();
        open.ok_or_else(|| Problem::new(problem::UNAVAILABLE, "no daemon is behind this"))
    }

    /// Asks the daemon something that reads the database, on a thread of its own.
    pub(in crate::daemon) async fn ask<T, F, E>(
        &self,
        question: impl FnOnce(Arc<Daemon>) -> F + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Refused> + Send + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let daemon = Arc::clone(self.daemon()?);
        let answer = apart(move || question(daemon))
            .await
            .map_err(Problem::internal)?;
        answer.map_err(|error| error.into().0)
    }
}

impl Ready for Door {
    async fn ready(&self) -> Result<(), String> {
        let asked = self.ask(async |daemon| Ok::<_, Problem>(daemon.ready().await));
        asked.await.map_err(|problem| problem.detail)?
    }
}

/// Why a question has no answer.
pub(in crate::daemon) struct Refused(Problem);

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let why = chain(&error);
        tracing::warn!("{why}");
        Self(Problem::new(problem::UNAVAILABLE, why))
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

/// A source that is configured and that the caller may see.
pub(in crate::daemon) fn known(
    daemon: &Daemon,
    caller: &Caller,
    source: &str,
) -> Result<(), Problem> {
    let setup = daemon.setup();
    let sources = setup.config.sources.iter();
    // Whoever may not see a source does not learn its name.
    let seen = sources.map(|known| &*known.name);
    let seen: Vec<&str> = seen.filter(|name| caller.sees(name)).collect();
    if seen.contains(&source) {
        return Ok(());
    }
    let why = none_called("source", source, seen);
    Err(Problem::not_found(why))
}

/// How long a reason may be.
const REASON: usize = 2000;
/// That a reason says something; what a pattern takes for a space is not all that is one.
const SAID: &str = r"[^\s\u0085]";

/// The reason of an act: it must say something.
fn reason(given: &str) -> Result<&str, Problem> {
    let given = at_most(REASON, "reason", given)?.trim();
    if given.is_empty() {
        return Err(Problem::new(problem::INVALID, "`reason` must say why"));
    }
    Ok(given)
}

/// A text that is not longer than the document says.
fn at_most<'t>(most: usize, name: &str, text: &'t str) -> Result<&'t str, Problem> {
    if text.chars().count() > most {
        let detail = format!("`{name}` has more than {most} characters");
        return Err(Problem::new(problem::INVALID, detail));
    }
    Ok(text)
}

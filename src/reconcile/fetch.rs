//! Updates the mirrors of repositories and the copies of exports. This is the only part of a pass
//! that uses the network; everything after it reads what was fetched last. [`fetch`] returns one
//! result per remote source, and `with_fetch_results` carries the failures into the pass.

use super::PassRequest;
use crate::config::{Config, FeedConfig, FeedLocation, Source, SourceLocation};
use crate::git::{self, CommitMovement, GitError};
use crate::transport::{self, ExportChange, LocationKind, TransportError};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// The result of fetching each remote source, by source name.
pub type FetchResults = Vec<(Arc<str>, Result<FetchedSource, FetchError>)>;

/// A source that was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedSource {
    /// The commit, or the digest of an export.
    pub revision: String,
    /// How the revision relates to the one fetched before.
    pub movement: CommitMovement,
    /// For an export that brought nothing new: why.
    pub unchanged_because: Option<&'static str>,
}

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Export(#[from] TransportError),
    /// The thread that fetched it panicked.
    #[error("the fetch was interrupted")]
    Interrupted,
}

impl FetchError {
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Git(error) => error.help(),
            Self::Export(error) => error.help(),
            Self::Interrupted => "Roster tries again".to_owned(),
        }
    }
}

/// A source that could not be fetched, as the pass reports it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnreachedSource {
    pub message: String,
    pub help: String,
}

/// Fetches all remote sources at once, or only the named one. One slow server does not delay the
/// others.
#[must_use]
pub fn fetch(config: &Config, only: Option<&str>) -> FetchResults {
    let sources = config.sources.iter();
    let sources = sources.filter(|source| only.is_none_or(|name| *source.name == *name));
    thread::scope(|scope| {
        let running: Vec<_> = sources
            .filter(|source| is_remote(source))
            .map(|source| (source, scope.spawn(|| fetch_source(source, &config.cache))))
            .collect();
        let ended = running.into_iter().map(|(source, running)| {
            let fetched = running.join().unwrap_or(Err(FetchError::Interrupted));
            log_fetch(source, &fetched);
            (Arc::clone(&source.name), fetched)
        });
        ended.collect()
    })
}

fn is_remote(source: &Source) -> bool {
    match &source.place {
        SourceLocation::Directory(_) => false,
        SourceLocation::Git(_) => true,
        SourceLocation::Export(feed) => matches!(feed.body, FeedLocation::Remote(_)),
    }
}

fn fetch_source(source: &Source, cache: &Path) -> Result<FetchedSource, FetchError> {
    match &source.place {
        SourceLocation::Git(place) => {
            let fetched = git::fetch(place, cache)?;
            Ok(FetchedSource {
                revision: fetched.revision,
                movement: fetched.moved,
                unchanged_because: None,
            })
        }
        SourceLocation::Export(FeedConfig {
            body: FeedLocation::Remote(place),
            ..
        }) => {
            let fetched = transport::fetch(place, cache)?;
            Ok(FetchedSource {
                revision: fetched.digest.to_string(),
                movement: match fetched.news {
                    ExportChange::First => CommitMovement::First,
                    ExportChange::Same => CommitMovement::Same,
                    ExportChange::Changed => CommitMovement::Forward,
                },
                unchanged_because: (fetched.news == ExportChange::Same)
                    .then(|| why_unchanged(&place.kind, fetched.untouched)),
            })
        }
        SourceLocation::Directory(_) | SourceLocation::Export(_) => Err(FetchError::Interrupted),
    }
}

/// Why the fetch brought nothing new.
fn why_unchanged(way: &LocationKind, untouched: bool) -> &'static str {
    match way {
        LocationKind::Http(_) if untouched => "the server answered that nothing changed (304)",
        LocationKind::Drop(_) if untouched => "no new file in the drop folder",
        _ => "same bytes as the last export",
    }
}

/// Logs what somebody should know even when the pass turns out well: a rewound branch may bring
/// back customers who were removed.
fn log_fetch(source: &Source, fetched: &Result<FetchedSource, FetchError>) {
    let name = &source.name;
    match fetched {
        Ok(FetchedSource {
            revision,
            movement: CommitMovement::Rewound { from },
            ..
        }) => tracing::warn!(
            "source {name}: {} was rewound or force-pushed: it no longer contains commit {from}, which was read before; it is now at {revision}",
            source.git().map_or("it", |place| place.reference())
        ),
        Ok(FetchedSource {
            revision,
            movement: CommitMovement::Switched { from },
            ..
        }) => tracing::warn!(
            "source {name}: the default branch of the remote changed: commit {from} was read before, {revision} is read now; set `ref:` to stay on one branch"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!("source {name} could not be fetched: {error}"),
    }
}

impl PassRequest {
    /// The same request, in which a source that could not be fetched counts as unreadable: what it
    /// declared stands by its claims.
    #[must_use]
    pub fn with_fetch_results(mut self, fetches: &FetchResults) -> Self {
        for (name, fetched) in fetches {
            if let Err(error) = fetched {
                let why = UnreachedSource {
                    message: error.to_string(),
                    help: error.help(),
                };
                self.unreached.insert(Arc::clone(name), why);
            }
        }
        self
    }
}

//! Bringing the mirrors of repositories and the copies of exports up to date: the only part of a pass
//! that goes to the network.

use super::Request;
use crate::config::{Body, Config, Feed, Place, Source};
use crate::git::{self, GitError, Moved};
use crate::transport::{self, News, TransportError, Way};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// What came of fetching each source that is somewhere else, by its name: the commit, or the digest of
/// an export.
pub type Fetches = Vec<(Arc<str>, Result<Fetched, FetchError>)>;

/// What was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// The commit, or the digest of an export.
    pub revision: String,
    /// How it stands to what was fetched before.
    pub moved: Moved,
    /// Of an export that is none that is new: why.
    pub same: Option<&'static str>,
}

/// Why a source could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// An export.
    #[error(transparent)]
    Export(#[from] TransportError),
    /// The fetch itself ended in the middle.
    #[error("the fetch broke off")]
    Broken,
}

impl FetchError {
    /// The way out.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Git(error) => error.help(),
            Self::Export(error) => error.help(),
            Self::Broken => "it is tried again".to_owned(),
        }
    }
}

/// Why a source could not be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreached {
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: String,
}

/// Fetches the sources that are somewhere else, or only one of them, all at once. A pass reads what was
/// fetched last and needs no network.
#[must_use]
pub fn fetch(config: &Config, only: Option<&str>) -> Fetches {
    let sources = config.sources.iter();
    let sources = sources.filter(|source| only.is_none_or(|name| *source.name == *name));
    thread::scope(|scope| {
        let running: Vec<_> = sources
            .filter(|source| is_away(source))
            .map(|source| (source, scope.spawn(|| one(source, &config.cache))))
            .collect();
        let ended = running.into_iter().map(|(source, running)| {
            let fetched = running.join().unwrap_or(Err(FetchError::Broken));
            tell(source, &fetched);
            (Arc::clone(&source.name), fetched)
        });
        ended.collect()
    })
}

fn is_away(source: &Source) -> bool {
    match &source.place {
        Place::Directory(_) => false,
        Place::Git(_) => true,
        Place::Export(feed) => matches!(feed.body, Body::Away(_)),
    }
}

fn one(source: &Source, cache: &Path) -> Result<Fetched, FetchError> {
    match &source.place {
        Place::Git(place) => {
            let fetched = git::fetch(place, cache)?;
            Ok(Fetched {
                revision: fetched.revision,
                moved: fetched.moved,
                same: None,
            })
        }
        Place::Export(Feed {
            body: Body::Away(place),
            ..
        }) => {
            let fetched = transport::fetch(place, cache)?;
            Ok(Fetched {
                revision: fetched.digest.to_string(),
                moved: match fetched.news {
                    News::First => Moved::First,
                    News::Same => Moved::Same,
                    News::Changed => Moved::Forward,
                },
                same: (fetched.news == News::Same).then(|| same(&place.way, fetched.untouched)),
            })
        }
        Place::Directory(_) | Place::Export(_) => Err(FetchError::Broken),
    }
}

/// Why an export is none that is new.
fn same(way: &Way, untouched: bool) -> &'static str {
    match way {
        Way::Http(_) if untouched => "the server says that it did not change (304)",
        Way::Drop(_) if untouched => "nothing new is in the drop folder",
        _ => "the same bytes as the last one",
    }
}

/// What somebody should know of whatever comes of the pass.
fn tell(source: &Source, fetched: &Result<Fetched, FetchError>) {
    let name = &source.name;
    match fetched {
        Ok(Fetched {
            revision,
            moved: Moved::Rewound { from },
            ..
        }) => tracing::warn!(
            "source {name}: {} was rewound or pushed by force: commit {from}, which was read before, is no longer part of it; it is at {revision} now",
            source.git().map_or("it", |place| place.reference())
        ),
        Ok(Fetched {
            revision,
            moved: Moved::Switched { from },
            ..
        }) => tracing::warn!(
            "source {name}: the remote has another default branch now: commit {from} was read before, {revision} is read now; set `ref:` to stay on one branch"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!("source {name} could not be fetched: {error}"),
    }
}

impl Request {
    /// The same pass, in which a source that could not be fetched counts as unreadable: what it
    /// declared stands by its claims.
    #[must_use]
    pub fn after(mut self, fetches: &Fetches) -> Self {
        for (name, fetched) in fetches {
            if let Err(error) = fetched {
                let why = Unreached {
                    message: error.to_string(),
                    help: error.help(),
                };
                self.unreached.insert(Arc::clone(name), why);
            }
        }
        self
    }
}

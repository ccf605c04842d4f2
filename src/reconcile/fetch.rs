//! Bringing the mirrors of git sources up to date: the only part of a pass that goes to the network.

use super::Request;
use crate::config::Config;
use crate::git::{self, Fetched, GitError, GitPlace, Moved};
use std::sync::Arc;
use std::thread;

/// What came of fetching each git source, by its name.
pub type Fetches = Vec<(Arc<str>, Result<Fetched, GitError>)>;

/// Why a source could not be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreached {
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: String,
}

/// Fetches the git sources, or only one of them, all at once. A pass reads what was fetched last
/// and needs no network.
#[must_use]
pub fn fetch(config: &Config, only: Option<&str>) -> Fetches {
    let sources = config.sources.iter();
    let sources = sources.filter(|source| only.is_none_or(|name| *source.name == *name));
    let places = sources.filter_map(|source| Some((&source.name, source.git()?)));
    let fetch = |place: &GitPlace| git::fetch(place, &config.cache);
    thread::scope(|scope| {
        let running: Vec<_> = places
            .map(|(name, place)| (name, place, scope.spawn(move || fetch(place))))
            .collect();
        let ended = running.into_iter().map(|(name, place, running)| {
            let broken = || GitError::Failed {
                url: place.url.clone(),
                said: "the fetch broke off".to_owned(),
            };
            let fetched = running.join().unwrap_or_else(|_| Err(broken()));
            tell(name, place, &fetched);
            (Arc::clone(name), fetched)
        });
        ended.collect()
    })
}

/// What somebody should know of whatever comes of the pass.
fn tell(name: &str, place: &GitPlace, fetched: &Result<Fetched, GitError>) {
    match fetched {
        Ok(Fetched {
            revision,
            moved: Moved::Rewound { from },
        }) => tracing::warn!(
            "source {name}: {} was rewound or pushed by force: commit {from}, which was read before, is no longer part of it; it is at {revision} now",
            place.reference()
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

//! Before a pass: whether there is to be one, and what was fetched for it.

use super::pass_progress::PassEnd;
use super::state_document::{PassStamp, load, suspension};
use crate::config::Config;
use crate::diagnostic::chain;
use crate::reconcile::{self, FetchResults};
use crate::store::Store;

/// What there is to know before a pass has its turn.
pub(super) enum PassReadiness {
    /// Nothing keeps it from being made.
    Ready(PassFetches),
    /// There is none.
    Skip(PassEnd),
}

/// What came of going to the network.
pub(super) struct PassFetches {
    pub fetches: FetchResults,
    /// The pass that was the last one before.
    pub last_pass: Option<PassStamp>,
}

impl PassFetches {
    /// Nothing: there was no need to go anywhere.
    pub(super) fn empty() -> Self {
        Self {
            fetches: FetchResults::new(),
            last_pass: None,
        }
    }
}

/// Looks whether there is to be a pass, and goes to the network for it: a remote that does not
/// answer keeps no other source waiting.
pub(super) async fn prepare(store: &Store, config: &Config, source: &str) -> PassReadiness {
    match suspension(store, source).await {
        Ok(None) => {}
        Ok(Some(suspension)) => return PassReadiness::Skip(PassEnd::Suspended(suspension)),
        Err(error) => return PassReadiness::Skip(PassEnd::Failed(chain(&error))),
    }
    match load(store, source).await {
        Ok((_, after)) => PassReadiness::Ready(PassFetches {
            fetches: reconcile::fetch(config, Some(source)),
            last_pass: after,
        }),
        Err(error) => PassReadiness::Skip(PassEnd::Failed(chain(&error))),
    }
}

//! What happens before a pass gets its turn: the check for a suspension, and the fetch from the
//! network. `prepare` runs for several sources at once, unlike passes.

use super::pass_progress::PassEnd;
use super::state_document::{PassStamp, load, suspension};
use crate::config::Config;
use crate::diagnostic::chain;
use crate::reconcile::{self, FetchResults};
use crate::store::Store;

/// Whether there will be a pass.
pub(super) enum PassReadiness {
    /// The pass can be made.
    Ready(PassFetches),
    /// There is no pass.
    Skip(PassEnd),
}

/// The result of the fetch.
pub(super) struct PassFetches {
    pub fetches: FetchResults,
    /// The last pass before the fetch. If it is not the last one any more under the lease, the
    /// fetch is repeated.
    pub last_pass: Option<PassStamp>,
}

impl PassFetches {
    /// No fetch was needed.
    pub(super) fn empty() -> Self {
        Self {
            fetches: FetchResults::new(),
            last_pass: None,
        }
    }
}

/// Checks for a suspension and fetches. It runs before the turn, so a remote that does not answer
/// delays no other source.
pub(super) async fn prepare(store: &Store, config: &Config, source: &str) -> PassReadiness {
    match suspension(store, source).await {
        Ok(None) => {}
        Ok(Some(suspension)) => return PassReadiness::Skip(PassEnd::Suspended(suspension)),
        Err(error) => return PassReadiness::Skip(PassEnd::Failed(chain(&error))),
    }
    // Before the fetch: a pass that another replica finishes during it must count as later.
    match load(store, source).await {
        Ok((_, after)) => PassReadiness::Ready(PassFetches {
            fetches: reconcile::fetch(config, Some(source)),
            last_pass: after,
        }),
        Err(error) => PassReadiness::Skip(PassEnd::Failed(chain(&error))),
    }
}

//! Whether this replica can do its work: read the database, and write the results of its passes.
//! `/readyz` answers from it, so that a load balancer or an orchestrator notices a full disk or a
//! read-only database.

use crate::diagnostic::chain;
use crate::http::tally::LogTallies;
use crate::reconcile::PassError;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The sources whose last pass could not write, with the reason.
#[derive(Debug, Default)]
pub(super) struct UnwritableSources(Mutex<BTreeMap<String, &'static str>>);

impl UnwritableSources {
    /// Records how a pass ended. Only errors that mean the database is not writable count.
    pub fn record_pass_end(&self, source: &str, error: Option<&PassError>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match error.and_then(PassError::cannot_write) {
            Some(why) => {
                all.insert(source.to_owned(), why);
            }
            None => {
                all.remove(source);
            }
        }
    }

    fn first(&self, known: impl Fn(&str) -> bool) -> Option<(String, &'static str)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = all.iter().filter(|(source, _)| known(source));
        all.next().map(|(source, why)| (source.clone(), *why))
    }
}

/// Answers `/readyz`.
pub(super) struct ReadinessProbe {
    store: Store,
    unwritable: Arc<UnwritableSources>,
    tallies: LogTallies,
}

impl ReadinessProbe {
    pub fn new(store: Store, unwritable: Arc<UnwritableSources>) -> Self {
        Self {
            store,
            unwritable,
            tallies: LogTallies::default(),
        }
    }

    /// Fails with a reason that is fit for the public, because `/readyz` needs no token.
    pub async fn check(&self, is_configured: impl Fn(&str) -> bool) -> Result<(), String> {
        if let Err(error) = self.store.identity().await {
            // Anybody may ask as often as they like, and must not fill the log by it.
            if self.tallies.is_first("not ready", None) {
                tracing::warn!("not ready: {}", chain(&error));
            }
            return Err("the database cannot be read; see the log of the daemon".to_owned());
        }
        // Taken from the passes, which write anyway, so that a public request never causes a write.
        match self.unwritable.first(is_configured) {
            Some((_, why)) => Err(format!("a pass could not write to the database: {why}")),
            None => Ok(()),
        }
    }
}

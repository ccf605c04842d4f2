//! Whether this replica can do its work: read the database, and write what its passes come to.

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
    /// Takes over how a pass ended: what it could not write, or that nothing kept it from writing.
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

/// Answers whether this replica can work.
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

    /// Whether it can work; else why not, in words for anybody.
    pub async fn check(&self, is_configured: impl Fn(&str) -> bool) -> Result<(), String> {
        if let Err(error) = self.store.identity().await {
            // Anybody may ask as often as they like.
            if self.tallies.is_first("not ready", None) {
                tracing::warn!("not ready: {}", chain(&error));
            }
            return Err("the database cannot be read; see the log of the daemon".to_owned());
        }
        match self.unwritable.first(is_configured) {
            Some((_, why)) => Err(format!("a pass could not write to the database: {why}")),
            None => Ok(()),
        }
    }
}

//! Whether this replica can do its work: read the database, and write what its passes come to.

use super::serve::Daemon;
use crate::diagnostic::chain;
use crate::reconcile::PassError;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

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

impl Daemon {
    /// Whether it can work; else why not, in words for anybody.
    pub(super) async fn ready(&self) -> Result<(), String> {
        if let Err(error) = self.store.identity().await {
            // Anybody may ask as often as they like.
            if self.tallies.is_first("not ready", None) {
                tracing::warn!("not ready: {}", chain(&error));
            }
            return Err("the database cannot be read; see the log of the daemon".to_owned());
        }
        let setup = self.setup();
        match self
            .unwritable
            .first(|source| setup.workers.contains_key(source))
        {
            Some((_, why)) => Err(format!("a pass could not write to the database: {why}")),
            None => Ok(()),
        }
    }
}

//! The configuration in force, with a worker for each source. `CurrentSetup` holds it for passes
//! and requests; a reload replaces it as a whole, so nobody sees half of a new configuration.

use super::invitation::InvitationSender;
use super::source_worker::SourceWorker;
use super::stable_read::ReadingsCache;
use crate::config::{Config, NoticeTarget};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// A configuration and what was derived from it.
pub struct DaemonSetup {
    pub config: Config,
    /// The targets of notices.
    pub targets: Arc<[NoticeTarget]>,
    /// Sends invitations.
    pub(super) invitations: InvitationSender,
    /// The workers by the name of their source.
    pub workers: BTreeMap<String, Arc<SourceWorker>>,
    /// What the last pass read, for the next one.
    pub(super) readings_cache: ReadingsCache,
}

impl DaemonSetup {
    /// Fails if a target of notices or the mail server is invalid.
    pub(super) fn new(config: Config) -> Result<Self, String> {
        let targets = config.notices.resolve()?;
        let invitations = InvitationSender::new(&config)?;
        let sources = config.sources.iter();
        let workers = sources
            .map(|source| {
                (
                    source.name.to_string(),
                    Arc::new(SourceWorker::new(&source.name)),
                )
            })
            .collect();
        Ok(Self {
            config,
            targets: targets.into(),
            invitations,
            workers,
            readings_cache: ReadingsCache::default(),
        })
    }
}

/// The setup in force, which a reload replaces.
pub struct CurrentSetup {
    setup: watch::Sender<Arc<DaemonSetup>>,
    /// Why the last reload of the configuration failed, if it did.
    last_reload_error: Mutex<Option<String>>,
}

impl CurrentSetup {
    pub(super) fn new(setup: DaemonSetup) -> Self {
        Self {
            setup: watch::Sender::new(Arc::new(setup)),
            last_reload_error: Mutex::default(),
        }
    }

    /// The setup in force. Callers keep it for a whole request, so that it does not change under
    /// them.
    pub fn get(&self) -> Arc<DaemonSetup> {
        Arc::clone(&self.setup.borrow())
    }

    /// Puts another setup in force and returns the previous one.
    pub(super) fn replace(&self, setup: DaemonSetup) -> Arc<DaemonSetup> {
        self.setup.send_replace(Arc::new(setup))
    }

    /// Why the last reload failed. The previous configuration is in force.
    pub fn reload_error(&self) -> Option<String> {
        let refused = self.last_reload_error.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_reload_error(&self, why: Option<String>) {
        let refused = self.last_reload_error.lock();
        *refused.unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Asks for a pass of a source. Returns false if the source is not configured.
    pub fn request_pass(&self, source: &str, trigger: &str) -> bool {
        let setup = self.get();
        let worker = setup.workers.get(source);
        worker
            .inspect(|worker| worker.request_pass(trigger))
            .is_some()
    }

    /// Asks for a pass of every source.
    pub fn request_all_passes(&self, trigger: &str) {
        let setup = self.get();
        setup
            .workers
            .values()
            .for_each(|worker| worker.request_pass(trigger));
    }
}

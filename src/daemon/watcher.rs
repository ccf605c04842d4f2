//! Events of the file system: hints that a directory has changed. What they miss the interval finds.

use super::serve::Setup;
use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long events are gathered.
const GATHER: Duration = Duration::from_millis(300);

/// Knocks at the worker of a directory when something in it changes, as long as it lives.
pub(super) struct Watcher {
    _debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
}

impl Watcher {
    /// Begins to watch every directory; one that cannot be watched is said and left to the interval.
    pub(super) fn begin(setup: &Setup) -> Option<Self> {
        let roots: Vec<(PathBuf, Arc<super::Worker>)> = setup
            .config
            .sources
            .iter()
            .filter_map(|source| {
                let (worker, root) = (setup.workers.get(&*source.name)?, source.directory()?);
                let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
                Some((root, Arc::clone(worker)))
            })
            .collect();
        let watched = roots.clone();
        let heard = move |events: DebounceEventResult| hear(&roots, events);
        let made = new_debouncer(GATHER, None, heard);
        let mut debouncer = made
            .inspect_err(|error| tracing::warn!("files are not watched: {error}"))
            .ok()?;
        for (root, worker) in watched {
            if let Err(error) = debouncer.watch(&root, RecursiveMode::Recursive) {
                let source = &worker.source;
                tracing::warn!(
                    "source {source}: {} is not watched: {error}; the interval finds its changes",
                    root.display()
                );
            }
        }
        Some(Self {
            _debouncer: debouncer,
        })
    }
}

fn hear(roots: &[(PathBuf, Arc<super::Worker>)], events: DebounceEventResult) {
    match events {
        Ok(mut events) => {
            // Reading is no change.
            events.retain(|event| !event.kind.is_access());
            for (root, worker) in roots {
                let mut paths = events.iter().flat_map(|event| &event.paths);
                let rescan = events.iter().any(|event| event.need_rescan());
                if rescan || paths.any(|path| path.starts_with(root)) {
                    worker.knock("files");
                }
            }
        }
        // Events were lost: whatever they were, the pass finds it.
        Err(_) => roots.iter().for_each(|(_, worker)| worker.knock("files")),
    }
}

//! Watches the directories of sources and requests a pass when a file changes. Events are only
//! hints: they may be lost or repeated, and the interval finds what they miss. Start at `watch`.

use super::setup::DaemonSetup;
use super::source_worker::SourceWorker;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long events are collected, because one save or checkout causes many.
const DEBOUNCE: Duration = Duration::from_millis(250);
/// How often a directory is checked for having been replaced. A watch follows the directory itself
/// and not its name.
const RECHECK_INTERVAL: Duration = Duration::from_secs(2);

struct WatchedDirectory {
    /// The path as configured.
    written: PathBuf,
    worker: Arc<SourceWorker>,
    /// The directory that is watched now. It may have been replaced, or may not exist yet.
    current: Option<DirectoryIdentity>,
    /// Whether a warning was logged that it is not watched.
    warned: bool,
}

/// The identity of a directory. A symbolic link that is switched to a new release changes it while
/// the name stays.
#[derive(Clone, PartialEq, Eq, Debug)]
struct DirectoryIdentity {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Events of the file system, collected for the workers concerned.
#[derive(Default)]
struct FileEvents {
    /// Workers by watched directory. Every event is looked up here, including those of our own
    /// reading, so the cost must not grow with the number of sources.
    roots: Mutex<HashMap<PathBuf, Vec<Arc<SourceWorker>>>>,
    /// The workers with events, by source.
    workers: Mutex<BTreeMap<Arc<str>, Arc<SourceWorker>>>,
    /// Wakes the task that requests passes.
    arrived: Notify,
}

/// Requests a pass when something in the directory of a source changes, until `stop`.
pub(super) async fn watch(setup: Arc<DaemonSetup>, stop: CancellationToken) {
    let mut watched = directories(&setup);
    let events = Arc::new(FileEvents::default());
    let recorded = Arc::clone(&events);
    let watcher = notify::recommended_watcher(move |event| recorded.record_event(event));
    let watcher = watcher.inspect_err(|error| tracing::warn!("cannot watch files: {error}"));
    // Without a watcher, for example when the system has no more watches to give, the intervals
    // still find every change.
    let (Ok(mut watcher), false) = (watcher, watched.is_empty()) else {
        return;
    };
    let requesting = async {
        loop {
            events.arrived.notified().await;
            tokio::time::sleep(DEBOUNCE).await;
            events.trigger_workers();
        }
    };
    let rechecking = async {
        let mut first = true;
        loop {
            for one in &mut watched {
                let now = DirectoryIdentity::of(&one.written);
                // In the first round every directory gets its watch, without a pass: the start
                // requests one anyway.
                if !first && now == one.current {
                    continue;
                }
                // Watched before the pass is requested, so that a change during the pass is not
                // missed.
                one.watch_directory(now, &mut watcher, &events);
                if !first {
                    one.worker.request_pass("files");
                }
            }
            first = false;
            tokio::time::sleep(RECHECK_INTERVAL).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = requesting => {}
        () = rechecking => {}
    }
}

fn directories(setup: &DaemonSetup) -> Vec<WatchedDirectory> {
    let sources = setup.config.sources.iter();
    let found = sources.filter_map(|source| {
        Some(WatchedDirectory {
            written: source.directory()?.to_owned(),
            worker: Arc::clone(setup.workers.get(&*source.name)?),
            current: None,
            warned: false,
        })
    });
    found.collect()
}

impl WatchedDirectory {
    /// Watches the current directory. If that fails, it logs a warning once and leaves the source
    /// to its interval.
    fn watch_directory(
        &mut self,
        now: Option<DirectoryIdentity>,
        watcher: &mut RecommendedWatcher,
        events: &FileEvents,
    ) {
        if let Some(before) = self.current.take() {
            // Fails if the directory is gone, which is fine.
            let _ = watcher.unwatch(&before.path);
        }
        // Routed before it is watched: the first event may come during the call.
        self.route_events(events, now.as_ref());
        let source = &self.worker.source;
        let why = match &now {
            None => Some("it does not exist".to_owned()),
            Some(place) => {
                let begun = watcher.watch(&place.path, RecursiveMode::Recursive);
                begun.err().map(|error| error.to_string())
            }
        };
        match &why {
            Some(why) if !self.warned => tracing::warn!(
                "source {source}: cannot watch {}: {why}; changes are found at the next interval",
                self.written.display()
            ),
            None if self.warned => {
                tracing::info!("source {source}: watching {}", self.written.display());
            }
            _ => {}
        }
        self.warned = why.is_some();
        self.current = now;
    }

    /// Sends events below this directory to its worker from now on.
    fn route_events(&self, events: &FileEvents, now: Option<&DirectoryIdentity>) {
        let mut roots = events.roots.lock().unwrap_or_else(PoisonError::into_inner);
        for workers in roots.values_mut() {
            // Removed from every directory, because the path may have changed. Several sources may
            // share one directory, so the others stay.
            workers.retain(|worker| !Arc::ptr_eq(worker, &self.worker));
        }
        if let Some(place) = now {
            let workers = roots.entry(place.path.clone()).or_default();
            workers.push(Arc::clone(&self.worker));
        }
    }
}

impl DirectoryIdentity {
    fn of(written: &Path) -> Option<Self> {
        let path = written.canonicalize().ok()?;
        let metadata = std::fs::metadata(&path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            path,
        })
    }
}

impl FileEvents {
    /// Records an event for the workers that it concerns.
    fn record_event(&self, event: notify::Result<Event>) {
        let lost = event.as_ref().map_or(true, Event::need_rescan);
        let event = match event {
            // Events were lost, so every source may have changed.
            _ if lost => None,
            // Reading is no change. Every pass would otherwise request the next one.
            Ok(event) if event.kind.is_access() => return,
            event => event.ok(),
        };
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned: Vec<_> = match &event {
            None => roots.values().flatten().collect(),
            Some(event) => {
                // An event concerns a source if it lies anywhere below its directory.
                let folders = event.paths.iter().flat_map(|path| path.ancestors());
                let concerned = folders.filter_map(|folder| roots.get(folder));
                concerned.flatten().collect()
            }
        };
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in concerned {
            workers.insert(Arc::clone(&worker.source), Arc::clone(worker));
        }
        if !workers.is_empty() {
            self.arrived.notify_one();
        }
    }

    /// Requests a pass of every worker with events.
    fn trigger_workers(&self) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *workers)
            .values()
            .for_each(|worker| worker.request_pass("files"));
    }
}

//! Events of the file system: hints that a directory has changed. What they miss the interval finds.

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

/// How long events are gathered.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// How often it is looked whether a directory is still the one that is watched.
const RECHECK_INTERVAL: Duration = Duration::from_secs(2);

struct WatchedDirectory {
    /// As configured.
    written: PathBuf,
    worker: Arc<SourceWorker>,
    /// What is watched now: another directory may have taken its place, or it is there only now.
    current: Option<DirectoryIdentity>,
    /// Whether it was said that it is not watched.
    warned: bool,
}

/// A directory as the file system knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct DirectoryIdentity {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// What the file system says, gathered for those whom it is for.
#[derive(Default)]
struct FileEvents {
    /// Every event is looked up here, those of our own reading too: it takes no longer with many
    /// sources.
    roots: Mutex<HashMap<PathBuf, Vec<Arc<SourceWorker>>>>,
    /// Whom something was heard for, by source.
    workers: Mutex<BTreeMap<Arc<str>, Arc<SourceWorker>>>,
    bell: Notify,
}

/// Knocks at the worker of a directory when something in it changes, until `stop`.
pub(super) async fn watch(setup: Arc<DaemonSetup>, stop: CancellationToken) {
    let mut watched = directories(&setup);
    let heard = Arc::new(FileEvents::default());
    let hears = Arc::clone(&heard);
    let made = notify::recommended_watcher(move |event| hears.record_event(event));
    let events = made.inspect_err(|error| tracing::warn!("cannot watch files: {error}"));
    let (Ok(mut events), false) = (events, watched.is_empty()) else {
        return;
    };
    let knocking = async {
        loop {
            heard.bell.notified().await;
            tokio::time::sleep(DEBOUNCE).await;
            heard.trigger_workers();
        }
    };
    let looking = async {
        let mut first = true;
        loop {
            for one in &mut watched {
                let now = DirectoryIdentity::of(&one.written);
                if !first && now == one.current {
                    continue;
                }
                one.watch_directory(now, &mut events, &heard);
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
        () = knocking => {}
        () = looking => {}
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
    /// Watches the directory that is there now; one that cannot be watched is said and left to the
    /// interval.
    fn watch_directory(
        &mut self,
        now: Option<DirectoryIdentity>,
        events: &mut RecommendedWatcher,
        heard: &FileEvents,
    ) {
        if let Some(before) = self.current.take() {
            // It may be gone.
            let _ = events.unwatch(&before.path);
        }
        self.route_events(heard, now.as_ref());
        let source = &self.worker.source;
        let why = match &now {
            None => Some("it does not exist".to_owned()),
            Some(place) => {
                let begun = events.watch(&place.path, RecursiveMode::Recursive);
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

    /// Events below this place are for its worker from now on.
    fn route_events(&self, heard: &FileEvents, now: Option<&DirectoryIdentity>) {
        let mut roots = heard.roots.lock().unwrap_or_else(PoisonError::into_inner);
        for workers in roots.values_mut() {
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
    /// Takes over an event for the workers that it concerns.
    fn record_event(&self, event: notify::Result<Event>) {
        let lost = event.as_ref().map_or(true, Event::need_rescan);
        let event = match event {
            // Events were lost: whatever they were, the pass finds it.
            _ if lost => None,
            // Reading is no change.
            Ok(event) if event.kind.is_access() => return,
            event => event.ok(),
        };
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned: Vec<_> = match &event {
            None => roots.values().flatten().collect(),
            Some(event) => {
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
            self.bell.notify_one();
        }
    }

    /// Knocks at the workers that something was heard for.
    fn trigger_workers(&self) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *workers)
            .values()
            .for_each(|worker| worker.request_pass("files"));
    }
}

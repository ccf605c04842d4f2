//! Events of the file system: hints that a directory has changed. What they miss the interval finds.

use super::serve::Setup;
use super::worker::Worker;
use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long events are gathered.
const GATHER: Duration = Duration::from_millis(300);
/// How often it is looked whether a directory is still the one that is watched.
const LOOK: Duration = Duration::from_secs(2);

/// A directory to watch.
struct Watched {
    /// As configured.
    written: PathBuf,
    worker: Arc<Worker>,
    /// What is watched now: another directory may have taken its place, or it is there only now.
    now: Option<Place>,
    /// Whether it was said that it is not watched.
    said: bool,
}

/// A directory as the file system knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Where events come from, and whom they are for.
type Roots = Arc<Mutex<Vec<(PathBuf, Arc<Worker>)>>>;
type Events = Debouncer<RecommendedWatcher, RecommendedCache>;

/// Knocks at the worker of a directory when something in it changes, until `stop`.
pub(super) async fn watch(setup: Arc<Setup>, stop: CancellationToken) {
    let mut watched = directories(&setup);
    let roots = Roots::default();
    let heard = Arc::clone(&roots);
    let made = new_debouncer(GATHER, None, move |events| hear(&heard, events));
    let events = made.inspect_err(|error| tracing::warn!("files are not watched: {error}"));
    let (Ok(mut events), false) = (events, watched.is_empty()) else {
        return;
    };
    let mut first = true;
    loop {
        let changed = watched.iter_mut().filter_map(|one| {
            let now = Place::of(&one.written);
            (first || now != one.now).then_some((one, now))
        });
        for (one, now) in changed {
            one.turn_to(now, &mut events, &roots);
            if !first {
                one.worker.knock("files");
            }
        }
        first = false;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn directories(setup: &Setup) -> Vec<Watched> {
    let sources = setup.config.sources.iter();
    let found = sources.filter_map(|source| {
        Some(Watched {
            written: source.directory()?.to_owned(),
            worker: Arc::clone(setup.workers.get(&*source.name)?),
            now: None,
            said: false,
        })
    });
    found.collect()
}

impl Watched {
    /// Watches the directory that is there now; one that cannot be watched is said and left to the
    /// interval.
    fn turn_to(&mut self, now: Option<Place>, events: &mut Events, roots: &Roots) {
        if let Some(before) = self.now.take() {
            // It may be gone.
            let _ = events.unwatch(&before.path);
        }
        self.point(roots, now.as_ref());
        let source = &self.worker.source;
        let why = match &now {
            None => Some("it is not there".to_owned()),
            Some(place) => {
                let begun = events.watch(&place.path, RecursiveMode::Recursive);
                begun.err().map(|error| error.to_string())
            }
        };
        match &why {
            Some(why) if !self.said => tracing::warn!(
                "source {source}: {} is not watched: {why}; the interval finds its changes",
                self.written.display()
            ),
            None if self.said => {
                tracing::info!("source {source}: {} is watched now", self.written.display());
            }
            _ => {}
        }
        self.said = why.is_some();
        self.now = now;
    }

    /// Events below this place are for its worker from now on.
    fn point(&self, roots: &Roots, now: Option<&Place>) {
        let mut roots = roots.lock().unwrap_or_else(PoisonError::into_inner);
        roots.retain(|(_, worker)| !Arc::ptr_eq(worker, &self.worker));
        roots.extend(now.map(|place| (place.path.clone(), Arc::clone(&self.worker))));
    }
}

impl Place {
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

fn hear(roots: &Roots, events: DebounceEventResult) {
    let roots = roots.lock().unwrap_or_else(PoisonError::into_inner);
    match events {
        Ok(mut events) => {
            // Reading is no change.
            events.retain(|event| !event.kind.is_access());
            for (root, worker) in roots.iter() {
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

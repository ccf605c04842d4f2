//! A directory is read only when nobody is writing it: never a half-written tree. What a pass has
//! read is left to the next one that waits for its turn: many sources that begin at once do not
//! each read all of them.

use crate::config::Config;
use crate::manifest::Tree;
use crate::reconcile::{Pass, PassError, PassRequest, SourceReading};
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long nothing may have changed.
const QUIET: Duration = Duration::from_millis(400);
/// How long a directory that is written without end is waited for.
const MAX_SETTLE_WAIT: Duration = Duration::from_secs(20);
/// How long the directories of the other sources count as they were seen.
const STAMP_MAX_AGE: Duration = Duration::from_millis(300);

/// How often the files of a directory may change under a pass before it goes on all the same.
const TRIES: usize = 5;

/// What a pass has read, and how the directories were when it did.
struct CachedReadings {
    readings: Vec<SourceReading>,
    stamp: DirectoryStamp,
    stamped_at: Instant,
}

/// What the last pass has read, while others wait for their turn.
#[derive(Default)]
pub(super) struct ReadingsCache(Mutex<Option<CachedReadings>>);

impl ReadingsCache {
    fn take(&self) -> Option<CachedReadings> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.take()
    }

    /// Leaves what was read to the next pass.
    pub(super) fn put(&self, readings: Vec<SourceReading>, seen: (DirectoryStamp, Instant)) {
        let (stamp, at) = seen;
        let left = CachedReadings {
            readings,
            stamp,
            stamped_at: at,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    }
}

/// Reads the sources, again when a directory was written meanwhile. With how the directories were,
/// and when, unless they were written without end.
pub(super) async fn read_settled<'a>(
    config: &'a Config,
    cache: &ReadingsCache,
    request: PassRequest,
    store: &Store,
) -> Result<(Pass<'a>, Option<(DirectoryStamp, Instant)>), PassError> {
    if let Some(left) = cache.take()
        && let Some((pass, seen)) = read_beside(config, &request, store, left).await?
    {
        return Ok((pass, Some(seen)));
    }
    let roots = roots(config);
    for _ in 1..TRIES {
        let before = wait_until_settled(&roots).await;
        let at = Instant::now();
        let pass = Pass::read(config, request.clone(), store).await?;
        if DirectoryStamp::scan(&roots) == before {
            return Ok((pass, Some((before, at))));
        }
        tracing::info!("files changed while they were read; reading again");
    }
    Ok((Pass::read(config, request, store).await?, None))
}

/// Reads one source beside what was read of the others, if they are still so.
async fn read_beside<'a>(
    config: &'a Config,
    request: &PassRequest,
    store: &Store,
    left: CachedReadings,
) -> Result<Option<(Pass<'a>, (DirectoryStamp, Instant))>, PassError> {
    let CachedReadings {
        readings,
        stamp,
        stamped_at: mut at,
    } = left;
    let source = request.source.as_deref();
    let own = source.and_then(|source| config.source(source)?.directory());
    let own: Vec<PathBuf> = own.map(Path::to_owned).into_iter().collect();
    let before = wait_until_settled(&own).await;
    if at.elapsed() > STAMP_MAX_AGE {
        at = Instant::now();
        if DirectoryStamp::scan(&roots(config)) != stamp {
            return Ok(None);
        }
    }
    let pass = Pass::reread(config, request.clone(), store, readings).await?;
    let pass = pass.filter(|_| DirectoryStamp::scan(&own) == before);
    Ok(pass.map(|pass| (pass, (stamp, at))))
}

/// The files of directories with their sizes and times.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct DirectoryStamp(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl DirectoryStamp {
    /// As the directories are now.
    pub(super) fn scan(roots: &[PathBuf]) -> Self {
        let mut files = Vec::new();
        for root in roots {
            let tree = Tree::read(root);
            let below = tree.files.iter().map(|file| root.join(&*file.path));
            files.extend(below.map(|path| {
                let metadata = std::fs::metadata(&path).ok();
                let size = metadata.as_ref().map_or(0, std::fs::Metadata::len);
                let time = metadata.and_then(|metadata| metadata.modified().ok());
                (path, size, time)
            }));
        }
        Self(files)
    }
}

/// Waits until nothing in the directories has changed for a while, and says how they are then.
pub(super) async fn wait_until_settled(roots: &[PathBuf]) -> DirectoryStamp {
    let begin = tokio::time::Instant::now();
    let mut stamp = DirectoryStamp::scan(roots);
    if stamp.is_settled() && !is_git_writing(roots) {
        return stamp;
    }
    while begin.elapsed() < MAX_SETTLE_WAIT {
        tokio::time::sleep(QUIET).await;
        let now = DirectoryStamp::scan(roots);
        if now == stamp && !is_git_writing(roots) {
            return now;
        }
        stamp = now;
    }
    tracing::warn!("a directory keeps changing; reading it as it is");
    stamp
}

impl DirectoryStamp {
    /// Whether the youngest file has been there for a while.
    fn is_settled(&self) -> bool {
        let times = self.0.iter().filter_map(|(_, _, time)| *time);
        let age = times.max().map(|time| time.elapsed().unwrap_or_default());
        age.is_none_or(|age| age > QUIET)
    }
}

/// Whether git is just writing one of the directories.
fn is_git_writing(roots: &[PathBuf]) -> bool {
    let mut locks = roots.iter().filter_map(|root| git_index_lock(root));
    locks.any(|lock| lock.exists())
}

/// Where git says that it is writing the checkout that a directory lies in.
fn git_index_lock(root: &Path) -> Option<PathBuf> {
    let mut folders = root.ancestors().map(|folder| folder.join(".git"));
    Some(folders.find(|git| git.is_dir())?.join("index.lock"))
}

/// The directories among the sources.
pub(super) fn roots(config: &Config) -> Vec<PathBuf> {
    let sources = config.sources.iter();
    sources
        .filter_map(|source| Some(source.directory()?.to_owned()))
        .collect()
}

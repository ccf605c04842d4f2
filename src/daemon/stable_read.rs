//! Reads a directory only while nobody is writing it, so that a pass never sees a half-written
//! tree. It also passes what one pass has read to the next one that waits, so that many sources
//! that start at once do not each read all of them. Start at `read_settled`.

use crate::config::Config;
use crate::manifest::Tree;
use crate::reconcile::{Pass, PassError, PassRequest, SourceReading};
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a directory must be unchanged. A pass that events request begins as long after the first
/// of them, so one that follows a single save has nothing left to wait for.
const QUIET: Duration = Duration::from_millis(250);
/// The least time between two looks at a directory.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// How long a directory that keeps changing is waited for.
const MAX_SETTLE_WAIT: Duration = Duration::from_secs(20);
/// How long the last look at the other directories is trusted.
const STAMP_MAX_AGE: Duration = Duration::from_millis(300);

/// How often the files may change during a read before the pass uses what it has.
const TRIES: usize = 5;

/// What a pass read, with the state of the directories at that time.
struct CachedReadings {
    readings: Vec<SourceReading>,
    stamp: DirectoryStamp,
    stamped_at: Instant,
}

/// What the last pass read, if another one waits.
#[derive(Default)]
pub(super) struct ReadingsCache(Mutex<Option<CachedReadings>>);

impl ReadingsCache {
    fn take(&self) -> Option<CachedReadings> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.take()
    }

    /// Keeps what was read for the next pass.
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

/// Reads the sources, and again if a directory changed meanwhile. Returns the state of the
/// directories as well, unless they kept changing.
pub(super) async fn read_settled<'a>(
    config: &'a Config,
    cache: &ReadingsCache,
    request: PassRequest,
    store: &Store,
) -> Result<(Pass<'a>, Option<(DirectoryStamp, Instant)>), PassError> {
    // Taken, not borrowed: readings that turn out stale must not be offered again.
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
        // Looked at before and after: a file that was written during the read may have been read in
        // half.
        if DirectoryStamp::scan(&roots) == before {
            return Ok((pass, Some((before, at))));
        }
        tracing::info!("files changed while they were read; reading again");
    }
    // A directory that always changes must not keep the daemon from ever planning. Without a stamp
    // nothing of this reading is reused.
    Ok((Pass::read(config, request, store).await?, None))
}

/// Reads one source and reuses the readings of the others, if their directories are unchanged.
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
    // The own directory is always read again; it is what the pass is about.
    let before = wait_until_settled(&own).await;
    // Listing all directories for each of many sources would take longer than the passes
    // themselves.
    if at.elapsed() > STAMP_MAX_AGE {
        at = Instant::now();
        if DirectoryStamp::scan(&roots(config)) != stamp {
            return Ok(None);
        }
    }
    let pass = Pass::reread(config, request.clone(), store, readings).await?;
    // If the files changed during the read, the caller reads everything in full.
    let pass = pass.filter(|_| DirectoryStamp::scan(&own) == before);
    Ok(pass.map(|pass| (pass, (stamp, at))))
}

/// The files of directories with their sizes and times.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct DirectoryStamp(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl DirectoryStamp {
    /// The current state of the directories.
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

/// Waits until the directories are unchanged for a while, and returns their state.
pub(super) async fn wait_until_settled(roots: &[PathBuf]) -> DirectoryStamp {
    let begin = tokio::time::Instant::now();
    let mut stamp = DirectoryStamp::scan(roots);
    let mut rest = stamp.time_until_quiet(SystemTime::now());
    // The common case costs no wait: the youngest file is older than the quiet time.
    if rest.is_zero() && !is_git_writing(roots) {
        return stamp;
    }
    while begin.elapsed() < MAX_SETTLE_WAIT {
        // A save is some hundred milliseconds old when its pass begins, which count.
        tokio::time::sleep(rest.max(SHORTEST_WAIT)).await;
        rest = QUIET;
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
    /// How long it takes until the youngest file is older than the quiet time.
    fn time_until_quiet(&self, now: SystemTime) -> Duration {
        let times = self.0.iter().filter_map(|(_, _, time)| *time);
        // Without any files there is nothing to wait for.
        let Some(youngest) = times.max() else {
            return Duration::ZERO;
        };
        // A time in the future has no age and counts as new.
        let age = now.duration_since(youngest).unwrap_or_default();
        QUIET.saturating_sub(age)
    }
}

/// Whether git is writing one of the directories. A large checkout can pause for longer than the
/// quiet time between two files.
fn is_git_writing(roots: &[PathBuf]) -> bool {
    let mut locks = roots.iter().filter_map(|root| git_index_lock(root));
    locks.any(|lock| lock.exists())
}

/// The lock that git holds while it writes the checkout that contains a directory.
fn git_index_lock(root: &Path) -> Option<PathBuf> {
    let mut folders = root.ancestors().map(|folder| folder.join(".git"));
    Some(folders.find(|git| git.is_dir())?.join("index.lock"))
}

/// The roots of all directory sources.
pub(super) fn roots(config: &Config) -> Vec<PathBuf> {
    let sources = config.sources.iter();
    sources
        .filter_map(|source| Some(source.directory()?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_the_youngest_file_counts_for_the_wait() {
        let now = SystemTime::now();
        let wait = |times: &[SystemTime]| {
            let files = times.iter();
            let files = files.map(|time| (PathBuf::from("a.yaml"), 1, Some(*time)));
            DirectoryStamp(files.collect()).time_until_quiet(now)
        };
        let ago = |millis| now - Duration::from_millis(millis);
        assert_eq!(wait(&[]), Duration::ZERO);
        assert_eq!(wait(&[ago(4000), ago(250)]), Duration::ZERO);
        assert_eq!(wait(&[ago(4000), ago(150)]), Duration::from_millis(100));
        // A clock that is behind the one of the file server.
        assert_eq!(wait(&[now + Duration::from_secs(3)]), QUIET);
    }
}

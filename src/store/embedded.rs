//! Opens a SQLite file and explains why one cannot be opened. A damaged, truncated or foreign file
//! must be refused here, because SQLite itself would take an empty file for a new database and a
//! torn log for none, and a plan over an empty directory would be wrong. Start at `open`.

use super::access::StoreAccess;
use super::error::{SqlFault, StoreError};
use super::two_tier_pool::TwoTierPool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Sqlite};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(30);
/// What a connection keeps of the file, in KiB. The system keeps it too, and a daemon has several
/// connections; a large apply takes more while it writes.
const CACHE: &str = "-8192";
const CONNECTIONS: u32 = 4;
/// The first bytes of every SQLite file.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

pub(super) type EmbeddedPool = TwoTierPool<Sqlite>;

/// Opens a pool of connections; `None` if the file does not exist and nothing will be written.
pub(super) async fn open(
    path: &Path,
    access: StoreAccess,
) -> Result<Option<EmbeddedPool>, StoreError> {
    let there = check_file(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    if access == StoreAccess::Read {
        if !there {
            return Ok(None);
        }
        return read_only(path, options.read_only(true)).await.map(Some);
    }
    if !there {
        create(path).await?;
    }
    let pool = connect(with_durability(options)).await;
    pool.map(Some)
        .map_err(|error| cannot_write(path, SqlFault(error)))
}

/// A pool with its first connection.
async fn connect(options: SqliteConnectOptions) -> Result<EmbeddedPool, sqlx::Error> {
    let options = options.pragma("cache_size", CACHE);
    let pool = EmbeddedPool::new(pool_options, CONNECTIONS, options);
    pool.connect().await?;
    Ok(pool)
}

fn pool_options() -> SqlitePoolOptions {
    SqlitePoolOptions::new().after_release(|connection, _| {
        Box::pin(async move {
            // SQLite ends a transaction on its own when the disk is full or with `OR ROLLBACK`, but
            // sqlx then believes it is still open. Such a connection must not be used again. What an
            // apply took of the cache is given back.
            let cache = format!("PRAGMA cache_size = {CACHE}");
            connection.execute(AssertSqlSafe(cache)).await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

/// The options of a writer, so that nothing committed is lost.
fn with_durability(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
}

/// Creates a database without tables under another name and moves it into place. Roster therefore
/// never leaves an empty file, and one that is found empty must have been a database.
async fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| failed_open(path, error);
    // A symbolic link to a missing file: SQLite creates the target.
    if path.is_symlink() {
        return Ok(());
    }
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A random name, because two processes may start at the same moment.
    let new = folder.join(format!(".{name}.{:08x}.new", rand::random::<u32>()));
    let options = with_durability(SqliteConnectOptions::new().filename(&new));
    let made: Result<(), sqlx::Error> = async {
        let connection: SqliteConnection = options.connect().await?;
        connection.close().await
    }
    .await;
    let placed = match made {
        Ok(()) => move_into_place(&new, path).map_err(failed),
        Err(error) => Err(cannot_write(path, SqlFault(error))),
    };
    // The temporary database has its own log and journal; they must not stay next to the real one.
    for end in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(sidecar_path(&new, end));
    }
    placed
}

/// Moves a new file into place, unless another process was faster.
fn move_into_place(new: &Path, path: &Path) -> io::Result<()> {
    // A hard link fails if the target exists, so the database of another process is never
    // overwritten; a rename would replace it.
    match fs::hard_link(new, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // Not every file system has hard links.
        Err(_) => fs::rename(new, path)?,
    }
    // Until the folder is synced, a power cut may lose the new name although the file itself is
    // safe.
    File::open(folder_of(path))?.sync_all()
}

/// Opens for reading. In a read-only folder, a file without a log is opened as immutable.
async fn read_only(path: &Path, options: SqliteConnectOptions) -> Result<EmbeddedPool, StoreError> {
    let first = match connect_and_probe(options.clone()).await {
        Ok(pool) => return Ok(pool),
        Err(fault) if fault.is_read_only() => fault,
        Err(fault) => return Err(open_error(path, fault)),
    };
    // `immutable` ignores the log, so what is in it would be missing without a word.
    if length(&sidecar_path(path, "-wal")) > 0 {
        return Err(StoreError::ReadOnlyWal {
            path: path.display().to_string(),
        });
    }
    let taken = connect_and_probe(options.immutable(true)).await;
    taken.map_err(|fault| open_error(path, if fault.is_damage() { fault } else { first }))
}

/// Connects and reads the first page, because connecting alone does not touch the file.
async fn connect_and_probe(options: SqliteConnectOptions) -> Result<EmbeddedPool, SqlFault> {
    let pool = connect(options).await.map_err(SqlFault)?;
    let (mut tx, _first) = pool.begin("BEGIN").await.map_err(SqlFault)?;
    sqlx::query("SELECT 1 FROM sqlite_schema")
        .fetch_optional(&mut *tx)
        .await
        .map_err(SqlFault)?;
    drop(tx);
    Ok(pool)
}

/// Whether the file exists; fails if it cannot be a database.
fn check_file(path: &Path) -> Result<bool, StoreError> {
    let failed = |error: io::Error| failed_open(path, error);
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A log without its database holds committed changes. A new file in this place would
            // silently lose them.
            return match length(&sidecar_path(path, "-wal")) {
                0 => Ok(false),
                _ => Err(damaged_error(
                    path,
                    &missing_file_message(path, "the file is gone"),
                )),
            };
        }
        Err(error) => return Err(failed(error)),
    };
    if found.is_dir() {
        return Err(failed(io::Error::other(
            "it is a directory; name the database file",
        )));
    }
    if found.len() == 0 {
        return Err(damaged_error(
            path,
            &missing_file_message(path, "the file is empty"),
        ));
    }
    let mut first = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(HEADER.len() as u64)
        .read_to_end(&mut first)
        .map_err(failed)?;
    if first != HEADER {
        let what = "it is not a SQLite database; check the name, or restore it from a backup";
        return Err(damaged_error(path, what));
    }
    log_is_sound(path).map(|()| true)
}

/// The message about a file that used to be a database.
fn missing_file_message(path: &Path, what: &str) -> String {
    let log = sidecar_path(path, "-wal");
    if length(&log) > 0 {
        return format!(
            "{what}, and {} still contains changes of it; restore both from a backup, or remove \
             both to start with a new database",
            log.display()
        );
    }
    format!("{what}; restore it from a backup, or remove it to start with a new database")
}

/// Checks that a log with changes has a valid header. SQLite takes any other log for an empty one,
/// and committed changes would be missing without a word.
fn log_is_sound(path: &Path) -> Result<(), StoreError> {
    const BEGIN: u64 = 32;
    let log = sidecar_path(path, "-wal");
    let mut first = Vec::new();
    let read = File::open(&log).and_then(|file| file.take(BEGIN).read_to_end(&mut first));
    // A crash may leave a header that was never written; changes only follow once the header is on
    // disk.
    if read.is_err() || length(&log) <= BEGIN || begins_log(&first) {
        return Ok(());
    }
    let what = format!(
        "{} contains changes that cannot be read; restore both files from a backup",
        log.display()
    );
    Err(damaged_error(path, &what))
}

/// Whether these bytes are a valid log header: the magic number, and the checksum over the first 24
/// bytes.
fn begins_log(first: &[u8]) -> bool {
    let word = |at: usize, big: bool| {
        let bytes = first.get(at..at + 4)?.try_into().ok()?;
        let value = if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        };
        Some(value)
    };
    // The magic number also says in which byte order the checksum was computed.
    let big = match word(0, true) {
        Some(0x377f_0682) => false,
        Some(0x377f_0683) => true,
        _ => return false,
    };
    let (mut one, mut two) = (0_u32, 0_u32);
    for at in (0..24).step_by(8) {
        let (Some(a), Some(b)) = (word(at, big), word(at + 4, big)) else {
            return false;
        };
        one = one.wrapping_add(a).wrapping_add(two);
        two = two.wrapping_add(b).wrapping_add(one);
    }
    (word(24, true), word(28, true)) == (Some(one), Some(two))
}

/// The path of a file that SQLite keeps beside the database, such as `…-wal`.
fn sidecar_path(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn open_error(path: &Path, fault: SqlFault) -> StoreError {
    if fault.is_damage() {
        let what = "SQLite cannot read it; restore it from a backup";
        return damaged_error(path, what);
    }
    failed_open(path, fault)
}

fn cannot_write(path: &Path, fault: SqlFault) -> StoreError {
    if !fault.is_read_only() {
        return open_error(path, fault);
    }
    let why = format!(
        "{fault}; Roster must be able to write the file and its folder {}",
        folder_of(path).display()
    );
    failed_open(path, io::Error::other(why))
}

fn damaged_error(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged {
        path: format!("sqlite:{}", path.display()),
        what: what.to_owned(),
    }
}

fn failed_open(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Open {
        url: format!("sqlite:{}", path.display()),
        source: source.into(),
    }
}

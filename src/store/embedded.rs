//! Opening a SQLite file, and what is wrong with one that cannot be opened.

use super::error::{SqlFault, StoreError};
use super::open::StoreAccess;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqlitePool};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(30);
/// What every SQLite file begins with.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Connections to a file; `None` when it is not there and nothing is to be written.
pub(super) async fn open(
    path: &Path,
    access: StoreAccess,
) -> Result<Option<SqlitePool>, StoreError> {
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
    let options = with_durability(options).pragma("cache_size", "-65536");
    let pool = connect(options).await;
    pool.map(Some).map_err(|fault| cannot_write(path, fault))
}

/// What a writer's connection does so that nothing committed is lost.
fn with_durability(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
}

/// Makes a database without tables beside its place and puts it there whole: Roster itself never
/// leaves an empty file, so one that is found empty was a database before.
async fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| failed_open(path, error);
    // A link to a file that is not there: SQLite makes the file.
    if path.is_symlink() {
        return Ok(());
    }
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
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
    for end in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(sidecar_path(&new, end));
    }
    placed
}

/// Puts a new file in its place, unless somebody else's is there by now.
fn move_into_place(new: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(new, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // Not every file system has hard links.
        Err(_) => fs::rename(new, path)?,
    }
    File::open(folder_of(path))?.sync_all()
}

/// Opens for reading; in a read-only place a file without a log beside it is taken as it is.
async fn read_only(path: &Path, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let first = match connect_and_probe(options.clone()).await {
        Ok(pool) => return Ok(pool),
        Err(fault) if fault.is_read_only() => fault,
        Err(fault) => return Err(open_error(path, fault)),
    };
    if length(&sidecar_path(path, "-wal")) > 0 {
        return Err(StoreError::ReadOnlyWal {
            path: path.display().to_string(),
        });
    }
    let taken = connect_and_probe(options.immutable(true)).await;
    taken.map_err(|fault| open_error(path, if fault.is_damage() { fault } else { first }))
}

/// Connects and reads the first page.
async fn connect_and_probe(options: SqliteConnectOptions) -> Result<SqlitePool, SqlFault> {
    let pool = connect(options).await?;
    sqlx::query("SELECT 1 FROM sqlite_schema")
        .fetch_optional(&pool)
        .await
        .map_err(SqlFault)?;
    Ok(pool)
}

async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, SqlFault> {
    SqlitePoolOptions::new()
        .max_connections(4)
        .after_release(|connection, _| {
            Box::pin(async move {
                // A transaction that SQLite ends by itself (no room left, `OR ROLLBACK`) is still open
                // to sqlx, for ever: such a connection begins no other one.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options)
        .await
        .map_err(SqlFault)
}

/// Whether there is a file, and that it may be a database.
fn check_file(path: &Path) -> Result<bool, StoreError> {
    let failed = |error: io::Error| failed_open(path, error);
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
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

/// What is said of a file that was a database.
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

/// That a log with changes begins as one does: SQLite takes any other for none, and what was
/// committed would be missing without a word.
fn log_is_sound(path: &Path) -> Result<(), StoreError> {
    const BEGIN: u64 = 32;
    let log = sidecar_path(path, "-wal");
    let mut first = Vec::new();
    let read = File::open(&log).and_then(|file| file.take(BEGIN).read_to_end(&mut first));
    // A crash may leave the beginning alone, unwritten; changes come after it is on the disk.
    if read.is_err() || length(&log) <= BEGIN || begins_log(&first) {
        return Ok(());
    }
    let what = format!(
        "{} contains changes that cannot be read; restore both files from a backup",
        log.display()
    );
    Err(damaged_error(path, &what))
}

/// Whether these are the first bytes of a log: its mark, and the checksum over the first 24.
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

/// A file of the database's beside it: its log is called `…-wal`.
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

//! A throw-away PostgreSQL for the tests of one process, from the installed binaries.
//!
//! nextest gives each test a process of its own, so a cluster has to be there in a moment: `initdb`
//! runs once, its result is kept below the target directory, and each process starts a copy of it.
//! The server ends with the process, also when that is killed: see [`WATCHDOG`].

#![allow(dead_code)]

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, thread};

use tempfile::TempDir;

/// Outlives the test process, and ends the server when that is gone.
///
/// Its standard input is a pipe whose other end only the test process holds: whichever way that
/// ends, `cat` sees the end of the file. Standard error is the server's log; the shell itself gives
/// it up, so that its end means that the server is gone. SIGQUIT stops the server without a
/// checkpoint, nobody will read the data again; SIGTERM is for one that is only starting, since a
/// shell starts its background jobs deaf to SIGQUIT.
const WATCHDOG: &str = r#"
    template=$1 dir=$2
    shift 2
    cp -a "$template" "$dir/data"
    "$@" </dev/null & server=$!
    exec 2>/dev/null
    cat >/dev/null
    kill -TERM "$server"
    kill -QUIT "$server"
    wait "$server"
    rm -rf "$dir"
"#;

/// Part of the template's name: raise it when the options of `initdb` change.
const TEMPLATE: &str = "postgres-template-1";

/// A working directory that every user may enter: ours may be another.
const EVERYBODYS: &str = "/";

/// A running cluster, reached over 127.0.0.1 without a password.
pub struct Server {
    binaries: PathBuf,
    port: u16,
    databases: AtomicUsize,
    /// Holds the pipe that keeps the server alive.
    _watchdog: Child,
}

/// The cluster of this process, started at the first call.
///
/// None when PostgreSQL is not installed, which is said loudly, and under `CI=true` is a failure.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            let Some(binaries) = binaries() else {
                absent();
                return None;
            };
            Some(Server::start(binaries))
        })
        .as_ref()
}

/// A fresh database on each engine at hand, as `(engine, URL)`.
///
/// The SQLite file goes when the thread of the test ends.
pub fn databases(name: &str) -> Vec<(&'static str, String)> {
    thread_local! {
        static KEPT: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
    }
    let dir = TempDir::with_prefix("sqlite-").expect("a directory for SQLite");
    let sqlite = format!("sqlite:{}", dir.path().join("roster.db").display());
    KEPT.with_borrow_mut(|kept| kept.push(dir));

    let postgres = server().map(|server| ("postgres", server.database(name)));
    [("sqlite", sqlite)].into_iter().chain(postgres).collect()
}

impl Server {
    /// Creates an empty database, whose name starts with the hint, and gives its URL.
    pub fn database(&self, name_hint: &str) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let hint: String = name_hint.chars().take(40).collect();
        let hint = hint
            .to_lowercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let name = format!("{hint}_{number}");
        let port = self.port.to_string();
        run(Command::new(self.binaries.join("createdb"))
            .args(["--host=127.0.0.1", "--username=postgres", "--no-password"])
            .args(["--port", &port, &name]));
        format!("postgres://postgres@127.0.0.1:{port}/{name}")
    }

    fn start(binaries: PathBuf) -> Self {
        let mut log = String::new();
        // Somebody else may take the free port before PostgreSQL does.
        for _ in 0..5 {
            match Self::try_start(&binaries) {
                Ok((port, watchdog)) => {
                    let databases = AtomicUsize::new(0);
                    return Self {
                        binaries,
                        port,
                        databases,
                        _watchdog: watchdog,
                    };
                }
                Err(lines) => log = lines,
            }
        }
        panic!("PostgreSQL did not start:\n{log}");
    }

    /// One start on a port that is free just now, or the server's log.
    fn try_start(binaries: &Path) -> Result<(u16, Child), String> {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut watchdog = watched(binaries, port);
        let mut lines = BufReader::new(watchdog.stderr.take().expect("a pipe"));
        let mut log = String::new();
        while !log.contains("database system is ready to accept connections") {
            if lines.read_line(&mut log).expect("the server's log") == 0 {
                // Closes the pipe, too: the watchdog tidies up.
                watchdog.wait().expect("the watchdog");
                return Err(log);
            }
        }
        // A full pipe would stop the server.
        thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
        Ok((port, watchdog))
    }
}

/// Starts a new cluster under its watchdog.
fn watched(binaries: &Path, port: u16) -> Child {
    let template = template(binaries);
    let (dir, user) = scratch();
    // From here on the watchdog removes the directory.
    let dir = dir.keep();
    let postgres = as_user(&binaries.join("postgres"), user);
    Command::new("sh")
        .current_dir(EVERYBODYS)
        .args(["-c", WATCHDOG, "watchdog"])
        .args([&template, &dir])
        .arg(postgres.get_program())
        .args(postgres.get_args())
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "max_connections=200"])
        // The template's small segments would mean a checkpoint every few megabytes.
        .args(["-c", "max_wal_size=1GB"])
        // The data never outlives the process, so nothing has to reach the disk.
        .args(["-c", "fsync=off"])
        .args(["-c", "synchronous_commit=off"])
        .args(["-c", "full_page_writes=off"])
        // With hundreds of databases, a worker would visit one of them every tenth of a second.
        .args(["-c", "autovacuum=off"])
        // A group of its own: what interrupts or kills the tests must not hit the watchdog.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh")
}

/// Where `initdb` and the rest are: on the PATH, else where Debian keeps them, the newest first.
pub(super) fn binaries() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).collect::<Vec<_>>();

    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut debian: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    debian.sort_by(|a, b| b.cmp(a));

    on_path
        .into_iter()
        .chain(debian.into_iter().map(|(_, dir)| dir.join("bin")))
        // On the PATH there may be a link to initdb alone; its neighbours are where it points.
        .filter_map(|dir| dir.join("initdb").canonicalize().ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_path_buf))
        .find(|dir| dir.join("postgres").is_file() && dir.join("createdb").is_file())
}

/// Says that tests are missing, past the capture of the test harness.
pub(super) fn absent() {
    let message = "POSTGRESQL NOT FOUND: tests against PostgreSQL did not run";
    assert!(
        env::var("CI").as_deref() != Ok("true"),
        "{message}; install it (Debian: postgresql)"
    );
    writeln!(io::stderr(), "\n{message}\n").expect("standard error");
}

/// An initialised data directory to copy, made by whoever comes first.
pub(super) fn template(binaries: &Path) -> PathBuf {
    let initdb = binaries.join("initdb");
    let version = run(Command::new(&initdb).arg("--version"));
    let version = version
        .split_whitespace()
        .nth(2)
        .expect("a version")
        .to_owned();
    // A template that root made belongs to a user whose files others cannot copy.
    let (dir, user) = scratch();
    let owner = user.map_or("self", |user| user.name);
    let ready = cache().join(format!("{TEMPLATE}-{version}-{owner}"));

    // Released when the file is closed. Processes that came too late find the template.
    let lock = File::create(ready.with_added_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !ready.exists() {
        // Made elsewhere: the target directory may lie where the other user cannot go.
        let data = dir.path().join("data");
        run(as_user(&initdb, user)
            .args(["--username=postgres", "--auth=trust"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--wal-segsize=1", "--no-sync", "--no-instructions"])
            .arg(&data));
        // Renamed when it is whole, so that a killed run leaves no half of one.
        let partial = ready.with_added_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).expect("what a killed run left");
        }
        run(Command::new("cp").arg("-a").arg(&data).arg(&partial));
        fs::rename(&partial, &ready).expect("the template");
    }
    ready
}

/// Cargo's directory for the files of integration tests.
fn cache() -> &'static Path {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(dir).expect("cargo's directory for tests");
    dir
}

/// Whom PostgreSQL runs as, when we are root: it refuses to run as root.
#[derive(Clone, Copy)]
pub(super) struct User {
    name: &'static str,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// A directory for a cluster, and the user it was given to when we are root.
pub(super) fn scratch() -> (TempDir, Option<User>) {
    let dir = TempDir::with_prefix("roster-postgres-").expect("a temporary directory");
    let owner = fs::metadata(dir.path()).expect("the directory").uid();
    let user = (owner == 0).then(unprivileged);
    if let Some(user) = user {
        chown(dir.path(), Some(user.uid), Some(user.gid)).expect("chown");
    }
    (dir, user)
}

fn unprivileged() -> User {
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let find = |name: &'static str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some(User {
            name,
            uid: numbers.next()?.ok()?,
            gid: numbers.next()?.ok()?,
        })
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .expect("the user postgres or nobody")
}

/// A command that runs as the user. setpriv is part of util-linux, and becomes the program: its
/// process is the server's.
pub(super) fn as_user(program: &Path, user: Option<User>) -> Command {
    let mut command = match user {
        None => Command::new(program),
        Some(User { uid, gid, .. }) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
            command.arg("--clear-groups").arg(program);
            command
        }
    };
    command.current_dir(EVERYBODYS);
    command
}

/// Runs to the end and gives what it printed; a failure shows what it said.
pub(super) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

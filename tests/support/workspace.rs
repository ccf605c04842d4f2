//! A folder of manifests, a database, and the program as its users run it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{env, fs, thread};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Row};
use tempfile::TempDir;

use crate::support::postgres;

/// Longer than any command of these tests takes, on a machine that has much else to do.
pub const LIMIT: Duration = Duration::from_mins(2);

/// One folder and one database.
pub struct Workspace {
    folder: TempDir,
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// The database.
    pub url: String,
}

/// What a command said and how it ended.
pub struct Ran {
    command: String,
    /// The exit code; `None` when it was killed.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// One on each engine at hand, each with a database of its own.
pub fn each(name: &str) -> Vec<Workspace> {
    let databases = postgres::databases(name).into_iter();
    databases
        .map(|(engine, url)| Workspace::on(engine, url))
        .collect()
}

/// One on SQLite: for what an engine cannot change.
pub fn sqlite() -> Workspace {
    let folder = TempDir::with_prefix("roster-").expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("roster.db").display());
    Workspace {
        folder,
        engine: "sqlite",
        url,
    }
}

impl Workspace {
    /// A new folder beside a database.
    pub fn on(engine: &'static str, url: String) -> Self {
        let folder = TempDir::with_prefix("roster-").expect("a folder");
        Self {
            folder,
            engine,
            url,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(path, text).expect("the file");
        self
    }

    /// Writes the only manifest of the tree `manifests`.
    pub fn tree(&self, yaml: impl AsRef<[u8]>) -> &Self {
        self.write("manifests/all.yaml", yaml)
    }

    pub fn remove(&self, name: &str) -> &Self {
        let path = self.path(name);
        if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
        .expect("removed");
        self
    }

    /// Copies a directory of the repository into the folder.
    pub fn copy(&self, from: &str, to: &str) -> &Self {
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(from),
            &self.path(to),
        );
        self
    }

    /// The program in the folder, on the database, with nothing of the tester's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roster"));
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("ROSTER_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("ROSTER_DATABASE", &self.url)
            .env("ROSTER_OUTPUT", "json")
            .env("ROSTER_ACTOR", "tester")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// `plan manifests`, with options.
    #[track_caller]
    pub fn plan(&self, options: &[&str]) -> Ran {
        self.run(&[&["plan", "manifests"], options].concat())
    }

    /// `apply manifests --yes`, with options.
    #[track_caller]
    pub fn apply(&self, options: &[&str]) -> Ran {
        self.run(&[&["apply", "manifests", "--yes"], options].concat())
    }

    /// Applies everything, and finds nothing to do afterwards.
    #[track_caller]
    pub fn settle(&self, options: &[&str]) {
        self.apply(options).exits(0);
        self.plan(&["--detailed-exitcode"]).exits(0);
    }

    #[track_caller]
    pub fn approve(&self, hold: &str) {
        self.run(&[
            "approve",
            "hold",
            hold,
            "--reason",
            "agreed on the telephone",
        ])
        .exits(0);
    }

    /// Runs statements as another program would.
    #[track_caller]
    pub fn sql(&self, sql: &str) {
        wait(async {
            let sql = AssertSqlSafe(sql);
            if self.engine == "sqlite" {
                let mut connection = self.open_sqlite().await;
                sqlx::raw_sql(sql)
                    .execute(&mut connection)
                    .await
                    .expect("a foreign write");
                connection.close().await.expect("closed");
            } else {
                let mut connection = sqlx::PgConnection::connect(&self.url)
                    .await
                    .expect("connected");
                sqlx::raw_sql(sql)
                    .execute(&mut connection)
                    .await
                    .expect("a foreign write");
            }
        });
    }

    /// The first column of what a query finds, each as text.
    #[track_caller]
    pub fn column(&self, query: &str) -> Vec<Option<String>> {
        let sql = AssertSqlSafe(format!("SELECT CAST(q.v AS TEXT) FROM ({query}) AS q(v)"));
        let lite = AssertSqlSafe(format!(
            "WITH q(v) AS ({query}) SELECT CAST(v AS TEXT) FROM q"
        ));
        wait(async {
            if self.engine == "sqlite" {
                let mut connection = self.open_sqlite().await;
                let rows = sqlx::query(lite)
                    .fetch_all(&mut connection)
                    .await
                    .expect("a query");
                connection.close().await.expect("closed");
                rows.iter().map(|row| row.get(0)).collect()
            } else {
                let mut connection = sqlx::PgConnection::connect(&self.url)
                    .await
                    .expect("connected");
                let rows = sqlx::query(sql)
                    .fetch_all(&mut connection)
                    .await
                    .expect("a query");
                rows.iter().map(|row| row.get(0)).collect()
            }
        })
    }

    /// The one value that a query finds, as text.
    #[track_caller]
    pub fn value(&self, query: &str) -> Option<String> {
        let mut found = self.column(query);
        assert_eq!(found.len(), 1, "{query}: {found:?}");
        found.remove(0)
    }

    /// Runs statements on SQLite and keeps the connection, so that they stay in the log.
    pub fn hold_open(&self, sql: &str) -> HeldOpen {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let connection = runtime.block_on(async {
            let mut connection = self.open_sqlite().await;
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("a foreign write");
            connection
        });
        HeldOpen {
            _connection: connection,
            _runtime: runtime,
        }
    }

    async fn open_sqlite(&self) -> sqlx::SqliteConnection {
        let path = self.url.trim_start_matches("sqlite:");
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(LIMIT);
        sqlx::SqliteConnection::connect_with(&options)
            .await
            .expect("connected")
    }

    /// Every table of the database and a digest of all that is in it.
    pub fn fingerprint(&self) -> Vec<(String, String)> {
        let tables = if self.engine == "sqlite" {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        } else {
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"
        };
        let tables = self.column(tables).into_iter().flatten();
        // What was held is remembered: that changes nobody.
        tables
            .filter(|table| !["held_steps", "watched"].contains(&table.as_str()))
            .map(|table| (table.clone(), self.digest(&table)))
            .collect()
    }

    /// A digest of all rows of a table.
    fn digest(&self, table: &str) -> String {
        if self.engine == "postgres" {
            let sql =
                format!("SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} t");
            return self.value(&sql).unwrap_or_default();
        }
        let columns = self.column(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let columns: Vec<String> = columns
            .into_iter()
            .flatten()
            .map(|name| format!("quote({name})"))
            .collect();
        let rows = self.column(&format!(
            "SELECT {} FROM {table} ORDER BY 1",
            columns.join(" || ',' || ")
        ));
        let mut hasher = blake3::Hasher::new();
        for row in rows.into_iter().flatten() {
            hasher.update(row.as_bytes()).update(b"\n");
        }
        hasher.finalize().to_string()
    }
}

/// A connection that somebody else has.
pub struct HeldOpen {
    _connection: sqlx::SqliteConnection,
    _runtime: tokio::runtime::Runtime,
}

/// Runs to the end; what takes longer than [`LIMIT`] fails.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    match run_within(command, LIMIT) {
        (ran, true) => ran,
        (ran, false) => panic!(
            "{} did not end within {LIMIT:?}\n{}",
            ran.command, ran.stderr
        ),
    }
}

/// Runs for so long at most, and says whether it ended by itself; else it is killed (SIGKILL).
pub fn run_within(command: &mut Command, limit: Duration) -> (Ran, bool) {
    let shown = format!("{command:?}");
    let mut child = command.spawn().expect("the program");
    let output = Output::of(&mut child);
    let ended = output.wait(limit);
    if !ended {
        child.kill().expect("killed");
    }
    let status = child.wait().expect("its end");
    let (stdout, stderr) = output.take();
    (
        Ran {
            command: shown,
            code: status.code(),
            stdout,
            stderr,
        },
        ended,
    )
}

/// What a running program prints, read as it comes: a full pipe would stop it.
struct Output {
    stdout: thread::JoinHandle<String>,
    stderr: thread::JoinHandle<String>,
    closed: mpsc::Receiver<()>,
}

impl Output {
    fn of(child: &mut Child) -> Self {
        let (done, closed) = mpsc::channel();
        let (mut out, mut err) = (
            child.stdout.take().expect("a pipe"),
            child.stderr.take().expect("a pipe"),
        );
        let stdout = thread::spawn(move || {
            let text = text(&mut out);
            // Nobody waits any more when the program was killed.
            let _ = done.send(());
            text
        });
        Self {
            stdout,
            stderr: thread::spawn(move || text(&mut err)),
            closed,
        }
    }

    /// Waits until standard output is closed, which is when the program ends.
    fn wait(&self, limit: Duration) -> bool {
        !matches!(
            self.closed.recv_timeout(limit),
            Err(RecvTimeoutError::Timeout)
        )
    }

    fn take(self) -> (String, String) {
        (
            self.stdout.join().expect("stdout"),
            self.stderr.join().expect("stderr"),
        )
    }
}

fn text(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("what it prints");
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Ran {
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// The plans it printed, one a source.
    pub fn plans(&self) -> Vec<Value> {
        let documents = serde_json::Deserializer::from_str(&self.stdout).into_iter::<Value>();
        let documents =
            documents.map(|document| document.unwrap_or_else(|error| panic!("{error}: {self}")));
        documents
            .flat_map(
                |mut document| match (document["plans"].take(), document["plan"].take()) {
                    (Value::Array(plans), _) => plans,
                    (_, plan @ Value::Object(_)) => vec![plan],
                    _ => vec![document],
                },
            )
            .collect()
    }

    fn all(&self, member: &str) -> Vec<Value> {
        self.plans()
            .iter()
            .filter_map(|plan| plan[member].as_array())
            .flatten()
            .cloned()
            .collect()
    }

    /// `update User/u-1`, in their order.
    pub fn steps(&self) -> Vec<String> {
        self.all("steps")
            .iter()
            .map(|step| format!("{} {}", word(step, "verb"), key(step)))
            .collect()
    }

    /// The steps with the fields they change: `update User/u-1: phone`.
    pub fn changes(&self) -> Vec<String> {
        let line = |step: &Value| {
            let mut line = format!("{} {}", word(step, "verb"), key(step));
            for (index, change) in step["changes"].as_array().into_iter().flatten().enumerate() {
                let _ = write!(
                    line,
                    "{} {}",
                    if index == 0 { ":" } else { "," },
                    word(change, "field")
                );
            }
            line
        };
        self.all("steps").iter().map(line).collect()
    }

    /// The reasons of the steps.
    pub fn reasons(&self) -> BTreeSet<String> {
        self.all("steps")
            .iter()
            .map(|step| word(step, "reason"))
            .collect()
    }

    /// `guard User/u-1`, in their order.
    pub fn held(&self) -> Vec<String> {
        self.all("held")
            .iter()
            .map(|held| format!("{} {}", word(held, "code"), key(held)))
            .collect()
    }

    /// The rules that hold something.
    pub fn rules(&self) -> BTreeSet<String> {
        self.all("held")
            .iter()
            .map(|held| word(held, "code"))
            .collect()
    }

    /// The ids of the holds of a rule.
    pub fn holds(&self, code: &str) -> BTreeSet<String> {
        let all = self.all("held");
        all.iter()
            .filter(|held| held["code"] == code)
            .map(|held| word(held, "hold"))
            .collect()
    }

    /// The one hold of a rule.
    #[track_caller]
    pub fn hold(&self, code: &str) -> String {
        let holds = self.holds(code);
        assert_eq!(holds.len(), 1, "holds of {code}: {self}");
        holds.into_iter().next().unwrap_or_default()
    }

    /// What would let the holds through: `--accept User.deactivate=3`.
    pub fn overrides(&self) -> BTreeSet<String> {
        let all = self.all("held");
        all.iter()
            .filter_map(|held| held["override"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// `error reference User/u-1`, sorted.
    pub fn findings(&self) -> BTreeSet<String> {
        let line = |found: &Value| {
            let line = format!("{} {}", word(found, "severity"), word(found, "code"));
            if found["kind"].is_null() {
                line
            } else {
                format!("{line} {}", key(found))
            }
        };
        self.all("diagnostics").iter().map(line).collect()
    }

    /// The codes of its findings of a severity.
    pub fn codes(&self, severity: &str) -> BTreeSet<String> {
        let all = self.all("diagnostics");
        all.iter()
            .filter(|found| found["severity"] == severity)
            .map(|found| word(found, "code"))
            .collect()
    }

    /// How many steps of a verb, or held, and so on.
    #[track_caller]
    pub fn count(&self, what: &str) -> u64 {
        let plans = self.plans();
        plans
            .iter()
            .map(|plan| plan["summary"][what].as_u64().expect("a count"))
            .sum()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |text: &str| text.chars().take(4_000).collect::<String>();
        let (stdout, stderr) = (short(&self.stdout), short(&self.stderr));
        write!(
            f,
            "{}\nexit: {:?}\n{stdout}\n{stderr}",
            self.command, self.code
        )
    }
}

fn word(of: &Value, member: &str) -> String {
    of[member].as_str().unwrap_or_default().to_owned()
}

fn key(of: &Value) -> String {
    format!("{}/{}", word(of, "kind"), word(of, "externalId"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

/// Says something past the capture of the test harness.
pub fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("standard error");
}

/// Whether a program is installed; without it a test says so, and fails where everything has to be.
pub fn is_installed(what: &str, present: bool) -> bool {
    if !present {
        assert!(std::env::var_os("CI").is_none(), "{what} is not there");
        say(&format!("NOT TESTED: {what} is not there"));
    }
    present
}

/// A valid account with an address of its own; `more` are further fields, each a line.
pub fn account(id: &str, more: &str) -> String {
    let mut yaml = format!(
        "---\nkind: Account\nexternalId: {id}\nname: {id}\ncompanyRegistrationName: {id} AB\n\
         businessRegistrationNumber: r-{id}\n"
    );
    if !more.contains("addresses:") {
        let _ = writeln!(
            yaml,
            "addresses: [{{externalId: at-{id}, fullName: {id}, street: Storgatan 1, zipCode: 411 18, city: Göteborg, country: SE}}]"
        );
    }
    yaml + &lines(more)
}

/// A valid user of an account; `more` are further fields, each a line, which win.
pub fn user(id: &str, account: &str, more: &str) -> String {
    let standard = [
        ("civility", "MRS".to_owned()),
        ("firstName", "Karin".to_owned()),
        ("lastName", "Åslund".to_owned()),
        ("email", format!("{id}@roster.example")),
        ("phone", "\"+4663123456\"".to_owned()),
        ("groups", "[FOC_User]".to_owned()),
        ("accounts", format!("[{account}]")),
    ];
    let mut yaml = format!("---\nkind: User\nexternalId: {id}\n");
    for (field, value) in standard {
        if !more
            .lines()
            .any(|line| line.starts_with(&format!("{field}:")))
        {
            let _ = writeln!(yaml, "{field}: {value}");
        }
    }
    yaml + &lines(more)
}

fn lines(more: &str) -> String {
    if more.is_empty() || more.ends_with('\n') {
        more.to_owned()
    } else {
        format!("{more}\n")
    }
}

/// Users `u-0`, `u-1`… of an account.
pub fn users(range: std::ops::Range<usize>, account: &str, more: &str) -> String {
    range
        .map(|n| user(&format!("u-{n}"), account, more))
        .collect()
}

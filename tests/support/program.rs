//! The built program in a place of its own, as a person would run it.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A directory and a database.
pub struct Place {
    dir: TempDir,
    /// The database.
    pub url: String,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it said besides.
    pub err: String,
}

impl Place {
    /// An empty directory beside a database.
    pub fn new(url: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self {
            dir,
            url: url.to_owned(),
        }
    }

    /// The path of a file here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Changes a file.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).expect("a file");
        assert!(text.contains(from), "{name} has no `{from}`:\n{text}");
        self.write(name, &text.replace(from, to));
    }

    /// Copies one of the examples.
    pub fn example(&self, example: &str, to: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(example);
        copy(&from, &self.path(to));
    }

    /// The program with these arguments, here, with this database and nothing of the environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roster"));
        command.current_dir(self.dir.path()).env_clear();
        command
            .env("ROSTER_DATABASE", &self.url)
            .env("ROSTER_ACTOR", "eva@example.com");
        command.args(arguments);
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from_output(&self.command(arguments).output().expect("the program runs"))
    }

    /// Runs it and expects it to succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:#?}");
        ran.out
    }

    /// Runs it and reads the one JSON document it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Runs it and reads a JSON object from each line.
    pub fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let out = self.ok(&[arguments, &["--output", "ndjson"]].concat());
        out.lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    /// Runs a statement as another program would: none of Roster's code is involved.
    pub fn foreign(&self, sql: &str) {
        runtime().block_on(foreign(&self.url, sql));
    }
}

impl Ran {
    pub fn from_output(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("an example") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Runs a statement as another program would.
pub async fn foreign(url: &str, sql: &str) {
    let sql = AssertSqlSafe(sql);
    let done = async {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await
        } else {
            let mut connection = sqlx::PgConnection::connect(url).await?;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
            connection.close().await
        }
    };
    done.await.expect("a foreign write");
}

/// Everything that a PostgreSQL database holds, as text.
pub fn dump(url: &str) -> String {
    let read = async {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
        )
        .fetch_all(&mut connection)
        .await?;
        let mut all = String::new();
        for table in tables {
            let sql = AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" AS t"));
            let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await?;
            all.push_str(&rows.join("\n"));
        }
        connection.close().await?;
        Ok::<_, sqlx::Error>(all)
    };
    runtime().block_on(read).expect("read")
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
}

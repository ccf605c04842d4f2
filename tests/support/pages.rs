//! Pages of `specs/` as tests: their fences, and a sandbox to run them in.

use sqlx::Connection;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block of a page.
#[derive(Clone, Debug)]
pub struct Fence {
    /// The words after the backticks: the language first.
    pub words: Vec<String>,
    /// The number of its first line within the page, from 0.
    pub line: usize,
    /// What it holds, each line ended.
    pub text: String,
}

impl Fence {
    /// The language, empty when none is named.
    pub fn language(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The word after the language: what the block is there for.
    pub fn label(&self) -> &str {
        let label = self.words.get(1).map_or("", String::as_str);
        if label.contains('=') { "" } else { label }
    }

    /// The path behind `file=`.
    pub fn file(&self) -> Option<&str> {
        self.words
            .iter()
            .find_map(|word| word.strip_prefix("file="))
    }
}

/// All fenced blocks of a page, in order.
pub fn fences(page: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut open: Option<Fence> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(fence), _) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, Some(info)) => {
                open = Some(Fence {
                    words: info.split_whitespace().map(str::to_owned).collect(),
                    line: number + 1,
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is never closed: {open:?}");
    found
}

/// A file of this repository.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The Markdown files directly in a folder of this repository, sorted.
pub fn markdown(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root(folder)).expect("a folder of pages");
    let mut pages: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect();
    pages.sort();
    pages
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("a file stands in a folder");
    std::fs::create_dir_all(folder).expect("a folder of the sandbox");
    std::fs::write(path, text).expect("a file of the sandbox");
}

/// A program in a sandbox: nothing of whoever runs the tests reaches it.
pub fn command(program: &str, sandbox: &Path) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_roster")).parent();
    let bin = bin.expect("the binary stands in a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(bin).chain(std::env::split_paths(&path));
    let mut command = Command::new(program);
    command
        .current_dir(sandbox)
        .env_clear()
        .env("PATH", std::env::join_paths(path).expect("a search path"))
        .env("HOME", sandbox)
        .env("LANG", "C.UTF-8")
        .env("ROSTER_COLOR", "never")
        .stdin(std::process::Stdio::null());
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Eva Lindqvist")
            .env(format!("GIT_{who}_EMAIL"), "eva@example.com")
            .env(format!("GIT_{who}_DATE"), "2025-04-03T08:00:00Z");
    }
    command
}

/// Runs statements on an `SQLite` database that exists, as another program would.
pub fn execute(database: &Path, statements: &str) -> Result<(), String> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    let run = async {
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql(statements).execute(&mut connection).await?;
        connection.close().await
    };
    runtime
        .block_on(run)
        .map_err(|error| format!("{}: {error}", database.display()))
}

//! `roster token`: creates and lists tokens for the daemon.

use super::{CommandFailure, CommandResult, GlobalOptions, HoldOverrides, print::print};
use crate::config::{Config, ConfigOverrides};
use crate::http::Role;
use crate::http::token::{self, TokenGrant};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Create and list tokens for the daemon.
#[derive(clap::Args, Debug)]
pub struct Options {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(clap::Subcommand, Debug)]
enum TokenCommand {
    /// Create a token. Print it once, with its line for the token file.
    Create(TokenCreateOptions),
    /// List the tokens of a file, with roles, sources and expiry.
    List(TokenListOptions),
}

#[derive(clap::Args, Debug)]
struct TokenCreateOptions {
    /// The name that the audit log records.
    #[arg(long)]
    name: String,
    /// The role.
    #[arg(long, value_enum)]
    role: Role,
    /// When the token expires: `2027-01-31` (00:00 UTC), or a time.
    #[arg(long, value_name = "WHEN", value_parser = token::parse_expiry)]
    expires: Option<DateTime<Utc>>,
    /// Limit the token to these sources: `a,b`.
    #[arg(long, value_name = "NAMES")]
    sources: Option<String>,
    /// Append the line to this file instead of printing it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct TokenListOptions {
    /// The token file. Default: that of the configuration.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    match &options.command {
        TokenCommand::Create(create) => create.run(global),
        TokenCommand::List(list) => list.run(global),
    }
}

impl TokenCreateOptions {
    /// The token is the only output on stdout, so that it can be piped to where it belongs.
    fn run(&self, global: &GlobalOptions) -> CommandResult {
        let sources: Option<BTreeSet<Arc<str>>> = match &self.sources {
            Some(text) => Some(token::parse_sources(text).map_err(CommandFailure::usage)?),
            None => None,
        };
        let made = TokenGrant::create(&self.name, self.role, self.expires, sources);
        let (grant, token) = made.map_err(CommandFailure::usage)?;
        match &self.file {
            Some(file) => {
                append(file, &grant).map_err(|error| {
                    CommandFailure::error(format!("{}: {error}", file.display()))
                })?;
                if !global.quiet {
                    anstream::eprintln!("Added the line to {}", file.display());
                }
            }
            None => anstream::eprintln!("Add this line to the token file:\n{}", grant.line()),
        }
        if !global.quiet {
            anstream::eprintln!("The token is shown only once:");
        }
        print(format!("{token}\n"))
    }
}

impl TokenListOptions {
    fn run(&self, global: &GlobalOptions) -> CommandResult {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => configured(global)?,
        };
        let shown = file.display();
        let text = fs::read_to_string(&file)
            .map_err(|error| CommandFailure::error(format!("cannot read {shown}: {error}")))?;
        let grants = token::parse(&text)
            .map_err(|(line, error)| CommandFailure::error(format!("{shown}:{line}: {error}")))?;
        let now = Utc::now();
        let rows: Vec<[String; 4]> = grants.iter().map(|grant| row(grant, now)).collect();
        let heads = ["NAME", "ROLE", "SOURCES", "EXPIRES"].map(str::to_owned);
        print(table(&[vec![heads], rows].concat()))
    }
}

fn configured(global: &GlobalOptions) -> Result<PathBuf, CommandFailure> {
    let here = std::env::current_dir()?;
    // The path of the token file may come from a variable, which only the daemon's view of the
    // configuration resolves.
    let overrides = ConfigOverrides {
        serves: true,
        ..global.overrides(&HoldOverrides::default())
    };
    let config = Config::load(&overrides, &here, None)?;
    config.serve.tokens.ok_or_else(|| {
        CommandFailure::usage(
            "no `serve.tokens` in the configuration; pass the token file with `--file`",
        )
    })
}

fn row(grant: &TokenGrant, now: DateTime<Utc>) -> [String; 4] {
    let sources = grant.sources.as_ref().map_or("all".to_owned(), |sources| {
        sources
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<_>>()
            .join(",")
    });
    let expires = match grant.expires {
        None => "never".to_owned(),
        Some(at) if grant.expired(now) => format!("{} (expired)", at.format("%F %R")),
        Some(at) => at.format("%F %R").to_string(),
    };
    [
        grant.name.to_string(),
        grant.role.to_string(),
        sources,
        expires,
    ]
}

fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    let mut text = String::new();
    for [name, role, sources, expires] in rows {
        let [a, b, c] = widths;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:a$}  {role:b$}  {sources:c$}  {expires}");
    }
    text
}

/// The file is written beside and moved into place, so that a daemon never reads half of it.
fn append(file: &Path, grant: &TokenGrant) -> std::io::Result<()> {
    let mut text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    // A last line without a line break would swallow the new one.
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&grant.line());
    text.push('\n');
    let mut beside = file.as_os_str().to_owned();
    // Beside the file, because a rename works only within one file system.
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let write = || {
        let mut options = fs::OpenOptions::new();
        let mut out = options
            .write(true)
            .create_new(true)
            // Readable by its owner only: names and roles are nobody else's business.
            .mode(0o600)
            .open(&beside)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&beside, file)
    };
    write().inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_line_is_added_to_what_is_there_for_the_owner_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("tokens");
        fs::write(&file, "# ours").expect("the file");
        let (grant, _) = TokenGrant::create("ci", Role::Planner, None, None).expect("a token");
        append(&file, &grant).expect("added");
        let text = fs::read_to_string(&file).expect("the file");
        assert_eq!(text, format!("# ours\n{}\n", grant.line()));
        let mode = fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    }
}

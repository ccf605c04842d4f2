//! `roster status`: the state of the sources of a running daemon, as a table or in full.

use super::remote::{RemoteOptions, encode_segment};
use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output};
use crate::diagnostic::{Severity, distance, plural, span, visible};
use crate::document::{
    ClosedWindow, DaemonStatus, DiagnosticState, FeedState, SourceView, WorkerActivity,
};
use crate::http::HealthReply;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::Value;
use std::io::{self, Write};
use std::time::Duration;

/// How long a health check waits for an answer.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// Options of `roster status`.
#[derive(Debug, Args)]
pub struct StatusOptions {
    /// Show only this source, in full. `-v` shows all of them in full.
    source: Option<String>,
    /// Check only whether the daemon is alive, without a token. For health checks of containers.
    /// Default address: http://127.0.0.1:8080.
    #[arg(long, conflicts_with = "source")]
    health: bool,
    #[command(flatten)]
    remote: RemoteOptions,
}

/// Shows the state of the sources.
pub async fn run(global: &GlobalOptions, options: &StatusOptions) -> CommandResult {
    if options.health {
        return health(global, &options.remote).await;
    }
    let daemon = options.remote.daemon(global)?;
    let mut out = output::stdout();
    match &options.source {
        None => {
            let answer: Value = daemon.get("api/v1/status").await?;
            if !list_output::write_one(global, &answer, &mut out)? {
                print_status(&daemon.read(answer)?, global.verbose > 0, &mut out)?;
            }
        }
        Some(source) => {
            let answer: Value = daemon.get(&source_path(source)).await?;
            if !list_output::write_one(global, &answer, &mut out)? {
                print_source(&daemon.read(answer)?, &mut out)?;
            }
        }
    }
    out.flush()?;
    Ok(0)
}

/// Prints every source, and what is wrong with the daemon itself.
fn print_status(status: &DaemonStatus, in_full: bool, out: &mut dyn Write) -> io::Result<()> {
    if let Some(why) = &status.reload_error {
        writeln!(
            out,
            "The configuration could not be reloaded; the previous one is in use: {why}"
        )?;
    }
    if in_full {
        let mut sources = status.sources.iter();
        sources.try_for_each(|source| print_source(source, out))?;
    } else {
        print_table(status, out)?;
    }
    let mut diagnostics = status.diagnostics.iter();
    diagnostics.try_for_each(|found| print_diagnostic(found, out))?;
    if status.notices > 0 {
        let why = status.notice_error.as_deref().unwrap_or("no attempt yet");
        let unsent = plural(status.notices, "unsent notice");
        writeln!(out, "{unsent}: {why}")?;
    }
    Ok(())
}

/// Prints one line for each source.
fn print_table(status: &DaemonStatus, out: &mut dyn Write) -> io::Result<()> {
    let row = |source: &SourceView| {
        let state = &source.state;
        let applied = state.last_applied.as_ref();
        let applied = applied.map(|mark| distance(mark.at - status.time));
        let lag = state.behind_since.map(|since| span(status.time - since));
        [
            source.name.clone(),
            state_word(source).to_owned(),
            attempted_revision(source),
            applied.unwrap_or_else(|| "never".to_owned()),
            lag.unwrap_or_else(|| "-".to_owned()),
            state.waiting().count().to_string(),
            state.errors.to_string(),
            source.why.clone(),
        ]
    };
    let rows: Vec<[String; 8]> = status.sources.iter().map(row).collect();
    let header = [
        "SOURCE", "STATE", "REVISION", "APPLIED", "LAG", "HOLDS", "ERRORS", "WHY",
    ];
    list_output::write_table(header, &rows, out)
}

/// The result of the last pass, in one word.
fn state_word(source: &SourceView) -> &'static str {
    match &source.suspended {
        Some(_) => "suspended",
        None => source.state.outcome.name(),
    }
}

/// The revision that the last pass read, as people quote it.
fn attempted_revision(source: &SourceView) -> String {
    let mark = source.state.last_attempted.as_ref();
    let revision = visible(mark.map_or("", |mark| &mark.revision));
    revision.get(..12).unwrap_or(&revision).to_owned()
}

/// Checks whether the daemon is alive.
async fn health(global: &GlobalOptions, remote: &RemoteOptions) -> CommandResult {
    // Without a token: a container's health check should not need one.
    let daemon = remote.anonymous("http://127.0.0.1:8080")?;
    // The client's own timeout is long enough to plan the largest tree. A container would be killed
    // long before.
    let asked = tokio::time::timeout(HEALTH_TIMEOUT, daemon.get::<Value>("healthz")).await;
    let late = || {
        format!(
            "no answer from the daemon within {} s",
            HEALTH_TIMEOUT.as_secs()
        )
    };
    let health = asked.map_err(|_| CommandFailure::error(late()))??;
    let mut out = output::stdout();
    if !list_output::write_one(global, &health, &mut out)? {
        let health: HealthReply = daemon.read(health)?;
        writeln!(out, "{}", health.status)?;
    }
    out.flush()?;
    Ok(0)
}

/// Prints one source: its state, then its holds and problems.
pub fn print_source(source: &SourceView, out: &mut dyn Write) -> io::Result<()> {
    let state = &source.state;
    let (outcome, revision) = (state_word(source), attempted_revision(source));
    writeln!(
        out,
        "{}  {outcome}  {revision}  {}",
        visible(&source.name),
        visible(&source.from)
    )?;
    writeln!(out, "  {}", visible(&source.why))?;
    if let WorkerActivity::Waiting { next, .. } = &source.activity {
        writeln!(out, "  next pass: {}", moment(*next))?;
    }
    if let Some(ClosedWindow {
        by,
        until: Some(until),
    }) = &source.window
    {
        let until = moment(*until);
        writeln!(out, "  window closed until {until}: {}", visible(by))?;
    }
    if let Some(feed) = &state.feed {
        print_feed(feed, out)?;
    }
    for hold in &state.held {
        let message = visible(&hold.message);
        writeln!(out, "  ! held  {}  {message}", visible(&hold.code))?;
        for command in &hold.commands {
            writeln!(out, "      {}", visible(command))?;
        }
    }
    let diagnostics = state.findings.iter();
    for found in diagnostics.filter(|found| found.severity != Severity::Note.word()) {
        out.write_all(b"  ")?;
        print_diagnostic(found, out)?;
    }
    Ok(())
}

fn print_diagnostic(found: &DiagnosticState, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}[{}]  {}  {}",
        visible(&found.severity),
        visible(&found.code),
        visible(found.place.as_deref().unwrap_or("-")),
        visible(&found.message)
    )
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Prints what is known about an export, and what it no longer contains.
fn print_feed(feed: &FeedState, out: &mut dyn Write) -> io::Result<()> {
    let trailer = feed.trailer;
    let trailer = trailer.map_or(String::new(), |rows| format!(" (trailer: {rows})"));
    let written = feed.written_at;
    let written = written.map_or(String::new(), |at| format!(", written {}", moment(at)));
    let accepted = match feed.accepted_at {
        Some(at) => format!("{} accepted, last {}", feed.accepted, moment(at)),
        None if feed.begun => "none accepted yet".to_owned(),
        None => "awaiting first approval".to_owned(),
    };
    writeln!(
        out,
        "  export: {}, {}{trailer}{written}; {accepted}",
        visible(&feed.name),
        plural(feed.rows, "row")
    )?;
    if let Some(doubt) = &feed.doubt {
        let message = visible(&doubt.message);
        writeln!(out, "  rejected: {message} ({})", visible(&doubt.code))?;
    }
    for missing in &feed.missing {
        let named: Vec<_> = missing.resources.iter().map(|name| visible(name)).collect();
        let of = missing.of.map_or(String::new(), |of| format!(" of {of}"));
        writeln!(
            out,
            "  missing {}{of} times: {} ({})",
            missing.missed,
            named.join(", "),
            missing.count
        )?;
    }
    Ok(())
}

/// The path of a source in the API.
pub fn source_path(source: &str) -> String {
    format!("api/v1/sources/{}", encode_segment(source))
}

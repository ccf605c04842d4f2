//! `roster status`, `suspend`, `resume` and `reconcile`: requests to a running daemon, and its
//! answers as text.

use super::remote::{DaemonClient, RemoteOptions, encode_segment};
use super::{CommandFailure, CommandResult, GlobalOptions, failure, list_output, output};
use crate::diagnostic::{Severity, plural, visible};
use crate::document::{
    ActReason, ClosedWindow, DaemonStatus, DiagnosticState, DoneDocument, FeedState, PassOutcome,
    ReconcileReply, ReconcileRequest, SourceState, SourceView, WorkerActivity,
};
use crate::http::HealthReply;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::Value;
use std::io::{self, Write};
use std::time::Duration;

/// How often `--wait` polls for the end of a pass.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long a health check waits for an answer.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// Options of `roster status`.
#[derive(Debug, Args)]
pub struct StatusOptions {
    /// Show only this source.
    source: Option<String>,
    /// Check only whether the daemon is alive, without a token. For health checks of containers.
    /// Default address: http://127.0.0.1:8080.
    #[arg(long, conflicts_with = "source")]
    health: bool,
    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `roster suspend` and `roster resume`.
#[derive(Debug, Args)]
pub struct SuspendOptions {
    /// The name of the source.
    #[arg(required_unless_present = "all")]
    source: Option<String>,
    /// All sources.
    #[arg(long, conflicts_with = "source")]
    all: bool,
    /// The reason, for the audit log.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `roster reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileOptions {
    /// The name of the source.
    #[arg(required_unless_present = "all")]
    source: Option<String>,
    /// All sources.
    #[arg(long, conflicts_with = "source")]
    all: bool,
    /// Apply outside the configured windows. Needs `--reason`.
    #[arg(long, requires = "reason", conflicts_with = "all")]
    overrule_window: bool,
    /// The reason, for the audit log.
    #[arg(long)]
    reason: Option<String>,
    /// Wait for the pass and show its result. Exit with 1 if it failed, and with 3 if a hold needs
    /// a decision.
    #[arg(long, conflicts_with = "all")]
    wait: bool,
    #[command(flatten)]
    remote: RemoteOptions,
}

/// Shows the state of the sources.
pub async fn status(global: &GlobalOptions, options: &StatusOptions) -> CommandResult {
    if options.health {
        return health(global, &options.remote).await;
    }
    let daemon = options.remote.daemon()?;
    let mut out = output::stdout();
    match &options.source {
        None => {
            let answer: Value = daemon.get("api/v1/status").await?;
            if !list_output::write_one(global, &answer, &mut out)? {
                print_status(&daemon.read(answer)?, &mut out)?;
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
fn print_status(status: &DaemonStatus, out: &mut dyn Write) -> io::Result<()> {
    if let Some(why) = &status.reload_error {
        writeln!(
            out,
            "The configuration could not be reloaded; the previous one is in use: {why}"
        )?;
    }
    let mut sources = status.sources.iter();
    sources.try_for_each(|source| print_source(source, out))?;
    let mut diagnostics = status.diagnostics.iter();
    diagnostics.try_for_each(|found| print_diagnostic(found, out))?;
    if status.notices > 0 {
        let why = status.notice_error.as_deref().unwrap_or("no attempt yet");
        let unsent = plural(status.notices, "unsent notice");
        writeln!(out, "{unsent}: {why}")?;
    }
    Ok(())
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
fn print_source(source: &SourceView, out: &mut dyn Write) -> io::Result<()> {
    let state = &source.state;
    let mark = state.last_attempted.as_ref();
    let revision = visible(mark.map_or("", |mark| &mark.revision));
    let revision = revision.get(..12).unwrap_or(&revision);
    let outcome = match &source.suspended {
        Some(_) => "suspended",
        None => state.outcome.name(),
    };
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

/// Suspends one source or all.
pub async fn suspend(global: &GlobalOptions, options: &SuspendOptions) -> CommandResult {
    send_suspension(global, options, "suspend", "Suspended").await
}

/// Resumes one source, or ends the suspension of all.
pub async fn resume(global: &GlobalOptions, options: &SuspendOptions) -> CommandResult {
    send_suspension(global, options, "resume", "Resumed").await
}

async fn send_suspension(
    global: &GlobalOptions,
    options: &SuspendOptions,
    act: &str,
    done: &str,
) -> CommandResult {
    if options.reason.trim().is_empty() {
        return Err(CommandFailure::usage("`--reason` is empty; say why"));
    }
    let daemon = options.remote.daemon()?;
    let path = path(options.source.as_deref(), act);
    let body = ActReason {
        reason: options.reason.clone(),
    };
    daemon.post::<()>(&path, &body).await?;
    let sources = options.source.as_deref().unwrap_or("every source");
    print_done(global, &format!("{done} {sources}."))
}

/// Requests a pass.
pub async fn reconcile(global: &GlobalOptions, options: &ReconcileOptions) -> CommandResult {
    let daemon = options.remote.daemon()?;
    let path = path(options.source.as_deref(), "reconcile");
    let body = ReconcileRequest {
        reason: options.reason.clone().unwrap_or_default(),
        overrule_window: options.overrule_window,
    };
    // Asked before the request: otherwise a quick pass could end before the first look, and the
    // wait would never end.
    let before = match &options.source {
        Some(source) if options.wait => {
            let view: SourceView = daemon.get(&source_path(source)).await?;
            view.ended
        }
        _ => None,
    };
    let asked: ReconcileReply = daemon.post(&path, &body).await?;
    if let (true, Some(source)) = (options.wait, &options.source) {
        return wait_for_pass(global, &daemon, source, before).await;
    }
    let what = asked.sources.join(", ");
    print_done(
        global,
        &format!("Requested a pass of {what}. See the result with `roster status`."),
    )
}

/// Waits for a pass that ended after `before`, and prints its result.
async fn wait_for_pass(
    global: &GlobalOptions,
    daemon: &DaemonClient,
    source: &str,
    before: Option<DateTime<Utc>>,
) -> CommandResult {
    loop {
        let answer: Value = daemon.get(&source_path(source)).await?;
        let now: SourceView = daemon.read(answer.clone())?;
        let waiting = matches!(now.activity, WorkerActivity::Waiting { .. });
        if !waiting || now.ended == before {
            if now.suspended.is_some() {
                return Err(CommandFailure::error(format!(
                    "no pass of {source}: {}; resume it with `roster resume {source} --reason ..`",
                    now.why
                )));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
            continue;
        }
        let mut out = output::stdout();
        if !list_output::write_one(global, &answer, &mut out)? {
            print_source(&now, &mut out)?;
        }
        out.flush()?;
        return Ok(exit_code(&now.state));
    }
}

fn exit_code(state: &SourceState) -> u8 {
    let failed = matches!(state.outcome, PassOutcome::Failed | PassOutcome::Refused);
    if failed || state.errors > 0 {
        failure::ERROR
    } else if state.waiting().next().is_some() {
        failure::HELD
    } else {
        0
    }
}

fn source_path(source: &str) -> String {
    format!("api/v1/sources/{}", encode_segment(source))
}

fn path(source: Option<&str>, act: &str) -> String {
    match source {
        None => format!("api/v1/{act}"),
        Some(source) => format!("{}/{act}", source_path(source)),
    }
}

fn print_done(global: &GlobalOptions, what: &str) -> CommandResult {
    let mut out = output::stdout();
    if !list_output::write_one(global, &DoneDocument { done: what }, &mut out)? {
        writeln!(out, "{what}")?;
    }
    out.flush()?;
    Ok(0)
}

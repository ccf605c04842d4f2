//! `roster suspend`, `resume` and `reconcile`: requests to a running daemon, and its answers as
//! text.

use super::remote::{DaemonClient, RemoteOptions};
use super::status::{print_source, source_path};
use super::{CommandFailure, CommandResult, GlobalOptions, failure, list_output, output};
use crate::document::{
    ActReason, DoneDocument, PassOutcome, ReconcileReply, ReconcileRequest, SourceState,
    SourceView, WorkerActivity,
};
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// How often `--wait` polls for the end of a pass.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

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
    let daemon = options.remote.daemon(global)?;
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
    let daemon = options.remote.daemon(global)?;
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

//! `roster status`, `suspend`, `resume` and `reconcile`: requests to a running daemon, and its
//! answers as text.

use super::remote::{DaemonClient, RemoteOptions, encode_segment};
use super::{
    CommandFailure, CommandResult, GlobalOptions, OutputFormat, failure, list_output, output,
};
use crate::diagnostic::{plural, visible};
use clap::Args;
use serde_json::{Value, json};
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
    let status = match &options.source {
        None => daemon.get("api/v1/status").await?,
        Some(source) => {
            daemon
                .get(&format!("api/v1/sources/{}", encode_segment(source)))
                .await?
        }
    };
    let mut out = output::stdout();
    if !list_output::write_one(global, &status, &mut out)? {
        if let Some(why) = status["reloadError"].as_str() {
            writeln!(
                out,
                "The configuration could not be reloaded; the previous one is in use: {why}"
            )?;
        }
        match status["sources"].as_array() {
            Some(sources) => sources
                .iter()
                .try_for_each(|source| print_source(source, &mut out))?,
            None => print_source(&status, &mut out)?,
        }
        if let Some(waiting) = status["notices"].as_u64().filter(|waiting| *waiting > 0) {
            let why = status["noticeError"].as_str().unwrap_or("no attempt yet");
            writeln!(out, "{waiting} unsent notices: {why}")?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// Checks whether the daemon is alive.
async fn health(global: &GlobalOptions, remote: &RemoteOptions) -> CommandResult {
    // Without a token: a container's health check should not need one.
    let daemon = remote.anonymous("http://127.0.0.1:8080")?;
    let asked = tokio::time::timeout(HEALTH_TIMEOUT, daemon.get("healthz")).await;
    // {||The client's own timeout is for planning the largest tree; a container would be killed
    // long before.
    let late = || {
        format!(
            "no answer from the daemon within {} s",
            HEALTH_TIMEOUT.as_secs()
        )
    };
    let health = asked.map_err(|_| CommandFailure::error(late()))??;
    let mut out = output::stdout();
    if !list_output::write_one(global, &health, &mut out)? {
        writeln!(out, "{}", health["status"].as_str().unwrap_or_default())?;
    }
    out.flush()?;
    Ok(0)
}

/// Prints one source: its state, then its holds and problems.
fn print_source(source: &Value, out: &mut dyn Write) -> io::Result<()> {
    let state = &source["state"];
    // Texts from the daemon quote files and other programs, so control characters are made visible.
    let word = |value: &Value| visible(value.as_str().unwrap_or_default()).into_owned();
    let revision = word(&state["lastAttempted"]["revision"]);
    let revision = revision.get(..12).unwrap_or(&revision);
    let outcome = if source["suspended"].is_object() {
        "suspended".to_owned()
    } else {
        word(&state["outcome"])
    };
    writeln!(
        out,
        "{}  {outcome}  {revision}  {}",
        word(&source["name"]),
        word(&source["from"])
    )?;
    writeln!(out, "  {}", word(&source["why"]))?;
    if let Some(next) = source["activity"]["next"].as_str() {
        writeln!(out, "  next pass: {next}")?;
    }
    if let Some(until) = source["window"]["until"].as_str() {
        writeln!(
            out,
            "  window closed until {until}: {}",
            word(&source["window"]["by"])
        )?;
    }
    feed(&state["feed"], out)?;
    for hold in state["held"].as_array().into_iter().flatten() {
        writeln!(
            out,
            "  ! held  {}  {}",
            word(&hold["code"]),
            word(&hold["message"])
        )?;
        for command in hold["commands"].as_array().into_iter().flatten() {
            writeln!(out, "      {}", word(command))?;
        }
    }
    let findings = state["findings"].as_array().into_iter().flatten();
    for found in findings.filter(|found| found["severity"] != "note") {
        let place = visible(found["place"].as_str().unwrap_or("-"));
        writeln!(
            out,
            "  {}[{}]  {place}  {}",
            word(&found["severity"]),
            word(&found["code"]),
            word(&found["message"])
        )?;
    }
    Ok(())
}

/// Prints what is known about an export, and what it no longer contains.
fn feed(feed: &Value, out: &mut dyn Write) -> io::Result<()> {
    if feed.is_null() {
        return Ok(());
    }
    let word = |value: &Value| visible(value.as_str().unwrap_or_default()).into_owned();
    let trailer = feed["trailer"].as_u64();
    let trailer = trailer.map_or(String::new(), |rows| format!(" (trailer: {rows})"));
    let written = feed["writtenAt"].as_str();
    let written = written.map_or(String::new(), |at| format!(", written {at}"));
    let accepted = match (feed["acceptedAt"].as_str(), feed["begun"].as_bool()) {
        (Some(at), _) => format!("{} accepted, last {at}", feed["accepted"]),
        (None, Some(true)) => "none accepted yet".to_owned(),
        (None, _) => "awaiting first approval".to_owned(),
    };
    writeln!(
        out,
        "  export: {}, {}{trailer}{written}; {accepted}",
        word(&feed["name"]),
        plural(&feed["rows"], "row")
    )?;
    if feed["doubt"].is_object() {
        let doubt = &feed["doubt"];
        writeln!(
            out,
            "  incomplete: {} ({})",
            word(&doubt["message"]),
            word(&doubt["code"])
        )?;
    }
    for missing in feed["missing"].as_array().into_iter().flatten() {
        let named: Vec<String> = missing["resources"]
            .as_array()
            .into_iter()
            .flatten()
            .map(word)
            .collect();
        let of = missing["of"].as_u64();
        let of = of.map_or(String::new(), |of| format!(" of {of}"));
        writeln!(
            out,
            "  missing {}{of} times: {} ({})",
            missing["missed"],
            named.join(", "),
            missing["count"]
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
    daemon
        .post(&path, &json!({"reason": options.reason}))
        .await?;
    print_done(
        global,
        &format!(
            "{done} {}.",
            options.source.as_deref().unwrap_or("every source")
        ),
    );
    Ok(0)
}

/// Requests a pass.
pub async fn reconcile(global: &GlobalOptions, options: &ReconcileOptions) -> CommandResult {
    let daemon = options.remote.daemon()?;
    let path = path(options.source.as_deref(), "reconcile");
    let body = match &options.source {
        None => json!({}),
        Some(_) => json!({
            "reason": options.reason.as_deref().unwrap_or_default(),
            "overruleWindow": options.overrule_window,
        }),
    };
    // Asked before the request: otherwise a quick pass could end before the first look, and the
    // wait would go on for ever.
    let before = match &options.source {
        Some(source) if options.wait => last_pass_end(&daemon.get(&source_path(source)).await?),
        _ => None,
    };
    let asked = daemon.post(&path, &body).await?;
    if let (true, Some(source)) = (options.wait, &options.source) {
        return wait_for_pass(global, &daemon, source, before).await;
    }
    let sources = asked["sources"].as_array().into_iter().flatten();
    let sources: Vec<&str> = sources.filter_map(Value::as_str).collect();
    let what = sources.join(", ");
    print_done(
        global,
        &format!("Requested a pass of {what}. See the result with `roster status`."),
    );
    Ok(0)
}

/// When the last pass of a source ended, according to its status.
fn last_pass_end(source: &Value) -> Option<String> {
    source["ended"].as_str().map(str::to_owned)
}

/// Waits for a pass that ended after `before`, and prints its result.
async fn wait_for_pass(
    global: &GlobalOptions,
    daemon: &DaemonClient,
    source: &str,
    before: Option<String>,
) -> CommandResult {
    loop {
        let now = daemon.get(&source_path(source)).await?;
        let done = now["activity"]["now"] == "waiting" && last_pass_end(&now) != before;
        if !done {
            // A suspended source will not run the requested pass.
            if now["suspended"].is_object() {
                let why = now["why"].as_str().unwrap_or("suspended");
                return Err(CommandFailure::error(format!(
                    "no pass of {source}: {why}; resume it with `roster resume {source} --reason ..`"
                )));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
            continue;
        }
        let mut out = output::stdout();
        if !list_output::write_one(global, &now, &mut out)? {
            print_source(&now, &mut out)?;
        }
        out.flush()?;
        return Ok(exit_code(&now["state"]));
    }
}

fn exit_code(state: &Value) -> u8 {
    // The same codes as those of `roster apply`, so that a script can use either.
    let failed = matches!(state["outcome"].as_str(), Some("failed" | "refused"));
    let mut held = state["held"].as_array().into_iter().flatten();
    if failed || state["errors"].as_u64().is_some_and(|errors| errors > 0) {
        failure::ERROR
    } else if held.any(|hold| hold["hold"].is_string() && hold["standing"] == false) {
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

fn print_done(global: &GlobalOptions, what: &str) {
    if global.output == OutputFormat::Json {
        anstream::println!("{}", json!({"done": what}));
    } else {
        anstream::println!("{what}");
    }
}

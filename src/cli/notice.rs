//! `roster notice test`: sends a test notice to the configured targets.

use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::config::NoticeTarget;
use crate::daemon::notice::{DeliveryError, Notice, NoticeSender};
use crate::diagnostic::none_called;
use crate::document::TestNoticeDocument;
use chrono::Utc;
use clap::{Args, Subcommand};

/// Options of `roster notice`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: NoticeCommand,
}

#[derive(Debug, Subcommand)]
enum NoticeCommand {
    /// Send a test notice to every target, and print the result.
    Test {
        /// Send only to the target with this name.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

type DeliveryResults = Vec<(NoticeTarget, Result<(), DeliveryError>)>;

/// Sends a notice to every target; exits with 1 if one did not arrive.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let NoticeCommand::Test { name } = &options.what;
    let config = session::config(global, None)?;
    let all = config.notices.resolve();
    let targets = select_targets(all.map_err(CommandFailure::error)?, name.as_deref())?;
    let sender = NoticeSender::new();
    let mut results = DeliveryResults::new();
    for target in targets {
        let now = Utc::now();
        let notice = Notice::test(config.environment.as_deref(), now);
        let delivery = notice.delivery(&target);
        let result = sender.send(&target, &notice, &delivery, now).await;
        results.push((target, result));
    }
    let documents = results
        .iter()
        .map(|(target, result)| document(target, result));
    if !list_output::write(global, documents, &mut output::stdout())? {
        print(&results);
    }
    // Every target is tried, so that one run shows all that is wrong.
    Ok(u8::from(results.iter().any(|(_, result)| result.is_err())))
}

fn select_targets(
    all: Vec<NoticeTarget>,
    name: Option<&str>,
) -> Result<Vec<NoticeTarget>, CommandFailure> {
    if all.is_empty() {
        return Err(CommandFailure::error(
            "no notices are configured; add `serve.notices` to roster.yaml",
        ));
    }
    let Some(name) = name else { return Ok(all) };
    let names: Vec<String> = all.iter().map(|target| target.name.clone()).collect();
    let found: Vec<NoticeTarget> = all
        .into_iter()
        .filter(|target| target.name == name)
        .collect();
    if found.is_empty() {
        let names = names.iter().map(String::as_str);
        return Err(CommandFailure::usage(none_called("notice", name, names)));
    }
    Ok(found)
}

fn print(results: &DeliveryResults) {
    let width = results
        .iter()
        .map(|(target, _)| target.name.chars().count());
    let width = width.max().unwrap_or_default();
    for (target, result) in results {
        let name = &target.name;
        match result {
            Ok(()) => anstream::println!("{name:width$}  sent    {}", target.display_address()),
            Err(error) => anstream::println!("{name:width$}  failed  {error}"),
        }
    }
}

fn document<'t>(
    target: &'t NoticeTarget,
    result: &Result<(), DeliveryError>,
) -> TestNoticeDocument<'t> {
    TestNoticeDocument {
        name: &target.name,
        to: target.display_address(),
        sent: result.is_ok(),
        error: result.as_ref().err().map(ToString::to_string),
    }
}

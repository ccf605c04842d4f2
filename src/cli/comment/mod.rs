//! `roster comment`: one comment of each plan on a pull request. The hidden first line of the
//! Markdown names source and environment; the comment that begins with it is replaced.
//!
//! `platform` is the table of platforms, `setup` finds out where to comment, `api` sends requests
//! and waits for rate limits, `upsert` finds the comment and writes it.

mod api;
mod platform;
mod refusal;
mod setup;
mod upsert;

use super::output::DisplayOptions;
use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session, show};
use crate::document::{self, CommentDocument, OutputFormat};
use crate::plan::render::marker::{self, MARKER_START};
use crate::plan::render::{PersonalData, PlanDetail, RenderOptions};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use upsert::WrittenComment;

/// Options of `roster comment`.
#[derive(Debug, Args)]
pub struct Options {
    /// A plan saved by `roster plan --out`, or written by `--output json=FILE` or
    /// `--output markdown=FILE`.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// The number of the pull request or merge request. Default: that of the CI job.
    #[arg(long = "pr", visible_alias = "mr", value_name = "N")]
    number: Option<u64>,
    /// The platform. Default: the one whose CI runs this.
    #[arg(long, value_parser = ["github", "gitlab", "gitea"])]
    provider: Option<String>,
    /// The URL of its API. Default: GITHUB_API_URL, CI_API_V4_URL or GITEA_API_URL.
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// The repository: `owner/name`, or the id of a GitLab project. Default: that of the CI job.
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// The file that holds the token. Default: GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust in addition to those of the system.
    #[arg(long, value_name = "FILE", env = "ROSTER_CA")]
    ca: Option<PathBuf>,
    /// How long to wait for rate limits and for a server that does not answer.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = crate::config::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    shown: DisplayOptions,
}

/// Creates or replaces the comment of each plan.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    // Before anything is read: a missing setting is the most likely mistake.
    let place = setup::find(options)?;
    let markdown = markdown(global, options).await?;
    let comments = marker::split_comments(&markdown);
    if comments.is_empty() {
        return Err(CommandFailure::usage(format!(
            "{}: no plan in it; write it with `roster plan --output markdown=FILE`",
            options.plan.display()
        )));
    }
    let client = api::PlatformClient::new(place, options.ca.as_deref(), options.timeout)?;
    let mut written = Vec::new();
    for (marker, body) in comments {
        written.push(upsert::upsert(&client, marker, body).await?);
    }
    print(global, &written)?;
    Ok(0)
}

/// The comments: written already, or made of a saved plan.
async fn markdown(global: &GlobalOptions, options: &Options) -> Result<String, CommandFailure> {
    let text = show::read_text(&options.plan)?;
    if text.starts_with(MARKER_START) {
        return Ok(text);
    }
    let (plan, _) = show::parse(&text, &options.plan)?;
    let personal = if options.shown.show_personal {
        PersonalData::Shown
    } else {
        PersonalData::Masked(session::pseudonym_key_of(global, &plan).await)
    };
    let render = RenderOptions {
        detail: PlanDetail::from(options.shown.detail),
        max_bytes: options.shown.max_bytes,
        personal,
        ..RenderOptions::default()
    };
    let mut out = Vec::new();
    document::render(&plan, OutputFormat::Markdown, &render, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn print(global: &GlobalOptions, written: &[WrittenComment]) -> Result<(), CommandFailure> {
    let mut out = output::stdout();
    let documents = written.iter().map(|comment| CommentDocument {
        outcome: comment.outcome.word(),
        id: comment.id,
        url: comment.url.as_deref(),
    });
    if !list_output::write(global, documents, &mut out)? {
        for comment in written {
            let place = match &comment.url {
                Some(url) => url.clone(),
                None => comment.id.to_string(),
            };
            writeln!(out, "{} the comment {place}", comment.outcome.sentence())?;
        }
    }
    Ok(out.flush()?)
}

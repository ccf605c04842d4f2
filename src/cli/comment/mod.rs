//! `roster comment`: one comment of each plan on a pull request. The hidden first line of the
//! Markdown names source and environment; the comment that begins with it is replaced.
//!
//! `platform` is the table of platforms, `setup` finds out where to comment, `api` sends requests
//! and waits for rate limits, `upsert` finds the comment and writes it.

mod api;
mod options;
mod platform;
mod refusal;
mod setup;
mod upsert;

pub use options::Options;

use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session, show};
use crate::document::{self, CommentDocument, OutputFormat};
use crate::plan::render::marker::{self, MARKER_START};
use crate::plan::render::{NextStep, PersonalData, PlanDetail, RenderOptions};
use std::io::Write;
use upsert::WrittenComment;

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
        next: NextStep::Merge,
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

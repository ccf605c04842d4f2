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
use crate::cli::output::DetailArg;
use crate::document::{self, CommentDocument, OutputFormat, ShownPlan};
use crate::plan::Plan;
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

/// The comments: written already, or made of saved plans.
async fn markdown(global: &GlobalOptions, options: &Options) -> Result<String, CommandFailure> {
    let text = show::read_text(&options.plan)?;
    if text.starts_with(MARKER_START) {
        refuse_display_options(options)?;
        return Ok(text);
    }
    let plans = show::parse(&text, &options.plan)?;
    let plans: Vec<&Plan> = plans.iter().map(|(plan, _)| plan).collect();
    let personal = if options.shown.show_personal {
        PersonalData::Shown
    } else {
        PersonalData::Masked(session::pseudonym_key_of(global, &plans).await)
    };
    let render = RenderOptions {
        detail: PlanDetail::from(options.shown.detail),
        max_bytes: options.shown.max_bytes,
        personal,
        next: NextStep::Merge,
        ..RenderOptions::default()
    };
    let options = &render;
    let shown: Vec<_> = plans
        .into_iter()
        .map(|plan| ShownPlan { plan, options })
        .collect();
    let mut out = Vec::new();
    document::render_all(&shown, OutputFormat::Markdown, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Markdown is posted as it is, so what would change how a plan is shown has no effect on it.
fn refuse_display_options(options: &Options) -> Result<(), CommandFailure> {
    let shown = &options.shown;
    let given = [
        ("--max-bytes", shown.max_bytes.is_some()),
        ("--show-personal", shown.show_personal),
        ("--detail", shown.detail != DetailArg::Changes),
    ];
    let mut given = given.iter().filter(|(_, is_given)| *is_given);
    match given.next() {
        None => Ok(()),
        Some((option, _)) => Err(CommandFailure::usage(format!(
            "`{option}` has no effect on {}, which is Markdown already; pass it to the `roster plan --output markdown=FILE` that writes it",
            options.plan.display()
        ))),
    }
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

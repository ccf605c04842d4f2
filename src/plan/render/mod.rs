//! How a plan reads: for people, for programs, for pull requests. Pure: the words go to the writer
//! that the caller gives.

mod access;
mod decode;
mod delta;
mod encode;
pub mod github;
mod groups;
pub mod holds;
pub mod json;
mod json_frame;
mod json_lines;
pub mod markdown;
mod notes;
mod saved_plan;
pub mod text;
mod wording;

pub use saved_plan::{SavedPlanError, parse};

use crate::plan::Plan;
use std::io::{self, Write};

/// In which form a plan is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PlanFormat {
    /// For a terminal.
    #[default]
    Text,
    /// One document, which is also the saved plan.
    Json,
    /// A document a line.
    Ndjson,
    /// A comment on a pull request.
    Markdown,
    /// Annotations of a workflow run.
    Github,
}

impl PlanFormat {
    /// All formats, each with its word.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Text, "text"),
        (Self::Json, "json"),
        (Self::Ndjson, "ndjson"),
        (Self::Markdown, "markdown"),
        (Self::Github, "github"),
    ];
}

/// How much of a plan is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum PlanDetail {
    /// How many of each kind, and what is held.
    Summary,
    /// What changes; of what is created only the ids.
    #[default]
    Changes,
    /// Everything.
    Full,
}

/// How a plan is shown.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// How much of it.
    pub detail: PlanDetail,
    /// Whether text has colours.
    pub color: bool,
    /// Markdown: at most so many bytes.
    pub max_bytes: Option<usize>,
    /// GitHub: the folder of the source within the repository, before the paths of findings.
    pub root: String,
}

/// Writes a plan.
pub fn render(
    plan: &Plan,
    format: PlanFormat,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let out = &mut io::BufWriter::new(out);
    match format {
        PlanFormat::Text => text::write(plan, options, out),
        PlanFormat::Json => json::write(plan, out),
        PlanFormat::Ndjson => json_lines::write_lines(plan, out),
        PlanFormat::Markdown => markdown::write(plan, options, out),
        PlanFormat::Github => github::write(plan, options, out),
    }?;
    out.flush()
}

#[cfg(test)]
// The sides of a change are optional, and so is what makes them.
#[allow(clippy::unnecessary_wraps)]
mod samples;

//! Writes a plan in any of its formats.

use super::{write_lines, write_plan};
use crate::plan::Plan;
use crate::plan::render::{RenderOptions, github, markdown, text};
use std::io::{self, Write};

/// A format of a plan.
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
        PlanFormat::Json => write_plan(plan, out),
        PlanFormat::Ndjson => write_lines(plan, out),
        PlanFormat::Markdown => markdown::write(plan, options, out),
        PlanFormat::Github => github::write(plan, options, out),
    }?;
    out.flush()
}

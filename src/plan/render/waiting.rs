//! What waits at the base of a plan already, after what the plan adds. It is counted in text and folded
//! in Markdown, because whoever reviews a branch decides about the branch.

use super::markdown;
use super::markdown_writer::{BlockTopic, MarkdownWriter};
use super::text::{self, TextWriter};
use super::wording::{BOLD, plural, title};
use super::{PlanDetail, RenderOptions, diff};
use crate::diagnostic::Severity;
use crate::kinds;
use crate::model::{Key, SHORT_REVISION};
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The base, without anything that a platform could read as markup.
fn base(plan: &Plan) -> String {
    let revision = plan.base.as_ref().map_or("", |base| &base.revision);
    let plain = revision.chars().filter(char::is_ascii_alphanumeric);
    plain.take(SHORT_REVISION).collect()
}

/// Writes the counts of what waits; with full detail, all of it.
pub(super) fn write_text(
    waiting: &Plan,
    plan: &Plan,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let text = TextWriter::new(waiting, options);
    let heading = format!("Waits at {} already", base(plan));
    writeln!(out, "{}", text.wording.paint(BOLD, heading))?;
    if options.detail == PlanDetail::Full {
        for kind in kinds::ALL {
            text.kind(kind, out)?;
        }
        text.holds(out)?;
        return write_found(waiting, out);
    }
    for kind in kinds::ALL {
        let mut counts = text::counts(waiting, kind);
        let held = waiting.held.iter().map(|held| &held.key);
        let held: BTreeSet<&Key> = held.filter(|key| key.kind == kind.id).collect();
        if !held.is_empty() {
            counts.push(format!("{} held", held.len()));
        }
        if !counts.is_empty() {
            writeln!(out, "  {}: {}", title(kind), counts.join(", "))?;
        }
    }
    write_found(waiting, out)?;
    writeln!(out)
}

/// Writes how many warnings and notes the base has already.
fn write_found(waiting: &Plan, out: &mut dyn Write) -> io::Result<()> {
    match found(waiting) {
        counts if counts.is_empty() => Ok(()),
        counts => writeln!(out, "  Found: {}", counts.join(", ")),
    }
}

/// How many warnings and notes the base has already.
fn found(waiting: &Plan) -> Vec<String> {
    let counts = [Severity::Warning, Severity::Note].map(|of| (waiting.count(of), of));
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, of)| plural(count, of.word())).collect()
}

/// Writes what waits as one folded `diff` block, and what is found there as one more fold.
pub(super) fn write_markdown(
    waiting: &Plan,
    plan: &Plan,
    options: &RenderOptions,
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    let counts = markdown::sentence(waiting);
    let counts = counts.trim_start_matches("Plan: ").trim_end_matches('.');
    let opening = format!(
        "<details><summary>Waits at {} already: {counts}</summary>\n\n```diff\n",
        base(plan)
    );
    page.begin(opening, "```\n\n</details>\n\n");
    let writer = TextWriter::new(waiting, options);
    for kind in kinds::ALL {
        writer.entries(kind, &mut |entry| {
            let many = entry.count();
            page.block(
                (BlockTopic::Waiting, many),
                &diff::entry(&writer, kind, &entry),
            )
        })?;
    }
    for held in &waiting.held {
        let lines = diff::held(held, writer.wording);
        page.block((BlockTopic::Waiting, 1), &format!("# held:\n{lines}"))?;
    }
    page.end_section()?;
    // Notes are in no comment.
    let warnings = plural(waiting.count(Severity::Warning), Severity::Warning.word());
    let opening = format!(
        "<details><summary>Found at {} already: {warnings}</summary>\n\n",
        base(plan)
    );
    page.begin(opening, "\n</details>\n\n");
    let items = markdown::diagnostic_items(&[(&waiting.diagnostics[..], options)]);
    items
        .iter()
        .try_for_each(|(topic, item)| page.block(*topic, item))?;
    page.end_section()
}

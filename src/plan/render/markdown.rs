//! The plan as a comment on a pull request: risks first, everything else folded.
//!
//! Start with [`write()`]. Platforms limit the size of a comment, so the text is written in blocks,
//! and `MarkdownWriter` leaves out those that do not fit. No value is ever read as Markdown or
//! HTML: values are in code spans with longer fences than any run of backticks in them, or in code
//! blocks whose lines start with words of ours.

use super::code_span::code;
use super::effects::EffectLine;
use super::holds::holds;
use super::markdown_items::hold_item;
use super::markdown_risks::{EFFECT_BYTES, RiskList};
use super::markdown_writer::{BlockTopic, MarkdownWriter};
use super::text::{self, TextWriter};
use super::wording::{joined, plural, thousands, title};
use super::{
    NextStep, PersonalData, PlanDetail, RenderOptions, accounts, diff, effects, marker, waiting,
};
use crate::diagnostic::{Diagnostic, Severity, cap, group};
use crate::kinds::{self, Kind};
use crate::plan::{HoldEntry, Plan, PlanPreview, StepVerb};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The most bytes without another limit: what GitHub takes as a comment, which is the least of all
/// platforms.
const MAX_BYTES: usize = 65_536;

/// The number of errors and warnings that are not folded.
const UNFOLDED: usize = 10;

/// The share of what is left of a comment that lines about effects may take, the most dangerous first.
const EFFECT_SHARE: usize = 4;

/// Writes a plan as Markdown, with at most `max_bytes` of the options. Blocks that do not fit are
/// left out, and the last line names them. The first lines are always written.
pub fn write(plan: &Plan, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    let options = &RenderOptions {
        color: false,
        ..options.clone()
    };
    let mut page = MarkdownWriter::new(out, options.max_bytes.unwrap_or(MAX_BYTES));
    // What a branch adds comes first, because that is what a reviewer decides about.
    let parts = plan.parts();
    if let Some(parts) = &parts {
        write_own(&parts.own, options, &mut page)?;
        waiting::write_markdown(&parts.waiting, plan, options, &mut page)?;
        notes(&parts.own, options, &mut page)?;
    } else {
        write_own(plan, options, &mut page)?;
        notes(plan, options, &mut page)?;
    }
    page.end()
}

/// Writes everything but the notes.
fn write_own(
    plan: &Plan,
    options: &RenderOptions,
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    // The order decides what is left out: whatever comes late may not fit. A reviewer needs the
    // risks and the errors, and can see the single changes in the diff of the pull request.
    let head = head(plan);
    page.write_always(&head)?;
    let risks = RiskList::of(plan, options);
    let fit = risks.fit(head.len());
    if fit {
        risks.write(page)?;
    } else {
        risks.write_short(head.len(), page)?;
    }
    if let Some(next) = next_step(plan, options) {
        page.write_always(&format!("{next}\n\n"))?;
    }
    let lines = effects::lines(&plan.effects, text::NAMED, &plan.visibility);
    let is_short = lines.len() <= UNFOLDED;
    if is_short {
        effect_table(&lines, page)?;
    }
    page.block((BlockTopic::Table, 1), &table(plan))?;
    write_diagnostics(&[(&plan.diagnostics[..], options)], page)?;
    // Before every long list, or these would leave no room for what to decide, and how.
    if !fit {
        risks.write_folded(page)?;
    }
    standing_holds(plan, options, page)?;
    accounts::write(plan, page)?;
    if !is_short {
        effect_table(&lines, page)?;
    }
    held_changes(plan, options, page)?;
    if options.detail != PlanDetail::Summary {
        for kind in kinds::ALL {
            folded(plan, kind, options, page)?;
        }
    }
    Ok(())
}

/// Writes what a validation found, by source.
pub fn write_validation(
    sentence: &str,
    found: &[(&[Diagnostic], &RenderOptions)],
    out: &mut dyn Write,
) -> io::Result<()> {
    let limit = found.iter().find_map(|(_, options)| options.max_bytes);
    let mut page = MarkdownWriter::new(out, limit.unwrap_or(MAX_BYTES));
    page.write_always(&format!("### {sentence}\n\n"))?;
    write_diagnostics(found, &mut page)?;
    page.end()
}

fn head(plan: &Plan) -> String {
    let mut head = format!("{}\n### {}\n\n", marker::of(plan), sentence(plan));
    let alone = effects::left_alone(plan);
    let said = effects::short_sentence(&plan.effects, alone, code, EFFECT_BYTES);
    if let Some(sentence) = said {
        let _ = write!(head, "{sentence}\n\n");
    }
    let _ = write!(head, "Source {}", code(&plan.source.name));
    if !plan.source.revision.is_empty() {
        let _ = write!(head, " at {}", code(&text::short(&plan.source.revision)));
    }
    if let Some(environment) = &plan.environment {
        let _ = write!(head, ", environment {}", code(environment));
    }
    if let Some(base) = &plan.base {
        let _ = write!(
            head,
            ", compared with {}",
            code(&text::short(&base.revision))
        );
    }
    head.push_str("\n\n");
    head
}

/// Returns the last line of the text without the counts that are zero.
pub fn sentence(plan: &Plan) -> String {
    if plan.errored || plan.steps.is_empty() && plan.held.is_empty() {
        return text::last_line(plan);
    }
    let counts = plan.summary.entries().into_iter();
    let counts = counts.take_while(|(name, _)| *name != "unchanged");
    let counts = counts.filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(name, count)| match name {
            "held" => format!("{} held", thousands(count)),
            verb => format!("{} to {verb}", thousands(count)),
        })
        .collect();
    format!("Plan: {}.", counts.join(", "))
}

/// Says what to do next.
pub fn next_step(plan: &Plan, options: &RenderOptions) -> Option<String> {
    let is_merge = match plan.preview {
        Some(PlanPreview::AsOf | PlanPreview::Comparison) => return None,
        Some(PlanPreview::Revision | PlanPreview::SentFiles) => true,
        None => matches!(options.next, NextStep::Merge),
    };
    if matches!(options.next, NextStep::Omitted) {
        return None;
    }
    let apply = || code(&apply_command(plan, options));
    let decides = plan.held.iter().any(HoldEntry::is_approvable);
    let next = match (plan.exit_code(false), plan.steps.is_empty()) {
        (1, true) => "fix the errors, then plan again.".to_owned(),
        (1, false) if is_merge => "fix the errors. Merging applies the rest.".to_owned(),
        (1, false) => format!("fix the errors. Apply the rest with {}.", apply()),
        (_, true) if decides && is_merge => {
            "merge it. What is held then waits for a decision.".to_owned()
        }
        (_, true) if decides => "approve or reject what is held.".to_owned(),
        (_, true) => return None,
        (_, false) if decides && is_merge => {
            "merge to apply it. What is held then waits for a decision.".to_owned()
        }
        (_, false) if decides => format!(
            "approve or reject what is held. Apply the rest with {}.",
            apply()
        ),
        (_, false) if is_merge => "merge to apply it.".to_owned(),
        (_, false) => format!("apply with {}.", apply()),
    };
    Some(format!("**Next:** {next}"))
}

fn apply_command(plan: &Plan, options: &RenderOptions) -> String {
    if let NextStep::Command(command) = &options.next {
        return command.clone();
    }
    let mut command = format!("roster apply --source {}", plan.source.name);
    if let Some(environment) = &plan.environment {
        let _ = write!(command, " --environment {environment}");
    }
    command
}

const COLUMNS: [StepVerb; 6] = [
    StepVerb::Create,
    StepVerb::Update,
    StepVerb::Adopt,
    StepVerb::Deactivate,
    StepVerb::Reactivate,
    StepVerb::Delete,
];

/// Returns the table of counts, with a row for each kind and a column for each verb that the plan
/// has.
fn table(plan: &Plan) -> String {
    let names = COLUMNS.into_iter().map(StepVerb::word).chain(["held"]);
    let rows: Vec<(String, Vec<usize>)> = kinds::ALL
        .iter()
        .map(|kind| (title(kind), counts(plan, kind)))
        .collect();
    let columns: Vec<(usize, &str)> = names
        .enumerate()
        .filter(|(at, _)| rows.iter().any(|(_, counts)| counts[*at] > 0))
        .collect();
    if columns.is_empty() {
        return String::new();
    }
    let mut table = String::from("| |");
    for (_, name) in &columns {
        let _ = write!(table, " {name} |");
    }
    let _ = writeln!(table, "\n| --- |{}", " ---: |".repeat(columns.len()));
    for (kind, counts) in rows
        .iter()
        .filter(|(_, counts)| counts.iter().any(|count| *count > 0))
    {
        let _ = write!(table, "| {kind} |");
        for (at, _) in &columns {
            let count = Some(counts[*at]).filter(|count| *count > 0);
            let _ = write!(table, " {} |", count.map(thousands).unwrap_or_default());
        }
        table.push('\n');
    }
    table.push('\n');
    table
}

/// Returns how many resources of a kind each verb concerns, and how many are held.
fn counts(plan: &Plan, kind: &Kind) -> Vec<usize> {
    let of = |verb| {
        let steps = plan.steps.iter();
        let steps = steps.filter(|step| step.key.kind == kind.id && step.verb == verb);
        steps.count()
    };
    let held = plan.held.iter().map(|held| &held.key);
    // Several fields of one resource may be held: it counts once.
    let held: BTreeSet<_> = held.filter(|key| key.kind == kind.id).collect();
    COLUMNS.into_iter().map(of).chain([held.len()]).collect()
}

/// Writes who gains or loses what, and because of which resources.
fn effect_table(lines: &[EffectLine], page: &mut MarkdownWriter<'_>) -> io::Result<()> {
    // Mostly everybody is the cause of what happens to them.
    let has_causes = lines.iter().any(|line| line.causes > 0);
    let header = if has_causes {
        "| Who | Effect | Because of |\n| --- | --- | --- |\n"
    } else {
        "| Who | Effect |\n| --- | --- |\n"
    };
    if lines.len() <= UNFOLDED {
        page.begin(header, "\n");
    } else {
        let count = plural(lines.len(), "effect");
        let opening = format!("<details><summary>{count}</summary>\n\n{header}");
        page.begin(opening, "\n</details>\n\n");
    }
    let least = match lines.len() {
        ..=UNFOLDED => 0,
        _ => page.room() - page.room() / EFFECT_SHARE,
    };
    for line in lines {
        if page.room() < least {
            page.leave_out((BlockTopic::Effect, line.count));
            continue;
        }
        // A bar would end the cell, in a code span too.
        let cell = |text: &str| code(text).replace('|', "\\|");
        let spans = |texts: &[String], count: usize| {
            let spans: Vec<String> = texts.iter().map(|text| cell(text)).collect();
            joined(&spans, count)
        };
        let who = match &line.names[..] {
            [] => cell(&line.who),
            names => format!("{}: {}", line.who, spans(names, line.count)),
        };
        let mut row = format!("| {who} | {} |", cell(&line.what));
        if has_causes {
            let _ = write!(row, " {} |", spans(&line.because, line.causes));
        }
        row.push('\n');
        page.block((BlockTopic::Effect, line.count), &row)?;
    }
    page.end_section()
}

/// The errors and warnings, equal ones grouped, each with its topic and count.
pub(super) fn diagnostic_items(
    found: &[(&[Diagnostic], &RenderOptions)],
) -> Vec<((BlockTopic, usize), String)> {
    let mut items = Vec::new();
    for (severity, what) in [
        (Severity::Error, BlockTopic::Error),
        (Severity::Warning, BlockTopic::Warning),
    ] {
        for (found, options) in found {
            // A file with many findings of one rule would hide those of all others.
            let grouped = group(found.iter().filter(|found| found.severity == severity));
            let (shown, omitted) = cap(grouped, |one| (&*one.found, one.count));
            for one in shown {
                let item = diagnostic_item(&one.found, &options.personal);
                items.push(((what, one.count), item));
            }
            for more in omitted {
                let item = format!("- {}\n", code(&more.to_string()));
                items.push(((what, more.count), item));
            }
        }
    }
    items
}

fn write_diagnostics(
    found: &[(&[Diagnostic], &RenderOptions)],
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    let mut items = diagnostic_items(found);
    let folded = items.split_off(items.len().min(UNFOLDED));
    page.begin("#### Errors and warnings\n\n", "\n");
    items
        .iter()
        .try_for_each(|(what, item)| page.block(*what, item))?;
    page.end_section()?;
    page.begin(
        "<details><summary>More errors and warnings</summary>\n\n",
        "\n</details>\n\n",
    );
    folded
        .iter()
        .try_for_each(|(what, item)| page.block(*what, item))?;
    page.end_section()
}

fn diagnostic_item(found: &Diagnostic, personal: &PersonalData) -> String {
    let mut item = format!("- **{}**", found.severity);
    if let Some(origin) = &found.origin {
        let _ = write!(item, " {}", code(&origin.to_string()));
    }
    let message = code(&personal.message(found, &found.message));
    let _ = write!(item, " ({}): {message}", found.code);
    if let Some(help) = &found.help {
        let _ = write!(item, "\n  - {}", code(&personal.message(found, help)));
    }
    item.push('\n');
    item
}

/// Writes the holds that nobody has to decide about.
fn standing_holds(
    plan: &Plan,
    options: &RenderOptions,
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    page.begin(
        "<details><summary>Held, with nothing to decide</summary>\n\n",
        "\n</details>\n\n",
    );
    for hold in holds(plan).iter().filter(|hold| hold.is_standing()) {
        page.block((BlockTopic::Hold, 1), &hold_item(hold, options))?;
    }
    page.end_section()
}

/// Writes what the held steps would change, which is what an approval is about.
fn held_changes(
    plan: &Plan,
    options: &RenderOptions,
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    let wording = TextWriter::new(plan, options).wording;
    let count = plural(plan.held.len(), "held change");
    let opening = format!("<details><summary>{count}</summary>\n\n```diff\n");
    page.begin(opening, "```\n\n</details>\n\n");
    for hold in holds(plan) {
        for (many, lines) in diff::held_steps(&hold.entries, wording) {
            page.block((BlockTopic::HeldChange, many), &lines)?;
        }
    }
    page.end_section()
}

/// Writes the steps of one kind as a folded `diff` block.
fn folded(
    plan: &Plan,
    kind: &'static Kind,
    options: &RenderOptions,
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    let writer = TextWriter::new(plan, options);
    let counts = text::counts(plan, kind).join(", ");
    let opening = format!(
        "<details><summary>{}: {counts}</summary>\n\n```diff\n",
        title(kind)
    );
    page.begin(opening, "```\n\n</details>\n\n");
    writer.entries(kind, &mut |entry| {
        let many = entry.count();
        page.block(
            (BlockTopic::Change, many),
            &diff::entry(&writer, kind, &entry),
        )
    })?;
    page.end_section()
}

fn notes(plan: &Plan, options: &RenderOptions, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
    let mut notes = Vec::new();
    TextWriter::new(plan, options).notes(&mut notes)?;
    if notes.is_empty() {
        return Ok(());
    }
    let notes = String::from_utf8_lossy(&notes);
    let notes = notes.trim_end();
    let block =
        format!("<details><summary>Notes</summary>\n\n```text\n{notes}\n```\n\n</details>\n\n");
    page.block((BlockTopic::Notes, 1), &block)
}

#[cfg(test)]
#[path = "markdown_limit_tests.rs"]
mod limit_tests;

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;

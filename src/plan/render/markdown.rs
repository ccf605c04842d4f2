//! The plan as a comment on a pull request: risks first, everything else folded.
//!
//! Start with [`write()`]. Platforms limit the size of a comment, so the text is written in blocks,
//! and `MarkdownWriter` leaves out those that do not fit. No value is ever read as Markdown or
//! HTML: values are in code spans with longer fences than any run of backticks in them, or in code
//! blocks whose lines start with words of ours.

use super::access::AccessChanges;
use super::code_span::code;
use super::groups::{self, StepListEntry};
use super::holds::{HoldGroup, consequence_lines, holds};
use super::text::{self, TextWriter};
use super::visibility;
use super::wording::{counted, plural, thousands, title};
use super::{PlanDetail, RenderOptions};
use crate::diagnostic::{Diagnostic, Severity, cap, group};
use crate::kinds::{self, Kind};
use crate::model::FieldChange;
use crate::plan::{HoldEntry, Plan, Step, StepVerb, shared_by};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};

/// The first line. CI finds the comment of the last push by it and replaces it.
const MARKER: &str = "<!-- roster-plan -->";

/// The bytes kept free for closing what is open, and for saying what was left out.
const RESERVE: usize = 512;

/// The number of resources that one item names.
const NAMED: usize = 20;

/// The number of resources with an item of their own in a list of risks.
const LISTED: usize = 50;

/// Writes a plan as Markdown, with at most `max_bytes` of the options. Blocks that do not fit are
/// left out, and the last line names them. The first lines are always written.
pub fn write(plan: &Plan, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    let options = &RenderOptions {
        color: false,
        ..options.clone()
    };
    let mut page = MarkdownWriter::new(out, options.max_bytes);
    // The order decides what is left out: whatever comes late may not fit. A reviewer needs the
    // risks and the errors, and can see the single changes in the diff of the pull request.
    page.write_always(&head(plan))?;
    page.block((BlockTopic::Table, 1), &table(plan))?;
    risks(plan, options, &mut page)?;
    write_diagnostics(plan, &mut page)?;
    if options.detail != PlanDetail::Summary {
        for kind in kinds::ALL {
            folded(plan, kind, options, &mut page)?;
        }
    }
    notes(plan, options, &mut page)?;
    page.end()
}

/// Writes blocks as long as they fit, and counts those that do not.
struct MarkdownWriter<'a> {
    out: &'a mut dyn Write,
    room: Option<usize>,
    heading: Option<&'static str>,
    left_out: BTreeMap<BlockTopic, usize>,
}

/// What a block is about, in the order in which the last line names what was left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BlockTopic {
    Table,
    Hold,
    Removal,
    Access,
    Error,
    Warning,
    Change,
    Notes,
}

impl BlockTopic {
    /// Returns a count of it in words.
    fn counted(self, many: usize) -> String {
        match self {
            Self::Table => "the table".to_owned(),
            Self::Hold => plural(many, "hold"),
            Self::Removal => format!("{} of removals", plural(many, "list")),
            Self::Access => format!("{} about access", plural(many, "line")),
            Self::Error => plural(many, "error"),
            Self::Warning => plural(many, "warning"),
            Self::Change => format!("the changes of {}", plural(many, "resource")),
            Self::Notes => "the notes".to_owned(),
        }
    }
}

impl<'a> MarkdownWriter<'a> {
    fn new(out: &'a mut dyn Write, room: Option<usize>) -> Self {
        Self {
            out,
            room: room.map(|room| room.saturating_sub(RESERVE)),
            heading: None,
            left_out: BTreeMap::new(),
        }
    }

    /// Writes a text even if it does not fit.
    fn write_always(&mut self, text: &str) -> io::Result<()> {
        self.room = self.room.map(|room| room.saturating_sub(text.len()));
        self.out.write_all(text.as_bytes())
    }

    /// Sets the heading of the blocks that follow. It is written with the first one that fits.
    fn heading(&mut self, heading: &'static str) {
        self.heading = Some(heading);
    }

    /// Writes a block about `many` things if it fits. Returns whether it did.
    fn block(&mut self, (what, many): (BlockTopic, usize), block: &str) -> io::Result<bool> {
        let heading = self.heading.map_or(0, |heading| heading.len() + 2);
        // Later blocks are still tried, because a shorter one may fit.
        if self.room.is_some_and(|room| room < block.len() + heading) {
            *self.left_out.entry(what).or_default() += many;
            return Ok(false);
        }
        if let Some(heading) = self.heading.take() {
            self.write_always(&format!("{heading}\n\n"))?;
        }
        self.write_always(block)?;
        Ok(true)
    }

    /// Ends the blocks under a heading.
    fn end_section(&mut self) -> io::Result<()> {
        match self.heading.take() {
            Some(_) => Ok(()),
            None => self.write_always("\n"),
        }
    }

    fn end(self) -> io::Result<()> {
        if self.left_out.is_empty() {
            return Ok(());
        }
        let left_out = self.left_out.into_iter();
        let left_out: Vec<String> = left_out.map(|(what, many)| what.counted(many)).collect();
        writeln!(
            self.out,
            "**Left out** because the comment would be too long: {}. Run `roster plan` to see everything, or `roster show PLAN.json` for a saved plan.",
            left_out.join(", ")
        )
    }
}

fn head(plan: &Plan) -> String {
    let mut head = format!("{MARKER}\n### {}\n\n", text::last_line(plan));
    let _ = write!(head, "Source {}", code(&plan.source.name));
    if !plan.source.revision.is_empty() {
        let _ = write!(head, " at {}", code(&text::short(&plan.source.revision)));
    }
    if let Some(environment) = &plan.environment {
        let _ = write!(head, ", environment {}", code(environment));
    }
    head.push_str("\n\n");
    head
}

const COLUMNS: [StepVerb; 6] = [
    StepVerb::Create,
    StepVerb::Update,
    StepVerb::Adopt,
    StepVerb::Deactivate,
    StepVerb::Reactivate,
    StepVerb::Delete,
];

/// Returns the table of counts, with a row for each kind and a column for each verb.
fn table(plan: &Plan) -> String {
    let mut rows = String::new();
    for kind in kinds::ALL {
        let of = |verb| {
            let steps = plan.steps.iter();
            let steps = steps.filter(|step| step.key.kind == kind.id && step.verb == verb);
            steps.count()
        };
        let held = plan.held.iter().map(|held| &held.key);
        // Several fields of one resource may be held: it counts once.
        let held: BTreeSet<_> = held.filter(|key| key.kind == kind.id).collect();
        let counts: Vec<usize> = COLUMNS.into_iter().map(of).chain([held.len()]).collect();
        if counts.iter().any(|count| *count > 0) {
            let _ = write!(rows, "| {} |", title(kind));
            for count in counts {
                let text = if count == 0 {
                    String::new()
                } else {
                    thousands(count)
                };
                let _ = write!(rows, " {text} |");
            }
            rows.push('\n');
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let names: Vec<&str> = COLUMNS.into_iter().map(StepVerb::word).collect();
    let rule = "| --- |".to_owned() + &" ---: |".repeat(COLUMNS.len() + 1);
    format!("| | {} | held |\n{rule}\n{rows}\n", names.join(" | "))
}

fn risks(plan: &Plan, options: &RenderOptions, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
    page.heading("#### Look at this first");
    for hold in holds(plan) {
        page.block((BlockTopic::Hold, 1), &held(&hold))?;
    }
    // Deletes first: a deleted id can never be used again, while a deactivation can be undone.
    for (verb, word) in [
        (StepVerb::Delete, "Deletes"),
        (StepVerb::Deactivate, "Deactivates"),
    ] {
        for kind in kinds::ALL {
            let of = |step: &&Step| step.verb == verb && step.key.kind == kind.id;
            let steps: Vec<&Step> = plan.steps.iter().filter(of).collect();
            if !steps.is_empty() {
                let named = named(steps.iter().map(|step| text::key(&step.key)));
                let counted = counted(steps.len(), kind);
                let block = format!("- **{word}** {counted}: {named}\n");
                page.block((BlockTopic::Removal, 1), &block)?;
            }
        }
    }
    for step in &plan.steps {
        if let Some(words) = step.runtime.effect() {
            let block = format!("- **Terms** {} {words}\n", code(&text::key(&step.key)));
            page.block((BlockTopic::Access, 1), &block)?;
        }
        if let Some(words) = shared_by(&step.accounts) {
            let key = code(&text::key(&step.key));
            let block = format!("- **Address** {key} {}\n", code(&words));
            page.block((BlockTopic::Change, 1), &block)?;
        }
    }
    access(plan, options, "Gains access", |access| access.gains, page)?;
    access(plan, options, "Loses access", |access| access.losses, page)?;
    visibility(plan, page)?;
    page.end_section()
}

fn held(hold: &HoldGroup<'_>) -> String {
    let shared = hold.message();
    let mut item = format!("- **Held** ({})", hold.first().code);
    if let Some(message) = &shared {
        let _ = write!(item, ": {}", code(message));
    }
    item.push('\n');
    let say = |held: &&HoldEntry| format!("{} {}", held.verb, text::key(&held.key));
    let renames = hold.renames();
    let takes_others = hold
        .entries
        .iter()
        .any(|held| !held.consequences.is_empty());
    if !renames.is_empty() {
        let pairs = renames.iter();
        let pairs = pairs.map(|(held, new)| format!("{} → {}", text::key(&held.key), new.id));
        let _ = writeln!(item, "  - {}", named(pairs));
    } else if shared.is_some() && !takes_others {
        let _ = writeln!(item, "  - {}", named(hold.entries.iter().map(say)));
    } else {
        for held in hold.entries.iter().take(NAMED) {
            let _ = match &shared {
                Some(_) => writeln!(item, "  - {}", code(&say(held))),
                None => writeln!(item, "  - {}: {}", code(&say(held)), code(&held.message)),
            };
            for line in consequence_lines(held, NAMED) {
                let _ = writeln!(item, "    - {}", code(&line));
            }
        }
        let more = hold.entries.len().saturating_sub(NAMED);
        if more > 0 {
            let _ = writeln!(item, "  - and {} more", thousands(more));
        }
    }
    let commands: Vec<String> = hold.commands().iter().map(|text| code(text)).collect();
    if !commands.is_empty() {
        let _ = writeln!(item, "  - to approve: {}", commands.join(" or "));
    }
    if let Some(words) = hold.required_action() {
        let _ = writeln!(item, "  - {words}");
    }
    item
}

fn access(
    plan: &Plan,
    options: &RenderOptions,
    title: &str,
    side: fn(AccessChanges) -> Vec<FieldChange>,
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    let wording = TextWriter::new(plan, options).wording;
    let mut more = 0;
    let mut listed = 0;
    for step in &plan.steps {
        let changes = side(AccessChanges::of(step));
        if changes.is_empty() {
            continue;
        }
        // Counted instead of listed. All of them are in the folded part anyway.
        if listed == LISTED {
            more += 1;
            continue;
        }
        listed += 1;
        let lines = wording.lines(step.key.kind, &changes, false);
        let lines: Vec<_> = lines
            .iter()
            .map(|line| code(&format!("{}: {}", line.name, line.text)))
            .collect();
        let (key, why) = (code(&text::key(&step.key)), why(step));
        let block = format!("- **{title}** {key}: {} ({why})\n", lines.join(", "));
        page.block((BlockTopic::Access, 1), &block)?;
    }
    if more > 0 {
        let resources = plural(more, "more resource");
        let block = format!("- **{title}**: {resources}, listed below\n");
        page.block((BlockTopic::Access, 1), &block)?;
    }
    Ok(())
}

fn visibility(plan: &Plan, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
    let entries = visibility::entries(&plan.visibility, false);
    for entry in entries.iter().take(LISTED) {
        let what: Vec<String> = entry.what.iter().map(|what| code(what)).collect();
        let (who, what) = (code(&entry.who), what.join(", "));
        let block = format!("- **Visibility** {who}: {what}\n");
        page.block((BlockTopic::Access, 1), &block)?;
    }
    let listed: usize = entries.iter().take(LISTED).map(|entry| entry.count).sum();
    let more = plan.visibility.count() - listed;
    if more > 0 {
        let block = format!("- **Visibility**: {}\n", plural(more, "more user"));
        page.block((BlockTopic::Access, 1), &block)?;
    }
    Ok(())
}

/// Says why a step is there, and where it is declared.
fn why(step: &Step) -> String {
    let why = match (step.verb, groups::reason(step)) {
        (StepVerb::Create, _) => "new",
        (_, Some(reason)) => reason,
        (_, None) => step.reason.word(),
    };
    match &step.origin {
        Some(origin) => format!("{why}, {}", code(&origin.to_string())),
        None => why.to_owned(),
    }
}

fn write_diagnostics(plan: &Plan, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
    page.heading("#### Errors and warnings");
    for (severity, what) in [
        (Severity::Error, BlockTopic::Error),
        (Severity::Warning, BlockTopic::Warning),
    ] {
        let found = plan.diagnostics.iter();
        // A file with many findings of one rule would hide those of all others.
        let grouped = group(found.filter(|found| found.severity == severity));
        let (shown, omitted) = cap(grouped, |one| (&*one.found, one.count));
        for one in shown {
            page.block((what, one.count), &diagnostic_item(&one.found))?;
        }
        for more in omitted {
            page.block(
                (what, more.count),
                &format!("- {}\n", code(&more.to_string())),
            )?;
        }
    }
    page.end_section()
}

fn diagnostic_item(found: &Diagnostic) -> String {
    let mut item = format!("- **{}**", found.severity);
    if let Some(origin) = &found.origin {
        let _ = write!(item, " {}", code(&origin.to_string()));
    }
    let _ = write!(item, " ({}): {}", found.code, code(&found.message));
    if let Some(help) = &found.help {
        let _ = write!(item, "\n  - {}", code(help));
    }
    item.push('\n');
    item
}

/// Writes the steps of one kind as a folded code block.
fn folded(
    plan: &Plan,
    kind: &'static Kind,
    options: &RenderOptions,
    page: &mut MarkdownWriter<'_>,
) -> io::Result<()> {
    let writer = TextWriter::new(plan, options);
    let mut open = false;
    writer.entries(kind, &mut |entry| {
        let mut block = Vec::new();
        if !open {
            // In the same block as the first entry: if that does not fit, nothing is left open.
            let counts = text::counts(plan, kind).join(", ");
            let title = title(kind);
            writeln!(
                block,
                "<details><summary>{title}: {counts}</summary>\n\n```text"
            )?;
        }
        let many = match &entry {
            StepListEntry::Creates(_, count) | StepListEntry::Many { count, .. } => *count,
            StepListEntry::One(..) => 1,
        };
        writer.entry(kind, entry, &mut block)?;
        open |= page.block((BlockTopic::Change, many), &String::from_utf8_lossy(&block))?;
        Ok(())
    })?;
    if open {
        // Always, or the rest of the comment would become code. `RESERVE` has room for it.
        page.write_always("```\n\n</details>\n\n")?;
    }
    Ok(())
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
    page.block((BlockTopic::Notes, 1), &block)?;
    Ok(())
}

/// Joins the first few texts as code spans, and says how many more there are.
fn named(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    let few: Vec<String> = all.take(NAMED).map(|text| code(&text)).collect();
    let few = few.join(", ");
    if more > 0 {
        format!("{few} and {} more", thousands(more))
    } else {
        few
    }
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;

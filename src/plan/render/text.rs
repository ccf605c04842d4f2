//! The text form of a plan, which an operator reads before approving it.
//!
//! Input is a [`Plan`] and the options; output are lines for a terminal. Start with [`write()`].
//! Lists of steps come from `groups.rs`, values from `wording.rs`, holds from `holds.rs`. The
//! Markdown form uses `TextWriter` too, so that both say the same.

use super::groups::{self, StepListEntry};
use super::holds::{HoldGroup, consequence_lines, holds};
use super::wording::{
    BOLD, CYAN, ChangeLine, DIM, GREEN, RED, WordingOptions, YELLOW, counted, first_of, id, joined,
    plural, thousands, title, visible, write_line,
};
use super::{PlanDetail, RenderOptions, waiting};
use crate::diagnostic::{Diagnostic, Origin, Severity, codes};
use crate::kinds::{self, Kind};
use crate::model::{CompactText, Key, SHORT_REVISION};
use crate::plan::{HoldEntry, Plan, Step, StepReason, StepVerb};
use anstyle::Style;
use std::borrow::Cow;
use std::io::{self, Write};

/// The number of resources that a hold or a note names without `--detail full`.
pub(super) const NAMED: usize = 5;

/// Writes a plan as text.
pub fn write(plan: &Plan, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    let parts = plan.parts();
    let own = parts.as_ref().map_or(plan, |parts| &parts.own);
    let text = TextWriter::new(own, options);
    writeln!(out, "{}", text.wording.paint(BOLD, head(plan)))?;
    writeln!(out)?;
    text.effects(out)?;
    if parts.is_some() && own.steps.is_empty() && own.held.is_empty() {
        writeln!(out, "{}\n", last_line(own))?;
    }
    if options.detail == PlanDetail::Summary {
        text.counts(out)?;
    } else {
        for kind in kinds::ALL {
            text.kind(kind, out)?;
        }
    }
    text.visibility(out)?;
    // Steps may fill many screens. What needs a decision comes after them, right above the prompt,
    // where it cannot scroll away.
    text.notes(out)?;
    text.holds(out)?;
    if let Some(parts) = &parts {
        waiting::write_text(&parts.waiting, plan, options, out)?;
    }
    text.write_diagnostic_counts(out)?;
    writeln!(out, "{}", text.wording.paint(BOLD, last_line(plan)))
}

/// Returns the last line of a plan, its summary.
#[must_use]
pub fn last_line(plan: &Plan) -> String {
    if plan.errored {
        let errors = plan.count(Severity::Error);
        return format!("Refused: {}.", plural(errors, "error"));
    }
    if plan.steps.is_empty() && plan.held.is_empty() {
        if plan.is_part {
            return "No changes beside what waits at the base already.".to_owned();
        }
        // "The directory matches" must not be said if these diagnostics report a difference that
        // the plan leaves as it is.
        let tells = [
            codes::DRIFT,
            codes::OBSERVED,
            codes::REMOVALS_OFF,
            codes::REVERTED,
        ];
        let says_more = |found: &Diagnostic| found.is_error() || tells.contains(&found.code);
        let differs = plan.diagnostics.iter().any(says_more);
        return if differs {
            "No changes. The differences above stay.".to_owned()
        } else {
            "No changes. The directory matches the manifests.".to_owned()
        };
    }
    let sum = &plan.summary;
    format!(
        "Plan: {} to create, {} to update, {} to adopt, {} to deactivate, {} to reactivate, {} to delete, {} held.",
        sum.create, sum.update, sum.adopt, sum.deactivate, sum.reactivate, sum.delete, sum.held
    )
}

/// Returns the first line of a plan: source, revision and environment.
pub(super) fn head(plan: &Plan) -> String {
    let mut head = format!("Source {}", visible(&plan.source.name));
    if !plan.source.revision.is_empty() {
        head.extend([" at ", &short(&plan.source.revision)]);
    }
    if let Some(environment) = &plan.environment {
        head.extend([", environment ", &visible(environment)]);
    }
    if let Some(base) = &plan.base {
        head.extend([", compared with ", &short(&base.revision)]);
    }
    head
}

/// Shortens a revision to as much as tells commits apart.
pub(super) fn short(revision: &str) -> Cow<'_, str> {
    match revision.char_indices().nth(SHORT_REVISION) {
        Some((end, _)) => visible(&revision[..end]),
        None => visible(revision),
    }
}

/// Writes the parts of a text plan.
pub(super) struct TextWriter<'a> {
    pub plan: &'a Plan,
    detail: PlanDetail,
    pub wording: WordingOptions<'a>,
}

impl<'a> TextWriter<'a> {
    pub fn new(plan: &'a Plan, options: &'a RenderOptions) -> Self {
        Self {
            plan,
            detail: options.detail,
            wording: WordingOptions {
                color: options.color,
                full: options.detail == PlanDetail::Full,
                personal: &options.personal,
            },
        }
    }

    pub fn only_counts(&self) -> bool {
        self.detail == PlanDetail::Summary
    }

    pub fn kind(&self, kind: &'static Kind, out: &mut dyn Write) -> io::Result<()> {
        // The heading waits for the first entry, so that kinds without steps have none.
        let mut headed = false;
        self.entries(kind, &mut |entry| {
            if !headed {
                headed = true;
                writeln!(out, "{}", self.wording.paint(BOLD, title(kind)))?;
            }
            self.entry(kind, entry, out)
        })?;
        if headed { writeln!(out) } else { Ok(()) }
    }

    /// Visits the entries of one kind.
    pub fn entries(
        &self,
        kind: &'static Kind,
        visit: &mut dyn FnMut(StepListEntry<'a>) -> io::Result<()>,
    ) -> io::Result<()> {
        groups::entries(self.plan, kind.id, self.detail, self.wording, visit)
    }

    /// Writes one entry: a resource, or many with the same changes.
    pub fn entry(
        &self,
        kind: &'static Kind,
        entry: StepListEntry<'a>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match entry {
            StepListEntry::Creates(first, count) => writeln!(
                out,
                "  {}  {} (--detail full lists them)",
                self.sign(first),
                counted(count, kind)
            ),
            StepListEntry::One(step, lines) => {
                let place = place(step.origin.as_ref(), step.reason == StepReason::Removed);
                writeln!(
                    out,
                    "  {}  {}{}{}",
                    self.sign(step),
                    key(&step.key),
                    self.wording.paint(DIM, place),
                    reason(step)
                )?;
                write_lines(step, &lines, out)
            }
            StepListEntry::Many {
                first,
                count,
                named,
                lines,
            } => {
                // A single change fits on the line of the group: `~ update  412 users: phone …`.
                let (what, below) = match &lines[..] {
                    [line] => (format!(": {} {}", line.name, line.text), &[][..]),
                    lines => (String::new(), lines),
                };
                writeln!(
                    out,
                    "  {}  {}{what}{}",
                    self.sign(first),
                    counted(count, kind),
                    reason(first)
                )?;
                if lines.is_empty() {
                    write_lines(first, &lines, out)?;
                }
                below.iter().try_for_each(|line| write_line(out, line))?;
                let named = named_of(&named, count);
                writeln!(out, "      {}", self.wording.paint(DIM, named))
            }
        }
    }

    fn sign(&self, step: &Step) -> Cow<'_, str> {
        let text = format!("{} {}", step.verb.sign(), groups::verb_words(step));
        self.wording.paint(style(step.verb), text)
    }

    /// Writes the number of steps of each kind, by verb.
    fn counts(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut any = false;
        for kind in kinds::ALL {
            let counts = counts(self.plan, kind);
            if !counts.is_empty() {
                any = true;
                writeln!(out, "  {}: {}", title(kind), counts.join(", "))?;
            }
        }
        if any { writeln!(out) } else { Ok(()) }
    }

    pub fn holds(&self, out: &mut dyn Write) -> io::Result<()> {
        let holds = holds(self.plan);
        if holds.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", self.wording.paint(BOLD, "Held"))?;
        holds.iter().try_for_each(|hold| self.hold(hold, out))?;
        writeln!(out)
    }

    fn hold(&self, hold: &HoldGroup<'_>, out: &mut dyn Write) -> io::Result<()> {
        let sign = self.wording.paint(YELLOW, "! held");
        let code = hold.first().code;
        // A message that all entries share is said once, at the top. Otherwise each has its own
        // below.
        let shared = hold.message();
        let what = shared.clone().unwrap_or_else(|| {
            let held = hold.resources().len();
            let reasons = if held == 1 {
                "for several reasons"
            } else {
                "each for its own reason"
            };
            format!("{}, {reasons}", resources(held))
        });
        writeln!(out, "  {sign}  {code}  {what}")?;
        self.members(hold, shared.is_none(), out)?;
        if let Some(words) = hold.effect_sentence() {
            writeln!(out, "      if approved: {words}")?;
        }
        let commands = hold.commands();
        for (at, command) in commands.iter().enumerate() {
            let lead = if at == 0 { "to approve:" } else { "or:" };
            writeln!(out, "      {lead} {}", self.wording.paint(BOLD, command))?;
        }
        if let Some(words) = hold.people_needed() {
            writeln!(out, "      {words}")?;
        }
        if let Some(words) = hold.required_action() {
            writeln!(out, "      {words}")?;
        }
        Ok(())
    }

    /// Writes the resources of a hold, on one line if all of them have the same changes.
    fn members(&self, hold: &HoldGroup<'_>, own: bool, out: &mut dyn Write) -> io::Result<()> {
        let limit = if self.wording.full { usize::MAX } else { NAMED };
        let renames = hold.renames();
        if !renames.is_empty() {
            return self.renames(&renames, limit, out);
        }
        let lines = |held: &HoldEntry| {
            let created = held.verb == StepVerb::Create;
            // Every field of a new resource is a change. The id is enough to decide about it.
            if created && !self.wording.full {
                return Vec::new();
            }
            self.wording.lines(held.key.kind, &held.changes, created)
        };
        let read = |held: &HoldEntry| {
            let lines = lines(held).into_iter();
            let lines: Vec<_> = lines.map(|line| (line.name, line.text)).collect();
            (held.verb, lines, held.undone_words())
        };
        let first = hold.first();
        let same = !own && {
            let first = read(first);
            let mut entries = hold.entries.iter();
            entries.all(|held| held.consequences.is_empty() && read(held) == first)
        };
        if same && hold.entries.len() > 1 {
            let keys = hold.entries.iter().map(|held| Cow::Owned(key(&held.key)));
            writeln!(out, "      {}  {}", first.verb, first_of(keys, limit))?;
            lines(first)
                .iter()
                .try_for_each(|line| write_member_line(line, out))?;
            return write_undone(first, out);
        }
        for held in hold.entries.iter().take(limit) {
            // An entry of a hold has no reason. One that changes nothing but the status is most
            // likely no longer declared, so its origin is where it was.
            let gone = held.verb == StepVerb::Deactivate && held.changes.len() == 1;
            let place = place(held.origin.as_ref(), gone);
            let place = self.wording.paint(DIM, place);
            writeln!(out, "      {}  {}{place}", held.verb, key(&held.key))?;
            if own {
                writeln!(out, "        {}", visible(&held.message))?;
            }
            lines(held)
                .iter()
                .try_for_each(|line| write_member_line(line, out))?;
            write_undone(held, out)?;
            for line in consequence_lines(held, limit) {
                writeln!(out, "        {line}")?;
            }
        }
        match hold.entries.len().saturating_sub(limit) {
            0 => Ok(()),
            more => writeln!(out, "      and {} more", thousands(more)),
        }
    }
}

impl TextWriter<'_> {
    /// Writes renames as pairs: the id that goes and the one that comes.
    fn renames(
        &self,
        renames: &[(&HoldEntry, &Key)],
        limit: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for (held, becomes) in renames.iter().take(limit) {
            let place = self.wording.paint(DIM, place(held.origin.as_ref(), true));
            writeln!(out, "      {} → {}{place}", key(&held.key), id(&becomes.id))?;
        }
        match renames.len().saturating_sub(limit) {
            0 => Ok(()),
            more => writeln!(
                out,
                "      and {} more (--detail full lists them)",
                thousands(more)
            ),
        }
    }
}

fn write_lines(step: &Step, lines: &[ChangeLine], out: &mut dyn Write) -> io::Result<()> {
    match groups::effect_without_changes(step) {
        Some(words) if lines.is_empty() => writeln!(out, "      {words}")?,
        _ => lines.iter().try_for_each(|line| write_line(out, line))?,
    }
    let more = step.side_effects();
    more.iter()
        .try_for_each(|words| writeln!(out, "      {}", visible(words)))
}

/// Writes the change of a field of one of several resources.
fn write_member_line(line: &ChangeLine, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "        {}: {}", line.name, line.text)
}

/// Writes which recorded changes a held step would take back.
fn write_undone(held: &HoldEntry, out: &mut dyn Write) -> io::Result<()> {
    let words = held.undone_words();
    words
        .iter()
        .try_for_each(|words| writeln!(out, "        {}", visible(words)))
}

/// Returns the steps of one kind by verb: `3 to create`, `2 to update`.
pub(super) fn counts(plan: &Plan, kind: &Kind) -> Vec<String> {
    // The same order as in the last line.
    const ORDER: [StepVerb; 6] = [
        StepVerb::Create,
        StepVerb::Update,
        StepVerb::Adopt,
        StepVerb::Deactivate,
        StepVerb::Reactivate,
        StepVerb::Delete,
    ];
    let of_kind = || plan.steps.iter().filter(|step| step.key.kind == kind.id);
    let counts = ORDER.into_iter().filter_map(|verb| {
        let mut steps = of_kind().filter(|step| step.verb == verb);
        let first = steps.next()?;
        let count = thousands(1 + steps.count());
        // All creates of a plan wait, or none: one setting decides it.
        let waits = if first.runtime.awaits_approval {
            " (pending approval)"
        } else {
            ""
        };
        Some(format!("{count} to {verb}{waits}"))
    });
    counts.collect()
}

pub(super) fn resources(count: usize) -> String {
    plural(count, "resource")
}

fn style(verb: StepVerb) -> Style {
    match verb {
        StepVerb::Create => GREEN,
        StepVerb::Update | StepVerb::Reactivate => YELLOW,
        StepVerb::Adopt => CYAN,
        StepVerb::Deactivate => RED,
        StepVerb::Delete => RED.bold(),
    }
}

/// Formats a key as `User/u1`, with hidden characters made visible.
pub(super) fn key(of: &Key) -> String {
    format!("{}/{}", of.kind, id(&of.id))
}

/// Returns where a resource is declared or, if it is gone, was declared.
pub(super) fn place(origin: Option<&Origin>, gone: bool) -> String {
    origin.map_or_else(String::new, |origin| {
        let was = if gone { "was " } else { "" };
        format!("  {was}{}", visible(&origin.to_string()))
    })
}

pub(super) fn reason(step: &Step) -> String {
    groups::reason(step).map_or_else(String::new, |reason| format!("  ({reason})"))
}

pub(super) fn named_of(named: &[&CompactText], count: usize) -> String {
    let ids: Vec<_> = named.iter().map(|text| id(text)).collect();
    joined(&ids, count)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;

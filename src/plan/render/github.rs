//! Writes a plan as annotations of a GitHub workflow run: diagnostics and holds at their file and
//! line.

use super::holds::{HoldGroup, holds};
use super::text::{self, NAMED};
use super::{RenderOptions, effects, visibility};
use crate::diagnostic::{Diagnostic, Origin, Severity, cap, plural, visible};
use crate::plan::Plan;
use std::io::{self, Write};

/// Writes an annotation for each diagnostic and each hold, and a last line with the result.
pub fn write(plan: &Plan, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    // What waits at the base is nothing that the branch does.
    let parts = plan.parts();
    let own = parts.as_ref().map_or(plan, |parts| &parts.own);
    write_diagnostics(&own.diagnostics, options, out)?;
    for hold in holds(own) {
        hold_line(&hold, options, out)?;
    }
    effects_line(own, options, out)?;
    visibility_line(own, options, out)?;
    writeln!(out, "{}", text::last_line(plan))
}

/// Writes an annotation for each diagnostic.
pub fn write_diagnostics(
    found: &[Diagnostic],
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    // GitHub shows only some annotations of a step, so the rest is counted in one line.
    let (shown, omitted) = cap(found, |one| (*one, 1));
    for found in shown {
        let message = match &found.help {
            Some(help) => format!("{}\n{}", visible(&found.message), visible(help)),
            None => visible(&found.message).into_owned(),
        };
        let command = match found.severity {
            Severity::Error => "error",
            Severity::Warning | Severity::Hold => "warning",
            Severity::Note => "notice",
        };
        let annotation = WorkflowAnnotation {
            command,
            title: found.code.name(),
            origin: found.origin.as_ref(),
            message: &message,
        };
        annotation.write(options, out)?;
    }
    omitted.iter().try_for_each(|more| {
        writeln!(
            out,
            "::warning title=truncated::{}",
            data(&more.to_string())
        )
    })
}

fn hold_line(hold: &HoldGroup<'_>, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    let first = hold.first();
    let message = hold.message().unwrap_or_else(|| first.message.clone());
    let mut message = visible(&message).into_owned();
    let more = hold.resources().len() - 1;
    if more > 0 {
        message = format!("{message}\n(and {more} more held by this rule)");
    }
    if let Some(command) = hold.commands().first() {
        message = format!("{message}\nto approve: {command}");
    }
    let annotation = WorkflowAnnotation {
        command: "warning",
        title: &format!("held: {}", first.code),
        origin: first.origin.as_ref(),
        message: &message,
    };
    annotation.write(options, out)
}

/// Writes one annotation for all who gain or lose something.
fn effects_line(plan: &Plan, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    let Some(mut message) = effects::of_plan(plan) else {
        return Ok(());
    };
    let lines = effects::lines(&plan.effects, NAMED, &plan.visibility);
    for line in lines.iter().take(NAMED) {
        message.extend(["\n", &line.text()]);
    }
    let more: usize = lines.iter().skip(NAMED).map(|line| line.count).sum();
    if more > 0 {
        message = format!("{message}\nand {more} more");
    }
    notice("effects", &message, options, out)
}

/// Writes one annotation for all who see more or less: GitHub shows few of a step.
fn visibility_line(plan: &Plan, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
    if plan.visibility.is_empty() {
        return Ok(());
    }
    let entries = visibility::entries(&plan.visibility, false);
    let mut message = visibility::count_sentence(&plan.visibility);
    for entry in entries.iter().take(NAMED) {
        for what in &entry.what {
            message = format!("{message}\n{} {what}", entry.who);
        }
    }
    let named: usize = entries.iter().take(NAMED).map(|entry| entry.count).sum();
    let more = plan.visibility.count() - named;
    if more > 0 {
        message = format!("{message}\nand {}", plural(more, "more user"));
    }
    notice("visibility", &message, options, out)
}

/// Writes an annotation about the whole plan.
fn notice(
    title: &str,
    message: &str,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let annotation = WorkflowAnnotation {
        command: "notice",
        title,
        origin: None,
        message,
    };
    annotation.write(options, out)
}

struct WorkflowAnnotation<'a> {
    command: &'a str,
    title: &'a str,
    origin: Option<&'a Origin>,
    message: &'a str,
}

impl WorkflowAnnotation<'_> {
    fn write(&self, options: &RenderOptions, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "::{} ", self.command)?;
        if let Some(origin) = self.origin {
            write!(out, "file={},", property(&options.path(&origin.path)))?;
            if origin.at.line > 0 {
                write!(out, "line={},col={},", origin.at.line, origin.at.column)?;
            }
        }
        let (title, message) = (property(self.title), data(self.message));
        writeln!(out, "title={title}::{message}")
    }
}

/// Escapes the text after the colons, where a line break would end the command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes a property, which also ends at a comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
#[path = "github_tests.rs"]
mod tests;

//! JUnit XML, which every CI system shows as test results: a failed case for each error.

use super::source_diagnostics::{
    CONFIGURATION, ReportedDiagnostic, SourceDiagnostics, omitted_path, reported,
};
use crate::diagnostic::{OmittedDiagnostics, Severity};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes a suite for each source with errors. Without any, one case passes, because many readers
/// take a report without cases for a broken one.
pub(super) fn write(sources: &[SourceDiagnostics<'_>], out: &mut dyn Write) -> io::Result<()> {
    let suites = sources.iter().map(ErrorSuite::of);
    let suites: Vec<_> = suites.filter(|suite| suite.cases() > 0).collect();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    if suites.is_empty() {
        let name = match sources {
            [one] => one.source,
            _ => "roster",
        };
        writeln!(
            out,
            "<testsuites name=\"roster\" tests=\"1\" failures=\"0\" errors=\"0\">"
        )?;
        suite_start(name, 1, 0, out)?;
        writeln!(
            out,
            "    <testcase name=\"no errors\" classname=\"roster\"/>"
        )?;
        writeln!(out, "  </testsuite>")?;
        return writeln!(out, "</testsuites>");
    }
    let all: usize = suites.iter().map(ErrorSuite::cases).sum();
    writeln!(
        out,
        "<testsuites name=\"roster\" tests=\"{all}\" failures=\"{all}\" errors=\"0\">"
    )?;
    for suite in &suites {
        suite_start(suite.of.source, suite.cases(), suite.cases(), out)?;
        suite.errors.iter().try_for_each(|error| case(error, out))?;
        let mut omitted = suite.omitted.iter();
        omitted.try_for_each(|more| omitted_case(suite.of, more, out))?;
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

/// The errors of a source.
struct ErrorSuite<'a> {
    of: &'a SourceDiagnostics<'a>,
    errors: Vec<ReportedDiagnostic<'a>>,
    /// How many of each file and rule have no case of their own.
    omitted: Vec<OmittedDiagnostics>,
}

impl<'a> ErrorSuite<'a> {
    fn of(of: &'a SourceDiagnostics<'a>) -> Self {
        let (mut errors, mut omitted) = reported(of);
        errors.retain(|one| one.severity() == Severity::Error);
        omitted.retain(|more| more.severity == Severity::Error);
        Self {
            of,
            errors,
            omitted,
        }
    }

    fn cases(&self) -> usize {
        self.errors.len() + self.omitted.len()
    }
}

fn suite_start(name: &str, tests: usize, failures: usize, out: &mut dyn Write) -> io::Result<()> {
    let name = escape(name);
    writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
    )
}

/// A case that counts the errors without one.
fn omitted_case(
    of: &SourceDiagnostics<'_>,
    more: &OmittedDiagnostics,
    out: &mut dyn Write,
) -> io::Result<()> {
    let path = omitted_path(of, more);
    let (code, path, text) = (more.code, escape(&path), more.to_string());
    let text = escape(&text);
    writeln!(
        out,
        "    <testcase name=\"{code}: errors not shown\" classname=\"{path}\">"
    )?;
    writeln!(
        out,
        "      <failure type=\"{code}\" message=\"{text}\">{path}\n{text}</failure>"
    )?;
    writeln!(out, "    </testcase>")
}

fn case(error: &ReportedDiagnostic<'_>, out: &mut dyn Write) -> io::Result<()> {
    let path = error.path.as_deref().unwrap_or(CONFIGURATION);
    let place = format!("{path}:{}", error.line());
    let (code, text) = (error.code(), error.text());
    let subject = error.subject().unwrap_or_else(|| place.clone());
    writeln!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\">",
        escape(&format!("{code}: {subject}")),
        escape(path)
    )?;
    writeln!(
        out,
        "      <failure type=\"{code}\" message=\"{}\">{}</failure>",
        escape(&error.message),
        escape(&format!("{place}\n{text}"))
    )?;
    writeln!(out, "    </testcase>")
}

/// Escapes a text for attributes and contents.
fn escape(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !"<>&\"'".contains(c) && is_xml(c);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if is_xml(c) => out.push(c),
            // Not even an escaped form of it is XML.
            _ => out.push('\u{fffd}'),
        }
    }
    Cow::Owned(out)
}

fn is_xml(c: char) -> bool {
    matches!(c, '\n' | '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

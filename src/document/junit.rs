//! JUnit XML, which every CI system shows as test results: a failed case for each error.

use super::source_diagnostics::{CONFIGURATION, ReportedDiagnostic, SourceDiagnostics, reported};
use crate::diagnostic::Severity;
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes a suite for each source with errors. Without any, one case passes, because many readers
/// take a report without cases for a broken one.
pub(super) fn write(sources: &[SourceDiagnostics<'_>], out: &mut dyn Write) -> io::Result<()> {
    let suites = sources.iter().map(|of| {
        let mut errors = reported(of).0;
        errors.retain(|one| one.severity() == Severity::Error);
        (of.source, errors)
    });
    let suites: Vec<_> = suites.filter(|(_, errors)| !errors.is_empty()).collect();
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
    let all: usize = suites.iter().map(|(_, errors)| errors.len()).sum();
    writeln!(
        out,
        "<testsuites name=\"roster\" tests=\"{all}\" failures=\"{all}\" errors=\"0\">"
    )?;
    for (source, errors) in &suites {
        suite_start(source, errors.len(), errors.len(), out)?;
        errors.iter().try_for_each(|error| case(error, out))?;
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn suite_start(name: &str, tests: usize, failures: usize, out: &mut dyn Write) -> io::Result<()> {
    let name = escape(name);
    writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
    )
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

//! The way out of text that is no YAML: most often a value that has to be quoted.

use granit_parser::ErrorKind;
use memchr::{memchr2, memrchr2};

/// What a plain value may not begin with.
const MARKS: &str = "@`%*&!}],";

/// The way out of a fault at a byte of the text, where the text shows one.
pub(super) fn help(kind: &ErrorKind, text: &str, at: usize) -> Option<String> {
    let at = at.min(text.len());
    let (line, start) = line_at(text, at);
    if *kind == ErrorKind::TabInPlainScalar {
        // It goes on in the next line, where the tab is.
        let next = text.get(start + line.len() + 1..).unwrap_or_default();
        return Some(tabs(line_at(next, 0).0));
    }
    if is_tab(kind) || leading(line).contains('\t') {
        return Some(tabs(line));
    }
    if is_open_quote(kind) {
        return Some(
            "Close the quote. Inside double quotes, write `\\\"`; inside single quotes, write `''`"
                .to_owned(),
        );
    }
    // Where a bracket or a quote is open, the fault shows only in a later line.
    let before = std::iter::successors(Some((line, start)), |(_, start)| {
        let end = start.checked_sub(1)?;
        Some(line_at(text, end))
    });
    let mut lines = before.take(LOOK_BACK).map(|(line, _)| line);
    let own = lines.next().and_then(|line| of_line(line, false));
    own.or_else(|| lines.find_map(|line| of_line(line, true)))
}

/// How many lines are looked at.
const LOOK_BACK: usize = 20;

/// The line of a byte, and where it begins.
fn line_at(text: &str, at: usize) -> (&str, usize) {
    let bytes = text.as_bytes();
    let start = memrchr2(b'\n', b'\r', &bytes[..at]).map_or(0, |end| end + 1);
    let end = memchr2(b'\n', b'\r', &bytes[at..]).map_or(text.len(), |end| at + end);
    (text.get(start..end).unwrap_or_default(), start)
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::TabAtBlockScalarStart
    )
}

fn is_open_quote(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::DocumentIndicatorInQuotedScalar
    )
}

/// What stands before the first word of a line.
fn leading(line: &str) -> &str {
    let rest = line.trim_start_matches([' ', '\t', '-']);
    &line[..line.len() - rest.len()]
}

fn tabs(line: &str) -> String {
    if leading(line).trim_start().starts_with('-') {
        return "Replace the tab after `-` with a space: `- externalId: ..`".to_owned();
    }
    "Replace the tab with spaces: YAML is indented with spaces, never with tabs".to_owned()
}

/// `Quote the value: name: "Foo: Bar"`, of a line whose value has to be quoted; `earlier`: where only
/// an open bracket can be to blame.
fn of_line(line: &str, earlier: bool) -> Option<String> {
    let line = line.trim_start_matches([' ', '-']).trim_end();
    if line.starts_with('#') {
        return None;
    }
    let (name, value) = match line.split_once(": ") {
        Some((name, value)) if is_name(name) => (Some(name), value.trim()),
        _ => (None, line),
    };
    if value.is_empty() || value.starts_with(['"', '\'']) {
        return None;
    }
    if value.starts_with(['[', '{']) {
        return (!is_closed(value)).then(|| open_bracket(name, value));
    }
    let anchored = value.starts_with(['&', '!']) && value.contains(' ');
    let marked = value.starts_with(|c| MARKS.contains(c)) && !anchored;
    let named = name.is_some();
    let odd = marked
        || named && (value.contains(": ") || value.ends_with(':') || value.starts_with("- "));
    (odd && !earlier).then(|| format!("Quote the value: `{}`", quoted(name, value)))
}

fn open_bracket(name: Option<&str>, value: &str) -> String {
    let close = if value.starts_with('[') { ']' } else { '}' };
    match name {
        Some(_) => format!(
            "Close the bracket with `{close}`, or quote the value: `{}`",
            quoted(name, value)
        ),
        None => format!("Close the bracket with `{close}`"),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !name.is_empty() && name.chars().all(plain)
}

/// Whether as many brackets close as open.
fn is_closed(value: &str) -> bool {
    let count = |marks: [char; 2]| value.matches(marks).count();
    count(['[', '{']) == count([']', '}'])
}

/// The longest value that is shown.
const LONGEST: usize = 60;

fn quoted(name: Option<&str>, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    let mut shown: String = value.chars().take(LONGEST).collect();
    if value.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    match name {
        Some(name) => format!("{name}: \"{shown}\""),
        None => format!("\"{shown}\""),
    }
}

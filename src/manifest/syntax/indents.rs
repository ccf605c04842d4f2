//! Mistakes with tabs, indentation and the space after a colon: what decides which line belongs to
//! which.

use super::{SyntaxAdvice, SyntaxFault, entry, is_name, line_at, short};
use crate::diagnostic::plural;
use granit_parser::ErrorKind;

/// A tab where only spaces are allowed.
pub(super) fn tab(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let mut line = fault.line;
    if *fault.kind == ErrorKind::TabInPlainScalar {
        // This error is reported for the line before: the value continues on the next line, and the
        // tab is there.
        let next = fault.start + line.len() + 1;
        line = line_at(fault.text.get(next..).unwrap_or_default(), 0).0;
    }
    let is_tab = matches!(
        fault.kind,
        ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    );
    if !is_tab && !leading(line).contains('\t') {
        return None;
    }
    // After `-` one space is enough; advice about indentation would not fit.
    let help = if leading(line).trim_start().starts_with('-') && !line.starts_with('\t') {
        "Replace the tab after `-` with a space: `- externalId: ..`"
    } else {
        "Replace the tab with spaces: YAML does not allow tabs as indentation"
    };
    Some(SyntaxAdvice {
        message: Some("a tab is not allowed here; use spaces".to_owned()),
        help: Some(help.to_owned()),
        ..SyntaxAdvice::default()
    })
}

/// What is before the first word of a line.
fn leading(line: &str) -> &str {
    let rest = line.trim_start_matches([' ', '\t', '-']);
    &line[..line.len() - rest.len()]
}

/// Splits `externalId:acme` into the key and the value that lacks a space before it.
pub(in crate::manifest) fn value_without_space(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches([' ', '-']).trim_end();
    let (name, value) = line.split_once(':')?;
    // `https://…` and `a::b` are not keys with a value, and neither is `12:30`.
    let is_value = !value.is_empty() && !value.starts_with([' ', '\t', ':', '/']);
    let is_time = name.bytes().all(|byte| byte.is_ascii_digit());
    (is_name(name) && is_value && !is_time).then_some((name, value))
}

/// The help for a missing space.
pub(in crate::manifest) fn spaced((name, value): (&str, &str)) -> String {
    format!("Write a space after the colon: `{name}: {}`", short(value))
}

/// A colon without a space after it, on this line or the one above.
pub(super) fn missing_space(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let is_key = matches!(
        fault.kind,
        ErrorKind::SimpleKeyExpected | ErrorKind::MappingValueNotAllowed
    );
    if !is_key {
        return None;
    }
    let own = (fault.line, fault.start);
    // Without a colon YAML takes the line as text and fails only at the next key, one line further
    // down.
    let lines = std::iter::once(own).chain(fault.line_above());
    let mut lines =
        lines.filter_map(|(line, start)| Some((value_without_space(line)?, line, start)));
    let (found, line, start) = lines.next()?;
    let colon = line.find(':')?;
    let message = format!("a space is missing after `{}:`", found.0);
    Some(SyntaxAdvice::new(start + colon, message, spaced(found)).since(start))
}

/// `externalId acme`: a line without a colon.
pub(super) fn missing_colon(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    if *fault.kind != ErrorKind::SimpleKeyExpected {
        return None;
    }
    let line = fault.line.trim_start_matches([' ', '-']).trim_end();
    let help = match line.split_once(' ') {
        // With more words it may as well be the rest of the text above.
        Some((name, value)) if is_name(name) && !value.contains(' ') => {
            format!("Write `{name}: {}`", short(value))
        }
        _ => "Write `name: value`. If it continues the line above, indent it further".to_owned(),
    };
    let at = fault.start + leading(fault.line).len();
    Some(SyntaxAdvice::new(at, "this line has no colon", help))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The column at which the key of a line begins, after any `- `.
fn key_column(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}

fn indent_by(spaces: usize) -> String {
    match spaces {
        0 => "Write it at the start of the line".to_owned(),
        _ => format!("Indent it by {}", plural(spaces, "space")),
    }
}

/// A key indented below another key that already has a value.
pub(super) fn too_deep(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    if *fault.kind != ErrorKind::MappingValueNotAllowed {
        return None;
    }
    let (above, start) = fault.line_above()?;
    let (name, value, _) = entry(above)?;
    let wanted = key_column(above);
    if value.is_empty() || indent(fault.line) <= wanted {
        return None;
    }
    let message =
        format!("this line is indented further than `{name}`, but `{name}` already has a value");
    let help = format!("{}, like `{name}`", indent_by(wanted));
    let at = fault.start + indent(fault.line);
    Some(SyntaxAdvice::new(at, message, help).since(start))
}

/// A line that is indented like none of the lines it could belong to.
pub(super) fn between(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let is_odd = matches!(
        fault.kind,
        ErrorKind::ExpectedBlockMappingKey
            | ErrorKind::ExpectedBlockSequenceEntry
            | ErrorKind::InvalidIndentation
    );
    let content = fault.line.trim_start_matches(' ');
    let own = indent(fault.line);
    let item = content.starts_with("- ");
    if !is_odd || content.is_empty() {
        return None;
    }
    let columns = fault.columns.iter().rev();
    let columns = columns.filter(|(_, list)| *list == item);
    // The nearest column of the same sort: a list item can only belong to a list.
    let near = columns
        .map(|(column, _)| *column)
        .min_by_key(|column| column.abs_diff(own))?;
    if near == own {
        return None;
    }
    let what = if item { "a list item" } else { "a key" };
    let message = format!(
        "{what} is indented by {}, unlike any line above",
        plural(own, "space")
    );
    Some(SyntaxAdvice::new(
        fault.start + own,
        message,
        indent_by(near),
    ))
}

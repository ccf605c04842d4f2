//! Values that need quotes, and template placeholders that were not filled in.

use super::{SyntaxAdvice, SyntaxFault, entry, quoted, value_of};
use granit_parser::ErrorKind;

/// Characters that a value without quotes cannot start with.
const MARKS: &str = "@`%*&!}],";

/// The opening and closing marks of common template languages.
const TEMPLATES: &[(&str, &str)] = &[("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

/// `{{#each users}}`: a template that was not rendered.
pub(super) fn template(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let line = fault.line;
    let (at, end) = TEMPLATES
        .iter()
        .find_map(|(open, close)| Some((line.find(open)?, *close)))?;
    // In quotes or in a comment the mark is only text.
    if line[..at].contains(['"', '\'', '#']) {
        return None;
    }
    let rest = &line[at..];
    let mark = rest.find(end).map_or(rest, |found| &rest[..found + 2]);
    let message = unfilled(mark);
    let help = match entry(line) {
        Some((name, value, value_start)) if value_start <= at => fill(name, value),
        _ => format!("{FILL}, or delete the line"),
    };
    let at = fault.start + at;
    Some(SyntaxAdvice::new(at, message, help).since(fault.start))
}

/// The help for a template placeholder.
const FILL: &str = "Run the template before Roster reads the file";

/// The message for a template placeholder.
pub(in crate::manifest) fn unfilled(mark: &str) -> String {
    format!("`{mark}` is a template placeholder that was not filled in")
}

/// The help for a template placeholder that is the value of a key.
pub(in crate::manifest) fn fill(name: &str, value: &str) -> String {
    let kept = quoted(Some(name), value);
    format!("{FILL}. To keep the text, quote it: `{kept}`")
}

/// `name: > 1000 EUR`: `>` and `|` announce lines below.
pub(super) fn block_header(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    if *fault.kind != ErrorKind::InvalidBlockScalarHeader {
        return None;
    }
    let (name, value, value_start) = value_of(fault.line);
    let mark = value.chars().next()?;
    let message =
        format!("`{mark}` starts a text on the lines below; nothing may follow it on this line");
    let help = quote_it(name, value);
    Some(SyntaxAdvice::new(fault.start + value_start, message, help))
}

/// `name: [VIP] customers`: text after the closing bracket.
pub(super) fn after_bracket(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let (name, value, value_start) = entry(fault.line)?;
    let flow = value.starts_with(['[', '{']) && fault.bracket().is_none();
    // The same error at the start of the line is about its indentation.
    let behind = fault.at > fault.start + value_start;
    if *fault.kind != ErrorKind::ExpectedBlockMappingKey || !flow || !behind {
        return None;
    }
    let help = quote_it(Some(name), value);
    let advice = SyntaxAdvice::new(fault.at, "text follows the closing bracket", help);
    Some(advice.since(fault.start))
}

/// A value that needs quotes. The last resort for a line, hence tried late.
pub(super) fn value(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let (name, value, _) = value_of(fault.line);
    if value.is_empty() || value.starts_with('#') || value.starts_with(['"', '\'', '[', '{']) {
        return None;
    }
    // `&anchor value` and `!tag value` are valid; something else is wrong with the line.
    let anchored = value.starts_with(['&', '!']) && value.contains(' ');
    let marked = value.starts_with(|c| MARKS.contains(c)) && !anchored;
    let looks_like_block = value.starts_with("- ") || value == "-" || value.starts_with("? ");
    let odd = marked
        || name.is_some() && (value.contains(": ") || value.ends_with(':') || looks_like_block);
    let first = value.chars().next().filter(|_| marked);
    // `*name` with an unknown anchor: the parser's message about the anchor is better.
    let first = first.filter(|_| *fault.kind != ErrorKind::UnknownAnchor);
    let message = first.map(|first| match first {
        '`' => "a value without quotes cannot start with a backtick".to_owned(),
        first => format!("a value without quotes cannot start with `{first}`"),
    });
    odd.then(|| SyntaxAdvice {
        message,
        help: Some(quote_it(name, value)),
        ..SyntaxAdvice::default()
    })
}

pub(super) fn quote_it(name: Option<&str>, value: &str) -> String {
    format!("Quote the value: `{}`", quoted(name, value))
}

//! Mistakes with brackets: one that is never closed or never opened, and a missing comma or colon
//! between them.

use super::{SyntaxAdvice, SyntaxFault, entry, is_name, line_at, quoted, short};
use granit_parser::ErrorKind;

/// A JavaScript comment in JSON. To YAML it is a value.
pub(super) fn comment(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    fault.bracket()?;
    let comment_at = |at: usize| {
        let text = fault.text.get(at..)?;
        let mark = ["//", "/*"].into_iter().find(|mark| text.starts_with(mark));
        Some((at, mark?))
    };
    // Depending on what follows, the comment is the last value read or the point of failure.
    let (at, mark) = comment_at(fault.last.start).or_else(|| comment_at(fault.at))?;
    let message = format!("`{mark}` does not start a comment in JSON or YAML");
    let help = "Delete the comment. In a .yaml file, a comment begins with `# `";
    Some(SyntaxAdvice::new(at, message, help).since(line_at(fault.text, at).1))
}

/// `{name: Foo #1}`: the comment hides the closing bracket.
pub(super) fn cut(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let opened = fault.bracket().map(|open| open.at);
    let unclosed = match fault.kind {
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => true,
        ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => false,
        _ => return None,
    };
    let from = opened.unwrap_or(fault.at).min(fault.at);
    let reach = fault.text.len();
    // An unclosed bracket fails only at the end of the text, and the comment may be on any line in
    // between.
    let end = if unclosed {
        reach
    } else {
        fault.last.end.max(fault.at)
    };
    let mut start = line_at(fault.text, from).1;
    while start <= end {
        let (line, _) = line_at(fault.text, start);
        if let Some(found) = cut_line(fault, line, start, from) {
            return Some(found);
        }
        start += line.len() + 1;
    }
    None
}

fn cut_line(
    fault: &SyntaxFault<'_>,
    line: &str,
    start: usize,
    from: usize,
) -> Option<SyntaxAdvice> {
    let mark = line.find(" #")?;
    let rest = &line[mark + 2..];
    // A comment without a bracket or a comma in it hides nothing.
    let close = rest.find([']', '}', ','])?;
    let head = &line[..mark];
    let quotes = |quote| head.matches(quote).count() % 2 == 1;
    // `# ` is a real comment, and within quotes `#` is text.
    if rest.starts_with(' ') || quotes('"') || start + mark < from {
        return None;
    }
    let item_start = head.rfind(['[', '{', ',']).map_or(0, |at| at + 1);
    let item = line[item_start..mark + 2 + close].trim();
    let shown = match item.split_once(": ") {
        Some((name, value)) if is_name(name) => quoted(Some(name), value.trim()),
        _ => quoted(None, item),
    };
    let message = "` #` starts a comment that hides the closing bracket";
    let help = format!("Quote the value: `{shown}`");
    let at = start + mark + 1;
    debug_assert!(at <= fault.text.len());
    Some(SyntaxAdvice::new(at, message, help).since(start))
}

/// Two items without a comma between them, or a key without its colon.
pub(super) fn missing_comma(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let open = fault.open.last().filter(|open| open.flow)?;
    let is_missing = matches!(
        fault.kind,
        ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::InvalidTrailingSingleQuotedScalar
            | ErrorKind::InvalidTrailingDoubleQuotedScalar
    );
    if !is_missing {
        return None;
    }
    let head = fault.text[..fault.at].trim_end();
    let next = &fault.text[fault.at..];
    // That is a bracket mistake; `unclosed` explains it better.
    if next.is_empty() || next.starts_with([']', '}']) {
        return None;
    }
    if next.starts_with(':') {
        // In `{externalId: a name: B}`, YAML takes `a name` as one value. The comma belongs before
        // its last word.
        let at = head
            .rfind([' ', '\n', ',', '{', '['])
            .map_or(0, |at| at + 1);
        let word = &head[at..];
        let message = format!("a comma is missing before `{}`", short(word));
        let help = format!("Write a comma: `, {}: ..`", short(word));
        return Some(SyntaxAdvice::new(at, message, help).since(line_at(fault.text, at).1));
    }
    let before = token(head);
    let scanned = fault.text[fault.last.end.min(head.len())..head.len()].contains(':');
    let is_key =
        !open.list && !scanned && head.ends_with(['"', '\'']) && fault.last.end < head.len();
    if is_key {
        let message = format!("a colon is missing after `{}`", short(before));
        let help = format!("Write `{}: ..`", short(before));
        return Some(SyntaxAdvice::new(fault.at, message, help));
    }
    let message = format!("a comma is missing after `{}`", short(before));
    let help = format!("Write `{},`", short(before));
    Some(SyntaxAdvice::new(fault.at, message, help))
}

/// The last value or bracket of a text.
fn token(head: &str) -> &str {
    let last = head.chars().next_back();
    if let Some(quote @ ('"' | '\'')) = last
        && let Some(at) = head[..head.len() - 1].rfind(quote)
    {
        return &head[at..];
    }
    if last.is_some_and(|c| matches!(c, ']' | '}')) {
        return &head[head.len() - 1..];
    }
    let at = head
        .rfind(['[', '{', ',', ':', '\n'])
        .map_or(0, |at| at + 1);
    head[at..].trim()
}

/// A closing bracket without an opening one.
pub(super) fn too_many(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    if *fault.kind != ErrorKind::MisplacedFlowCollectionEnd {
        return None;
    }
    let bracket = fault.text[fault.at..].chars().next()?;
    let is_value = entry(fault.line).is_some_and(|(_, value, _)| value.starts_with(bracket));
    // `name: ] x` is a value that needs quotes; `values` gives the advice.
    if is_value {
        return None;
    }
    let message = format!("`{bracket}` has no opening bracket");
    let advice = SyntaxAdvice::new(fault.at, message, format!("Delete the `{bracket}`"));
    Some(advice.since(fault.start))
}

/// A bracket that is never closed, or closed by a different one.
pub(super) fn unclosed(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let (message, at) = match fault.kind {
        ErrorKind::UnclosedFlowCollection { open } => (format!("`{open}` is not closed"), fault.at),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` is closed by `{close}`"), fault.at)
        }
        _ => {
            let open = fault.bracket()?;
            let bracket = if open.list { '[' } else { '{' };
            (format!("`{bracket}` is not closed before this"), fault.at)
        }
    };
    // The failure is either at the opening bracket or far behind it, where it is missed.
    let opener = match fault.text[at..].chars().next() {
        Some('[' | '{') => at,
        _ => fault.bracket()?.at,
    };
    let (line, start) = line_at(fault.text, opener);
    let close = if fault.text[opener..].starts_with('[') {
        ']'
    } else {
        '}'
    };
    let help = match entry(line) {
        Some((name, value, value_start)) if start + value_start == opener && !is_closed(value) => {
            format!(
                "Close the bracket with `{close}`, or quote the value: `{}`",
                quoted(Some(name), value)
            )
        }
        _ => format!("Close the bracket with `{close}`"),
    };
    Some(SyntaxAdvice::new(at, message, help).since(start))
}

/// Whether a value has as many closing as opening brackets.
fn is_closed(value: &str) -> bool {
    let count = |marks: [char; 2]| value.matches(marks).count();
    count(['[', '{']) == count([']', '}'])
}

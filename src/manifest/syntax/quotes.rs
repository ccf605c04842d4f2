//! Advice about quotes that are not closed, close too early, or contain what they must not.

use super::fault::{closing, may_precede};
use super::{SyntaxAdvice, SyntaxFault, line_at, quoted, short, value_of};
use granit_parser::ErrorKind;

/// A quote that is not closed: finds where it opens.
pub(super) fn open(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let is_open = matches!(
        fault.kind,
        ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::DocumentIndicatorInQuotedScalar
    );
    if !is_open {
        return None;
    }
    let inside = |quote| match quote {
        '"' => "Inside double quotes, write `\\\"` for a quote",
        _ => "Inside single quotes, write `''` for a quote",
    };
    let Some((at, quote)) = opener(fault) else {
        return Some(SyntaxAdvice {
            help: Some(format!("Close the quote. {}", inside('"'))),
            ..SyntaxAdvice::default()
        });
    };
    let (line, start) = line_at(fault.text, at);
    let value = line[at - start..].trim_end();
    let value = match fault.bracket() {
        Some(_) => value.trim_end_matches([',', ']', '}', ' ']),
        None => value,
    };
    let help = format!(
        "Close the quote: `{}{quote}`. {}",
        short(value),
        inside(quote)
    );
    let message = "this quote is not closed";
    Some(SyntaxAdvice::new(at, message, help).since(start))
}

/// The quote that opens after the last thing read and does not close before the fault.
fn opener(fault: &SyntaxFault<'_>) -> Option<(usize, char)> {
    let end = fault.at.max(fault.last.end);
    let mut from = fault.last.end;
    loop {
        let rest = fault.text.get(from..end)?;
        let at = from + rest.find(['"', '\''])?;
        let before = fault.text[..at].chars().next_back();
        let quote = fault.text[at..].chars().next()?;
        // An apostrophe inside a word, as in `L'Oréal`, opens nothing.
        if !may_precede(before) {
            from = at + 1;
            continue;
        }
        match closing(&fault.text[at + 1..end], quote) {
            Some(length) => from = at + 1 + length,
            None => return Some((at, quote)),
        }
    }
}

/// The characters allowed after a backslash in double quotes.
const ESCAPES: &str = "0abt\tnvfre \"/\\N_LPxuU\n\r";

/// `"C:\path"`: a backslash that was meant literally.
pub(super) fn escape(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let digits = match fault.kind {
        ErrorKind::UnknownQuotedScalarEscape => false,
        ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidUnicodeEscape => true,
        _ => return None,
    };
    let text = &fault.text[fault.at..];
    let quote_at = text.find('"')?;
    let is_bad = |mark: char| !ESCAPES.contains(mark) || digits && "xuU".contains(mark);
    let mut marks = text.match_indices('\\').filter_map(|(at, _)| {
        let mark = text[at + 1..].chars().next()?;
        Some((at, mark))
    });
    let (at, mark) = marks.find(|(_, mark)| is_bad(*mark))?;
    let inner = &text[quote_at + 1..];
    let inner = &inner[..closing(inner, '"').map_or(inner.len(), |length| length - 1)];
    let inner = inner.lines().next().unwrap_or_default();
    let doubled = format!("\"{}\"", short(&inner.replace('\\', "\\\\")));
    let help = if inner.contains('\'') {
        format!("Double each backslash: `{doubled}`")
    } else {
        format!(
            "Write it in single quotes: `'{}'`. Or double each backslash: `{doubled}`",
            short(inner)
        )
    };
    let message = format!("`\\{mark}` is not a valid escape inside double quotes");
    Some(SyntaxAdvice::new(fault.at + at, message, help))
}

/// `'L'Oréal'` and `"VIP" customers`: text after the closing quote.
pub(super) fn trailing(fault: &SyntaxFault<'_>) -> Option<SyntaxAdvice> {
    let is_trailing = matches!(
        fault.kind,
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar
    );
    if !is_trailing || fault.bracket().is_some() {
        return None;
    }
    let message = "text follows the closing quote";
    let (name, value, _) = value_of(fault.line);
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    // With three quotes, the middle one was meant literally.
    let whole = value.len() > 1 && value.ends_with(quote) && value.matches(quote).count() % 2 == 1;
    let meant = if whole {
        &value[1..value.len() - 1]
    } else {
        value
    };
    let help = format!("Quote the whole value: `{}`", quoted(name, meant));
    Some(SyntaxAdvice::new(fault.at, message, help))
}

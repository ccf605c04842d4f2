//! Explains text that is not valid YAML: what is wrong, where, and what to write instead. The
//! parser's own messages speak about the parser; each look here recognises one common mistake and
//! knows its remedy. Start at `advise`.

mod brackets;
mod fault;
mod indents;
mod quotes;
mod values;

pub(super) use fault::SyntaxAdvice;
pub(super) use indents::{spaced, value_without_space};
pub(super) use values::{fill, unfilled};

use fault::{SyntaxFault, entry, is_name, line_at, quoted, short, value_of};
use granit_parser::{ErrorKind, ScanError};

type Look = fn(&SyntaxFault<'_>) -> Option<SyntaxAdvice>;

/// The looks, in this order. The first one that recognises its mistake decides, so the more
/// specific ones come first.
const LOOKS: &[Look] = &[
    indents::tab,
    values::template,
    quotes::open,
    brackets::comment,
    brackets::cut,
    brackets::missing_comma,
    brackets::too_many,
    quotes::escape,
    quotes::trailing,
    values::block_header,
    values::after_bracket,
    indents::missing_space,
    values::value,
    brackets::unclosed,
    indents::missing_colon,
    indents::too_deep,
    indents::between,
];

/// Returns the advice for a fault at a byte of a document.
pub(super) fn advise(error: &ScanError, text: &str, at: usize) -> SyntaxAdvice {
    let mut at = at.min(text.len());
    // The parser may point into a letter of several bytes.
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let fault = SyntaxFault::new(error.kind(), text, at);
    let mut advice = LOOKS
        .iter()
        .find_map(|look| look(&fault))
        .unwrap_or_default();
    if advice.message.is_none() {
        advice.message = plain(error.kind()).map(str::to_owned);
    }
    advice
}

/// What the parser means, where its own words are about the parser.
fn plain(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry => {
            "this line does not fit the lines above it"
        }
        ErrorKind::MappingValueNotAllowed => "a value without quotes cannot contain `: `",
        ErrorKind::BlockSequenceEntryNotAllowed => "a list cannot start here",
        ErrorKind::MappingKeyNotAllowed => "a value without quotes cannot start with `? `",
        ErrorKind::UnknownAnchor => "no anchor of this name above",
        ErrorKind::SimpleKeyExpected => "this line has no `: ` in it",
        ErrorKind::UnclosedFlowCollection { .. } => "this bracket is not closed",
        ErrorKind::MisplacedFlowCollectionEnd => "this bracket has no opening bracket",
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            "a comma or the closing bracket is missing before this"
        }
        _ => return None,
    })
}

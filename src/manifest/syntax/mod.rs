//! Explains text that is not valid YAML: what is wrong, where, and what to write instead. The
//! parser's own messages speak about the parser; each look here recognises one common mistake and
//! knows its remedy. Start at `advise`.

mod brackets;
mod indents;
mod quotes;
mod values;

pub(super) use indents::{spaced, value_without_space};
pub(super) use values::{fill, unfilled};

use granit_parser::{ErrorKind, Event, Parser, ScanError, StructureStyle};
use memchr::{memchr2, memrchr2};
use std::ops::Range;

/// What is wrong with a text, in words that need no knowledge of the parser.
#[derive(Debug, Default)]
pub(super) struct SyntaxAdvice {
    /// The byte where it is wrong, if the parser noticed it only later.
    pub at: Option<usize>,
    /// What is wrong, if the parser does not say so plainly.
    pub message: Option<String>,
    /// What to write.
    pub help: Option<String>,
    /// The byte from which on other diagnostics are only consequences.
    pub since: Option<usize>,
}

impl SyntaxAdvice {
    fn new(at: usize, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            message: Some(message.into()),
            help: Some(help.into()),
            since: None,
        }
    }

    fn since(mut self, byte: usize) -> Self {
        self.since = Some(byte);
        self
    }
}

/// A list or mapping that has not ended.
struct OpenBracket {
    flow: bool,
    list: bool,
    at: usize,
}

/// Where a document cannot be read on, and its surroundings.
struct SyntaxFault<'t> {
    kind: &'t ErrorKind,
    text: &'t str,
    at: usize,
    /// The line of the fault, and where the line starts.
    line: &'t str,
    start: usize,
    /// What is open there, the innermost last.
    open: Vec<OpenBracket>,
    /// The columns where lists and mappings of the document start, and which of them are lists.
    columns: Vec<(usize, bool)>,
    /// The last thing that was read.
    last: Range<usize>,
}

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

impl<'t> SyntaxFault<'t> {
    fn new(kind: &'t ErrorKind, text: &'t str, at: usize) -> Self {
        let (line, start) = line_at(text, at);
        let mut fault = Self {
            kind,
            text,
            at,
            line,
            start,
            open: Vec::new(),
            columns: Vec::new(),
            last: 0..0,
        };
        fault.read();
        fault.read_on();
        fault
    }

    /// Reads the document up to the fault again.
    fn read(&mut self) {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(Ok((event, span))) = parser.next_event() {
            let from = span.start.byte_offset().unwrap_or_default();
            let to = span.end.byte_offset().unwrap_or(from);
            // The parser reads ahead; what lies behind the fault is not its context.
            if from > self.at {
                return;
            }
            let begins = match event {
                Event::MappingStart(style, ..) => Some((style, false)),
                Event::SequenceStart(style, ..) => Some((style, true)),
                Event::MappingEnd | Event::SequenceEnd => {
                    self.open.pop();
                    None
                }
                Event::Scalar(..) | Event::Alias(..) => None,
                _ => continue,
            };
            if let Some((style, list)) = begins {
                let column = span.start.col();
                let flow = style == StructureStyle::Flow;
                if !flow {
                    self.columns.push((column, list));
                }
                let at = from;
                self.open.push(OpenBracket { flow, list, at });
            }
            if to > from || self.last.end < from {
                self.last = from..to;
            }
        }
    }

    /// Finds the brackets that open after the last event of the parser.
    fn read_on(&mut self) {
        let mut at = self.last.end;
        let mut before = self.text[..at.min(self.at)].chars().next_back();
        while let Some(c) = self
            .text
            .get(at..self.at)
            .and_then(|rest| rest.chars().next())
        {
            let begins = quotes::may_precede(before);
            let mut next = at + c.len_utf8();
            match c {
                '[' | '{' if begins => self.open.push(OpenBracket {
                    flow: true,
                    list: c == '[',
                    at,
                }),
                ']' | '}' if self.bracket().is_some() => drop(self.open.pop()),
                '"' | '\'' if begins => {
                    let rest = &self.text[next..self.at];
                    next += quotes::closing(rest, c).unwrap_or(rest.len());
                }
                _ => {}
            }
            before = Some(c);
            at = next;
        }
    }

    /// The outermost open bracket.
    fn bracket(&self) -> Option<&OpenBracket> {
        self.open.iter().find(|open| open.flow)
    }

    /// The line before the fault that is neither blank nor a comment, and its start.
    fn line_above(&self) -> Option<(&'t str, usize)> {
        let mut start = self.start;
        loop {
            let (line, begin) = line_at(self.text, start.checked_sub(1)?);
            start = begin;
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                return Some((line, begin));
            }
        }
    }
}

/// The line of a byte, and where it starts.
fn line_at(text: &str, at: usize) -> (&str, usize) {
    let bytes = text.as_bytes();
    let start = memrchr2(b'\n', b'\r', &bytes[..at]).map_or(0, |end| end + 1);
    let end = memchr2(b'\n', b'\r', &bytes[at..]).map_or(text.len(), |end| at + end);
    (text.get(start..end).unwrap_or_default(), start)
}

/// The value of a line, its key if it has one, and where the value starts.
fn value_of(line: &str) -> (Option<&str>, &str, usize) {
    if let Some((name, value, begin)) = entry(line) {
        return (Some(name), value, begin);
    }
    let value = line.trim_start_matches([' ', '-']);
    (None, value.trim_end(), line.len() - value.len())
}

/// The key and value of a line, and where the value starts in it.
fn entry(line: &str) -> Option<(&str, &str, usize)> {
    let from = line.len() - line.trim_start_matches([' ', '-']).len();
    let (name, _) = line[from..].split_once(": ")?;
    let value = &line[from + name.len() + 1..];
    let begin = line.len() - value.trim_start().len();
    is_name(name).then(|| (name, value.trim(), begin))
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !name.is_empty() && name.chars().all(plain)
}

/// The longest value that a message shows.
const LONGEST: usize = 60;

/// A value, shortened if it is long.
fn short(value: &str) -> String {
    let mut shown: String = value.chars().take(LONGEST).collect();
    if value.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// `name: "Foo: Bar"`: in the quotes that need the fewest escapes.
fn quoted(name: Option<&str>, value: &str) -> String {
    // Typographic quotes come from word processors and were meant as real ones.
    let value = value.trim_matches(['“', '”', '„', '»', '«']);
    let shown = match (value.contains(['"', '\\']), value.contains('\'')) {
        (false, _) => format!("\"{}\"", short(value)),
        (true, false) => format!("'{}'", short(value)),
        (true, true) => {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{}\"", short(&value))
        }
    };
    match name {
        Some(name) => format!("{name}: {shown}"),
        None => shown,
    }
}

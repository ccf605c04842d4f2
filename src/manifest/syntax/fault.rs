//! The text around a syntax error, and the advice about it.

use granit_parser::{ErrorKind, Event, Parser, StructureStyle};
use memchr::{memchr2, memrchr2};
use std::ops::Range;

/// What is wrong with a text, in words that need no knowledge of the parser.
#[derive(Debug, Default)]
pub(in crate::manifest) struct SyntaxAdvice {
    /// The byte of the mistake, if the parser reports a later one.
    pub at: Option<usize>,
    /// What is wrong, if the message of the parser is unclear.
    pub message: Option<String>,
    /// What to write.
    pub help: Option<String>,
    /// The byte from which on other diagnostics are only consequences.
    pub since: Option<usize>,
}

impl SyntaxAdvice {
    pub(super) fn new(at: usize, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            message: Some(message.into()),
            help: Some(help.into()),
            since: None,
        }
    }

    pub(super) fn since(mut self, byte: usize) -> Self {
        self.since = Some(byte);
        self
    }
}

/// A list or mapping that has not ended.
pub(super) struct OpenBracket {
    pub(super) flow: bool,
    pub(super) list: bool,
    pub(super) at: usize,
}

/// The place at which the parser stopped, and what is around it.
pub(super) struct SyntaxFault<'t> {
    pub(super) kind: &'t ErrorKind,
    pub(super) text: &'t str,
    pub(super) at: usize,
    /// The line of `at`, and the byte at which the line starts.
    pub(super) line: &'t str,
    pub(super) start: usize,
    /// The lists and mappings that are open there, the innermost last.
    pub(super) open: Vec<OpenBracket>,
    /// The columns at which block lists and mappings start, with whether each is a list.
    pub(super) columns: Vec<(usize, bool)>,
    /// The scalar or bracket that the parser read last.
    pub(super) last: Range<usize>,
}

impl<'t> SyntaxFault<'t> {
    pub(super) fn new(kind: &'t ErrorKind, text: &'t str, at: usize) -> Self {
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

    /// Reads the document again up to the fault.
    fn read(&mut self) {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(Ok((event, span))) = parser.next_event() {
            let from = span.start.byte_offset().unwrap_or_default();
            let to = span.end.byte_offset().unwrap_or(from);
            if from > self.at {
                return;
            }
            let opened = match event {
                Event::MappingStart(style, ..) => Some((style, false)),
                Event::SequenceStart(style, ..) => Some((style, true)),
                Event::MappingEnd | Event::SequenceEnd => {
                    self.open.pop();
                    None
                }
                Event::Scalar(..) | Event::Alias(..) => None,
                _ => continue,
            };
            if let Some((style, list)) = opened {
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
            let may_start = may_precede(before);
            let mut next = at + c.len_utf8();
            match c {
                '[' | '{' if may_start => self.open.push(OpenBracket {
                    flow: true,
                    list: c == '[',
                    at,
                }),
                ']' | '}' if self.bracket().is_some() => drop(self.open.pop()),
                '"' | '\'' if may_start => {
                    let rest = &self.text[next..self.at];
                    next += closing(rest, c).unwrap_or(rest.len());
                }
                _ => {}
            }
            before = Some(c);
            at = next;
        }
    }

    /// The outermost open bracket.
    pub(super) fn bracket(&self) -> Option<&OpenBracket> {
        self.open.iter().find(|open| open.flow)
    }

    /// The last line above the fault that is neither blank nor a comment, and where it starts.
    pub(super) fn line_above(&self) -> Option<(&'t str, usize)> {
        let mut start = self.start;
        loop {
            let (line, line_start) = line_at(self.text, start.checked_sub(1)?);
            start = line_start;
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                return Some((line, line_start));
            }
        }
    }
}

/// The line of a byte, and where it starts.
pub(super) fn line_at(text: &str, at: usize) -> (&str, usize) {
    let bytes = text.as_bytes();
    let start = memrchr2(b'\n', b'\r', &bytes[..at]).map_or(0, |end| end + 1);
    let end = memchr2(b'\n', b'\r', &bytes[at..]).map_or(text.len(), |end| at + end);
    (text.get(start..end).unwrap_or_default(), start)
}

/// The key of a line, if it has one, its value, and where the value starts.
pub(super) fn value_of(line: &str) -> (Option<&str>, &str, usize) {
    if let Some((name, value, value_start)) = entry(line) {
        return (Some(name), value, value_start);
    }
    let value = line.trim_start_matches([' ', '-']);
    (None, value.trim_end(), line.len() - value.len())
}

/// The key and the value of a line, and where the value starts.
pub(super) fn entry(line: &str) -> Option<(&str, &str, usize)> {
    let from = line.len() - line.trim_start_matches([' ', '-']).len();
    let (name, _) = line[from..].split_once(": ")?;
    let value = &line[from + name.len() + 1..];
    let value_start = line.len() - value.trim_start().len();
    is_name(name).then(|| (name, value.trim(), value_start))
}

pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !name.is_empty() && name.chars().all(plain)
}

/// How many characters of a value are shown.
pub(super) const LONGEST: usize = 60;

/// A value, cut off if it is long.
pub(super) fn short(value: &str) -> String {
    let mut shown: String = value.chars().take(LONGEST).collect();
    if value.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// `name: "Foo: Bar"`: a value in the quotes that need the fewest escapes.
pub(super) fn quoted(name: Option<&str>, value: &str) -> String {
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

/// Whether a value can start after a character.
pub(super) fn may_precede(before: Option<char>) -> bool {
    before.is_none_or(|c| c.is_whitespace() || matches!(c, '[' | '{' | ',' | ':' | '-'))
}

/// The number of bytes up to and including the closing quote.
pub(super) fn closing(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') {
                chars.next();
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}

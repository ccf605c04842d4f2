//! The text around a mistake, and what is advised about it.

use granit_parser::{ErrorKind, Event, Parser, StructureStyle};
use memchr::{memchr2, memrchr2};
use std::ops::Range;

/// What is wrong with a text, in words that need no knowledge of the parser.
#[derive(Debug, Default)]
pub(in crate::manifest) struct SyntaxAdvice {
    /// The byte at which it is wrong, when the parser saw it only later.
    pub at: Option<usize>,
    /// What is wrong, when the parser does not say so plainly.
    pub message: Option<String>,
    /// What to write.
    pub help: Option<String>,
    /// The byte from which on whatever else was found comes of it.
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

/// Where a document cannot be read on, and what is around that place.
pub(super) struct SyntaxFault<'t> {
    pub(super) kind: &'t ErrorKind,
    pub(super) text: &'t str,
    pub(super) at: usize,
    /// Its line, and where that begins.
    pub(super) line: &'t str,
    pub(super) start: usize,
    /// What is open there, the innermost last.
    pub(super) open: Vec<OpenBracket>,
    /// The columns at which lists and mappings of the document begin, with what they are.
    pub(super) columns: Vec<(usize, bool)>,
    /// What was read last.
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

    /// Reads the document up to the fault once more.
    pub(super) fn read(&mut self) {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(Ok((event, span))) = parser.next_event() {
            let from = span.start.byte_offset().unwrap_or_default();
            let to = span.end.byte_offset().unwrap_or(from);
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

    /// Finds the brackets that open behind what the parser told of.
    pub(super) fn read_on(&mut self) {
        let mut at = self.last.end;
        let mut before = self.text[..at.min(self.at)].chars().next_back();
        while let Some(c) = self
            .text
            .get(at..self.at)
            .and_then(|rest| rest.chars().next())
        {
            let begins = may_precede(before);
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
                    next += closing(rest, c).unwrap_or(rest.len());
                }
                _ => {}
            }
            before = Some(c);
            at = next;
        }
    }

    /// The outermost of the brackets that are open.
    pub(super) fn bracket(&self) -> Option<&OpenBracket> {
        self.open.iter().find(|open| open.flow)
    }

    /// The line before the fault's that is neither blank nor a comment, and where it begins.
    pub(super) fn line_above(&self) -> Option<(&'t str, usize)> {
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

/// The line of a byte, and where it begins.
pub(super) fn line_at(text: &str, at: usize) -> (&str, usize) {
    let bytes = text.as_bytes();
    let start = memrchr2(b'\n', b'\r', &bytes[..at]).map_or(0, |end| end + 1);
    let end = memchr2(b'\n', b'\r', &bytes[at..]).map_or(text.len(), |end| at + end);
    (text.get(start..end).unwrap_or_default(), start)
}

/// The value of a line, its key if it has one, and where the value begins.
pub(super) fn value_of(line: &str) -> (Option<&str>, &str, usize) {
    if let Some((name, value, begin)) = entry(line) {
        return (Some(name), value, begin);
    }
    let value = line.trim_start_matches([' ', '-']);
    (None, value.trim_end(), line.len() - value.len())
}

/// The key and the value of a line, and where the value begins in it.
pub(super) fn entry(line: &str) -> Option<(&str, &str, usize)> {
    let from = line.len() - line.trim_start_matches([' ', '-']).len();
    let (name, _) = line[from..].split_once(": ")?;
    let value = &line[from + name.len() + 1..];
    let begin = line.len() - value.trim_start().len();
    is_name(name).then(|| (name, value.trim(), begin))
}

pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !name.is_empty() && name.chars().all(plain)
}

/// The longest value that is shown.
pub(super) const LONGEST: usize = 60;

/// A value, cut where it is long.
pub(super) fn short(value: &str) -> String {
    let mut shown: String = value.chars().take(LONGEST).collect();
    if value.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// `name: "Foo: Bar"`: in the quotes that leave most of it as it is.
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

/// Whether a value can begin behind a character.
pub(super) fn may_precede(before: Option<char>) -> bool {
    before.is_none_or(|c| c.is_whitespace() || matches!(c, '[' | '{' | ',' | ':' | '-'))
}

/// How many bytes there are to the end of a quoted text, its closing quote included.
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

//! Renders diagnostics as text with the source line, in the form that compilers use. In goes a
//! diagnostic and a function that returns the text of a file; out comes text. Lines that may
//! contain secrets are never shown. Start reading at `DiagnosticRenderer::render`.

use super::{Diagnostic, Origin, Severity, codes, is_hidden, visible as escaped};
use crate::model::LineColumn;
use anstyle::{AnsiColor, Style};
use granit_parser::{Event, Parser};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

const WIDTH: usize = 120;
/// How many characters before the place are shown of a long line.
const BEFORE: usize = 60;
const RELATED: usize = 4;
/// Parts of words. A line with one of them may contain a password and is not shown.
const SECRETS: [&str; 4] = ["passw", "passwort", "pwd", "secret"];

/// Renders diagnostics. Each file is read once.
pub struct DiagnosticRenderer<F> {
    text: F,
    colour: bool,
    files: HashMap<Arc<str>, Option<LineIndex>>,
}

/// Returns whether a message names its resource already.
fn mentions_key(message: &str, key: &str) -> bool {
    message.match_indices(key).any(|(at, _)| {
        let next = message[at + key.len()..].chars().next();
        next.is_none_or(|next| matches!(next, ' ' | ':' | ',' | ';'))
    })
}

/// A text and where its lines begin.
struct LineIndex {
    text: String,
    ascii: bool,
    starts: Vec<usize>,
    spans: UnderlineWidths,
}

impl LineIndex {
    fn of(path: &str, text: String) -> Self {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self {
            starts: std::iter::once(0).chain(breaks).collect(),
            ascii: text.is_ascii(),
            spans: UnderlineWidths::of(path, &text),
            text,
        }
    }

    /// Returns the line with this number, counted from 1.
    fn line(&self, number: u32) -> Option<&str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let end = self
            .starts
            .get(index + 1)
            .copied()
            .unwrap_or(self.text.len());
        Some(self.text.get(start..end)?.trim_end_matches(['\n', '\r']))
    }

    /// Returns the byte at which the character `at` (from 0) of a line begins.
    fn byte(&self, line: &str, at: usize) -> usize {
        // Most files are ASCII, where finding a column needs no counting.
        if self.ascii {
            return at.min(line.len());
        }
        line.char_indices()
            .nth(at)
            .map_or(line.len(), |(byte, _)| byte)
    }
}

impl<F: FnMut(&str) -> Option<String>> DiagnosticRenderer<F> {
    /// Creates a renderer that gets the texts of files from `text`.
    pub fn new(text: F, colour: bool) -> Self {
        Self {
            text,
            colour,
            files: HashMap::new(),
        }
    }

    /// Renders a diagnostic. The text ends with a line break.
    pub fn render(&mut self, found: &Diagnostic) -> String {
        let mut out = String::new();
        self.head(&mut out, found);
        let gutter = match &found.origin {
            Some(origin) => self.write_location(&mut out, found, origin),
            None => 1,
        };
        let (shown, more) = found.related.split_at(found.related.len().min(RELATED));
        for related in shown {
            self.remark(&mut out, gutter, "note", &format!("see {related}"));
        }
        if !more.is_empty() {
            let more = format!("and {} more", more.len());
            self.remark(&mut out, gutter, "note", &more);
        }
        if let Some(help) = &found.help {
            self.remark(&mut out, gutter, "help", help);
        }
        out
    }

    fn head(&self, out: &mut String, found: &Diagnostic) {
        let name = format!("{}[{}]", found.severity, found.code);
        let what = match (&found.key, &found.field) {
            (Some(key), _) if mentions_key(&found.message, &key.to_string()) => String::new(),
            (Some(key), Some(field)) => format!("{key} {}: ", escaped(field)),
            (Some(key), None) => format!("{key}: "),
            (None, _) => String::new(),
        };
        let name = self.paint(severity_style(found.severity), &name);
        let _ = writeln!(out, "{name}: {what}{}", escaped(&found.message));
    }

    /// Writes the place and its line. Returns the width of the line number.
    fn write_location(&mut self, out: &mut String, found: &Diagnostic, origin: &Origin) -> usize {
        let gutter = origin.at.line.to_string().len();
        let arrow = self.paint(BLUE, "-->");
        let _ = writeln!(out, "{:gutter$}{arrow} {origin}", "");
        // A secret in the wrong place is reported by its position only.
        if origin.at.line == 0 || shows_secret(found) {
            return gutter;
        }
        let style = severity_style(found.severity);
        if let Some(SourceExcerpt {
            line,
            before,
            width,
        }) = self.excerpt(origin)
        {
            let bar = self.paint(BLUE, "|");
            let number = self.paint(BLUE, &origin.at.line.to_string());
            let caret = self.paint(style, &"^".repeat(width));
            let _ = writeln!(out, "{:gutter$} {bar}", "");
            let _ = writeln!(out, "{number} {bar} {line}");
            let _ = writeln!(out, "{:gutter$} {bar} {:before$}{caret}", "", "");
        }
        gutter
    }

    fn remark(&self, out: &mut String, gutter: usize, name: &str, text: &str) {
        let equals = self.paint(BLUE, "=");
        let name = self.paint(Style::new().bold(), name);
        let _ = writeln!(out, "{:gutter$} {equals} {name}: {}", "", escaped(text));
    }

    fn excerpt(&mut self, origin: &Origin) -> Option<SourceExcerpt> {
        if !self.files.contains_key(&origin.path) {
            let text = (self.text)(&origin.path);
            // The reader does not count a byte order mark as a column.
            let text = text.map(|text| text.trim_start_matches('\u{feff}').to_owned());
            self.files.insert(
                Arc::clone(&origin.path),
                text.map(|text| LineIndex::of(&origin.path, text)),
            );
        }
        let lines = self.files.get(&origin.path)?.as_ref()?;
        excerpt(lines, origin.at)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.colour {
            return format!("{style}{text}{style:#}");
        }
        text.to_owned()
    }
}

/// The part of a source line around a place.
struct SourceExcerpt {
    line: String,
    /// The number of characters before the place.
    before: usize,
    /// The number of characters of the value.
    width: usize,
}

fn excerpt(lines: &LineIndex, at: LineColumn) -> Option<SourceExcerpt> {
    let line = lines.line(at.line)?;
    let column = usize::try_from(at.column).ok()?.saturating_sub(1);
    let skipped = column.saturating_sub(BEFORE);
    let start = lines.byte(line, skipped);
    let mut shown: String = line[start..]
        .chars()
        .take(WIDTH)
        // Characters are replaced one by one, so that the caret stays below its place.
        .map(visible_char)
        .collect();
    // Judged by the part that is shown; a line may be a whole file long.
    if may_hold_secret(&shown) {
        return None;
    }
    let before = column - skipped;
    let known = lines.spans.width(at);
    let width = known.map_or_else(
        || value_width(&shown, before),
        |width| {
            width
                .min(shown.chars().count().saturating_sub(before))
                .max(1)
        },
    );
    let mut lead = 0;
    // The ellipsis moves the caret.
    if skipped > 0 {
        shown.insert(0, '…');
        lead = 1;
    }
    if line[start..].chars().nth(WIDTH).is_some() {
        shown.push('…');
    }
    Some(SourceExcerpt {
        line: shown.trim_end().to_owned(),
        before: before + lead,
        width,
    })
}

fn visible_char(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_hidden(c) => '\u{fffd}',
        c => c,
    }
}

/// Guesses the length of the value at a place, for text that could not be parsed.
fn value_width(line: &str, before: usize) -> usize {
    let head: String = line.chars().take(before).collect();
    let rest: Vec<char> = line.chars().skip(before).collect();
    let flow = head.matches(['[', '{']).count() > head.matches([']', '}']).count();
    let end = match rest.first() {
        None | Some('[' | '{') => return 1,
        Some(quote @ ('"' | '\'')) => rest[1..].iter().position(|c| c == quote).map(|at| at + 2),
        Some(_) => (1..rest.len()).find(|&at| match rest[at] {
            ',' | ']' | '}' => flow,
            ':' => matches!(rest.get(at + 1), None | Some(' ')),
            '#' => rest[at - 1] == ' ',
            _ => false,
        }),
    };
    let value: String = rest[..end.unwrap_or(rest.len())].iter().collect();
    value.trim_end().chars().count().max(1)
}

fn may_hold_secret(line: &str) -> bool {
    let folded = line.to_ascii_lowercase();
    SECRETS.iter().any(|word| folded.contains(word))
}

/// Returns whether the diagnostic is about something that must not be shown.
fn shows_secret(found: &Diagnostic) -> bool {
    found.code == codes::SECRET_IN_GIT || found.code == codes::SECRET_SOURCE
}

const BLUE: Style = AnsiColor::Blue.on_default().bold();

fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning | Severity::Hold => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Green,
    }
    .on_default()
    .bold()
}

/// The largest file that is parsed for the width of underlines.
const MAX_UNDERLINED_BYTES: usize = 8 << 20;

/// For each value of a file, the number of characters on its first line.
#[derive(Default)]
struct UnderlineWidths(HashMap<LineColumn, usize>);

impl UnderlineWidths {
    /// Collects the widths of a file: of invalid YAML those before the error, of other files none.
    fn of(path: &str, text: &str) -> Self {
        let mut spans = Self::default();
        let is_yaml = [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| path.ends_with(end));
        if !is_yaml || text.len() > MAX_UNDERLINED_BYTES {
            return spans;
        }
        let mut parser = Parser::new_from_str(text);
        while let Some(Ok((event, span))) = parser.next_event() {
            let at = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let pos = LineColumn {
                line: at(span.start.line()),
                column: at(span.start.col()).saturating_add(1),
            };
            let (from, to) = (span.start.byte_offset(), span.end.byte_offset());
            let value = from.zip(to).and_then(|(from, to)| text.get(from..to));
            let first = value.and_then(|value| value.trim_end().lines().next());
            let width = first.map_or(1, |line| line.trim_end().chars().count());
            match event {
                Event::MappingStart(..) | Event::SequenceStart(..) => {
                    spans.0.entry(pos).or_insert(1);
                }
                // The first key of a block mapping begins where the mapping does.
                Event::Scalar(..) | Event::Alias(..) if width > 0 => {
                    spans.0.insert(pos, width);
                }
                _ => {}
            }
        }
        spans
    }

    /// Returns the width of the value that begins at a place.
    fn width(&self, at: LineColumn) -> Option<usize> {
        self.0.get(&at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, column: u32) -> Origin {
        Origin {
            path: "users.yaml".into(),
            at: LineColumn { line, column },
        }
    }

    fn render(text: &str, found: &Diagnostic) -> String {
        DiagnosticRenderer::new(|_| Some(text.to_owned()), false).render(found)
    }

    #[test]
    fn shows_the_line_with_a_caret_under_the_value() {
        let found = Diagnostic::new(codes::REFERENCE, "`acmé` is not declared")
            .field("accounts")
            .at(at(2, 14))
            .related([at(1, 1)])
            .help("Did you mean `acme`?");
        let text = "users:\n- accounts: [acmé, b]\n";
        assert_eq!(
            render(text, &found),
            "error[reference]: `acmé` is not declared\n --> users.yaml:2:14\n  |\n2 | - accounts: [acmé, b]\n  |              ^^^^\n  = note: see users.yaml:1:1\n  = help: Did you mean `acme`?\n"
        );
    }

    #[test]
    fn of_many_related_places_the_first_are_shown() {
        let related = (1..=402).map(|line| at(line, 1));
        let found = Diagnostic::new(codes::LAST_USER, "m").related(related);
        let shown = DiagnosticRenderer::new(|_| None, false).render(&found);
        assert_eq!(shown.lines().count(), 1 + RELATED + 1);
        assert!(shown.ends_with("= note: and 398 more\n"), "{shown}");
    }

    #[test]
    fn a_secret_is_not_shown_with_its_line() {
        for code in [
            codes::SECRET_IN_GIT,
            codes::RUNTIME_FIELD,
            codes::YAML_SYNTAX,
        ] {
            let found = Diagnostic::new(code, "m").at(at(1, 1));
            assert!(!render("{login: a, password: hunter2}\n", &found).contains("hunter2"));
        }
        let found = Diagnostic::new(codes::SECRET_IN_GIT, "m").at(at(1, 3));
        assert!(!render("  hunter2\n", &found).contains("hunter2"));
    }

    #[test]
    fn long_lines_are_cut_around_the_place_and_missing_files_are_not_needed() {
        let line = format!("{}VALUE{}", "x".repeat(500), "y".repeat(500));
        let found = Diagnostic::new(codes::ENUM, "m").at(at(1, 501));
        let shown = render(&line, &found);
        assert!(shown.contains("VALUE") && shown.len() < 600, "{shown}");
        let none = DiagnosticRenderer::new(|_| None, false).render(&found);
        assert_eq!(none, "error[enum]: m\n --> users.yaml:1:501\n");
        let beyond = Diagnostic::new(codes::ENUM, "m").at(at(7, 900));
        assert!(render("a\n", &beyond).contains("7:900"));
    }
}

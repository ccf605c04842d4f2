//! Replaces one value by another in the style of the old one: quotes stay quotes, a block scalar
//! stays a block scalar where it can. Start with [`EditBuffer::replace`].

use super::EditRefusal;
use super::buffer::EditBuffer;
use super::nodes::{NodeShape, SpannedNode};
use super::splice::{TextSplice, line_break, line_end, line_start};
use crate::kinds::read::is_invisible;
use crate::kinds::{BOOL, LinkAttribute};
use crate::manifest::write_text;
use crate::model::Value;
use granit_parser::ScalarStyle;

/// A value that is a single text.
#[derive(Clone, Debug)]
pub(super) struct ScalarText {
    pub text: String,
    /// Whether it is a number or a boolean, which JSON writes without quotes.
    pub bare: bool,
}

impl ScalarText {
    pub fn text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            bare: false,
        }
    }

    fn bare(text: String) -> Self {
        Self { text, bare: true }
    }

    /// The word for an attribute's choice.
    pub fn choice(attribute: &LinkAttribute, choice: u8) -> Self {
        let word = attribute.choices.get(usize::from(choice));
        Self {
            text: (*word.unwrap_or(&"")).to_owned(),
            bare: attribute.choices == BOOL,
        }
    }

    /// The text of a value; `None` for lists.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self::text(text)),
            Value::Bool(value) => Some(Self::bare(value.to_string())),
            Value::Int(value) => Some(Self::bare(value.to_string())),
            Value::Number(value) => Some(Self::bare(value.to_string())),
            Value::List(_) | Value::Links(_) => None,
        }
    }
}

impl EditBuffer<'_> {
    /// Replaces a value.
    pub fn replace(
        &self,
        key: &SpannedNode,
        value: &SpannedNode,
        word: &ScalarText,
    ) -> Result<TextSplice, EditRefusal> {
        let NodeShape::Scalar(style, old) = &value.shape else {
            return Err(EditRefusal::new("the key holds a list or a mapping"));
        };
        // An absent value has no bytes to replace.
        if value.is_empty() {
            let text = self.styled(word, None, value.flow);
            return self.insert_after_key(key, &text);
        }
        if value.is_block_scalar() {
            return self.block(key, value, word);
        }
        let text = self.styled(word, Some((*style, old)), value.flow);
        Ok(TextSplice::new(value.range.clone(), text))
    }

    /// Writes a value behind a key that has none.
    pub fn insert_after_key(
        &self,
        key: &SpannedNode,
        text: &str,
    ) -> Result<TextSplice, EditRefusal> {
        let rest = &self.body[key.range.end..];
        // `name : x` is valid YAML, so the colon need not follow at once.
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if !rest[blank..].starts_with(':') {
            return Err(EditRefusal::new("the key is not followed by `:`"));
        }
        let at = key.range.end + blank + 1;
        // In a flow mapping something may follow directly, as in `{name:,id: a}`.
        let space = if self.body[at..].starts_with([' ', '\t', '\r', '\n']) || at == self.body.len()
        {
            ""
        } else {
            " "
        };
        Ok(TextSplice::insert(at, format!(" {text}{space}")))
    }

    /// A text in the style of the value it replaces.
    pub fn styled(
        &self,
        word: &ScalarText,
        old: Option<(ScalarStyle, &str)>,
        flow: bool,
    ) -> String {
        let text = word.text.as_str();
        if self.json {
            return if word.bare {
                text.to_owned()
            } else {
                json(text)
            };
        }
        match old {
            // Single quotes have no escapes; any text that needs one gets double quotes.
            Some((ScalarStyle::SingleQuoted, _)) if fits_line(text) => {
                format!("'{}'", text.replace('\'', "''"))
            }
            Some((ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, _)) => {
                write_text::quoted(text)
            }
            _ if word.bare && reads_plain(text, flow) => text.to_owned(),
            // `phone: +46…` and `zip: 123` were written without quotes, so the next one is, too,
            // although `scalar` would quote it.
            Some((ScalarStyle::Plain, old))
                if starts_alike(old, text) && reads_plain(text, flow) =>
            {
                text.to_owned()
            }
            _ => write_text::scalar(text, flow),
        }
    }

    /// Replaces a block scalar.
    fn block(
        &self,
        key: &SpannedNode,
        value: &SpannedNode,
        word: &ScalarText,
    ) -> Result<TextSplice, EditRefusal> {
        // The node's bytes are the content only; its header is on the line of the key.
        let between = &self.body[key.range.end..value.range.start];
        let head = between.find(['|', '>']);
        let head =
            head.ok_or_else(|| EditRefusal::new("the start of its block cannot be found"))?;
        let head = key.range.end + head;
        let length = self.body[head..]
            .find(|c: char| !matches!(c, '|' | '>' | '-' | '+') && !c.is_ascii_digit())
            .unwrap_or(self.body.len() - head);
        let marks = &self.body[head..head + length];
        let end = line_end(self.body, value.end(self.body).max(value.range.start));
        // `|+` and `|2` make blank lines and indentation part of the text; a replacement would have
        // to reproduce both exactly.
        if marks.contains(|c: char| c == '+' || c.is_ascii_digit())
            || self.body[value.range.clone()].trim().is_empty()
        {
            return Err(EditRefusal::new(
                "its block keeps blank lines or sets its own indentation",
            ));
        }
        let line = line_start(self.body, value.range.start);
        let indent = &self.body[line..value.range.start];
        let text = word.text.as_str();
        // At the end of a file without a final line break, none is added.
        let tail = self.body[..end].ends_with(['\n', '\r']);
        let tail = if tail { line_break(self.body) } else { "" };
        if !write_text::fits_block(text) {
            // A comment behind the header stays behind the new value.
            let rest = line_end(self.body, head);
            let behind = self.body[head + length..rest].trim_end();
            let new = format!("{}{behind}{tail}", write_text::quoted(text));
            return Ok(TextSplice::new(head..end, new));
        }
        let many = text.trim_end_matches('\n').contains('\n');
        // A folded block would join the lines of a text that has several.
        let sign = if marks.starts_with('>') && !many {
            '>'
        } else {
            '|'
        };
        let chomp = if text.ends_with('\n') { "" } else { "-" };
        let comment = &self.body[head + length..line_end(self.body, head)];
        let body: Vec<String> = text
            .trim_end_matches('\n')
            .split('\n')
            .map(|line| match line {
                "" => String::new(),
                line => format!("{indent}{line}"),
            })
            .collect();
        let body = body.join(line_break(self.body));
        Ok(TextSplice::new(
            head..end,
            format!("{sign}{chomp}{comment}{body}{tail}"),
        ))
    }
}

/// A text as a JSON string.
pub(super) fn json(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Whether a text can be written in quotes on one line without escapes.
fn fits_line(text: &str) -> bool {
    !text.contains(|c: char| {
        c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}')
    })
}

/// Whether two texts begin with the same sort of character, so that both are recognised as the same
/// sort of value.
fn starts_alike(old: &str, new: &str) -> bool {
    let class = |text: &str| match text.chars().next() {
        Some(c) if c.is_ascii_digit() => 1,
        Some('+') => 2,
        Some(c) if c.is_alphabetic() => 3,
        _ => 0,
    };
    let known = class(old);
    // Only where the author left out quotes that Roster would have written.
    known != 0 && known == class(new) && !write_text::is_plain(old, false)
}

/// Whether a text reads back as itself without quotes.
fn reads_plain(text: &str, flow: bool) -> bool {
    let safe_start = text.starts_with(|c: char| c.is_alphanumeric() || c == '+')
        || text.starts_with('-') && text[1..].starts_with(|c: char| c.is_ascii_digit());
    let null = write_text::WORDS[..2]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text));
    let breaks = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    let in_flow = flow && text.contains([',', '[', ']', '{', '}', ':']);
    let odd = |c: char| c.is_control() || is_invisible(c) || (c.is_whitespace() && c != ' ');
    safe_start && !null && !breaks && !in_flow && !text.contains(odd)
}

//! A value as it was read, or why it could not be.

use crate::diagnostic::Code;
use crate::model::Value;

/// What is wrong with a text, in words fit for a diagnostic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueProblem {
    /// Which rule.
    pub code: Code,
    /// The value, what was expected.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

/// A text that could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParsedValue {
    /// The canonical value.
    pub value: Value,
    /// What is odd about it, though it passes.
    pub warning: Option<ValueProblem>,
}

impl ValueProblem {
    /// A fault of the rule `code`.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
        }
    }

    /// The same with the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<Value> for ParsedValue {
    fn from(value: Value) -> Self {
        Self {
            value,
            warning: None,
        }
    }
}

/// The text in backticks, cut where it is long, with control characters made visible: what a
/// message may say of a value.
#[must_use]
pub fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).map(visible).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

pub(super) fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => ' ',
        c if c.is_control() || is_invisible(c) => '\u{fffd}',
        c => c,
    }
}

/// Whether a character shows as nothing or turns the text around it: zero-width, soft hyphen,
/// direction marks, byte order mark, no-break and other odd spaces.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xa0 | 0xad | 0x034f | 0x061c | 0x115f | 0x1160 | 0x1680 | 0x17b4 | 0x17b5 | 0x180e
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0x3164 | 0xfe00..=0xfe0f
        | 0xfeff | 0xffa0 | 0xe0000..=0xe0fff)
}

//! Text to canonical values, by type: the one reading that manifests and feeds share.

mod contact;
mod id;
mod scalar;
mod text;

pub use id::{check_id, is_invisible};
pub use text::{
    has_zero_fraction, is_blank, looks_scientific, spreadsheet_error, spreadsheet_problem,
};

use super::{EnumChoices, Field, FieldType, SetItem};
use crate::diagnostic::{Code, codes, did_you_mean};
use crate::model::{CompactText, Value};

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

impl Field {
    /// Reads a text that is not blank as a value of this field.
    pub fn read(&self, text: &str) -> Result<ParsedValue, ValueProblem> {
        if self.identifier && looks_scientific(text) {
            return Err(text::scientific_problem(text));
        }
        self.ty.read(text)
    }
}

impl FieldType {
    /// Reads a text that is not blank as one value, of a list as one member. Typed values may
    /// have spaces around them; text stays as written.
    pub fn read(&self, text: &str) -> Result<ParsedValue, ValueProblem> {
        if matches!(self, Self::Secret) {
            return scalar::secret(text).map(ParsedValue::from);
        }
        if let Some(error) = spreadsheet_error(text) {
            return Err(text::spreadsheet_problem(error));
        }
        let trimmed = text.trim();
        match self {
            Self::Vat => return contact::vat(trimmed),
            Self::Text(most) | Self::Set(SetItem::Text(most)) | Self::Ordered(most) => {
                text::line(text, *most)
            }
            Self::LongText(most) => text::lines(text, *most),
            Self::CustomDefault => text::lines(text, MAX_CUSTOM_CHARS),
            Self::File => text::line(text, FILE_MOST),
            Self::Bool => scalar::boolean(trimmed),
            Self::Int(least, most) => scalar::int(trimmed, *least, *most),
            Self::Duration => scalar::duration(trimmed),
            Self::Enum(choices) => one_of(trimmed, choices).map(Value::text),
            Self::Date => scalar::date(trimmed),
            Self::Country => contact::country(trimmed),
            Self::Email => contact::email(trimmed),
            Self::Phone => contact::phone(trimmed),
            Self::Url => contact::url(trimmed),
            Self::Zip => contact::zip(trimmed),
            Self::Ref(kind) | Self::Set(SetItem::Ref(kind)) | Self::Links { kind, .. } => {
                check_id(super::get(*kind), text).map(|_| Value::Text(CompactText::new(text)))
            }
            Self::Secret => return Err(ValueProblem::new(codes::SECRET_SOURCE, "not a reference")),
        }
        .map(ParsedValue::from)
    }
}

/// The longest custom value in characters.
pub const MAX_CUSTOM_CHARS: usize = 10_000;
const FILE_MOST: usize = 1024;

/// The word among `choices` that the text is.
pub fn one_of(text: &str, choices: EnumChoices) -> Result<&'static str, ValueProblem> {
    if let Some(choice) = choices.iter().find(|choice| **choice == text) {
        return Ok(choice);
    }
    let fault = ValueProblem::new(
        codes::ENUM,
        format!("{} is not one of {}", quoted(text), choices.join(", ")),
    );
    Err(match did_you_mean(text, choices.iter().copied()) {
        Some(meant) => fault.help(format!("Did you mean `{meant}`?")),
        None => fault.help("Use one of them"),
    })
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

fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => ' ',
        c if c.is_control() || is_invisible(c) => '\u{fffd}',
        c => c,
    }
}

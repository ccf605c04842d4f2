//! Converts text to canonical values, by type. Manifests and feeds both use this, so the same text
//! always gives the same value. In goes a field and a text; out comes a `ParsedValue` or a
//! `ValueProblem`. Start reading at `FieldType::read`.

mod contact;
mod id;
mod parsed_value;
mod scalar;
mod text;

pub use id::check_id;
pub use parsed_value::{ParsedValue, ValueProblem, is_invisible, quoted};
pub use scalar::duration_seconds;
pub use text::{
    fold_case, has_zero_fraction, is_blank, looks_scientific, spreadsheet_error,
    spreadsheet_problem,
};

use super::{EnumChoices, Field, FieldType, SetItem};
use crate::diagnostic::{codes, did_you_mean};
use crate::model::{CompactText, Value};

impl Field {
    /// Reads a text that is not blank as a value of this field.
    pub fn read(&self, text: &str) -> Result<ParsedValue, ValueProblem> {
        // A company number of `5.56E+09` has lost digits, whatever the type allows.
        if self.identifier && looks_scientific(text) {
            return Err(text::scientific_problem(text));
        }
        self.ty.read(text)
    }
}

impl FieldType {
    /// The form in which a value is compared to find the resource that it belongs to. The case of
    /// e-mail addresses does not matter.
    pub fn match_text(&self, text: &str) -> String {
        match self {
            Self::Email => text::fold_case(text),
            _ => text.trim().to_owned(),
        }
    }

    /// Reads a text that is not blank as one value, or as one member of a list. Spaces around typed
    /// values are ignored; text stays as written.
    pub fn read(&self, text: &str) -> Result<ParsedValue, ValueProblem> {
        // Before anything that quotes the text in a message: it may be a password.
        if matches!(self, Self::Secret) {
            return scalar::secret(text).map(ParsedValue::from);
        }
        // For every type: `#REF!` is valid text and would become the name of a customer.
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
            Self::PastDate => scalar::date(trimmed),
            Self::Moment => scalar::moment(trimmed),
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

/// The most characters of a custom value.
pub const MAX_CUSTOM_CHARS: usize = 10_000;
const FILE_MOST: usize = 1024;

/// Returns the choice that equals the text.
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

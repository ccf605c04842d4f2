//! The text of a cell as a value of a field: what exports write is read more leniently than what
//! people write by hand, and said.

use super::mapping::ExportLocale;
use crate::diagnostic::codes;
use crate::kinds::read::{ParsedValue, ValueProblem, has_zero_fraction, looks_scientific, quoted};
use crate::kinds::{Field, FieldType, SetItem, country};
use crate::model::Value;

/// Reads a text that is not blank as a value of a field; `None`: it stands for nothing.
pub(super) fn read(
    field: &Field,
    text: &str,
    words: &ExportLocale,
) -> Result<Option<ParsedValue>, ValueProblem> {
    if is_id(field)
        && let Some(fault) = mangled_id(text)
    {
        return Err(fault);
    }
    match &field.ty {
        FieldType::Bool => match words.boolean(text) {
            Some(value) => Ok(Some(Value::Bool(value).into())),
            None => field.read(text).map(Some),
        },
        FieldType::Date => match words.date(text)? {
            Some(day) => field.read(&day).map(Some),
            None => Ok(None),
        },
        FieldType::Enum(choices) => {
            let folded = choices
                .iter()
                .find(|choice| choice.eq_ignore_ascii_case(text));
            field.read(folded.unwrap_or(&text)).map(Some)
        }
        FieldType::Country => read_country(field, text).map(Some),
        FieldType::Vat => vat(field, text).map(Some),
        _ => field.read(text).map(Some),
    }
}

/// Whether a field names something by an id, or is one itself.
pub(super) fn is_id(field: &Field) -> bool {
    let refers = matches!(
        field.ty,
        FieldType::Ref(_) | FieldType::Set(SetItem::Ref(_)) | FieldType::Links { .. }
    );
    refers || field.identifier
}

/// What is wrong with an id, if a program took it for a number on its way here.
pub(super) fn mangled_id(id: &str) -> Option<ValueProblem> {
    let (what, help) = if looks_scientific(id) {
        (
            "is a number that a spreadsheet shortened",
            "export again with the column as text",
        )
    } else if has_zero_fraction(id) {
        (
            "is an id that was turned into a decimal number",
            "export the column as text; Roster does not drop the fraction",
        )
    } else {
        return None;
    };
    let message = format!("{} {what}", quoted(id));
    Some(ValueProblem::new(codes::SCIENTIFIC_NOTATION, message).help(help))
}

/// A country by its code, of two or three letters, or by its name in some language.
fn read_country(field: &Field, text: &str) -> Result<ParsedValue, ValueProblem> {
    if text.eq_ignore_ascii_case("XI") {
        let message = format!(
            "{} means Northern Ireland only in VAT numbers; stored as GB",
            quoted(text)
        );
        return Ok(ParsedValue {
            value: Value::text("GB"),
            warning: Some(ValueProblem::new(codes::VAT_COUNTRY, message)),
        });
    }
    match country::code_of(text) {
        Some(code) => field.read(code),
        None => field.read(text),
    }
}

/// A VAT number; a Belgian one of nine digits is an old one and has a zero before it now.
fn vat(field: &Field, text: &str) -> Result<ParsedValue, ValueProblem> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let belgian = text
        .get(..2)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("BE"));
    if !belgian || digits.len() != 9 {
        return field.read(text);
    }
    let message = format!("{} has 9 digits; stored with a leading zero", quoted(text));
    Ok(ParsedValue {
        warning: Some(ValueProblem::new(codes::VAT_FORMAT, message)),
        ..field.read(&format!("BE0{digits}"))?
    })
}

/// A postal code without the country before it: `SE-831 30`, `B-9000`.
pub(super) fn strip_country_prefix<'t>(text: &'t str, country: &str) -> &'t str {
    let Some((before, rest)) = text.split_once('-') else {
        return text;
    };
    let letters =
        (1..=2).contains(&before.len()) && before.bytes().all(|byte| byte.is_ascii_alphabetic());
    let means = before.eq_ignore_ascii_case(country) || country::code_of(before) == Some(country);
    if letters && means {
        rest.trim_start()
    } else {
        text
    }
}

//! Converts the text of a cell to the value of a field. Exports are read more leniently than
//! manifests, which people write by hand: other words for booleans, names of countries, old VAT
//! numbers. Where the stored value differs from the text, a warning says so.

use super::mapping::ExportLocale;
use crate::diagnostic::codes;
use crate::kinds::read::{ParsedValue, ValueProblem, has_zero_fraction, looks_scientific, quoted};
use crate::kinds::{Field, FieldType, SetItem, country};
use crate::model::Value;

/// Reads a text that is not blank. `None` if it stands for no value.
pub(super) fn read(
    field: &Field,
    text: &str,
    words: &ExportLocale,
) -> Result<Option<ParsedValue>, ValueProblem> {
    // Before the type is looked at, since `1.0E+04` is valid text for an id.
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
        FieldType::PastDate => match words.date(text)? {
            Some(day) => field.read(&day).map(Some),
            None => Ok(None),
        },
        // The case of a code says nothing in an export. What matches no choice is left to the
        // field, whose error lists them.
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

/// Returns whether a field is an id or refers to one.
pub(super) fn is_id(field: &Field) -> bool {
    let refers = matches!(
        field.ty,
        FieldType::Ref(_) | FieldType::Set(SetItem::Ref(_)) | FieldType::Links { .. }
    );
    refers || field.identifier
}

/// Returns what is wrong with an id that a program took for a number.
pub(super) fn mangled_id(id: &str) -> Option<ValueProblem> {
    let (what, help) = if looks_scientific(id) {
        (
            "is a number that a spreadsheet shortened",
            "export again with the column as text",
        )
    } else if has_zero_fraction(id) {
        // Removing `.0` would restore the id only if it had no leading zeros, which nobody can
        // know.
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

/// Reads a country from a code of two or three letters, or from a name in some language.
fn read_country(field: &Field, text: &str) -> Result<ParsedValue, ValueProblem> {
    // `XI` is not a country of ISO 3166-1: it marks Northern Ireland in VAT numbers, and from there
    // it gets into country columns.
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

/// Reads a VAT number. Old Belgian ones have nine digits and are now written with a leading zero.
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

/// Strips a country in front of a postal code: `SE-831 30`, `B-9000`.
pub(super) fn strip_country_prefix<'t>(text: &'t str, country: &str) -> &'t str {
    let Some((before, rest)) = text.split_once('-') else {
        return text;
    };
    let letters =
        (1..=2).contains(&before.len()) && before.bytes().all(|byte| byte.is_ascii_alphabetic());
    // Only the country of the address itself: in other postal codes a dash and letters belong to
    // the code.
    let means = before.eq_ignore_ascii_case(country) || country::code_of(before) == Some(country);
    if letters && means {
        rest.trim_start()
    } else {
        text
    }
}

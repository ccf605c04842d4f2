//! Parses one custom value into its canonical form, by the type of its custom field.
//!
//! Two spellings of one value must become equal: a stored `5` and a declared `5.0` would otherwise
//! differ in every plan. Start with [`parse`].

use super::CustomFieldDefinition;
use crate::diagnostic::{Code, codes, did_you_mean};
use crate::model::{CompactText, Value};
use std::borrow::Cow;

/// The values of `CustomField.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CustomType {
    /// Text on one line, at most 2,000 characters.
    Text,
    /// Text of any length, on any number of lines.
    LongText,
    /// A decimal number of at most 15 significant digits.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// One or more of the options.
    List,
}

/// Why a value does not fit its custom field.
pub(super) struct CustomValueError {
    pub code: Code,
    pub message: String,
    pub help: String,
}

/// The longest text on one line, in characters.
const TEXT_LENGTH: usize = 2000;
/// The significant digits of a number. A 64-bit float keeps 15, so every JSON reader does.
const DIGITS: usize = 15;

impl CustomType {
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "long-text" => Self::LongText,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "list" => Self::List,
            _ => return None,
        })
    }
}

/// Returns the canonical form of a value as written.
pub(super) fn parse(
    definition: &CustomFieldDefinition,
    raw: &Value,
) -> Result<Value, CustomValueError> {
    let Some(ty) = definition.ty else {
        // What is wrong is the definition, and that is reported there.
        return Ok(raw.clone());
    };
    let text = match raw {
        Value::Text(text) => Cow::Borrowed(text.as_str()),
        Value::Number(text) => Cow::Borrowed(&**text),
        // YAML reads an unquoted `true` or `42` as a boolean or number, although the field is text.
        Value::Bool(value) => Cow::Owned(value.to_string()),
        Value::Int(value) => Cow::Owned(value.to_string()),
        Value::List(members) if ty == CustomType::List => {
            return options(definition, members.iter().map(CompactText::as_str));
        }
        Value::List(_) | Value::Links(_) => {
            let message = "the value must not be a list";
            return Err(wrong_type(
                message.to_owned(),
                "Write one value. Only `type: list` allows a list",
            ));
        }
    };
    match ty {
        CustomType::Text => line(&text),
        CustomType::LongText => Ok(Value::text(&text)),
        CustomType::Number => number(&text),
        CustomType::Boolean => boolean(&text),
        CustomType::Date => parse_date(&text),
        // Before splitting: an option may itself contain `||`.
        CustomType::List if definition.options.iter().any(|option| option == &*text) => {
            options(definition, std::iter::once(&*text))
        }
        // One cell of an export holds the whole list. The feed could not split it, because the type
        // of the column is known only here.
        CustomType::List => options(definition, text.split("||").map(str::trim)),
    }
}

fn wrong_type(message: String, help: &str) -> CustomValueError {
    CustomValueError::new(codes::CUSTOM_FIELD_TYPE, message, help)
}

fn line(text: &str) -> Result<Value, CustomValueError> {
    // A text has at most as many characters as bytes, so most texts need no counting.
    let length = if text.len() <= TEXT_LENGTH {
        text.len()
    } else {
        text.chars().count()
    };
    if length > TEXT_LENGTH {
        let message = format!("{length} characters; at most {TEXT_LENGTH} are allowed");
        return Err(wrong_type(
            message,
            "Shorten it, or define a field of `type: long-text`",
        ));
    }
    if text.contains(['\n', '\r']) {
        let message = "the text must be on one line".to_owned();
        return Err(wrong_type(
            message,
            "Join the lines, or define a field of `type: long-text`",
        ));
    }
    Ok(Value::text(text))
}

fn boolean(text: &str) -> Result<Value, CustomValueError> {
    match text {
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        _ => Err(wrong_type(
            format!("`{text}` is neither `true` nor `false`"),
            "Write `true` or `false`",
        )),
    }
}

fn number(text: &str) -> Result<Value, CustomValueError> {
    let help = "Write digits with at most one decimal point, such as `1250.5`";
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
        return Err(wrong_type(
            format!("`{text}` is not a decimal number"),
            help,
        ));
    }
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    if significant(whole, fraction) > DIGITS {
        let message = format!("`{text}` has more than {DIGITS} significant digits");
        return Err(wrong_type(
            message,
            "Round it, or define a field of `type: text`",
        ));
    }
    let mut canonical = String::new();
    // `-0` and `0` are one number and must be equal.
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        canonical.push('-');
    }
    canonical.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        canonical.push('.');
        canonical.push_str(fraction);
    }
    Ok(Value::Number(canonical.into()))
}

/// Counts significant digits. Zeros that only give the magnitude do not count: `1000000` has one.
fn significant(whole: &str, fraction: &str) -> usize {
    if fraction.is_empty() {
        whole.trim_end_matches('0').len()
    } else if whole.is_empty() {
        fraction.trim_start_matches('0').len()
    } else {
        whole.len() + fraction.len()
    }
}

fn parse_date(text: &str) -> Result<Value, CustomValueError> {
    if is_date(text) {
        return Ok(Value::text(text));
    }
    Err(wrong_type(
        format!("`{text}` is not a valid date; use YYYY-MM-DD"),
        "Write it like `2026-03-01`",
    ))
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Exactly two digits each: `2026-1-1` would be a second spelling of `2026-01-01`.
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return false;
    }
    let part = |range: std::ops::Range<usize>| {
        bytes[range]
            .iter()
            .fold(0u32, |number, byte| number * 10 + u32::from(byte - b'0'))
    };
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    year > 0 && day > 0 && day <= days_in_month(year, month)
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    }
}

fn options<'t>(
    definition: &CustomFieldDefinition,
    values: impl Iterator<Item = &'t str>,
) -> Result<Value, CustomValueError> {
    let mut chosen = Vec::new();
    for value in values {
        if !definition.options.iter().any(|option| option == value) {
            return Err(no_option(definition, value));
        }
        chosen.push(CompactText::new(value));
    }
    if chosen.is_empty() {
        // Only for a required field. Elsewhere `[]` has already become `clear:`.
        let message = "the list is empty".to_owned();
        return Err(wrong_type(message, "Name at least one of the options"));
    }
    Ok(Value::set(chosen))
}

fn no_option(definition: &CustomFieldDefinition, value: &str) -> CustomValueError {
    let options = || definition.options.iter().map(CompactText::as_str);
    let all: Vec<&str> = options().collect();
    let message = format!("`{value}` is not one of the options {}", all.join(", "));
    let help = match did_you_mean(value, options()) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "Use one of them, or add it to `options`".to_owned(),
    };
    CustomValueError::new(codes::CUSTOM_FIELD_OPTION, message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(ty: CustomType, text: &str) -> Option<Value> {
        let definition = CustomFieldDefinition {
            kind: None,
            ty: Some(ty),
            options: vec!["yard".into(), "dock".into()],
            required: false,
            default: None,
            is_live: true,
        };
        parse(&definition, &Value::text(text)).ok()
    }

    #[test]
    fn numbers_get_their_shortest_spelling() {
        for (written, canonical) in [
            ("5.0", "5"),
            ("007", "7"),
            ("-0.0", "0"),
            (".50", "0.5"),
            ("-12.340", "-12.34"),
            ("100000000000000000000", "100000000000000000000"),
            ("123456789012345", "123456789012345"),
        ] {
            let value = Some(Value::Number(canonical.into()));
            assert_eq!(parsed(CustomType::Number, written), value, "{written}");
        }
        for wrong in [
            "",
            ".",
            "-",
            "1e3",
            "1,5",
            "0x1F",
            "+1",
            "1234567890123456",
            "second",
        ] {
            assert_eq!(parsed(CustomType::Number, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_exist() {
        for good in ["2024-02-29", "2000-02-29", "2026-12-31"] {
            assert_eq!(parsed(CustomType::Date, good), Some(Value::text(good)));
        }
        for bad in [
            "2025-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-04-31",
            "2026-1-1",
            "31.12.2026",
        ] {
            assert_eq!(parsed(CustomType::Date, bad), None, "{bad}");
        }
    }

    #[test]
    fn booleans_texts_and_options() {
        assert_eq!(parsed(CustomType::Boolean, "true"), Some(Value::Bool(true)));
        assert_eq!(parsed(CustomType::Boolean, "yes"), None);
        assert_eq!(parsed(CustomType::Text, "one\ntwo"), None);
        assert_eq!(
            parsed(CustomType::Text, &"å".repeat(2000)),
            Some(Value::text("å".repeat(2000)))
        );
        assert_eq!(parsed(CustomType::Text, &"a".repeat(2001)), None);
        assert!(parsed(CustomType::LongText, "one\ntwo").is_some());
        assert_eq!(
            parsed(CustomType::List, "dock"),
            Some(Value::set(["dock".into()]))
        );
        assert_eq!(parsed(CustomType::List, "roof"), None);
    }
}

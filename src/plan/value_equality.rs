//! Decides when two sources say the same of a field although they write it differently. Otherwise
//! two sources with different ways to write a phone number would overwrite each other.

use crate::kinds::{Field, FieldType};
use crate::model::{CompactText, Value};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Whether two values are the same in the canonical form of their field: letter case of an e-mail,
/// Unicode form, separators and prefix of a phone number.
pub fn same_value(field: Option<&Field>, a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || canonical(field, a) == canonical(field, b),
        (a, b) => a == b,
    }
}

fn canonical(field: Option<&Field>, value: &Value) -> Value {
    match (value, field.map(|field| &field.ty)) {
        (Value::Text(text), Some(FieldType::Email)) => Value::text(composed(text).to_lowercase()),
        (Value::Text(text), Some(FieldType::Phone)) => Value::text(dialled(text)),
        (Value::Text(text), _) => Value::text(composed(text)),
        (Value::List(members), ty) => {
            let members = members
                .iter()
                .map(|member| CompactText::new(composed(member)));
            match ty {
                Some(FieldType::Set(_)) => Value::set(members),
                _ => Value::List(members.collect()),
            }
        }
        _ => value.clone(),
    }
}

fn composed(text: &str) -> String {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return text.to_owned();
    }
    text.nfc().collect()
}

/// A phone number as it is dialled: digits, with `+` for an international one.
fn dialled(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match (
        text.trim_start().starts_with('+'),
        digits.strip_prefix("00"),
    ) {
        (true, _) => format!("+{digits}"),
        (false, Some(international)) => format!("+{international}"),
        (false, None) => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn the_form_makes_no_difference() {
        let user = kinds::get(kinds::USER);
        let cases = [
            ("email", "Ann@X.example", "ann@x.example", true),
            ("email", "ann@x.example", "anna@x.example", false),
            ("phone", "0046 63-12 34 56", "+4663123456", true),
            ("phone", "063123456", "+4663123456", false),
            ("firstName", "A\u{30a}sa", "\u{c5}sa", true),
            ("firstName", "Ann", "ann", false),
        ];
        for (name, a, b, same) in cases {
            let field = &user.fields[user.expect_index(name)];
            let (left, right) = (Value::text(a), Value::text(b));
            let found = same_value(Some(field), Some(&left), Some(&right));
            assert_eq!(found, same, "{name}: {a} and {b}");
        }
    }
}

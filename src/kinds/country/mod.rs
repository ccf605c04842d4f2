//! Countries: ISO 3166-1, other spellings of them, and the shapes of VAT numbers. The tables are in
//! `iso.rs` and `shapes.rs`. The formats of postal codes are in `check/zip.rs`.

mod iso;
mod shapes;

use iso::{ALIASES, COUNTRIES};
use shapes::VATS;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Returns whether this is an alpha-2 code in capitals.
#[must_use]
pub fn is_code(code: &str) -> bool {
    COUNTRIES.binary_search_by(|row| row.0.cmp(code)).is_ok()
}

#[must_use]
pub fn name(code: &str) -> Option<&'static str> {
    let at = COUNTRIES.binary_search_by(|row| row.0.cmp(code)).ok()?;
    Some(COUNTRIES[at].2)
}

#[must_use]
pub fn alpha3(code: &str) -> Option<&'static str> {
    let at = COUNTRIES.binary_search_by(|row| row.0.cmp(code)).ok()?;
    Some(COUNTRIES[at].1)
}

/// Guesses the code for a text: a code in lower case, alpha-3, a name, or a misspelled name. Used
/// for hints only.
#[must_use]
pub fn guess_code(text: &str) -> Option<&'static str> {
    code_of(text).or_else(|| nearest_code(&text.trim().to_lowercase()))
}

/// Returns the code for a code in any case, alpha-3, a vehicle code or a name.
#[must_use]
pub fn code_of(text: &str) -> Option<&'static str> {
    static NAMES: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
        let rows = COUNTRIES.iter();
        let codes = rows.flat_map(|row| [row.0, row.1, row.2].map(|name| (name, row.0)));
        // Codes come last and so win over other spellings: a later entry replaces an earlier one.
        let all = ALIASES.iter().copied().chain(codes);
        all.map(|(name, code)| (name.to_lowercase(), code))
            .collect()
    });
    NAMES.get(&text.trim().to_lowercase()).copied()
}

/// Returns the country with a similar name. Short texts resemble too many.
fn nearest_code(folded: &str) -> Option<&'static str> {
    if folded.chars().count() < 4 {
        return None;
    }
    let names = COUNTRIES.iter().map(|row| row.2);
    let name = crate::diagnostic::did_you_mean(folded, names)?;
    COUNTRIES.iter().find(|row| row.2 == name).map(|row| row.0)
}

/// The shapes of VAT numbers with a prefix, if they are known.
#[must_use]
pub fn vat_shapes(prefix: &str) -> Option<&'static [&'static str]> {
    vat(prefix).map(|row| row.2)
}

/// The country of a VAT number by its first two letters.
#[must_use]
pub fn vat_country(number: &str) -> Option<&'static str> {
    let prefix = number.get(..2)?;
    let code = || {
        COUNTRIES
            .iter()
            .find(|row| row.0 == prefix)
            .map(|row| row.0)
    };
    // The prefix is not always the country: `EL` is Greece and `XI` Northern Ireland.
    vat(prefix).map(|row| row.1).or_else(code)
}

fn vat(prefix: &str) -> Option<&'static (&'static str, &'static str, &'static [&'static str])> {
    let at = VATS.binary_search_by(|row| row.0.cmp(prefix)).ok()?;
    Some(&VATS[at])
}

/// Returns whether a text has one of these shapes, in any case.
#[must_use]
pub fn matches_any_shape(text: &str, shapes: &[&str]) -> bool {
    shapes.iter().any(|shape| {
        shape.len() == text.len()
            && shape
                .bytes()
                .zip(text.bytes())
                .all(|(shape, byte)| fits_byte(shape, byte))
    })
}

fn fits_byte(shape: u8, byte: u8) -> bool {
    match shape {
        b'9' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_alphabetic(),
        b'*' => byte.is_ascii_alphanumeric(),
        other => byte.eq_ignore_ascii_case(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_the_binary_search() {
        assert_eq!(COUNTRIES.len(), 249);
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(VATS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(ALIASES.iter().all(|row| is_code(row.1)));
    }

    #[test]
    fn finds_the_code_somebody_meant() {
        for (text, code) in [
            ("se", "SE"),
            ("SWE", "SE"),
            ("Sverige", "SE"),
            ("Sweden", "SE"),
            ("UK", "GB"),
            ("Deutschland", "DE"),
            ("Swedn", "SE"),
        ] {
            assert_eq!(guess_code(text), Some(code), "{text}");
        }
        assert_eq!(guess_code("Atlantis-under-sea"), None);
    }

    #[test]
    fn shapes_tell_codes_apart() {
        assert!(matches_any_shape(
            "SE556012345601",
            vat_shapes("SE").expect("known")
        ));
        assert!(!matches_any_shape(
            "SE55601234560",
            vat_shapes("SE").expect("known")
        ));
        assert_eq!(vat_country("EL123456789"), Some("GR"));
        assert_eq!(vat_country("XX1"), None);
    }
}

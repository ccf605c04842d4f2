//! The formats of postal codes by country.
//!
//! The usual mistake is a leading zero that a spreadsheet dropped: the parcel goes to another town.
//! Countries that are not listed accept anything.

/// Countries and the formats of their postal codes, sorted for the binary search in [`form`].
///
/// `N` is a digit, `A` a letter, `?` either of them, and any other character itself. Bars separate
/// formats. Spaces and hyphens do not count, because people leave them out.
const FORMS: &[(&str, &str)] = &[
    ("AD", "ADNNN|NNN"),
    ("AT", "NNNN"),
    ("BA", "NNNNN"),
    ("BE", "NNNN"),
    ("BG", "NNNN"),
    ("CA", "ANA NAN"),
    ("CH", "NNNN"),
    ("CY", "NNNN"),
    ("CZ", "NNN NN"),
    ("DE", "NNNNN"),
    ("DK", "NNNN"),
    ("EE", "NNNNN"),
    ("ES", "NNNNN"),
    ("FI", "NNNNN"),
    ("FO", "NNN"),
    ("FR", "NNNNN"),
    ("GB", "AN NAA|ANN NAA|AAN NAA|AANN NAA|ANA NAA|AANA NAA"),
    ("GR", "NNN NN"),
    ("HR", "NNNNN"),
    ("HU", "NNNN"),
    ("IE", "A?? ????"),
    ("IS", "NNN"),
    ("IT", "NNNNN"),
    ("LI", "NNNN"),
    ("LT", "NNNNN"),
    ("LU", "NNNN"),
    ("LV", "NNNN"),
    ("MC", "NNNNN"),
    ("MD", "NNNN"),
    ("MK", "NNNN"),
    ("MT", "AAA NNNN|AAA NN|AAA NNN"),
    ("NL", "NNNN AA"),
    ("NO", "NNNN"),
    ("PL", "NN-NNN"),
    ("PT", "NNNN-NNN"),
    ("RO", "NNNNNN"),
    ("RS", "NNNNN"),
    ("SE", "NNN NN"),
    ("SI", "NNNN"),
    ("SK", "NNN NN"),
    ("SM", "NNNNN"),
    ("TR", "NNNNN"),
    ("UA", "NNNNN"),
    ("US", "NNNNN|NNNNN-NNNN"),
    ("VA", "NNNNN"),
];

/// Returns the formats of a country, if they are known.
pub fn form(country: &str) -> Option<&'static str> {
    let index = FORMS.binary_search_by(|(known, _)| (*known).cmp(country));
    index.ok().map(|index| FORMS[index].1)
}

/// Whether a postal code has the format of its country. It may start with the country: `SE-211 20`.
/// For a country without a known format, everything is right.
pub fn is_zip_of_country(country: &str, zip: &str) -> bool {
    let Some(forms) = form(country) else {
        return true;
    };
    let bare = zip
        .strip_prefix(country)
        .and_then(|rest| rest.strip_prefix('-'))
        // Latvia writes `LV-1010` as the code itself. Since hyphens do not count, `LV1010` is the
        // same.
        .or_else(|| (country == "LV").then(|| zip.strip_prefix("LV")).flatten());
    forms
        .split('|')
        .any(|form| matches_form(form, zip) || bare.is_some_and(|bare| matches_form(form, bare)))
}

fn matches_form(form: &str, zip: &str) -> bool {
    let mut form = form.bytes().filter(|byte| !is_gap(*byte));
    let mut zip = zip.bytes().filter(|byte| !is_gap(*byte));
    loop {
        match (form.next(), zip.next()) {
            (None, None) => return true,
            (Some(place), Some(byte)) if stands_for(place, byte) => {}
            _ => return false,
        }
    }
}

fn is_gap(byte: u8) -> bool {
    byte == b' ' || byte == b'-'
}

fn stands_for(place: u8, byte: u8) -> bool {
    match place {
        b'N' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_alphabetic(),
        b'?' => byte.is_ascii_alphanumeric(),
        other => byte == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_sorted_by_country() {
        assert!(FORMS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn codes_fit_their_country_with_or_without_the_gap() {
        for (country, good) in [
            ("SE", "211 20"),
            ("SE", "21120"),
            ("SE", "SE-211 20"),
            ("DE", "01067"),
            ("GB", "SW1A 1AA"),
            ("GB", "M1 1AE"),
            ("NL", "1012 AB"),
            ("US", "10001-0001"),
            ("CA", "K1A 0B1"),
            ("LV", "LV-1010"),
            ("IE", "D02 AF30"),
            ("HK", "anything"),
        ] {
            assert!(is_zip_of_country(country, good), "{country} {good}");
        }
        for (country, bad) in [
            ("DE", "1067"),
            ("SE", "2112"),
            ("NO", "01234"),
            ("GB", "12345"),
            ("US", "1001"),
            ("FR", "1000"),
        ] {
            assert!(!is_zip_of_country(country, bad), "{country} {bad}");
        }
    }
}

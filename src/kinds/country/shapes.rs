//! The shapes of VAT numbers. `9` is a digit, `A` a letter, `*` either, and any
//! other character itself. Shapes only cause warnings, because the table can never be complete.
//! It is sorted for a binary search.

/// VAT numbers by prefix. The prefix is the country, except for Greece and Northern Ireland.
#[rustfmt::skip]
pub(super) const VATS: &[(&str, &str, &[&str])] = &[
    ("AT", "AT", &["ATU99999999"]),
    ("BE", "BE", &["BE9999999999"]),
    ("BG", "BG", &["BG999999999", "BG9999999999"]),
    ("CH", "CH", &["CHE999999999", "CHE999999999MWST", "CHE999999999TVA", "CHE999999999IVA"]),
    ("CY", "CY", &["CY99999999A"]),
    ("CZ", "CZ", &["CZ99999999", "CZ999999999", "CZ9999999999"]),
    ("DE", "DE", &["DE999999999"]),
    ("DK", "DK", &["DK99999999"]),
    ("EE", "EE", &["EE999999999"]),
    ("EL", "GR", &["EL999999999"]),
    ("ES", "ES", &["ES*9999999*"]),
    ("FI", "FI", &["FI99999999"]),
    ("FR", "FR", &["FR**999999999"]),
    ("GB", "GB", &["GB999999999", "GB999999999999", "GBGD999", "GBHA999"]),
    ("HR", "HR", &["HR99999999999"]),
    ("HU", "HU", &["HU99999999"]),
    ("IE", "IE", &["IE9999999A", "IE9*99999A", "IE9999999AA"]),
    ("IT", "IT", &["IT99999999999"]),
    ("LT", "LT", &["LT999999999", "LT999999999999"]),
    ("LU", "LU", &["LU99999999"]),
    ("LV", "LV", &["LV99999999999"]),
    ("MT", "MT", &["MT99999999"]),
    ("NL", "NL", &["NL999999999B99"]),
    ("NO", "NO", &["NO999999999", "NO999999999MVA"]),
    ("PL", "PL", &["PL9999999999"]),
    ("PT", "PT", &["PT999999999"]),
    ("RO", "RO", &["RO99", "RO999", "RO9999", "RO99999", "RO999999", "RO9999999", "RO99999999", "RO999999999", "RO9999999999"]),
    ("SE", "SE", &["SE999999999999"]),
    ("SI", "SI", &["SI99999999"]),
    ("SK", "SK", &["SK9999999999"]),
    ("XI", "GB", &["XI999999999", "XI999999999999", "XIGD999", "XIHA999"]),
];

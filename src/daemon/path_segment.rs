//! External ids as path segments.
//!
//! Browsers and libraries remove `.` and `..` from a path, however they are escaped, so these two
//! ids get a tilde in front: `~.` and `~..`. Ids that already look like that get one more tilde, so
//! that every id can be written.

use serde::{Deserialize, Deserializer};

/// Whether a text is `.` or `..` after any number of tildes.
fn is_dots(text: &str) -> bool {
    matches!(text.trim_start_matches('~'), "." | "..")
}

/// Encodes an id as a path segment.
pub fn encode_id(id: &str) -> String {
    let tilde = if is_dots(id) { "~" } else { "" };
    format!("{tilde}{}", percent_encode(id))
}

/// Encodes any text for a path or a query.
pub(super) fn percent_encode(text: &str) -> String {
    let bytes = text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    bytes.collect()
}

/// Decodes the id from a path segment.
pub(super) fn decode_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut part = String::deserialize(deserializer)?;
    if part.starts_with('~') && is_dots(&part) {
        part.remove(0);
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{Error, StrDeserializer};

    #[test]
    fn every_id_is_one_part_of_a_path_and_comes_back() {
        for (written, part) in [
            ("u-1", "u-1"),
            (".", "~."),
            ("..", "~.."),
            ("~..", "~~.."),
            ("~~.", "~~~."),
            ("...", "..."),
            ("~", "~"),
            ("~u", "~u"),
            ("a.b", "a.b"),
            ("a/b?c#d%å", "a%2Fb%3Fc%23d%25%C3%A5"),
        ] {
            assert_eq!(encode_id(written), part);
            if !part.contains('%') {
                let deserializer: StrDeserializer<'_, Error> = part.into_deserializer();
                assert_eq!(decode_id(deserializer).as_deref(), Ok(written));
            }
        }
    }
}

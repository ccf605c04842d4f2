//! An external id as a part of a path.
//!
//! Browsers and libraries take `.` and `..` out of a path, however they are escaped, so ids that are
//! just that stand behind a tilde: `~.` and `~..`. So that every id can still be written, the ids
//! that look like these get one tilde more.

use serde::{Deserialize, Deserializer};

/// Whether a text is `.` or `..` behind any number of tildes.
fn is_dots(text: &str) -> bool {
    matches!(text.trim_start_matches('~'), "." | "..")
}

/// The id, escaped, as a part of a path.
pub(super) fn encode_id(id: &str) -> String {
    let tilde = if is_dots(id) { "~" } else { "" };
    format!("{tilde}{}", percent_encode(id))
}

/// Any text as a part of a path or of a query.
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

/// The id that a part of a path stands for.
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

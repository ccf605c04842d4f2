//! Turns external ids into file names that work on every file system and are distinct where case
//! does not count.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Returns a file name for each id, distinct also on case-insensitive file systems.
pub(super) fn file_names<'a>(ids: &[&'a str]) -> HashMap<&'a str, String> {
    // On macOS and Windows, `acme.yaml` and `Acme.yaml` are one file, and one account would
    // overwrite the other.
    let mut alike: HashMap<String, usize> = HashMap::new();
    for id in ids {
        *alike.entry(id.to_lowercase()).or_default() += 1;
    }
    let names = ids
        .iter()
        .map(|id| (*id, file_name(id, alike[&id.to_lowercase()] > 1)));
    names.collect()
}

/// The longest name that is not shortened. File systems allow 255 bytes; the rest is for the
/// ending, a number and the digest.
const LONGEST: usize = 180;

/// Names that mean a device on Windows, whatever comes after a dot; also `COM1` to `LPT9`.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Returns an id as a file name. Everything but letters, digits, `-`, `_` and inner `.` is
/// percent-encoded, and upper-case letters too if `capitals` is set.
pub(super) fn file_name(id: &str, capitals: bool) -> String {
    let mut name = String::new();
    let is_device = is_device(id);
    for (at, c) in id.char_indices() {
        // A leading dot would hide the file from the walk, and Windows drops a trailing one.
        let dot = c == '.' && at > 0 && at + 1 < id.len();
        let safe = c.is_alphanumeric() && !(capitals && c.is_uppercase()) && (at > 0 || !is_device);
        if safe || dot || matches!(c, '-' | '_') {
            name.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(name, "%{byte:02X}");
            }
        }
    }
    shortened(name, id)
}

/// Whether Windows could not check out a file or folder of this name.
fn is_device(id: &str) -> bool {
    let stem = id.split('.').next().unwrap_or_default().to_lowercase();
    let numbered = ["com", "lpt"]
        .iter()
        .filter_map(|name| stem.strip_prefix(name));
    let is_digit = |rest: &str| matches!(rest.as_bytes(), [b'0'..=b'9']);
    DEVICES.contains(&stem.as_str()) || numbered.into_iter().any(is_digit)
}

/// Whether a file name says only the beginning of its id.
pub(super) fn is_shortened(name: &str) -> bool {
    name.contains('~')
}

fn shortened(mut name: String, id: &str) -> String {
    if name.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or_default());
        // Two long ids may share their first 180 bytes; the digest keeps them apart.
        let digest = crate::model::Digest::of(id.as_bytes()).to_string();
        // `~` is percent-encoded in every other name, so a shortened name cannot collide with one.
        let _ = write!(name, "~{}", &digest[..16]);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe_and_distinct() {
        let long = "å".repeat(120);
        for (id, name) in [
            ("acme", "acme"),
            ("0010.a_b-c", "0010.a_b-c"),
            ("..", "%2E%2E"),
            (".git", "%2Egit"),
            ("a/b", "a%2Fb"),
            ("a b%", "a%20b%25"),
            ("~", "%7E"),
            ("con", "%63on"),
            ("NUL.x", "%4EUL.x"),
            ("com1", "%63om1"),
            ("console", "console"),
        ] {
            assert_eq!(file_name(id, false), name);
        }
        assert!(file_name(&long, false).len() < 255);
        assert_ne!(
            file_name(&long, false),
            file_name(&format!("{long}x"), false)
        );
        let names = file_names(&["acme", "Acme", "Beta"]);
        assert_eq!(names["acme"], "acme");
        assert_eq!(names["Acme"], "%41cme");
        assert_eq!(names["Beta"], "Beta");
    }
}

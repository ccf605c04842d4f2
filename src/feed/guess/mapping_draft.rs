//! The draft of a mapping, and its first lines.

use super::ExportProfile;
use crate::feed::format::SheetSelector;
use std::fmt::Write;

/// A mapping as text, and the preset it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MappingDraft {
    /// The YAML, with comments on what to check.
    pub text: String,
    /// The preset that it is based on.
    pub preset: Option<String>,
}

/// Returns the lines that say where the table starts: the sheet, and the line of the header.
pub(super) fn table_start(look: &ExportProfile) -> String {
    let mut text = String::new();
    let _ = match &look.sheet {
        Some(SheetSelector::Name(name)) => writeln!(text, "sheet: {}", quoted(name)),
        Some(SheetSelector::Number(number)) => writeln!(text, "sheet: {number}"),
        None => Ok(()),
    };
    if look.first_line > 1 {
        let _ = writeln!(
            text,
            "header: {}   # the lines above are skipped",
            look.first_line
        );
    }
    text
}

/// A text as YAML.
pub(super) fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "_-/".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

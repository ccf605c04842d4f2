//! What `roster feed inspect` prints as JSON: what an export looks like, and which presets fit it.

use super::DiagnosticDocument;
use serde::Serialize;

/// What an export looks like.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectionDocument<'a> {
    pub format_version: &'static str,
    pub format: &'a str,
    pub encoding: &'a str,
    pub delimiter: Option<char>,
    pub line_ends: Option<&'a str>,
    pub header: bool,
    pub header_line: Option<u32>,
    pub list: Option<&'a str>,
    pub trailer: Option<&'a str>,
    pub rows: u64,
    pub complete: bool,
    pub columns: Vec<&'a str>,
    pub presets: Vec<PresetFitDocument<'a>>,
    pub ambiguous: Vec<RivalPresetsDocument>,
    /// The first rows.
    pub first: Vec<InspectedRowDocument<'a>>,
    pub diagnostics: Vec<DiagnosticDocument<'a>>,
}

/// How well a preset fits the columns.
#[derive(Debug, Serialize)]
pub struct PresetFitDocument<'a> {
    pub preset: &'a str,
    /// The percentage of its columns that the export has.
    pub share: usize,
    pub found: usize,
    pub of: usize,
    pub needed: &'a [String],
    pub missing: &'a [String],
    pub unknown: &'a [String],
    pub fits: bool,
}

/// Two presets that fit equally well.
#[derive(Debug, Serialize)]
pub struct RivalPresetsDocument {
    pub presets: [&'static str; 2],
    /// The columns that they read differently.
    pub columns: Vec<String>,
    /// How they differ.
    pub why: String,
}

/// A row, or a member of a list in a row.
#[derive(Debug, Serialize)]
pub struct InspectedRowDocument<'a> {
    pub cells: Vec<InspectedCellDocument<'a>>,
    pub lists: Vec<InspectedListDocument<'a>>,
}

/// A cell that is present.
#[derive(Debug, Serialize)]
pub struct InspectedCellDocument<'a> {
    pub line: u32,
    pub column: u32,
    pub name: &'a str,
    /// The text, or a placeholder for a secret.
    pub text: &'a str,
}

/// A list in a row.
#[derive(Debug, Serialize)]
pub struct InspectedListDocument<'a> {
    pub name: &'a str,
    pub members: Vec<InspectedRowDocument<'a>>,
}

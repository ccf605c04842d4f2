//! Mappings: which columns of an export are which fields, as data that is checked before any row
//! is read.

mod cell;
mod cell_file;
mod expression;
mod file;
mod section;
mod words;

pub use cell::{Cell, Column, List, Part, Said, Source, Step, Take};
pub use section::{Block, Field, Section, When};
pub use words::{Countries, Words, trimmed};

use crate::feed::format::Format;
use serde::Deserialize;

/// How an export becomes resources.
#[derive(Debug)]
pub struct Mapping {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub doc: String,
    /// What it is written in; detected when it is not said.
    pub format: Option<Format>,
    /// How rows of text are written.
    pub csv: Csv,
    /// The sheet of a workbook; the first when it is not said.
    pub sheet: Option<String>,
    /// Where in a JSON document the list is, as `data.items`; the document itself when not said.
    pub rows: Option<String>,
    /// What the last line looks like, as `#EOF;{n}`.
    pub trailer: Option<String>,
    /// How booleans, numbers, dates and lists are written.
    pub words: Words,
    /// The columns without which nothing of an export is taken, beside those of external ids.
    pub requires: Vec<Column>,
    /// Columns that are known and mean nothing here.
    pub ignored: Vec<String>,
    /// Every column by its name, other names after it.
    pub columns: Vec<Vec<String>>,
    /// What becomes of a record.
    pub sections: Vec<Section>,
}

/// How rows of text are written; what is not said is detected.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Csv {
    /// What stands between cells.
    pub delimiter: Option<char>,
    /// What stands around a cell that holds the delimiter; `"`.
    pub quote: Option<char>,
    /// As `utf-8` or `windows-1252`.
    pub encoding: Option<String>,
    /// The columns in their order, of an export without a header.
    pub names: Vec<String>,
}

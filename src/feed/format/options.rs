//! The format of an export and its options, and the limits on what is read.

use encoding_rs::Encoding;

/// The format of an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// Rows of cells with delimiters between them.
    Csv,
    /// A list of objects.
    Json,
    /// One object per line.
    Jsonl,
    /// A spreadsheet of Excel 2007 or later.
    Xlsx,
}

/// What is known about an export before it is read.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// The format. `None`: detected from the bytes.
    pub format: Option<ExportFormat>,
    /// The delimiter between cells, an ASCII character. `None`: the one that `sep=` names, or else
    /// detected.
    pub delimiter: Option<u8>,
    /// The quote around cells, an ASCII character. `None`: cells are never quoted.
    pub quote: Option<u8>,
    /// The encoding. `None`: the one of the byte order mark, or else detected. A byte order mark
    /// overrides this.
    pub encoding: Option<&'static Encoding>,
    /// Whether the first row names the columns.
    pub header: bool,
    /// The line, or the row of the sheet, at which the table starts, from 1. The lines above are
    /// skipped.
    pub first_line: u32,
    /// The names of columns by position: without a header those of all columns, otherwise those of
    /// columns that the header does not name. A blank one has no effect.
    pub names: Vec<String>,
    /// The form of the last line, with `{n}` for the number of rows: `#EOF;{n}`. The cells of a
    /// spreadsheet are joined with `;` to compare them.
    pub trailer: Option<String>,
    /// The sheet of a spreadsheet. `None`: the only one with data.
    pub sheet: Option<SheetSelector>,
    /// The texts that stand for a blank cell.
    pub blanks: Vec<String>,
    /// The path of the list in JSON: `data.items`. `None`: the document itself is the list.
    pub list_path: Option<String>,
    /// How much is accepted.
    pub limits: FormatLimits,
}

/// A sheet of a spreadsheet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SheetSelector {
    Name(String),
    /// By its position in the workbook, from 1.
    Number(usize),
}

/// The limits of what is accepted, in bytes unless stated otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormatLimits {
    /// The size of one row or object.
    pub record: usize,
    /// The size of one cell.
    pub cell: usize,
    /// How deep values may be nested.
    pub depth: usize,
    /// How many columns there may be.
    pub columns: usize,
    /// The unpacked size of a spreadsheet.
    pub unpacked: u64,
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self {
            format: None,
            delimiter: None,
            quote: Some(b'"'),
            encoding: None,
            header: true,
            first_line: 1,
            names: Vec::new(),
            trailer: None,
            sheet: None,
            blanks: Vec::new(),
            list_path: None,
            limits: FormatLimits::default(),
        }
    }
}

impl FormatOptions {
    /// Whether a text stands for a blank cell.
    pub(super) fn reads_as_blank(&self, text: &str) -> bool {
        !self.blanks.is_empty() && self.blanks.iter().any(|blank| blank == text.trim())
    }
}

impl Default for FormatLimits {
    fn default() -> Self {
        Self {
            record: 1 << 20,
            cell: 1 << 16,
            depth: 16,
            columns: 4096,
            unpacked: 4 << 30,
        }
    }
}

impl ExportFormat {
    /// Whether its columns are named in a header, so that all of them are always there.
    #[must_use]
    pub fn has_header(self) -> bool {
        matches!(self, Self::Csv | Self::Xlsx)
    }

    /// The word for one of its rows in messages.
    #[must_use]
    pub fn row_word(self) -> &'static str {
        if self == Self::Xlsx { "row" } else { "line" }
    }

    /// Its name in a mapping.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Xlsx => "xlsx",
        }
    }

    /// Its name in messages.
    #[must_use]
    pub fn display_name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Jsonl => "JSON Lines",
            Self::Xlsx => "XLSX",
        }
    }
}

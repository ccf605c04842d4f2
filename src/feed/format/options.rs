//! How an export is written, and how much of it may be read.

use encoding_rs::Encoding;

/// What an export is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// Rows of cells with delimiters between.
    Csv,
    /// A list of objects.
    Json,
    /// Objects, each on a line of its own.
    Jsonl,
    /// A spreadsheet of Excel 2007 or later.
    Xlsx,
}

/// What is known of an export before it is read.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// What it is written in; none: what its bytes look like.
    pub format: Option<ExportFormat>,
    /// What stands between cells, an ASCII character; none: what `sep=` says, or what fits.
    pub delimiter: Option<u8>,
    /// What stands around cells, an ASCII character; none: nothing does.
    pub quote: Option<u8>,
    /// How its characters are written; none: as its mark says, or as it looks. A mark at the start
    /// of the file is believed more than this.
    pub encoding: Option<&'static Encoding>,
    /// Whether its first row names the columns.
    pub header: bool,
    /// The line, or the row of the sheet, at which the table begins, from 1. What is above is skipped.
    pub first_line: u32,
    /// The names of the columns by position: of all without a header, and with one of those that
    /// have none there. A blank one says nothing.
    pub names: Vec<String>,
    /// How its last line looks, with `{n}` for the number of rows: `#EOF;{n}`. The cells of a
    /// spreadsheet are joined with `;`.
    pub trailer: Option<String>,
    /// The sheet of a spreadsheet; none: the only one with data.
    pub sheet: Option<SheetSelector>,
    /// The texts that stand for a blank cell.
    pub blanks: Vec<String>,
    /// Where the list is in JSON: `data.items`; none: it is the whole.
    pub list_path: Option<String>,
    /// What is too much.
    pub limits: FormatLimits,
}

/// A sheet of a spreadsheet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SheetSelector {
    Name(String),
    /// By its place in the workbook, from 1.
    Number(usize),
}

/// What is too much, in bytes where nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormatLimits {
    /// Of one row or object.
    pub record: usize,
    pub cell: usize,
    /// How deep values may be nested.
    pub depth: usize,
    /// How many columns there may be.
    pub columns: usize,
    /// Of a spreadsheet, unpacked.
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

    /// What its rows are counted as.
    #[must_use]
    pub fn row_word(self) -> &'static str {
        if self == Self::Xlsx { "row" } else { "line" }
    }

    /// The word for it in a mapping.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Xlsx => "xlsx",
        }
    }

    /// The word for it.
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

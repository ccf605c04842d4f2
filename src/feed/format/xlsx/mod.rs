//! Reads workbooks of Excel 2007 and later, cell by cell. In go the bytes; out go rows to the
//! `TableParser`, with cells as text and how they were written. What a workbook adds to CSV is a
//! file each: which sheet (`sheet.rs`), what a cell shows (`display.rs`), merged cells, formulas,
//! and the check of the archive. Start reading at `rows`.

mod archive;
mod display;
mod merged_ranges;
mod number;
mod sheet;

use super::record::CellShape;
use super::row_selection::RowChoice;
use super::table::TableParser;
use super::{BodySummary, ExportFormat, ReadContext, ReadOutcome, not_data};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::{ValueProblem, is_blank, quoted};
use crate::model::{CompactText, Digest, LineColumn};
use calamine::{DataRef, Reader, Xlsx, XlsxError};
use display::NumberDisplay;
use merged_ranges::MergedRanges;
use std::io::{BufReader, Read, Seek};

/// The number of columns that a sheet can have.
const MOST_COLUMNS: u32 = 1 << 14;

#[derive(Default)]
struct SheetRow {
    /// The row number, from 0.
    row: u32,
    cells: Vec<(CompactText, CellShape)>,
}

/// Reads the rows of a workbook.
pub(super) fn read<I: Read + Seek>(input: &mut I, target: &mut ReadContext<'_>) -> ReadOutcome {
    let declared = target.options.format.unwrap_or(ExportFormat::Xlsx);
    let mut hasher = blake3::Hasher::new();
    let mut body = BodySummary::default();
    if !archive::is_workbook(&mut *input) {
        let found = not_data::not_data("a ZIP archive", not_data::UNPACK);
        target.findings.fatal(LineColumn::default(), found);
    } else if declared == ExportFormat::Xlsx {
        // The library seeks in the file, so the digest needs a pass of its own.
        let hashed = input
            .rewind()
            .and_then(|()| hasher.update_reader(&mut *input).map(|_| ()));
        match hashed.and_then(|()| input.rewind()) {
            Ok(()) => body = read_workbook(input, target),
            Err(error) => super::report_unreadable(target.findings, LineColumn::default(), &error),
        }
    } else {
        let what = format!(
            "a spreadsheet, although {} is declared",
            declared.display_name()
        );
        let found = not_data::not_data(&what, "declare the actual format or none");
        target.findings.fatal(LineColumn::default(), found);
    }
    ReadOutcome {
        digest: Digest::from_hasher(&hasher),
        ..ReadOutcome::of(declared, body)
    }
}

fn read_workbook<I: Read + Seek>(input: &mut I, target: &mut ReadContext<'_>) -> BodySummary {
    let limit = target.options.limits.unpacked;
    // Before the library opens it, which would unpack it into memory.
    let seen = match archive::scan_archive(&mut *input, limit) {
        Ok(seen) => seen,
        Err(what) => {
            return refuse(
                target,
                not_data::not_data(&what, "check the program that wrote it"),
            );
        }
    };
    let read = open(input).and_then(|mut book| read_sheet(&mut book, &seen, target));
    read.unwrap_or_else(|error| refuse(target, no_spreadsheet(&error)))
}

fn read_sheet<I: Read + Seek>(
    book: &mut Xlsx<I>,
    seen: &archive::WorkbookFeatures,
    target: &mut ReadContext<'_>,
) -> Result<BodySummary, XlsxError> {
    let name = match sheet::choose(book, target.options.sheet.as_ref())? {
        Ok(name) => name,
        Err(found) => return Ok(refuse(target, found)),
    };
    let mut detected = Vec::new();
    // With one sheet there was no choice to tell about.
    if target.options.sheet.is_none() && book.sheets_metadata().len() > 1 {
        detected.push(format!("sheet {}", quoted(&name)));
    }
    // Both need another pass over the sheet and are rare, so the scan decides.
    let merged = if seen.merged {
        MergedRanges::new(book.merge_cells_by_sheet_name(&name)?)
    } else {
        MergedRanges::default()
    };
    let formulas = if seen.formulas {
        UncalculatedFormulas::find(book, &name)?
    } else {
        UncalculatedFormulas::default()
    };
    let body = rows(book, &name, (merged, formulas), target)?;
    Ok(BodySummary { detected, ..body })
}

fn open<I: Read + Seek>(input: &mut I) -> Result<Xlsx<BufReader<&mut I>>, XlsxError> {
    Xlsx::new(BufReader::new(input))
}

fn refuse(target: &mut ReadContext<'_>, found: Diagnostic) -> BodySummary {
    target.findings.fatal(LineColumn::default(), found);
    BodySummary::default()
}

fn no_spreadsheet(error: &XlsxError) -> Diagnostic {
    let what = format!("not a readable spreadsheet: {error}");
    not_data::not_data(&what, "open it and save it again as `.xlsx`")
}

fn column_out_of_range(column: u32) -> Diagnostic {
    let what = format!("a spreadsheet with an impossible column {column}");
    not_data::not_data(&what, "open it and save it again as `.xlsx`")
}

fn rows<I: Read + Seek>(
    book: &mut Xlsx<I>,
    name: &str,
    (merged, formulas): (MergedRanges, UncalculatedFormulas),
    target: &mut ReadContext<'_>,
) -> Result<BodySummary, XlsxError> {
    let mut cells = book.worksheet_cells_reader(name)?;
    let displays: Vec<NumberDisplay> = cells.styles().iter().map(display).collect();
    let mut rows = SheetReader {
        table: TableParser::new(target, "xlsx".to_owned()),
        merged,
    };
    let mut line = SheetRow::default();
    while let Some((cell, style)) = cells.next_cell_with_style_id()? {
        let (row, column) = cell.get_position();
        // The library yields cells, not rows. A new row number ends the row before.
        if row != line.row {
            if !rows.take(&line) {
                return Ok(rows.table.end(cell_position(&line, 0)));
            }
            line.row = row;
            line.cells.clear();
        }
        // The number comes from the file, and a row is as long as its last column.
        if column >= MOST_COLUMNS {
            return Ok(refuse(rows.table.target, column_out_of_range(column)));
        }
        let display = displays.get(style).unwrap_or(&NumberDisplay::Plain);
        let mut value = value(cell.get_value(), display);
        // The library returns no value for it; without this the cell would look blank.
        if matches!(value.1, CellShape::Null) && formulas.contains(row, column) {
            value.1 = uncalculated_cell();
        }
        line.put(column as usize, value);
    }
    rows.take(&line);
    Ok(rows.table.end(cell_position(&line, 0)))
}

impl SheetRow {
    fn put(&mut self, column: usize, cell: (CompactText, CellShape)) {
        if matches!(cell.1, CellShape::Null) {
            return;
        }
        if self.cells.len() <= column {
            self.cells
                .resize(column + 1, (CompactText::default(), CellShape::Null));
        }
        self.cells[column] = cell;
    }
}

fn display(style: &calamine::Style) -> NumberDisplay {
    let format = style.number_format.as_ref();
    format.map_or(NumberDisplay::Plain, |format| {
        NumberDisplay::parse(&format.format_code)
    })
}

/// Returns a cell as text, and how it was written.
fn value(value: &DataRef<'_>, display: &NumberDisplay) -> (CompactText, CellShape) {
    match value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what has too many digits is refused"
        )]
        DataRef::Int(number) => display.show(*number as f64),
        DataRef::Float(number) => display.show(*number),
        // Dates in ISO form are text in the file, unlike the usual numbers with a date format, and
        // nothing was lost.
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            (CompactText::new(text), CellShape::Text)
        }
        DataRef::SharedString(text) => (CompactText::new(text), CellShape::Text),
        DataRef::Bool(is) => (
            CompactText::new(if *is { "true" } else { "false" }),
            CellShape::Bool,
        ),
        DataRef::DateTime(time) => number::format_date(time),
        DataRef::Error(error) => (CompactText::new(error.to_string()), CellShape::Text),
        DataRef::Empty => (CompactText::default(), CellShape::Null),
    }
}

/// The place of a cell: its row and column number.
fn cell_position(line: &SheetRow, column: usize) -> LineColumn {
    LineColumn {
        line: line.row.saturating_add(1),
        column: u32::try_from(column + 1).unwrap_or(u32::MAX),
    }
}

struct SheetReader<'t, 'a> {
    table: TableParser<'t, 'a>,
    merged: MergedRanges,
}

impl SheetReader<'_, '_> {
    /// Handles a row by what it is: skipped, trailer, header or record. Returns false to stop.
    fn take(&mut self, line: &SheetRow) -> bool {
        self.merged.go_to(line.row);
        // A formula without a value has no text, but its row is not blank.
        let blank = |(text, shape): &(CompactText, CellShape)| {
            is_blank(text) && !matches!(shape, CellShape::Unreadable(_))
        };
        let begins = cell_position(line, 0);
        if begins.line < self.table.target.options.first_line || line.cells.iter().all(blank) {
            return true;
        }
        if self.table.has_trailer() && self.table.is_trailer_line(begins, &joined(line)) {
            return !self.table.is_over();
        }
        if self.table.is_headless() {
            let goes_on = self.begin(line);
            if !goes_on || self.table.target.options.header {
                return goes_on;
            }
        }
        let texts = line.cells.iter().map(|(text, _)| text.as_str());
        if self.table.is_repeated_header(begins, texts) {
            return true;
        }
        self.record(line)
    }

    fn begin(&mut self, line: &SheetRow) -> bool {
        let names = line.cells.iter().enumerate();
        let names: Vec<(String, LineColumn)> = names
            .map(|(column, (text, _))| (text.to_string(), cell_position(line, column)))
            .collect();
        if names.len() > self.table.target.options.limits.columns {
            let what = format!("a table of {} columns", names.len());
            let found = not_data::not_data(&what, "check the program that wrote it");
            self.table
                .target
                .findings
                .fatal(cell_position(line, 0), found);
            return false;
        }
        self.table.begin(&names)
    }

    /// Takes a row as a record. Missing cells are blank, as in CSV.
    fn record(&mut self, line: &SheetRow) -> bool {
        let there = |(text, shape): &(CompactText, CellShape)| {
            !is_blank(text) || matches!(shape, CellShape::Unreadable(_))
        };
        let last = line.cells.iter().rposition(there);
        // Cells after the last one with text are left out, since formatting alone creates cells.
        let width = self.table.width().max(last.map_or(0, |last| last + 1));
        let at = cell_position(line, 0);
        self.table.start(at, at, false);
        for column in 0..width {
            let (text, shape) = match line.cells.get(column) {
                Some((text, shape)) => (text.as_str(), shape.clone()),
                None => ("", CellShape::Null),
            };
            self.table.put(column, text, cell_position(line, column));
            if let Some(range) = self.merged.covers(line.row, column) {
                // A covered cell may keep a hidden old value. It is emptied, so that nobody reads
                // what nobody sees.
                self.table.put(column, "", cell_position(line, column));
                self.table.shape(column, CellShape::Covered(range.into()));
            } else if shape != CellShape::Text {
                self.table.shape(column, shape);
            }
        }
        // For every row, unlike in CSV: there is no raw line here to look at first.
        self.table.check_letters();
        match self.table.choose_record() {
            RowChoice::Decode => self.table.finish_record(width),
            RowChoice::Skip => true,
            RowChoice::Stop => false,
        }
    }
}

/// Joins the cells of a row to compare them with the trailer.
fn joined(line: &SheetRow) -> String {
    let texts: Vec<&str> = line.cells.iter().map(|(text, _)| text.as_str()).collect();
    texts.join(";")
}

/// How many formulas without a value are collected. Nobody could correct more.
const MAX_FORMULAS: usize = 1_000_000;

/// The cells of a sheet that have a formula and no value, by row and column.
#[derive(Default)]
struct UncalculatedFormulas(Vec<(u32, u32)>);

impl UncalculatedFormulas {
    /// Finds the uncalculated formulas of a sheet.
    fn find<I: Read + Seek>(book: &mut Xlsx<I>, name: &str) -> Result<Self, XlsxError> {
        let mut cells = book.worksheet_cells_reader(name)?;
        let mut found = Vec::new();
        while let Some(cell) = cells.next_cell_with_formula_metadata()? {
            if cell.formula.is_some() && cell.value == DataRef::Empty {
                if found.len() >= MAX_FORMULAS {
                    return Err(XlsxError::Unexpected("too many formulas without a value"));
                }
                found.push(cell.pos);
            }
        }
        found.sort_unstable();
        Ok(Self(found))
    }

    /// Returns whether a cell has an uncalculated formula.
    fn contains(&self, row: u32, column: u32) -> bool {
        self.0.binary_search(&(row, column)).is_ok()
    }
}

/// Returns the shape of a cell whose formula was never calculated, so that the file has no value.
fn uncalculated_cell() -> CellShape {
    let fault = ValueProblem::new(
        codes::SPREADSHEET_ERROR,
        "the cell contains a formula without a stored value",
    )
    .help("open and save the file in a spreadsheet program, or export values instead of formulas");
    CellShape::Unreadable(Box::new(fault))
}

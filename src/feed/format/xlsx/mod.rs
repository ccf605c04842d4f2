//! Spreadsheets of Excel 2007 and later, cell by cell.

mod display;
mod formula;
mod merged;
mod number;
mod sheet;
mod unpacked;

use super::record::Shape;
use super::table::Table;
use super::{Body, Format, Outcome, Target, unlike};
use crate::diagnostic::Diagnostic;
use crate::kinds::read::{is_blank, quoted};
use crate::model::{Digest, Pos, Text};
use calamine::{DataRef, Reader, Xlsx, XlsxError};
use display::Display;
use formula::Uncalculated;
use merged::Merged;
use std::io::{BufReader, Read, Seek};

/// How many columns a sheet can have.
const MOST_COLUMNS: u32 = 1 << 14;

/// The cells of one row.
#[derive(Default)]
struct Line {
    /// Its number, from 0.
    row: u32,
    cells: Vec<(Text, Shape)>,
}

/// Reads the rows of a sheet.
pub(super) fn read<I: Read + Seek>(input: &mut I, target: &mut Target<'_>) -> Outcome {
    let declared = target.options.format.unwrap_or(Format::Xlsx);
    let mut hasher = blake3::Hasher::new();
    let mut body = Body::default();
    if !unpacked::is_workbook(&mut *input) {
        let found = unlike::instead("a ZIP archive", unlike::UNPACK);
        target.findings.fatal(Pos::default(), found);
    } else if declared == Format::Xlsx {
        let hashed = input
            .rewind()
            .and_then(|()| hasher.update_reader(&mut *input).map(|_| ()));
        match hashed.and_then(|()| input.rewind()) {
            Ok(()) => body = whole(input, target),
            Err(error) => super::unreadable(target.findings, Pos::default(), &error),
        }
    } else {
        let what = format!("a spreadsheet, although {} is declared", declared.word());
        let found = unlike::instead(&what, "declare what it is, or nothing");
        target.findings.fatal(Pos::default(), found);
    }
    Outcome {
        digest: Digest::finish(&hasher),
        ..Outcome::of(declared, body)
    }
}

fn whole<I: Read + Seek>(input: &mut I, target: &mut Target<'_>) -> Body {
    let limit = target.options.limits.unpacked;
    let seen = match unpacked::look(&mut *input, limit) {
        Ok(seen) => seen,
        Err(what) => return refuse(target, unlike::instead(&what, "look at what wrote it")),
    };
    let read = open(input).and_then(|mut book| book_of(&mut book, &seen, target));
    read.unwrap_or_else(|error| refuse(target, no_spreadsheet(&error)))
}

fn book_of<I: Read + Seek>(
    book: &mut Xlsx<I>,
    seen: &unpacked::Seen,
    target: &mut Target<'_>,
) -> Result<Body, XlsxError> {
    let name = match sheet::choose(book, target.options.sheet.as_ref())? {
        Ok(name) => name,
        Err(found) => return Ok(refuse(target, found)),
    };
    let mut detected = Vec::new();
    if target.options.sheet.is_none() && book.sheets_metadata().len() > 1 {
        detected.push(format!("sheet {}", quoted(&name)));
    }
    let merged = if seen.merged {
        Merged::new(book.merge_cells_by_sheet_name(&name)?)
    } else {
        Merged::default()
    };
    let formulas = if seen.formulas {
        Uncalculated::find(book, &name)?
    } else {
        Uncalculated::default()
    };
    let body = rows(book, &name, (merged, formulas), target)?;
    Ok(Body { detected, ..body })
}

fn open<I: Read + Seek>(input: &mut I) -> Result<Xlsx<BufReader<&mut I>>, XlsxError> {
    Xlsx::new(BufReader::new(input))
}

fn refuse(target: &mut Target<'_>, found: Diagnostic) -> Body {
    target.findings.fatal(Pos::default(), found);
    Body::default()
}

fn no_spreadsheet(error: &XlsxError) -> Diagnostic {
    let what = format!("no spreadsheet that can be read: {error}");
    unlike::instead(&what, "open it, and save it once more as `.xlsx`")
}

fn beyond(column: u32) -> Diagnostic {
    let what = format!("a spreadsheet with a column {column}, which no sheet has");
    unlike::instead(&what, "open it, and save it once more as `.xlsx`")
}

fn rows<I: Read + Seek>(
    book: &mut Xlsx<I>,
    name: &str,
    (merged, formulas): (Merged, Uncalculated),
    target: &mut Target<'_>,
) -> Result<Body, XlsxError> {
    let mut cells = book.worksheet_cells_reader(name)?;
    let displays: Vec<Display> = cells.styles().iter().map(display).collect();
    let mut rows = Rows {
        table: Table::new(target),
        merged,
    };
    let mut line = Line::default();
    while let Some((cell, style)) = cells.next_cell_with_style_id()? {
        let (row, column) = cell.get_position();
        if row != line.row {
            if !rows.take(&line) {
                return Ok(rows.table.end(at(&line, 0)));
            }
            line.row = row;
            line.cells.clear();
        }
        if column >= MOST_COLUMNS {
            return Ok(refuse(rows.table.target, beyond(column)));
        }
        let display = displays.get(style).unwrap_or(&Display::Plain);
        let mut value = value(cell.get_value(), display);
        if matches!(value.1, Shape::Null) && formulas.has(row, column) {
            value.1 = formula::lost();
        }
        line.put(column as usize, value);
    }
    rows.take(&line);
    Ok(rows.table.end(at(&line, 0)))
}

impl Line {
    fn put(&mut self, column: usize, cell: (Text, Shape)) {
        if matches!(cell.1, Shape::Null) {
            return;
        }
        if self.cells.len() <= column {
            self.cells
                .resize(column + 1, (Text::default(), Shape::Null));
        }
        self.cells[column] = cell;
    }
}

fn display(style: &calamine::Style) -> Display {
    let format = style.number_format.as_ref();
    format.map_or(Display::Plain, |format| Display::of(&format.format_code))
}

/// A cell as text, and how it is kept.
fn value(value: &DataRef<'_>, display: &Display) -> (Text, Shape) {
    match value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what has too many digits is refused"
        )]
        DataRef::Int(number) => display.show(*number as f64),
        DataRef::Float(number) => display.show(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            (Text::new(text), Shape::Text)
        }
        DataRef::SharedString(text) => (Text::new(text), Shape::Text),
        DataRef::Bool(is) => (Text::new(if *is { "true" } else { "false" }), Shape::Bool),
        DataRef::DateTime(time) => number::moment(time),
        DataRef::Error(error) => (Text::new(error.to_string()), Shape::Text),
        DataRef::Empty => (Text::default(), Shape::Null),
    }
}

/// The place of a cell: the number of its row and of its column.
fn at(line: &Line, column: usize) -> Pos {
    Pos {
        line: line.row.saturating_add(1),
        column: u32::try_from(column + 1).unwrap_or(u32::MAX),
    }
}

/// The rows of a sheet.
struct Rows<'t, 'a> {
    table: Table<'t, 'a>,
    merged: Merged,
}

impl Rows<'_, '_> {
    /// Takes a row for what it is; false stops.
    fn take(&mut self, line: &Line) -> bool {
        self.merged.go_to(line.row);
        let blank =
            |(text, shape): &(Text, Shape)| is_blank(text) && !matches!(shape, Shape::Lost(_));
        let begins = at(line, 0);
        if begins.line < self.table.target.options.begins || line.cells.iter().all(blank) {
            return true;
        }
        if self.table.has_trailer() && self.table.ends_with(begins, &joined(line)) {
            return !self.table.is_over();
        }
        if self.table.is_headless() {
            let goes_on = self.begin(line);
            if !goes_on || self.table.target.options.header {
                return goes_on;
            }
        }
        let texts = line.cells.iter().map(|(text, _)| text.as_str());
        if self.table.repeats(begins, texts) {
            return true;
        }
        self.record(line)
    }

    fn begin(&mut self, line: &Line) -> bool {
        let names = line.cells.iter().enumerate();
        let names: Vec<(String, Pos)> = names
            .map(|(column, (text, _))| (text.to_string(), at(line, column)))
            .collect();
        if names.len() > self.table.target.options.limits.columns {
            let what = format!("a table of {} columns", names.len());
            let found = unlike::instead(&what, "look at what wrote it");
            self.table.target.findings.fatal(at(line, 0), found);
            return false;
        }
        self.table.begin(&names)
    }

    /// Cells that are not there are blank, as they are in CSV.
    fn record(&mut self, line: &Line) -> bool {
        let there =
            |(text, shape): &(Text, Shape)| !is_blank(text) || matches!(shape, Shape::Lost(_));
        let last = line.cells.iter().rposition(there);
        let width = self.table.width().max(last.map_or(0, |last| last + 1));
        self.table.start(at(line, 0), false);
        for column in 0..width {
            let (text, shape) = match line.cells.get(column) {
                Some((text, shape)) => (text.as_str(), shape.clone()),
                None => ("", Shape::Null),
            };
            self.table.put(column, text, at(line, column));
            if let Some(range) = self.merged.covers(line.row, column) {
                self.table.put(column, "", at(line, column));
                self.table.shape(column, Shape::Covered(range.into()));
            } else if shape != Shape::Text {
                self.table.shape(column, shape);
            }
        }
        self.table.look_at_letters();
        self.table.finish(width)
    }
}

/// The cells of a row in one text, to be compared with a trailer.
fn joined(line: &Line) -> String {
    let texts: Vec<&str> = line.cells.iter().map(|(text, _)| text.as_str()).collect();
    texts.join(";")
}

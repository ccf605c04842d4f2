//! Guesses on which line the header is. Reports often have a title, a date or notes above the
//! table. Each of the first lines is tried as the header, and the columns and rows that result are
//! compared. Start reading at `guess`.

use super::field_names::fields_for_name;
use crate::diagnostic::codes;
use crate::feed::format::{self, ExportColumns, FormatOptions};
use std::io::{Read, Seek};
use std::sync::Arc;

const LINES: u32 = 20;
/// How many rows below a candidate are read.
const ROWS: usize = 50;
/// A line with this many known column names is a header.
const ENOUGH: usize = 3;

/// The table that results if a line is taken as the header.
struct TableCandidate {
    /// The number of columns with known names.
    known: usize,
    columns: usize,
    rows: usize,
    faulty: usize,
    /// Whether a column has no name, or two have the same.
    nameless: bool,
    /// Whether a column name is a number, so that the line is a row of data.
    is_row: bool,
}

impl TableCandidate {
    /// Returns whether nearly all rows are sound.
    fn is_even(&self) -> bool {
        self.columns > 1 && !self.nameless && self.rows > 0 && self.faulty * 10 <= self.rows
    }

    /// Returns whether this is probably not a table.
    fn is_odd(&self) -> bool {
        self.columns == 1 && self.faulty > 0 || self.nameless || self.faulty * 2 > self.rows
    }
}

/// Returns the line of the header: the first line, unless a later one makes a better table.
pub(super) fn guess(
    input: &mut (impl Read + Seek),
    name: &Arc<str>,
    options: &FormatOptions,
) -> u32 {
    let Some(first) = table(input, name, options, 1) else {
        return 1;
    };
    // Data in the first line means that there is no header, not that it is further down.
    if first.known >= ENOUGH || first.is_row {
        return 1;
    }
    let (mut even, mut best) = (None, None::<(u32, usize)>);
    for line in 2..=LINES {
        let Some(table) = table(input, name, options, line) else {
            break;
        };
        if table.is_row {
            continue;
        }
        // Blank lines above the header all lead to the same table, so the last of equally good ones
        // counts. It must know one column more than the first line does: a title such as
        // `Customers` can be a known name by accident.
        let most = best.map_or(first.known.max(1) + 1, |(_, known)| known);
        if table.known >= most && table.columns > 1 {
            best = Some((line, table.known));
        }
        if even.is_none() && table.is_even() {
            even = Some(line);
        }
    }
    // A table in an unknown language is recognised by its even rows, but only if the first line
    // makes none.
    let even = even.filter(|_| first.is_odd());
    best.map(|(line, _)| line).or(even).unwrap_or(1)
}

/// Finds the line whose columns satisfy `fits`.
pub(in crate::feed) fn find(
    input: &mut (impl Read + Seek),
    name: &Arc<str>,
    options: &FormatOptions,
    fits: impl Fn(&ExportColumns) -> bool,
) -> Option<u32> {
    let mut lines = 1..=LINES;
    let mut fits_from = |line: u32| {
        let options = FormatOptions {
            first_line: line,
            ..options.clone()
        };
        let mut columns = ExportColumns::default();
        // Stopping at the first record: only the header is needed, and the file may be large.
        format::read(&mut *input, name, &options, &mut columns, &mut |_, _| false);
        fits(&columns)
    };
    let first = lines.find(|line| fits_from(*line))?;
    // Several blank lines above the header all lead to the same table, so the last one counts.
    let more = lines.take_while(|line| fits_from(*line));
    Some(more.last().unwrap_or(first))
}

/// Reads the table that begins on a line. `None` if the file has no header line there.
fn table(
    input: &mut (impl Read + Seek),
    name: &Arc<str>,
    options: &FormatOptions,
    line: u32,
) -> Option<TableCandidate> {
    let options = FormatOptions {
        first_line: line,
        ..options.clone()
    };
    let (mut columns, mut rows, mut faulty) = (ExportColumns::default(), 0, 0);
    let outcome = format::read(input, name, &options, &mut columns, &mut |record, _| {
        rows += 1;
        faulty += usize::from(record.faulty);
        rows < ROWS
    });
    if !outcome.format.has_header() || columns.is_empty() {
        return None;
    }
    let is_row = columns.names().any(|name| name.parse::<f64>().is_ok());
    let names = columns.names();
    let nameless = [codes::HEADER_BLANK, codes::HEADER_DUPLICATE];
    Some(TableCandidate {
        known: names
            .filter(|name| !fields_for_name(name).is_empty())
            .count(),
        columns: columns.len(),
        rows,
        faulty,
        is_row,
        nameless: outcome
            .diagnostics
            .iter()
            .any(|found| nameless.contains(&found.code)),
    })
}

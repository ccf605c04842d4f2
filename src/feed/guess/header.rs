//! On which line the header is, where a title or notes stand above it.

use super::field_names::fields_for_name;
use crate::diagnostic::codes;
use crate::feed::format::{self, ExportColumns, FormatOptions};
use std::io::{Read, Seek};
use std::sync::Arc;

/// How far down a header is looked for.
const LINES: u32 = 20;
/// How many rows below it are looked at.
const ROWS: usize = 50;
/// So many columns that are known by their names make a header of any line.
const ENOUGH: usize = 3;

/// What a table would be that begins on some line.
struct TableCandidate {
    /// How many of its columns are known by their names.
    known: usize,
    columns: usize,
    rows: usize,
    faulty: usize,
    /// Whether columns have no name, or one twice.
    nameless: bool,
    /// Whether a name is a number, so that it is no header but a row.
    is_row: bool,
}

impl TableCandidate {
    /// Whether nothing is wrong with nearly all of its rows.
    fn is_even(&self) -> bool {
        self.columns > 1 && !self.nameless && self.rows > 0 && self.faulty * 10 <= self.rows
    }

    /// Whether it may well be no table at all.
    fn is_odd(&self) -> bool {
        self.columns == 1 && self.faulty > 0 || self.nameless || self.faulty * 2 > self.rows
    }
}

/// The line of the header: the first one, unless a later one makes a table and that does not.
pub(super) fn guess(
    input: &mut (impl Read + Seek),
    name: &Arc<str>,
    options: &FormatOptions,
) -> u32 {
    let Some(first) = table(input, name, options, 1) else {
        return 1;
    };
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
        // Of blank lines and the header below them the last one is meant.
        let most = best.map_or(first.known.max(1) + 1, |(_, known)| known);
        if table.known >= most && table.columns > 1 {
            best = Some((line, table.known));
        }
        if even.is_none() && table.is_even() {
            even = Some(line);
        }
    }
    let even = even.filter(|_| first.is_odd());
    best.map(|(line, _)| line).or(even).unwrap_or(1)
}

/// The line on which a header stands that fits, where the one that was read does not.
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
        format::read(&mut *input, name, &options, &mut columns, &mut |_, _| false);
        fits(&columns)
    };
    let first = lines.find(|line| fits_from(*line))?;
    // Of blank lines and the header below them the last one is meant.
    let more = lines.take_while(|line| fits_from(*line));
    Some(more.last().unwrap_or(first))
}

/// The table that begins on a line; none: the export has no lines, or not so many.
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

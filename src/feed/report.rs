//! Writes the problems of an export as a CSV table that can be sent back to whoever maintains the
//! data: each faulty row as it is in the export, with its line, the rule, the field and what to do.
//! The export is read a second time for this, so that rows need not be kept in memory.

use super::format::{self, ExportColumns, ExportRecord, RowSelection};
use super::guess::holds_secrets;
use super::mapping::Mapping;
use crate::diagnostic::{Diagnostic, codes};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

/// The columns in front of those of the export.
const HEAD: [&str; 6] = ["line", "code", "djust_code", "resource", "field", "message"];

/// Writes the diagnostics about rows, each with its row.
pub fn write(
    input: impl Read + Seek,
    name: &Arc<str>,
    mapping: &Mapping,
    found: &[Diagnostic],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut by_line: BTreeMap<u32, Vec<&Diagnostic>> = BTreeMap::new();
    for finding in found {
        if let Some(origin) = finding
            .origin
            .as_ref()
            .filter(|origin| origin.path == *name)
        {
            by_line.entry(origin.at.line).or_default().push(finding);
        }
    }
    let (columns, rows) = rows(input, name, mapping, &by_line);
    let mut table = csv::Writer::from_writer(out);
    let head = HEAD.iter().map(|name| (*name).to_owned());
    table.write_record(head.chain(columns.names().map(escape_formula)))?;
    let row_start = |line: u32| rows.range(..=line).next_back().map(|(start, _)| *start);
    let is_erased = |found: &&Diagnostic| found.code == codes::USER_ERASED;
    let erased = by_line.iter();
    let erased = erased.filter(|(_, findings)| findings.iter().any(is_erased));
    let erased: BTreeSet<u32> = erased.filter_map(|(line, _)| row_start(*line)).collect();
    for (line, findings) in &by_line {
        // Nothing of a person who was erased is stored again, so the row is not shown.
        if row_start(*line).is_some_and(|start| erased.contains(&start)) {
            continue;
        }
        // A quoted cell may contain line breaks, so a diagnostic can be some lines below the start
        // of its row.
        let row = rows.range(..=line).next_back().map(|(_, cells)| cells);
        for finding in findings {
            let code = finding.code;
            let said = [
                line.to_string(),
                code.name().to_owned(),
                code.rule().djust.unwrap_or_default().to_owned(),
                finding
                    .key
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                finding.field.clone().unwrap_or_default(),
                finding.message.clone(),
            ];
            let cells = (0..columns.len()).map(|at| {
                let cell = row.and_then(|row| row.get(at));
                cell.map_or_else(String::new, |cell| escape_formula(cell))
            });
            table.write_record(
                // Messages quote cells, so they can begin like formulas as well.
                said.into_iter()
                    .map(|text| escape_formula(&text))
                    .chain(cells),
            )?;
        }
    }
    table.flush()
}

/// Collects the rows with diagnostics by their first line.
fn rows(
    input: impl Read + Seek,
    name: &Arc<str>,
    mapping: &Mapping,
    wanted: &BTreeMap<u32, Vec<&Diagnostic>>,
) -> (ExportColumns, BTreeMap<u32, Vec<String>>) {
    let mut columns = ExportColumns::default();
    let mut rows = BTreeMap::new();
    let mut last: Option<(u32, Vec<String>)> = None;
    // Rows without a diagnostic are not even decoded.
    let is_wanted = |at: u32, end: u32| wanted.range(at..end.max(at + 1)).next().is_some();
    format::read_selected(
        input,
        name,
        &mapping.options(),
        &mut columns,
        RowSelection::ByLines(&is_wanted),
        &mut |record, names| {
            let line = record.at.line;
            // A row ends where the next one begins, so it is decided about one record later.
            if let Some((before, cells)) = last.take()
                && wanted.range(before..line.max(before + 1)).next().is_some()
            {
                rows.insert(before, cells);
            }
            last = Some((line, texts(record, names, mapping)));
            true
        },
    );
    if let Some((line, cells)) = last
        && wanted.range(line..).next().is_some()
    {
        rows.insert(line, cells);
    }
    (columns, rows)
}

/// Returns the cells of a row, without secrets.
fn texts(record: &ExportRecord, columns: &ExportColumns, mapping: &Mapping) -> Vec<String> {
    let is_secret = |name: &str| holds_secrets(name) || mapping.is_password_column(name);
    // A password of a faulty row may be in any column.
    if record.faulty && (mapping.has_passwords() || columns.names().any(is_secret)) {
        return Vec::new();
    }
    let text = |(at, cell): (usize, &Option<format::RawCell>)| match cell {
        Some(cell) if !is_secret(columns.name(at)) => cell.text.to_string(),
        _ => String::new(),
    };
    record.cells.iter().enumerate().map(text).collect()
}

/// Escapes text that a spreadsheet would run as a formula. The table is made to be opened in one.
fn escape_formula(text: &str) -> String {
    format::add_text_marker(text, true).into_owned()
}

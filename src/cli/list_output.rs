//! Results that are lists of things.

use super::{GlobalOptions, OutputFormat};
use crate::diagnostic::visible;
use serde_json::Value;
use std::io::{self, Write};

/// Writes things as one document or one a line; `false` when neither was asked for.
pub fn write(
    global: &GlobalOptions,
    mut items: impl Iterator<Item = Value>,
    out: &mut dyn Write,
) -> io::Result<bool> {
    match global.output {
        OutputFormat::Json => {
            out.write_all(b"{\"items\": [")?;
            for (at, item) in items.enumerate() {
                out.write_all(if at == 0 { b"\n" } else { b",\n" })?;
                write!(out, "{item}")?;
            }
            out.write_all(b"]}\n")?;
        }
        OutputFormat::Ndjson => items.try_for_each(|item| writeln!(out, "{item}"))?,
        OutputFormat::Text | OutputFormat::Markdown | OutputFormat::Github => return Ok(false),
    }
    Ok(true)
}

/// Writes one thing as JSON; `false` when it was not asked for.
pub fn write_one(global: &GlobalOptions, item: &Value, out: &mut dyn Write) -> io::Result<bool> {
    match global.output {
        OutputFormat::Json => writeln!(out, "{item:#}")?,
        OutputFormat::Ndjson => writeln!(out, "{item}")?,
        OutputFormat::Text | OutputFormat::Markdown | OutputFormat::Github => return Ok(false),
    }
    Ok(true)
}

/// Writes rows of cells in columns, the last one ragged.
pub fn write_table<const N: usize>(
    header: [&str; N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let header = header.map(str::to_owned);
    let shown = |row: &[String; N]| row.each_ref().map(|cell| visible(cell).into_owned());
    let rows: Vec<[String; N]> = rows.iter().map(shown).collect();
    let mut widths = [0; N];
    for row in std::iter::once(&header).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&header).chain(&rows) {
        let cells = row.iter().zip(widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

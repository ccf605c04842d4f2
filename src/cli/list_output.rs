//! Output of commands that print lists: JSON, one object per line, or a table.

use super::GlobalOptions;
use crate::diagnostic::visible;
use crate::document::OutputFormat;
use serde::Serialize;
use std::io::{self, Write};

/// Writes items as one document or one per line; `false` if neither format was requested.
pub fn write(
    global: &GlobalOptions,
    mut items: impl Iterator<Item = impl Serialize>,
    out: &mut dyn Write,
) -> io::Result<bool> {
    match global.output() {
        OutputFormat::Json => {
            let mut list = JsonList::begin(out)?;
            items.try_for_each(|item| list.write(&item, out))?;
            JsonList::end(out)?;
        }
        OutputFormat::Ndjson => items.try_for_each(|item| write_line(&item, out))?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// One JSON document with a list, written item by item, so that a long list is never in memory as a
/// whole.
#[derive(Debug)]
pub struct JsonList {
    is_empty: bool,
}

impl JsonList {
    pub fn begin(out: &mut dyn Write) -> io::Result<Self> {
        out.write_all(b"{\"items\": [")?;
        Ok(Self { is_empty: true })
    }

    pub fn write(&mut self, item: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
        let is_first = std::mem::take(&mut self.is_empty);
        out.write_all(if is_first { b"\n" } else { b",\n" })?;
        Ok(serde_json::to_writer(out, item)?)
    }

    /// Writes what follows the last item.
    pub fn end(out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"]}\n")
    }
}

/// Writes one item as JSON; `false` if JSON was not requested.
pub fn write_one(
    global: &GlobalOptions,
    item: &impl Serialize,
    out: &mut dyn Write,
) -> io::Result<bool> {
    match global.output() {
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, item)?;
            writeln!(out)?;
        }
        OutputFormat::Ndjson => write_line(item, out)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Writes one item as one line of JSON.
pub fn write_line(item: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, item)?;
    writeln!(out)
}

/// Writes rows as columns; the last column is not padded.
pub fn write_table<const N: usize>(
    header: [&str; N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let header = header.map(str::to_owned);
    let all = || std::iter::once(&header).chain(rows);
    let layout = TableLayout::of(all());
    all().try_for_each(|row| layout.write(row, out))
}

/// The widths of the columns of a table.
#[derive(Debug, Default)]
pub struct TableLayout {
    widths: Vec<usize>,
}

impl TableLayout {
    /// The widths that fit these rows.
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r (impl AsRef<[String]> + 'r)>) -> Self {
        let mut layout = Self::default();
        rows.into_iter().for_each(|row| layout.fit(row));
        layout
    }

    /// Makes the columns wide enough for one more row.
    pub fn fit(&mut self, row: &impl AsRef<[String]>) {
        let (row, widths) = (row.as_ref(), &mut self.widths);
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            // Characters and not bytes, or names with accents would shift the columns.
            *width = (*width).max(visible(cell).chars().count());
        }
    }

    /// Writes a row; its last cell is not padded.
    pub fn write(&self, row: &impl AsRef<[String]>, out: &mut dyn Write) -> io::Result<()> {
        let cells = row.as_ref().iter().enumerate().map(|(at, cell)| {
            let width = self.widths.get(at).copied().unwrap_or_default();
            // Names may contain control characters, which would move the cursor.
            format!("{:width$}  ", visible(cell))
        });
        writeln!(out, "{}", cells.collect::<String>().trim_end())
    }
}

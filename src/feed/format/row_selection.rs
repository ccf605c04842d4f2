//! Which rows of an export become records. A row that was read before need not be decoded again: its
//! digest says that it is the same. Rows that are left out still count, and everything about the
//! export as a whole is found all the same.

use super::columns::ExportColumns;
use super::record::{CellShape, ExportRecord, RawCell};
use crate::model::Digest;

/// What becomes of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowChoice {
    Decode,
    Skip,
    /// The whole export is needed after all.
    Stop,
}

/// How many rows are looked up at once.
pub const ROWS_AT_ONCE: usize = 16;

/// Says of each row, one after the other, what becomes of it.
pub trait RowChooser {
    /// How many of the next rows are left out, at most [`ROWS_AT_ONCE`]. Each may be half of one or
    /// no row at all, unless its digest says that a row with this text was read before. About the
    /// first one that is not left out, [`Self::choose`] is asked.
    fn skips(&mut self, digests: &[Digest]) -> usize;

    /// What becomes of the next row, which may have a reported error.
    fn choose(&mut self, digest: Digest, faulty: bool) -> RowChoice;
}

/// The rows of an export that become records.
pub enum RowSelection<'a> {
    Every,
    ByDigest(&'a mut dyn RowChooser),
    /// Those that begin at a line for which this holds, until the line at which the next one begins.
    ByLines(&'a dyn Fn(u32, u32) -> bool),
}

impl RowSelection<'_> {
    pub(super) fn reborrow(&mut self) -> RowSelection<'_> {
        match self {
            Self::Every => RowSelection::Every,
            Self::ByDigest(chooser) => RowSelection::ByDigest(&mut **chooser),
            Self::ByLines(holds) => RowSelection::ByLines(&**holds),
        }
    }

    /// What becomes of a row, and its digest if it is decoded. `lines` are those at which it and the
    /// next row begin, where rows are lines.
    pub(super) fn choose(
        &mut self,
        lines: Option<(u32, u32)>,
        faulty: bool,
        digest: impl FnOnce() -> Digest,
    ) -> (RowChoice, Digest) {
        match self {
            Self::Every => (RowChoice::Decode, digest()),
            Self::ByDigest(chooser) => {
                let digest = digest();
                (chooser.choose(digest, faulty), digest)
            }
            Self::ByLines(holds) => {
                let picked = lines.is_none_or(|(at, end)| holds(at, end));
                let choice = if picked {
                    RowChoice::Decode
                } else {
                    RowChoice::Skip
                };
                (choice, Digest::default())
            }
        }
    }

    /// Whether rows may be left out for their text alone.
    pub(super) fn is_by_digest(&self) -> bool {
        matches!(self, Self::ByDigest(_))
    }

    /// How many of the next rows are left out for their text alone.
    pub(super) fn skips(&mut self, digests: &[Digest]) -> usize {
        match self {
            Self::ByDigest(chooser) => chooser.skips(digests),
            Self::Every | Self::ByLines(_) => 0,
        }
    }
}

/// Hashes rows. The same text under another header is another row.
#[derive(Clone, Default)]
pub(super) struct RowHasher {
    pub(super) layout: Digest,
    buffer: Vec<u8>,
    /// The columns by name: JSON shows them in whatever order the first object has.
    by_name: Vec<usize>,
}

impl RowHasher {
    /// Begins a table whose rows are read by what `parts` say.
    pub(super) fn begin<'p>(&mut self, parts: impl Iterator<Item = &'p str>) {
        self.buffer.clear();
        for part in parts {
            put_text(&mut self.buffer, part);
        }
        self.layout = Digest::of(&self.buffer);
    }

    /// The digest of a row as it is written.
    pub(super) fn text(&mut self, row: &str) -> Digest {
        self.buffer.clear();
        self.buffer.extend(self.layout.0);
        self.buffer.extend(row.as_bytes());
        Digest::of(&self.buffer)
    }

    /// The digest of a row by its cells, where its text is not at hand.
    pub(super) fn cells(&mut self, record: &ExportRecord, columns: &ExportColumns) -> Digest {
        if self.by_name.len() != columns.len() {
            self.by_name = (0..columns.len()).collect();
            self.by_name.sort_by_key(|column| columns.name(*column));
        }
        self.buffer.clear();
        self.buffer.extend(self.layout.0);
        self.put_cells(record, columns);
        Digest::of(&self.buffer)
    }

    fn put_cells(&mut self, record: &ExportRecord, columns: &ExportColumns) {
        for at in 0..self.by_name.len() {
            let column = self.by_name[at];
            if let Some(cell) = record.cell(column) {
                put_text(&mut self.buffer, columns.name(column));
                put_cell(&mut self.buffer, cell);
            }
            if let Some(members) = record.list(column) {
                put_text(&mut self.buffer, columns.name(column));
                self.buffer.extend((members.len() as u64).to_le_bytes());
                for member in members {
                    self.put_cells(member, columns);
                    self.buffer.push(u8::MAX);
                }
            }
        }
    }
}

fn put_text(buffer: &mut Vec<u8>, text: &str) {
    // The length keeps two texts from being read as one longer text.
    buffer.extend((text.len() as u64).to_le_bytes());
    buffer.extend(text.as_bytes());
}

fn put_cell(buffer: &mut Vec<u8>, cell: &RawCell) {
    put_text(buffer, &cell.text);
    let (shape, more): (u8, Option<&str>) = match &cell.shape {
        CellShape::Text => (0, None),
        CellShape::Number => (1, None),
        CellShape::Percent => (2, None),
        CellShape::Date => (3, None),
        CellShape::Bool => (4, None),
        CellShape::Null => (5, None),
        CellShape::List(members) => {
            buffer.extend((members.len() as u64).to_le_bytes());
            members.iter().for_each(|member| put_text(buffer, member));
            (6, None)
        }
        CellShape::Object => (7, None),
        CellShape::Covered(range) => (8, Some(range)),
        CellShape::Unreadable(problem) => (9, Some(&problem.message)),
    };
    buffer.push(shape);
    put_text(buffer, more.unwrap_or_default());
}

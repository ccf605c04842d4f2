//! The columns of an export that is written, and which texts they can hold. In go a mapping and the
//! custom fields in use; out come positions of columns and the record that a
//! reader would make of a row. Start reading at `ExportLayout::new`.

use super::custom_fields::CustomFieldsInUse;
use super::draft::RowDraft;
use crate::feed::format::{
    CellShape, Encoding, ExportColumns, ExportRecord, RawCell, encoding_for_label,
};
use crate::feed::mapping::{
    CellMapping, CellSource, ColumnIndex, ListMode, Mapping, MappingSection,
};
use crate::model::{CompactText, Digest, LineColumn};
use std::collections::{BTreeMap, BTreeSet};

/// The longest cell that the reader accepts, in bytes.
const LONGEST: usize = 1 << 16;

/// A custom field in a column named after it.
#[derive(Debug)]
pub(super) struct CustomColumn {
    pub id: CompactText,
    /// Whether a blank would be an error.
    pub required: bool,
    place: usize,
}

/// The columns of an export, with what is known of them.
pub(super) struct ExportLayout<'m> {
    pub mapping: &'m Mapping,
    pub form: WriteFormat,
    pub columns: ExportColumns,
    /// The position of each mapped column. In JSON all of them have one.
    places: BTreeMap<ColumnIndex, usize>,
    /// For each section, the custom fields in columns named after them.
    pub custom: Vec<Vec<CustomColumn>>,
    pub encoding: Option<&'static Encoding>,
    pub delimiter: char,
    /// Columns of lists and of booleans, which JSON writes as such.
    pub lists: BTreeSet<ColumnIndex>,
    pub booleans: BTreeSet<ColumnIndex>,
}

impl<'m> ExportLayout<'m> {
    pub fn new(mapping: &'m Mapping, form: WriteFormat, used: &CustomFieldsInUse) -> Self {
        let label = mapping.csv.encoding.as_deref();
        let mut layout = Self {
            mapping,
            form,
            columns: ExportColumns::default(),
            places: BTreeMap::new(),
            custom: Vec::new(),
            encoding: label
                .filter(|_| !form.is_json())
                .and_then(encoding_for_label),
            delimiter: mapping.csv.delimiter.unwrap_or(','),
            lists: BTreeSet::new(),
            booleans: BTreeSet::new(),
        };
        // Without a header, the position is all that a reader has, so these columns come first and
        // in order.
        for name in &mapping.csv.names {
            layout.columns.intern(name);
        }
        layout.place_columns();
        layout.custom = mapping
            .sections
            .iter()
            .map(|section| layout_custom(section, used, &mut layout.columns))
            .collect();
        for cell in mapping.sections.iter().flat_map(cells) {
            layout.note_column_types(cell);
        }
        layout
    }

    fn place_columns(&mut self) {
        let mapping = self.mapping;
        // CSV has a column only for what is used; in JSON a missing member costs nothing.
        let used: BTreeSet<ColumnIndex> = if self.form.is_json() {
            (0..mapping.columns.len()).map(ColumnIndex).collect()
        } else {
            let cells = mapping
                .sections
                .iter()
                .flat_map(cells)
                .flat_map(CellMapping::columns);
            let whens = mapping.sections.iter().flat_map(condition_columns);
            cells
                .chain(whens)
                .chain(mapping.requires.iter().copied())
                .collect()
        };
        for column in used {
            let names = &mapping.columns[column.0];
            // One column of the file may be known to the mapping under several names.
            let known = names.iter().find_map(|name| self.columns.find(name));
            let place = known.filter(|_| !mapping.csv.names.is_empty() && !self.form.is_json());
            // The second name of a column is its label in systems that show labels. It is not used
            // if it would collide with another column.
            let label = names.get(1).filter(|label| {
                self.form == WriteFormat::Csv { labels: true } && self.columns.find(label).is_none()
            });
            let place = place.unwrap_or_else(|| self.columns.intern(label.unwrap_or(&names[0])));
            self.places.insert(column, place);
        }
    }

    fn note_column_types(&mut self, cell: &CellMapping) {
        match &cell.take {
            CellSource::Column(column) => {
                if matches!(cell.list, Some(ListMode::Replace | ListMode::Rows)) {
                    self.lists.insert(*column);
                }
                if cell.booleans.is_some() {
                    self.booleans.insert(*column);
                }
            }
            CellSource::First(cells) | CellSource::Join(cells, _) => {
                for cell in cells {
                    self.note_column_types(cell);
                }
            }
            _ => {}
        }
    }

    /// Returns whether a cell can hold a text.
    pub fn can_hold(&self, text: &str) -> bool {
        // A zero byte is reported as damage by the reader.
        if text.len() > LONGEST || text.contains('\0') {
            return false;
        }
        if let Some(encoding) = self.encoding {
            // Letters that the encoding lacks would be written as replacements.
            let (.., misfit) = encoding.encode(text);
            if misfit {
                return false;
            }
        }
        // A cell with lines that look like rows is taken for an unclosed quote by the reader.
        let rows =
            text.contains('\n') && text.matches(self.delimiter).count() + 1 >= self.columns.len();
        self.form.is_json() || !rows
    }

    pub fn name(&self, column: ColumnIndex) -> &str {
        match self.places.get(&column) {
            Some(place) => self.columns.name(*place),
            None => &self.mapping.columns[column.0][0],
        }
    }

    /// Returns the record that a reader makes of a row. The proof uses it to skip writing and
    /// parsing text.
    pub fn record(&self, draft: &RowDraft) -> ExportRecord {
        let at = LineColumn { line: 1, column: 1 };
        let entry = |text: &str| RawCell {
            text: CompactText::new(text),
            shape: CellShape::Text,
            at,
        };
        // CSV has every cell of a row, so missing ones are blank; in JSON they are absent.
        let blank = (!self.form.is_json()).then(|| entry(""));
        let mut cells = vec![blank; self.columns.len()];
        for (place, text) in self.cells(draft) {
            cells[place] = Some(entry(text));
        }
        let lists = draft.lists.iter().filter_map(|(column, members)| {
            let members = members.iter().map(|member| self.record(member)).collect();
            Some((*self.places.get(column)?, members))
        });
        ExportRecord {
            at,
            end: at,
            cells,
            lists: lists.collect(),
            faulty: false,
            digest: Digest::default(),
        }
    }

    /// The cells of a row that are not absent, with their positions.
    pub fn cells<'d>(&self, draft: &'d RowDraft) -> impl Iterator<Item = (usize, &'d str)> {
        let own = draft
            .texts()
            .filter_map(|(column, text)| Some((*self.places.get(&column)?, text)));
        let own: Vec<(usize, &str)> = own.collect();
        let custom = self
            .custom
            .get(draft.section)
            .into_iter()
            .flatten()
            .zip(&draft.custom);
        let custom = custom.map(|(custom, text)| {
            (
                custom.place,
                text.as_ref().map_or("", |(text, _)| text.as_str()),
            )
        });
        own.into_iter().chain(custom.collect::<Vec<_>>())
    }
}

/// The custom fields of a kind that have columns, by id.
fn layout_custom(
    section: &MappingSection,
    used: &CustomFieldsInUse,
    columns: &mut ExportColumns,
) -> Vec<CustomColumn> {
    let Some(prefix) = &section.custom_prefix else {
        return Vec::new();
    };
    let mapped = |id: &CompactText| {
        let field = crate::model::FieldRef::Custom(id.clone());
        section.fields.iter().any(|known| known.field == field)
    };
    let all = used
        .of(section.kind.id)
        .filter(|(id, _)| !mapped(id))
        .map(|(id, required)| CustomColumn {
            place: columns.intern(&format!("{prefix}{id}")),
            id: id.clone(),
            required,
        });
    all.collect()
}

/// The cells of a section that are in rows, not in nested lists.
fn cells(section: &MappingSection) -> impl Iterator<Item = &CellMapping> {
    let own = std::iter::once(&section.id).chain(section.fields.iter().map(|field| &field.cell));
    let blocks = section.blocks.iter().filter(|block| block.rows.is_none());
    own.chain(blocks.flat_map(|block| {
        let fields = block.fields.iter().map(|field| &field.cell);
        let flags = block.flags.iter().flatten().chain(&block.unlink);
        std::iter::once(&block.id).chain(fields).chain(flags)
    }))
}

fn condition_columns(section: &MappingSection) -> impl Iterator<Item = ColumnIndex> {
    let blocks = section.blocks.iter().flat_map(|block| &block.when);
    section.when.iter().chain(blocks).map(|when| when.column)
}

/// The format of an export that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteFormat {
    /// Rows of cells.
    Csv {
        /// Whether the header has labels instead of names, for the columns that have one.
        labels: bool,
    },
    /// A list of objects.
    Json,
}

impl WriteFormat {
    /// Whether it is a list of objects.
    #[must_use]
    pub fn is_json(self) -> bool {
        self == Self::Json
    }
}

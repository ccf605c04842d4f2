//! Mappings: which columns of an export are which fields, as data that is checked before any row
//! is read.

mod cell;
mod cell_file;
mod expression;
mod file_options;
mod locale;
mod mapping_file;
mod numbered_blocks;
mod polarity;
mod section;

pub use cell::{
    CellContent, CellMapping, CellSource, ColumnIndex, ColumnReader, ListMode, TemplatePart,
    TextTransform,
};
pub use locale::{CountryFormat, ExportLocale, trimmed};
pub use section::{AddressBlock, ColumnCondition, FieldMapping, MappingSection};

use crate::feed::format::{ExportColumns, ExportFormat, SheetSelector};
use crate::kinds;
use crate::model::{Digest, FieldRef, KindId};
use serde::Deserialize;

/// How an export becomes resources.
#[derive(Debug)]
pub struct Mapping {
    /// What it is called.
    pub name: String,
    pub doc: String,
    /// The digest of it as written.
    pub digest: Digest,
    /// What it is written in; detected when it is not said.
    pub format: Option<ExportFormat>,
    /// How rows of text are written.
    pub csv: CsvOptions,
    /// The line or row of the header, from 1; the first with something in it when it is not said.
    pub header: Option<u32>,
    /// The sheet of a workbook; the only one with data when it is not said.
    pub sheet: Option<SheetSelector>,
    /// The texts that stand for a blank cell.
    pub blanks: Vec<String>,
    /// Where in a JSON document the list is, as `data.items`; the document itself when not said.
    pub rows: Option<String>,
    /// What the last line looks like, as `#EOF;{n}`.
    pub trailer: Option<String>,
    /// How booleans, numbers, dates and lists are written.
    pub words: ExportLocale,
    /// The columns without which nothing of an export is taken, beside those of external ids.
    pub requires: Vec<ColumnIndex>,
    /// Columns that are known and mean nothing here.
    pub ignored: Vec<String>,
    /// Every column by its name, other names after it.
    pub columns: Vec<Vec<String>>,
    /// What becomes of a record.
    pub sections: Vec<MappingSection>,
}

impl Mapping {
    /// The columns that a field comes from, each with its other names after it.
    #[must_use]
    pub fn columns_of(&self, kind: KindId, field: &FieldRef) -> Vec<Vec<String>> {
        let mut columns = Vec::new();
        let mut named = Vec::new();
        for section in &self.sections {
            let blocks = section.blocks.iter().filter(|_| kind == kinds::ADDRESS);
            let blocks = blocks.flat_map(|block| &block.fields);
            let own = section.fields.iter().filter(|_| kind == section.kind.id);
            for of in own.chain(blocks).filter(|of| of.field == *field) {
                columns.extend(of.cell.columns());
            }
            if let (true, Some(before), FieldRef::Custom(id)) =
                (kind == section.kind.id, &section.custom_prefix, field)
            {
                named.push(vec![format!("{before}{id}")]);
            }
        }
        columns.sort_unstable();
        columns.dedup();
        let columns = columns
            .into_iter()
            .map(|column| self.columns[column.0].clone());
        columns.chain(named).collect()
    }

    /// The lists of which every row of a resource says a part.
    #[must_use]
    pub fn lists_of_rows(&self) -> Vec<(KindId, FieldRef)> {
        let sections = self.sections.iter();
        let fields = sections.flat_map(|section| {
            let rows = |field: &&FieldMapping| field.cell.list == Some(ListMode::Rows);
            let fields = section.fields.iter().filter(rows);
            fields.map(move |field| (section.kind.id, field.field.clone()))
        });
        fields.collect()
    }

    /// Whether a field is filled without any column: by a constant or an expression.
    #[must_use]
    pub fn is_computed(&self, kind: KindId, field: &FieldRef) -> bool {
        let sections = self
            .sections
            .iter()
            .filter(|section| section.kind.id == kind);
        let mut fields = sections.flat_map(|section| &section.fields);
        fields.any(|of| {
            of.field == *field
                && matches!(
                    of.cell.take,
                    CellSource::Constant(_) | CellSource::Expression(_)
                )
        })
    }

    /// Whether a column called so means something.
    #[must_use]
    pub fn is_mapped_column(&self, column: &str) -> bool {
        let mut all = ExportColumns::default();
        self.columns.iter().flatten().for_each(|name| {
            all.intern(name);
        });
        let mut every = self
            .sections
            .iter()
            .filter_map(|section| section.custom_prefix.as_ref());
        all.find(column).is_some() || every.any(|before| column.starts_with(before.as_str()))
    }
}

/// How rows of text are written; what is not said is detected.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct CsvOptions {
    /// What stands between cells.
    pub delimiter: Option<char>,
    /// What stands around a cell that holds the delimiter; `"`.
    pub quote: Option<char>,
    /// As `utf-8` or `windows-1252`.
    pub encoding: Option<String>,
    /// The columns in their order, of an export without a header.
    pub names: Vec<String>,
}

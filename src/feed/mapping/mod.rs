//! Mappings: which columns of an export fill which fields, as data that is checked before any row
//! is read. In goes YAML (`mapping_file.rs`, `cell_file.rs`); out comes a `Mapping`, which the
//! collector applies to each record. Start reading at `Mapping` and `cell::CellMapping`.

mod cell;
mod cell_file;
mod column_reader;
mod expression;
mod file_options;
mod locale;
mod mapping_file;
mod numbered_blocks;
mod polarity;
mod row_matching;
mod section;

pub use cell::{CellMapping, CellSource, ListMode, TemplatePart, TextTransform};
pub use column_reader::{CellContent, ColumnIndex, ColumnReader};
pub use locale::{CountryFormat, ExportLocale, trimmed};
pub use section::{AddressBlock, ColumnCondition, FieldMapping, MappingSection, RowMatching};

use crate::feed::format::{ExportColumns, ExportFormat, SheetSelector};
use crate::kinds;
use crate::model::{Digest, FieldRef, KindId};
use serde::Deserialize;

#[derive(Debug)]
pub struct Mapping {
    pub name: String,
    pub doc: String,
    /// The digest of its text.
    pub digest: Digest,
    /// The format. `None` detects it.
    pub format: Option<ExportFormat>,
    pub csv: CsvOptions,
    /// The line or row of the header, counted from 1. `None` takes the first.
    pub header: Option<u32>,
    /// The names of columns that the header leaves blank, by position. Blank where it must not.
    pub unnamed: Vec<String>,
    /// The sheet of a workbook. `None` takes the only one with data.
    pub sheet: Option<SheetSelector>,
    /// Texts that mean a blank cell.
    pub blanks: Vec<String>,
    /// The path of the list in a JSON document, such as `data.items`. `None` takes the document
    /// itself.
    pub rows: Option<String>,
    /// The form of the last line, such as `#EOF;{n}`.
    pub trailer: Option<String>,
    /// How booleans, numbers, dates and lists are written.
    pub words: ExportLocale,
    /// Columns that an export must have, besides those of external ids.
    pub requires: Vec<ColumnIndex>,
    /// Columns that are known and not used.
    pub ignored: Vec<String>,
    /// Every column by its name, followed by its other names.
    pub columns: Vec<Vec<String>>,
    /// How records become resources.
    pub sections: Vec<MappingSection>,
}

impl Mapping {
    /// Returns the columns of a field, each with its other names.
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
            // A custom field that no cell names can still come from a column with the prefix.
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

    /// Returns the lists that are made of all rows of a resource.
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

    /// Returns whether a field is filled without a column, by a constant or an expression.
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

    /// Returns whether the mapping takes passwords from any column.
    #[must_use]
    pub fn has_passwords(&self) -> bool {
        let mut sections = self.sections.iter();
        sections.any(|section| section.password.is_some())
    }

    /// Returns whether the mapping takes passwords from a column of this name.
    #[must_use]
    pub fn is_password_column(&self, column: &str) -> bool {
        let mut names = ExportColumns::default();
        let cells = self.sections.iter().filter_map(|it| it.password.as_ref());
        for place in cells.flat_map(CellMapping::columns) {
            self.columns[place.0].iter().for_each(|name| {
                names.intern(name);
            });
        }
        names.find(column).is_some()
    }

    /// Returns whether rows without an external id may be matched.
    #[must_use]
    pub fn matches_rows(&self) -> bool {
        let mut sections = self.sections.iter();
        sections.any(|section| section.matching.is_some())
    }

    /// Returns whether the mapping uses a column of this name.
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

/// How rows of text are written. What is left out is detected.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct CsvOptions {
    pub delimiter: Option<char>,
    /// The quote around a cell that contains the delimiter.
    pub quote: Option<char>,
    /// A name such as `utf-8` or `windows-1252`.
    pub encoding: Option<String>,
    /// The columns in their order, for an export without a header.
    pub names: Vec<String>,
}

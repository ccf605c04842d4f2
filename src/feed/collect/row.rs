//! A view of a record through the columns of a mapping: the cell mappings ask for a mapped column
//! and get the cell of whichever export column has one of its names. Expressions get all columns as
//! text.

use crate::feed::format::{CellShape, ExportColumns, ExportRecord, RawCell};
use crate::feed::mapping::{
    CellContent, ColumnCondition, ColumnIndex, ColumnReader, Mapping, trimmed,
};
use crate::kinds::read::ValueProblem;
use crate::model::LineColumn;
use std::collections::BTreeMap;

#[derive(Clone, Copy)]
pub(super) struct RecordView<'a> {
    pub record: &'a ExportRecord,
    pub columns: &'a ExportColumns,
    pub mapping: &'a Mapping,
    pub places: &'a [Option<usize>],
}

impl ColumnReader for RecordView<'_> {
    fn content(&self, column: ColumnIndex) -> Result<CellContent, (ValueProblem, LineColumn)> {
        let Some(entry) = self.entry(column) else {
            return Ok(CellContent::Absent);
        };
        Ok(match &entry.shape {
            CellShape::List(members) => CellContent::List(members.to_vec(), entry.at),
            // A nested object is not text. It counts as blank, which keeps the stored value.
            CellShape::Null | CellShape::Object => CellContent::Blank(entry.at),
            // A cell within a merged range has no value of its own. Absent, not blank: blank would
            // clear a custom field.
            CellShape::Covered(_) => CellContent::Absent,
            CellShape::Unreadable(fault) => return Err(((**fault).clone(), entry.at)),
            _ => CellContent::Text(entry.text.clone(), entry.at),
        })
    }

    fn name(&self, column: ColumnIndex) -> &str {
        match self.places[column.0] {
            Some(place) => self.columns.name(place),
            None => &self.mapping.columns[column.0][0],
        }
    }

    fn all_texts(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        // Under both the names of the export and those of the mapping, so that an expression keeps
        // working when a column is renamed.
        for (place, entry) in self.record.cells.iter().enumerate() {
            let text = entry.as_ref().map_or("", |entry| entry.text.as_str());
            all.insert(self.columns.name(place).to_owned(), text.trim().to_owned());
        }
        for (column, names) in self.mapping.columns.iter().enumerate() {
            // An absent column is blank to an expression, whether or not other records have it.
            let entry = self.entry(ColumnIndex(column));
            let text = entry.map_or("", |entry| entry.text.trim());
            all.insert(names[0].clone(), text.to_owned());
        }
        all
    }

    fn at(&self) -> LineColumn {
        self.record.at
    }
}

impl<'a> RecordView<'a> {
    /// Returns the raw cell of a column, if the record has it.
    pub(super) fn entry(&self, column: ColumnIndex) -> Option<&'a RawCell> {
        self.record.cell(self.places[column.0]?)
    }

    /// Returns whether the row has no value at all.
    pub(super) fn is_blank(&self) -> bool {
        let mut cells = self.record.cells.iter().flatten();
        cells.all(RawCell::is_blank) && self.record.lists.is_empty()
    }

    /// Returns whether the row meets all conditions.
    pub(super) fn meets_conditions(&self, when: &[ColumnCondition]) -> bool {
        when.iter().all(|when| self.fits_one(when))
    }

    /// Returns whether the row meets all conditions but those on blank cells.
    pub(super) fn fails_by_blanks(&self, when: &[ColumnCondition]) -> bool {
        let mut failed = when.iter().filter(|when| !self.fits_one(when));
        failed.all(|when| self.condition_text(when).is_empty())
    }

    /// The text that a condition is about. What cannot be read meets no condition on a text, and
    /// counts as blank.
    fn condition_text(&self, when: &ColumnCondition) -> String {
        match self.content(when.column) {
            Ok(CellContent::Text(text, _)) => trimmed(&text).to_lowercase(),
            _ => String::new(),
        }
    }

    fn fits_one(&self, when: &ColumnCondition) -> bool {
        let text = self.condition_text(when);
        // Each export has its own words for true (`Oui`, `X`, `1`); the mapping knows them.
        if let Some(truth) = when.truth {
            return (self.mapping.words.boolean(&text) == Some(true)) == truth;
        }
        when.blank.map_or_else(
            || when.among.contains(&text),
            |blank| text.is_empty() == blank,
        )
    }
}

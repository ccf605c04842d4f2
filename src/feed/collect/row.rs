//! A record as the cells of a mapping see it.

use crate::feed::format::{CellShape, ExportColumns, ExportRecord, RawCell};
use crate::feed::mapping::{
    CellContent, ColumnCondition, ColumnIndex, ColumnReader, Mapping, trimmed,
};
use crate::kinds::read::ValueProblem;
use crate::model::LineColumn;
use std::collections::BTreeMap;

/// A record as cells see it.
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
            CellShape::Null | CellShape::Object => CellContent::Blank(entry.at),
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
        for (place, entry) in self.record.cells.iter().enumerate() {
            let text = entry.as_ref().map_or("", |entry| entry.text.as_str());
            all.insert(self.columns.name(place).to_owned(), text.trim().to_owned());
        }
        for (column, names) in self.mapping.columns.iter().enumerate() {
            // What is absent is blank to an expression, whatever other records have.
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
    /// What a column holds in the export.
    pub(super) fn entry(&self, column: ColumnIndex) -> Option<&'a RawCell> {
        self.record.cell(self.places[column.0]?)
    }

    /// Whether it is one of those that all conditions mean.
    pub(super) fn meets_conditions(&self, when: &[ColumnCondition]) -> bool {
        when.iter().all(|when| self.fits_one(when))
    }

    fn fits_one(&self, when: &ColumnCondition) -> bool {
        let text = match self.content(when.column) {
            Ok(CellContent::Text(text, _)) => trimmed(&text).to_lowercase(),
            _ => String::new(),
        };
        if let Some(truth) = when.truth {
            return (self.mapping.words.boolean(&text) == Some(true)) == truth;
        }
        when.blank.map_or_else(
            || when.among.contains(&text),
            |blank| text.is_empty() == blank,
        )
    }
}

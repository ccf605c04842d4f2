//! A record as the cells of a mapping see it.

use crate::feed::format::{Columns, Entry, Record, Shape};
use crate::feed::mapping::{Column, Mapping, Said, Source, When, trimmed};
use crate::kinds::read::Fault;
use crate::model::Pos;
use std::collections::BTreeMap;

/// A record as cells see it.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub record: &'a Record,
    pub columns: &'a Columns,
    pub mapping: &'a Mapping,
    pub places: &'a [Option<usize>],
}

impl Source for Row<'_> {
    fn said(&self, column: Column) -> Result<Said, (Fault, Pos)> {
        let Some(entry) = self.entry(column) else {
            return Ok(Said::Absent);
        };
        Ok(match &entry.shape {
            Shape::List(members) => Said::List(members.to_vec(), entry.at),
            Shape::Null | Shape::Object => Said::Blank(entry.at),
            Shape::Covered(_) => Said::Absent,
            Shape::Lost(fault) => return Err(((**fault).clone(), entry.at)),
            _ => Said::Text(entry.text.clone(), entry.at),
        })
    }

    fn name(&self, column: Column) -> &str {
        match self.places[column.0] {
            Some(place) => self.columns.name(place),
            None => &self.mapping.columns[column.0][0],
        }
    }

    fn all(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (place, entry) in self.record.cells.iter().enumerate() {
            let text = entry.as_ref().map_or("", |entry| entry.text.as_str());
            all.insert(self.columns.name(place).to_owned(), text.trim().to_owned());
        }
        for (column, names) in self.mapping.columns.iter().enumerate() {
            // What is absent is blank to an expression, whatever other records have.
            let entry = self.entry(Column(column));
            let text = entry.map_or("", |entry| entry.text.trim());
            all.insert(names[0].clone(), text.to_owned());
        }
        all
    }

    fn at(&self) -> Pos {
        self.record.at
    }
}

impl<'a> Row<'a> {
    /// What a column holds in the export.
    pub(super) fn entry(&self, column: Column) -> Option<&'a Entry> {
        self.record.cell(self.places[column.0]?)
    }

    /// Whether it is one of those that all conditions mean.
    pub(super) fn fits(&self, when: &[When]) -> bool {
        when.iter().all(|when| self.fits_one(when))
    }

    fn fits_one(&self, when: &When) -> bool {
        let text = match self.said(when.column) {
            Ok(Said::Text(text, _)) => trimmed(&text).to_lowercase(),
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

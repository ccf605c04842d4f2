//! Where the findings of one export go.

use crate::diagnostic::{Code, Diagnostic, Origin};
use crate::model::LineColumn;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many findings of one rule are kept: an export may be wrong in every row.
const MAX_PER_CODE: u64 = 10_000;

/// The findings of one export.
pub(super) struct ExportDiagnostics {
    path: Arc<str>,
    kept: Vec<Diagnostic>,
    counts: BTreeMap<Code, u64>,
    /// Whether everything could be read to the end.
    pub complete: bool,
}

impl ExportDiagnostics {
    pub fn new(path: &Arc<str>) -> Self {
        Self {
            path: Arc::clone(path),
            kept: Vec::new(),
            counts: BTreeMap::new(),
            complete: true,
        }
    }

    /// A place in the export.
    pub fn origin(&self, at: LineColumn) -> Origin {
        Origin {
            path: Arc::clone(&self.path),
            at,
        }
    }

    /// Adds a finding at a place.
    pub fn report(&mut self, at: LineColumn, found: Diagnostic) {
        let count = self.counts.entry(found.code).or_default();
        *count += 1;
        if *count <= MAX_PER_CODE {
            let origin = self.origin(at);
            self.kept.push(found.at(origin));
        }
    }

    /// Adds a finding at a place, after which nothing can be read.
    pub fn fatal(&mut self, at: LineColumn, found: Diagnostic) {
        self.complete = false;
        self.report(at, found);
    }

    /// How many findings there are of a rule.
    pub fn count(&self, code: Code) -> u64 {
        self.counts.get(&code).copied().unwrap_or_default()
    }

    /// All that are kept, and how many more there are.
    pub fn finish(mut self) -> (Vec<Diagnostic>, bool) {
        for (code, count) in self
            .counts
            .iter()
            .filter(|(_, count)| **count > MAX_PER_CODE)
        {
            let message = format!("{} more of these in this file", count - MAX_PER_CODE);
            let origin = Origin {
                path: Arc::clone(&self.path),
                at: LineColumn::default(),
            };
            self.kept.push(Diagnostic::new(*code, message).at(origin));
        }
        (self.kept, self.complete)
    }
}

//! Collects the diagnostics of one export while it is read, and whether it was read completely.

use crate::diagnostic::{Code, Diagnostic, Origin};
use crate::model::LineColumn;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An export may be wrong in every row. Beyond this many diagnostics of one rule, only their number
/// is kept.
const MAX_PER_CODE: u64 = 10_000;

pub(super) struct ExportDiagnostics {
    path: Arc<str>,
    kept: Vec<Diagnostic>,
    counts: BTreeMap<Code, u64>,
    /// Whether the export was read to its end. If not, nothing may be concluded from what it lacks.
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

    pub fn origin(&self, at: LineColumn) -> Origin {
        Origin {
            path: Arc::clone(&self.path),
            at,
        }
    }

    /// Adds a diagnostic at a place.
    pub fn report(&mut self, at: LineColumn, found: Diagnostic) {
        let count = self.counts.entry(found.code).or_default();
        *count += 1;
        if *count <= MAX_PER_CODE {
            let origin = self.origin(at);
            self.kept.push(found.at(origin));
        }
    }

    /// Adds a diagnostic after which nothing can be read.
    pub fn fatal(&mut self, at: LineColumn, found: Diagnostic) {
        self.complete = false;
        self.report(at, found);
    }

    /// Whether some diagnostics are only counted, so that nobody knows of which rows they are.
    pub fn omits_some(&self) -> bool {
        self.counts.values().any(|count| *count > MAX_PER_CODE)
    }

    pub fn count(&self, code: Code) -> u64 {
        self.counts.get(&code).copied().unwrap_or_default()
    }

    /// Returns the diagnostics with a note of how many were dropped per rule, and whether the
    /// export was complete.
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

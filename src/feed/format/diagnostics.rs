//! Collects the diagnostics of one export while it is read, and whether it was read completely.

use crate::diagnostic::{Code, Diagnostic, Origin};
use crate::model::LineColumn;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An export may be wrong in every row. Beyond this many diagnostics of one rule, only their number
/// is kept.
const MAX_PER_CODE: u64 = 10_000;

/// Where a diagnostic is that is only counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OmittedPlace {
    pub at: LineColumn,
    pub is_error: bool,
}

pub(super) struct ExportDiagnostics {
    path: Arc<str>,
    kept: Vec<Diagnostic>,
    counts: BTreeMap<Code, u64>,
    /// The places of those that are only counted.
    omitted: Vec<OmittedPlace>,
    /// Whether the export was read to its end. If not, nothing may be concluded from what it lacks.
    pub complete: bool,
}

impl ExportDiagnostics {
    pub fn new(path: &Arc<str>) -> Self {
        Self {
            path: Arc::clone(path),
            kept: Vec::new(),
            counts: BTreeMap::new(),
            omitted: Vec::new(),
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
        } else {
            let is_error = found.is_error();
            self.omitted.push(OmittedPlace { at, is_error });
        }
    }

    /// Adds a diagnostic after which nothing can be read.
    pub fn fatal(&mut self, at: LineColumn, found: Diagnostic) {
        self.complete = false;
        self.report(at, found);
    }

    /// The places of the diagnostics that are only counted.
    pub fn take_omitted(&mut self) -> Vec<OmittedPlace> {
        std::mem::take(&mut self.omitted)
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

//! Collects the diagnostics of one file, and decides what they mean for removals: which kinds are
//! unreadable here, and whether a key may be hidden. Every reader of this module reports through
//! it.

use super::limits::{CALM, ErrorBudget};
use super::nodes::{AnchorPlaces, DocumentError};
use crate::diagnostic::{Code, Diagnostic, Origin, Severity};
use crate::kinds::read::ValueProblem;
use crate::kinds::{self, Kind};
use crate::model::{Key, KindId, LineColumn};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The diagnostics of one file, and the reasons why its source may remove nothing.
pub(super) struct DiagnosticSink {
    pub path: Arc<str>,
    pub diagnostics: Vec<Diagnostic>,
    /// The first diagnostic that turns removals off.
    pub removals_off: Option<String>,
    /// The kinds that may occur in what could not be read, and what that is.
    pub unread: BTreeMap<KindId, Arc<str>>,
    /// The positions of the nodes that aliases refer to.
    pub anchors: Rc<AnchorPlaces>,
    /// Counts the errors of the whole source.
    errors: Arc<ErrorBudget>,
    /// How many warnings and notes this file has, by rule and severity.
    calm: BTreeMap<(Code, Severity), usize>,
}

impl DiagnosticSink {
    pub fn new(path: &Arc<str>, errors: &Arc<ErrorBudget>) -> Self {
        Self {
            path: Arc::clone(path),
            errors: Arc::clone(errors),
            calm: BTreeMap::new(),
            diagnostics: Vec::new(),
            removals_off: None,
            unread: BTreeMap::new(),
            anchors: Rc::default(),
        }
    }

    /// A position in this file.
    pub fn origin(&self, at: LineColumn) -> Origin {
        Origin {
            path: Arc::clone(&self.path),
            at,
        }
    }

    /// Adds a diagnostic at a position.
    pub fn report(&mut self, at: LineColumn, diagnostic: Diagnostic) {
        if diagnostic.code.turns_removals_off() {
            self.block_removals(at, diagnostic.code.name());
        }
        self.report_without_blocking(at, diagnostic);
    }

    /// Adds a diagnostic that hides nothing, whatever its rule.
    pub fn report_without_blocking(&mut self, at: LineColumn, diagnostic: Diagnostic) {
        if !self.count_and_admit(&diagnostic) {
            return;
        }
        let origin = self.origin(at);
        // The alias is where the problem shows, the anchor where it has to be fixed.
        let anchor = self.anchors.anchor_of(at).map(|at| self.origin(at));
        self.diagnostics.push(diagnostic.at(origin).related(anchor));
    }

    /// Counts a diagnostic; returns whether it is kept.
    fn count_and_admit(&mut self, found: &Diagnostic) -> bool {
        if found.is_error() {
            return self.errors.add();
        }
        // A million equal warnings help nobody and fill the memory; the rest is counted.
        let count = self.calm.entry((found.code, found.severity)).or_default();
        *count += 1;
        *count <= CALM
    }

    /// Whether the source has more errors than are kept, so that nothing of it is used.
    pub fn has_too_many(&self) -> bool {
        self.errors.too_many()
    }

    /// Returns all diagnostics, and the number of those not kept.
    pub fn finish(&mut self) -> Vec<Diagnostic> {
        let path = Arc::clone(&self.path);
        let more = self.calm.iter().filter(|(_, count)| **count > CALM);
        let more = more.map(|((code, severity), count)| {
            let message = format!("{} more of these in this file", count - CALM);
            let (path, at) = (Arc::clone(&path), LineColumn::default());
            Diagnostic::new(*code, message)
                .severity(*severity)
                .at(Origin { path, at })
        });
        self.diagnostics.extend(more);
        std::mem::take(&mut self.diagnostics)
    }

    /// Adds a diagnostic of a rule at a position.
    pub fn fault(&mut self, code: Code, at: LineColumn, message: impl Into<String>, help: &str) {
        let mut diagnostic = Diagnostic::new(code, message);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.report(at, diagnostic);
    }

    /// Adds a problem found while reading a value.
    pub fn reading(&mut self, fault: ValueProblem, at: LineColumn, field: &str) {
        let mut diagnostic = Diagnostic::new(fault.code, fault.message).field(field);
        diagnostic.help = fault.help;
        self.report(at, diagnostic);
    }

    /// Adds the reason why a document cannot be read on.
    pub fn fatal(&mut self, DocumentError(fatal): DocumentError) {
        let mut diagnostic = Diagnostic::new(fatal.code, fatal.message);
        diagnostic.help = fatal.help;
        self.mark_all_unread(fatal.at);
        self.report(fatal.at, diagnostic);
    }

    /// Records that resources of any kind may be in what cannot be read.
    pub fn mark_all_unread(&mut self, at: LineColumn) {
        let what: Arc<str> = format!("a file cannot be read ({})", self.origin(at)).into();
        for kind in kinds::ALL {
            // Replaces a reason for one kind only: the whole file is the more telling one.
            self.unread.insert(kind.id, Arc::clone(&what));
        }
    }

    /// Records that resources of one kind may be in what cannot be read.
    pub fn hide_kind(&mut self, kind: &Kind, at: LineColumn) {
        let place = self.origin(at);
        let what = || format!("`{}` cannot be read ({place})", kind.collection).into();
        self.unread.entry(kind.id).or_insert_with(what);
    }

    /// Records that a key is unreadable here, so that nothing may be removed.
    pub fn block_removals(&mut self, at: LineColumn, why: &str) {
        // One reason is enough to explain it.
        if self.removals_off.is_none() {
            self.removals_off = Some(format!(
                "{}: {why}",
                Origin {
                    path: Arc::clone(&self.path),
                    at
                }
            ));
        }
    }

    /// Assigns the diagnostics since `from` to a field that contains their subject.
    pub fn within(&mut self, from: usize, field: &str) {
        let found = self.diagnostics[from..].iter_mut();
        for diagnostic in found.filter(|found| found.key.is_none()) {
            diagnostic.field = Some(match diagnostic.field.take() {
                Some(inner) => format!("{field}.{inner}"),
                None => field.to_owned(),
            });
        }
    }

    /// Assigns the diagnostics since `from` to a resource, unless they have one.
    pub fn attribute(&mut self, from: usize, key: &Key) {
        for diagnostic in &mut self.diagnostics[from..] {
            if diagnostic.key.is_none() {
                diagnostic.key = Some(key.clone());
            }
        }
    }
}

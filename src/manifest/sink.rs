//! Where the findings of one file go.

use super::events::AnchorPlaces;
use super::limits::{CALM, ErrorBudget};
use super::nodes::DocumentError;
use crate::diagnostic::{Code, Diagnostic, Origin, Severity};
use crate::kinds::read::ValueProblem;
use crate::kinds::{self, Kind};
use crate::model::{Key, KindId, LineColumn};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The findings of one file, and why its source may remove nothing.
pub(super) struct DiagnosticSink {
    /// The file.
    pub path: Arc<str>,
    /// What was found so far.
    pub diagnostics: Vec<Diagnostic>,
    /// The first finding that turns removals off.
    pub removals_off: Option<String>,
    /// Of which kinds a resource may stand in what could not be read, and what that is.
    pub unread: BTreeMap<KindId, Arc<str>>,
    /// Where the nodes stand that aliases at other places name.
    pub anchors: Rc<AnchorPlaces>,
    /// How many errors the source has.
    errors: Arc<ErrorBudget>,
    /// How many findings beside errors this file has, by rule and severity.
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

    /// A place in this file.
    pub fn origin(&self, at: LineColumn) -> Origin {
        Origin {
            path: Arc::clone(&self.path),
            at,
        }
    }

    /// Adds a finding at a place.
    pub fn report(&mut self, at: LineColumn, diagnostic: Diagnostic) {
        if diagnostic.code.turns_removals_off() {
            self.block_removals(at, diagnostic.code.name());
        }
        self.report_without_blocking(at, diagnostic);
    }

    /// Adds a finding that hides nothing, whatever its rule.
    pub fn report_without_blocking(&mut self, at: LineColumn, diagnostic: Diagnostic) {
        if !self.count_and_admit(&diagnostic) {
            return;
        }
        let origin = self.origin(at);
        let anchor = self.anchors.anchor_of(at).map(|at| self.origin(at));
        self.diagnostics.push(diagnostic.at(origin).related(anchor));
    }

    /// Counts a finding; whether it is among those that are kept.
    fn count_and_admit(&mut self, found: &Diagnostic) -> bool {
        if found.is_error() {
            return self.errors.add();
        }
        let count = self.calm.entry((found.code, found.severity)).or_default();
        *count += 1;
        *count <= CALM
    }

    /// Whether the source has more errors than are kept, so that nothing of it is used.
    pub fn has_too_many(&self) -> bool {
        self.errors.too_many()
    }

    /// All findings, and how many there are besides.
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

    /// Adds a finding of a rule at a place.
    pub fn fault(&mut self, code: Code, at: LineColumn, message: impl Into<String>, help: &str) {
        let mut diagnostic = Diagnostic::new(code, message);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.report(at, diagnostic);
    }

    /// Adds what the reading of a value found.
    pub fn reading(&mut self, fault: ValueProblem, at: LineColumn, field: &str) {
        let mut diagnostic = Diagnostic::new(fault.code, fault.message).field(field);
        diagnostic.help = fault.help;
        self.report(at, diagnostic);
    }

    /// Adds why a document cannot be read on.
    pub fn fatal(&mut self, DocumentError(fatal): DocumentError) {
        let mut diagnostic = Diagnostic::new(fatal.code, fatal.message);
        diagnostic.help = fatal.help;
        self.mark_all_unread(fatal.at);
        self.report(fatal.at, diagnostic);
    }

    /// Records that resources of any kind may stand in what cannot be read.
    pub fn mark_all_unread(&mut self, at: LineColumn) {
        let what: Arc<str> = format!("a file cannot be read ({})", self.origin(at)).into();
        for kind in kinds::ALL {
            self.unread.insert(kind.id, Arc::clone(&what));
        }
    }

    /// Records that resources of a kind may stand in what cannot be read.
    pub fn hide_kind(&mut self, kind: &Kind, at: LineColumn) {
        let place = self.origin(at);
        let what = || format!("`{}` cannot be read ({place})", kind.collection).into();
        self.unread.entry(kind.id).or_insert_with(what);
    }

    /// Records that a key cannot be made out here, so that nothing may be removed.
    pub fn block_removals(&mut self, at: LineColumn, why: &str) {
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

    /// Says that the findings since `from` are about what stands within a field.
    pub fn within(&mut self, from: usize, field: &str) {
        let found = self.diagnostics[from..].iter_mut();
        for diagnostic in found.filter(|found| found.key.is_none()) {
            diagnostic.field = Some(match diagnostic.field.take() {
                Some(inner) => format!("{field}.{inner}"),
                None => field.to_owned(),
            });
        }
    }

    /// Says of which resource the findings since `from` are, where they do not say yet.
    pub fn attribute(&mut self, from: usize, key: &Key) {
        for diagnostic in &mut self.diagnostics[from..] {
            if diagnostic.key.is_none() {
                diagnostic.key = Some(key.clone());
            }
        }
    }
}

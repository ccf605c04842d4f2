//! Diagnostics: what is wrong, where, and what to do about it. Every layer produces `Diagnostic`
//! values; sorting, grouping, limiting and rendering them happens here, so that all outputs agree.
//! Start reading at `Diagnostic`; the rules are in `codes.rs`.

mod cap;
pub mod codes;
mod count;
mod error_chain;
mod group;
mod listing;
pub mod render;
mod severity;
mod time_span;
mod visible;

pub use cap::{OmittedDiagnostics, cap};
pub use codes::Code;
pub use count::{agreed, plural, thousands};
pub use error_chain::chain;
pub use group::{DiagnosticGroup, group};
pub use listing::{write_each, write_grouped};
pub use render::DiagnosticRenderer;
pub use severity::Severity;
pub use time_span::{distance, span};
pub use visible::{is_hidden, visible};

use crate::model::{CompactText, DeclaredResource, FieldRef, Key, LineColumn};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// The file, relative to the root of the source, with `/` between folders.
    pub path: Arc<str>,
    /// Line and column, both 1-based. Line 0 means the whole file.
    pub at: LineColumn,
}

impl Origin {
    /// The place where a resource is declared.
    pub fn of_resource(declared: &DeclaredResource) -> Self {
        Self {
            path: declared.path.clone(),
            at: declared.position,
        }
    }

    /// The place of a field, or else of its resource.
    pub fn of_field(declared: &DeclaredResource, field: &FieldRef) -> Self {
        Self {
            path: declared.path.clone(),
            at: declared
                .stated(field)
                .map_or(declared.position, |stated| stated.position),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            LineColumn { line: 0, .. } => f.write_str(&visible(&self.path)),
            LineColumn { line, column } => write!(f, "{}:{line}:{column}", visible(&self.path)),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// What is wrong: the value, and what was expected.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The resource, if its key could be read.
    pub key: Option<Key>,
    /// The field, named as in plans.
    pub field: Option<String>,
    pub origin: Option<Origin>,
    /// The member of a list that it is about.
    pub member: Option<CompactText>,
    /// Other places that are involved.
    pub related: Vec<Origin>,
    /// Whether the plan of the base says so already.
    pub is_on_base: bool,
}

impl Diagnostic {
    /// Creates a diagnostic with the severity of its rule.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: escape_message(message.into()),
            help: None,
            key: None,
            field: None,
            origin: None,
            member: None,
            related: Vec::new(),
            is_on_base: false,
        }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(escape_message(help.into()));
        self
    }

    #[must_use]
    pub fn for_resource(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    #[must_use]
    pub fn related(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.related.extend(origins);
        self
    }

    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Makes hidden characters visible. Messages quote files, paths and values, so this is done here
/// for all renderers: an escape sequence in a name could rewrite a terminal.
fn escape_message(text: String) -> String {
    match visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(text) => text,
    }
}

/// Sorts by place, then by code, and drops duplicates.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    // Every part takes part in the order: equal diagnostics must be adjacent for `dedup`, and the
    // same input must give the same bytes.
    diagnostics.sort_by(|a, b| {
        let missing = |d: &Diagnostic| d.origin.is_none();
        missing(a)
            .cmp(&missing(b))
            .then_with(|| a.origin.cmp(&b.origin))
            .then_with(|| a.code.cmp(&b.code))
            .then_with(|| a.key.cmp(&b.key))
            .then_with(|| a.field.cmp(&b.field))
            .then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup();
}

/// Returns the name among `known` that was probably meant.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&folded, &candidate.to_lowercase()),
                candidate,
            )
        })
        // Below this, proposals look random to people.
        .filter(|(score, _)| *score > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// Builds the message for an unknown name, with the most similar one or all that exist.
#[must_use]
pub fn none_called<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let hint = match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "none exist".to_owned(),
        None => {
            let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("use {}", known.join(", "))
        }
    };
    format!("no {what} is named `{name}`; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_a_hint() {
        for (name, known, hint) in [
            ("shpo", &["erp", "shop"][..], "did you mean `shop`?"),
            ("nope", &["erp", "shop"], "use `erp`, `shop`"),
            ("nope", &[], "none exist"),
        ] {
            assert_eq!(
                none_called("source", name, known.iter().copied()),
                format!("no source is named `{name}`; {hint}")
            );
        }
    }

    #[test]
    fn suggests_the_nearest_name_and_nothing_for_a_stranger() {
        let known = ["firstName", "lastName", "phone"];
        assert_eq!(did_you_mean("fristname", known), Some("firstName"));
        assert_eq!(did_you_mean("customer", known), None);
    }
}

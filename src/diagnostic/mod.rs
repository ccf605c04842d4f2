//! What is wrong, where, and what to do about it.

mod cap;
pub mod codes;
mod count;
mod error_chain;
mod group;
mod json;
pub mod render;
mod span;
mod visible;

pub use cap::{OmittedDiagnostics, cap};
pub use codes::Code;
pub use count::{agreed, plural, thousands};
pub use error_chain::chain;
pub use group::{DiagnosticGroup, group};
pub use render::DiagnosticRenderer;
pub use visible::{is_hidden, visible};

use crate::model::{CompactText, DeclaredResource, FieldRef, Key, LineColumn};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// How much a diagnostic matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Refuses the source's plan, or holds its unit.
    Error,
    /// Worth a look; passes.
    Warning,
    /// For information.
    Note,
    /// Something is kept back until somebody decides.
    Hold,
}

impl Severity {
    /// The severity called `word`.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        [Self::Error, Self::Warning, Self::Note, Self::Hold]
            .into_iter()
            .find(|severity| severity.word() == word)
    }

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Hold => "hold",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A place in a file of a source.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// The file, relative to the source's root, with `/` between folders.
    pub path: Arc<str>,
    /// Line and column; zero when the whole file is meant.
    pub at: LineColumn,
}

impl Origin {
    /// Where a resource is declared.
    pub fn of_resource(declared: &DeclaredResource) -> Self {
        Self {
            path: declared.path.clone(),
            at: declared.position,
        }
    }

    /// Where a field of it is stated, or else the resource is declared.
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

/// One finding.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Diagnostic {
    /// Which rule.
    pub code: Code,
    /// How much it matters here.
    pub severity: Severity,
    /// The value, what was expected.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
    /// Of which resource, when its key could be made out.
    pub key: Option<Key>,
    /// Of which field, named as in plans.
    pub field: Option<String>,
    /// Where.
    pub origin: Option<Origin>,
    /// Of a list, the member that it is about.
    pub member: Option<CompactText>,
    /// Other places that have to do with it.
    pub related: Vec<Origin>,
}

impl Diagnostic {
    /// A finding of the rule `code`, with the rule's own severity.
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
        }
    }

    /// The same with the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(escape_message(help.into()));
        self
    }

    /// The same, of a resource.
    #[must_use]
    pub fn for_resource(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// The same, of a field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The same with another place that has to do with it.
    #[must_use]
    pub fn related(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.related.extend(origins);
        self
    }

    /// The same with another severity than the rule's own.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The words of a finding may quote a file, a path or a value: no renderer has to remember it.
fn escape_message(text: String) -> String {
    match visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(text) => text,
    }
}

/// Sorts by path, line and column, then code, and drops repeats: one finding per fault.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
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

/// The name among `known` that `name` was probably meant to be.
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
        .filter(|(score, _)| *score > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// That nothing has this name, with the nearest that there is, or all.
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
    fn an_unknown_name_is_told_with_what_there_is() {
        for (name, known, told) in [
            ("shpo", &["erp", "shop"][..], "did you mean `shop`?"),
            ("nope", &["erp", "shop"], "use `erp`, `shop`"),
            ("nope", &[], "none exist"),
        ] {
            assert_eq!(
                none_called("source", name, known.iter().copied()),
                format!("no source is named `{name}`; {told}")
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

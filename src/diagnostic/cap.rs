//! Limits how many diagnostics of one file are shown. A hostile or broken file can cause one per
//! line, which must not fill a terminal, a log or a response.

use super::{Code, Diagnostic, Severity, plural, visible};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The number of diagnostics shown per file, rule and severity.
const SHOWN: usize = 1000;

/// How many diagnostics of one file and rule are not shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OmittedDiagnostics {
    /// The file. `None` for diagnostics without one.
    pub path: Option<Arc<str>>,
    pub code: Code,
    pub severity: Severity,
    pub count: usize,
}

/// Diagnostics that are counted together.
type DiagnosticBucket = (Option<Arc<str>>, Code, Severity);

/// Returns the first diagnostics of each file, rule and severity in their order, and how many of
/// each were left out. `of` returns the diagnostic of an item and how many it stands for.
pub fn cap<T>(
    found: impl IntoIterator<Item = T>,
    of: impl Fn(&T) -> (&Diagnostic, usize),
) -> (Vec<T>, Vec<OmittedDiagnostics>) {
    let mut seen: BTreeMap<DiagnosticBucket, (usize, usize)> = BTreeMap::new();
    // The bound is per rule, so that a flood of one mistake cannot hide the single error of
    // another.
    let mut shown = Vec::new();
    for one in found {
        let (diagnostic, count) = of(&one);
        let path = diagnostic.origin.as_ref().map(|origin| origin.path.clone());
        let (taken, omitted) = seen
            .entry((path, diagnostic.code, diagnostic.severity))
            .or_default();
        if *taken < SHOWN {
            *taken += 1;
            shown.push(one);
        } else {
            *omitted += count;
        }
    }
    let omitted = seen.into_iter().filter(|(_, (_, omitted))| *omitted > 0);
    let omitted = omitted.map(|((path, code, severity), (_, count))| OmittedDiagnostics {
        path,
        code,
        severity,
        count,
    });
    (shown, omitted.collect())
}

impl fmt::Display for OmittedDiagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = plural(self.count, &format!("more {}", self.severity));
        write!(f, "{more} of {}", self.code)?;
        match &self.path {
            Some(path) => write!(f, " in {} not shown; fix the first {SHOWN}", visible(path)),
            None => write!(f, " not shown; fix the first {SHOWN}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Origin, codes};
    use crate::model::LineColumn;

    #[test]
    fn the_first_of_a_file_and_rule_are_shown_and_the_others_counted() {
        let at = |path: &str, code| {
            let path = path.into();
            Diagnostic::new(code, "m").at(Origin {
                path,
                at: LineColumn::default(),
            })
        };
        let mut found = vec![at("a.yaml", codes::ENUM); SHOWN + 7];
        found.push(at("a.yaml", codes::ID_SPACE));
        found.push(at("b.yaml", codes::ENUM));
        let (shown, omitted) = cap(&found, |one| (*one, 1));
        assert_eq!(shown.len(), SHOWN + 2);
        let messages: Vec<String> = omitted.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            ["7 more errors of enum in a.yaml not shown; fix the first 1000"]
        );
    }
}

//! The baseline of `roster validate`: the diagnostics that are known and tolerated. A diagnostic is
//! recognized by its rule, its resource, its field and its file, not by its line, so that it stays
//! known when something else in the file is edited.

use super::{DocumentList, FORMAT_VERSION, KnownDiagnostic, KnownSeverity, write};
use crate::diagnostic::{Diagnostic, Severity};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Known diagnostics, as a file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BaselineDocument<'a> {
    /// The version of the format.
    pub format_version: Cow<'a, str>,
    /// The diagnostics, sorted.
    pub known: DocumentList<'a, KnownDiagnostic>,
}

/// Diagnostics that are known, each as often as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DiagnosticBaseline {
    /// How often each is known; the entries here have no count of their own.
    known: BTreeMap<KnownDiagnostic, usize>,
}

impl DiagnosticBaseline {
    /// The errors and warnings among these diagnostics. Notes need no baseline.
    pub fn of<'d>(found: impl Iterator<Item = (&'d str, &'d Diagnostic)>) -> Self {
        let mut baseline = Self::default();
        for (source, found) in found.filter(|(_, found)| is_counted(found)) {
            *baseline.known.entry(place(source, found)).or_default() += 1;
        }
        baseline
    }

    /// Reads a file that [`DiagnosticBaseline::write`] wrote.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let document: BaselineDocument<'_> = serde_json::from_str(text)?;
        let version = &document.format_version;
        if version.split('.').next() != FORMAT_VERSION.split('.').next() {
            let why =
                format!("its formatVersion is {version}, and this release reads {FORMAT_VERSION}");
            return Err(serde_json::Error::custom(why));
        }
        let mut baseline = Self::default();
        for entry in document.known.into_vec() {
            let count = entry.count;
            let place = KnownDiagnostic { count: 1, ..entry };
            *baseline.known.entry(place).or_default() += count;
        }
        Ok(baseline)
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let known: Vec<KnownDiagnostic> = self.entries().collect();
        let document = BaselineDocument {
            format_version: Cow::Borrowed(FORMAT_VERSION),
            known: DocumentList::of(&known, Clone::clone),
        };
        write(&document, out)
    }

    /// Takes the known diagnostics of a source out of a list, each as often as it is known. Returns how
    /// many these are. What is left in the baseline was not found.
    pub fn take_known(&mut self, source: &str, found: &mut Vec<Diagnostic>) -> usize {
        let before = found.len();
        found.retain(|found| {
            if !is_counted(found) {
                return true;
            }
            let place = place(source, found);
            let as_error = KnownDiagnostic {
                severity: KnownSeverity::Error,
                ..place.clone()
            };
            !self.take(&place) && !self.take(&as_error)
        });
        before - found.len()
    }

    /// Takes one of a place, if any is left there.
    fn take(&mut self, place: &KnownDiagnostic) -> bool {
        match self.known.get_mut(place) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// What is left of these sources.
    #[must_use]
    pub fn left(&self, sources: &BTreeSet<&str>) -> Vec<KnownDiagnostic> {
        let of_sources = self.entries();
        let of_sources = of_sources.filter(|entry| sources.contains(entry.source.as_str()));
        of_sources.collect()
    }

    /// What is known here and not left in another baseline.
    #[must_use]
    pub fn without(mut self, left: &Self) -> Self {
        for (place, count) in &mut self.known {
            *count -= left.known.get(place).map_or(0, |left| *left.min(count));
        }
        self
    }

    fn entries(&self) -> impl Iterator<Item = KnownDiagnostic> {
        let known = self.known.iter().filter(|(_, count)| **count > 0);
        known.map(|(place, count)| KnownDiagnostic {
            count: *count,
            ..place.clone()
        })
    }
}

fn is_counted(found: &Diagnostic) -> bool {
    matches!(found.severity, Severity::Error | Severity::Warning)
}

fn place(source: &str, found: &Diagnostic) -> KnownDiagnostic {
    KnownDiagnostic {
        source: source.to_owned(),
        path: found.origin.as_ref().map(|origin| origin.path.to_string()),
        resource: found.key.as_ref().map(ToString::to_string),
        field: found.field.clone(),
        member: found.member.as_ref().map(ToString::to_string),
        code: found.code,
        severity: match found.severity {
            Severity::Warning => KnownSeverity::Warning,
            _ => KnownSeverity::Error,
        },
        count: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Origin, codes};
    use crate::kinds::USER;
    use crate::model::{Key, LineColumn};

    fn phone(id: &str, line: u32) -> Diagnostic {
        let origin = Origin {
            path: "users.yaml".into(),
            at: LineColumn { line, column: 1 },
        };
        let found = Diagnostic::new(codes::PHONE, format!("line {line}")).at(origin);
        found.for_resource(&Key::new(USER, id)).field("phone")
    }

    #[test]
    fn a_diagnostic_is_known_wherever_it_moves_and_as_often_as_it_was() {
        let all = [phone("a", 1), phone("a", 2), phone("b", 3)];
        let baseline = DiagnosticBaseline::of(all.iter().map(|found| ("s", found)));
        let mut text = Vec::new();
        baseline.write(&mut text).expect("written");
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("\"count\":2"), "{text}");
        let mut read = DiagnosticBaseline::parse(&text).expect("a baseline");
        assert_eq!(read, baseline);
        let mut found = vec![phone("a", 7), phone("a", 8), phone("a", 9), phone("c", 1)];
        assert_eq!(read.take_known("other", &mut found), 0);
        assert_eq!(read.take_known("s", &mut found), 2);
        assert_eq!(found, [phone("a", 9), phone("c", 1)]);
        let left = read.left(&BTreeSet::from(["s"]));
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        assert_eq!(left, ["phone  User/b  phone  users.yaml"]);
        assert_eq!(read.left(&BTreeSet::from(["other"])), []);
        let mut still = baseline.without(&read);
        let mut again = all.to_vec();
        assert_eq!(still.take_known("s", &mut again), 2);
        assert_eq!(again, [phone("b", 3)]);
    }

    #[test]
    fn notes_are_never_known() {
        let note = phone("a", 1).severity(Severity::Note);
        let baseline = DiagnosticBaseline::of([("s", &note)].into_iter());
        assert_eq!(baseline, DiagnosticBaseline::default());
    }
    #[test]
    fn a_known_warning_does_not_cover_the_error_that_it_became_nor_another_target() {
        let with = |severity: Severity, member: &str| Diagnostic {
            severity,
            member: Some(member.into()),
            ..phone("a", 1)
        };
        let known = [with(Severity::Warning, "x")];
        let baseline = DiagnosticBaseline::of(known.iter().map(|found| ("s", found)));
        for (found, is_known) in [
            (with(Severity::Warning, "x"), 1),
            (with(Severity::Error, "x"), 0),
            (with(Severity::Warning, "y"), 0),
        ] {
            assert_eq!(baseline.clone().take_known("s", &mut vec![found]), is_known);
        }
        let known = [with(Severity::Error, "x")];
        let mut baseline = DiagnosticBaseline::of(known.iter().map(|found| ("s", found)));
        let lowered = with(Severity::Warning, "x");
        assert_eq!(baseline.take_known("s", &mut vec![lowered]), 1);
        let error = DiagnosticBaseline::parse("{\"formatVersion\": \"2.0\", \"known\": []}");
        assert!(error.is_err_and(|why| why.to_string().contains("formatVersion is 2.0")));
    }
}

//! Diagnostics, in the same form in every output.

use super::{KnownDiagnostic, OriginDocument};
use crate::diagnostic::{Code, Diagnostic, OmittedDiagnostics, Origin, Severity, plural};
use crate::model::{Key, KindId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A diagnostic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct DiagnosticDocument<'a> {
    /// How serious it is.
    pub severity: Severity,
    /// The code of the rule. `roster explain CODE` describes it.
    pub code: Code,
    /// What is wrong.
    pub message: Cow<'a, str>,
    /// How to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Cow<'a, str>>,
    /// The kind of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindId>,
    /// The external id of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Cow<'a, str>>,
    /// The field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Cow<'a, str>>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginDocument<'a>>,
    /// Related places.
    pub related: Vec<OriginDocument<'a>>,
    /// The DJUST code of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub djust_code: Option<Cow<'a, str>>,
    /// Whether the plan of the base says so already. Errors are never marked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already_on_base: bool,
}

impl<'a> From<&'a Diagnostic> for DiagnosticDocument<'a> {
    fn from(found: &'a Diagnostic) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        Self {
            severity: found.severity,
            code: found.code,
            message: Cow::Borrowed(&found.message),
            help: text(&found.help),
            kind: found.key.as_ref().map(|key| key.kind),
            external_id: found.key.as_ref().map(|key| Cow::Borrowed(&*key.id)),
            field: text(&found.field),
            origin: found.origin.as_ref().map(OriginDocument::from),
            related: found.related.iter().map(OriginDocument::from).collect(),
            djust_code: found.code.rule().djust.map(Cow::Borrowed),
            already_on_base: found.is_on_base,
        }
    }
}

impl TryFrom<DiagnosticDocument<'_>> for Diagnostic {
    type Error = String;

    fn try_from(read: DiagnosticDocument<'_>) -> Result<Self, String> {
        let key = match (read.kind, read.external_id) {
            (Some(kind), Some(id)) => Some(Key::new(kind, id)),
            (None, None) => None,
            _ => return Err("`kind` and `externalId` are only valid together".into()),
        };
        Ok(Self {
            code: read.code,
            severity: read.severity,
            message: read.message.into_owned(),
            help: read.help.map(Cow::into_owned),
            key,
            field: read.field.map(Cow::into_owned),
            origin: read.origin.map(Origin::from),
            member: None,
            related: read.related.into_iter().map(Origin::from).collect(),
            is_on_base: read.already_on_base,
        })
    }
}

/// How many diagnostics of one file and rule are left out of a list.
#[derive(Debug, Serialize)]
pub struct OmittedDocument<'a> {
    /// The file, if they are in one.
    pub path: Option<&'a str>,
    /// The code of the rule.
    pub code: Code,
    /// How serious they are.
    pub severity: Severity,
    /// How many are left out.
    pub count: usize,
}

impl<'a> From<&'a OmittedDiagnostics> for OmittedDocument<'a> {
    fn from(omitted: &'a OmittedDiagnostics) -> Self {
        Self {
            path: omitted.path.as_deref(),
            code: omitted.code,
            severity: omitted.severity,
            count: omitted.count,
        }
    }
}

/// The result of `roster validate`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidationDocument<'a> {
    /// The version of the format.
    pub format_version: &'static str,
    /// The counts.
    pub summary: ValidationCounts,
    /// The diagnostics.
    pub diagnostics: Vec<DiagnosticDocument<'a>>,
    /// How many diagnostics are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<OmittedDocument<'a>>,
    /// With `--baseline`: what is known and no longer found.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub gone: &'a [KnownDiagnostic],
}

/// The counts of `roster validate`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ValidationCounts {
    /// The number of declared resources.
    pub resources: usize,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// With `--baseline`: the number of known errors and warnings, which are not among the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<usize>,
}

impl ValidationCounts {
    /// Returns the last line of the text.
    #[must_use]
    pub fn sentence(&self) -> String {
        let counts = self.named().into_iter();
        let counts: Vec<String> = counts.map(|(count, word)| plural(count, word)).collect();
        counts.join(", ") + "."
    }

    /// Returns the same without the counts that are zero.
    #[must_use]
    pub fn short_sentence(&self) -> String {
        let counts = self.named().into_iter();
        let counts = counts.filter(|(count, word)| *count > 0 || *word == "resource");
        let counts: Vec<String> = counts.map(|(count, word)| plural(count, word)).collect();
        counts.join(", ") + "."
    }

    fn named(&self) -> Vec<(usize, &'static str)> {
        let mut named = vec![
            (self.resources, "resource"),
            (self.errors, "error"),
            (self.warnings, "warning"),
        ];
        named.extend(self.known.map(|count| (count, "known diagnostic")));
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;
    use crate::kinds::USER;
    use crate::model::LineColumn;

    fn at(path: &str, line: u32) -> Origin {
        Origin {
            path: path.into(),
            at: LineColumn { line, column: line },
        }
    }

    #[test]
    fn keys_keep_their_order_and_absent_ones_are_left_out() {
        let bare = Diagnostic::new(codes::ENUM, "m").at(at("a.yaml", 3));
        let full = bare
            .clone()
            .help("h")
            .for_resource(&Key::new(USER, "u"))
            .field("civility")
            .related([at("b.yaml", 0)]);
        for (found, expected) in [
            (
                bare,
                r#"{"severity":"error","code":"enum","message":"m","origin":{"path":"a.yaml","line":3,"column":3},"related":[],"djustCode":"F-E-008"}"#,
            ),
            (
                full,
                r#"{"severity":"error","code":"enum","message":"m","help":"h","kind":"User","externalId":"u","field":"civility","origin":{"path":"a.yaml","line":3,"column":3},"related":[{"path":"b.yaml"}],"djustCode":"F-E-008"}"#,
            ),
        ] {
            let text = serde_json::to_string(&DiagnosticDocument::from(&found)).unwrap();
            assert_eq!(text, expected);
            let read: DiagnosticDocument<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(Diagnostic::try_from(read), Ok(found));
        }
    }
}

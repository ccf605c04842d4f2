//! What `roster propose`, `import` to manifests and `adopt` print as JSON: values and resources on
//! their way from one source to another.

use super::{DiagnosticDocument, OriginDocument};
use crate::model::Key;
use serde::{Serialize, Serializer};

/// Values of a source, proposed for the manifests of another one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProposalDocument<'a> {
    pub format_version: &'static str,
    /// The source of the values.
    pub source: &'a str,
    /// The digest of the export, or the revision of the source.
    pub digest: &'a str,
    pub summary: ProposalCounts,
    pub proposed: Vec<ProposedValueDocument<'a>>,
    pub unwritten: Vec<UnwrittenValueDocument<'a>>,
    pub files: Vec<ProposedFileDocument<'a>>,
    /// The change to the files, as `git apply` takes it.
    pub patch: String,
}

/// How much a proposal contains, and what it leaves out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProposalCounts {
    pub proposed: usize,
    pub unwritten: usize,
    /// The fields that are left out without `--add`.
    pub needs_add: usize,
    /// The resources that are left out without `--new`.
    pub needs_new: usize,
}

/// A value that the proposal writes.
#[derive(Debug, Serialize)]
pub struct ProposedValueDocument<'a> {
    /// The resource, and the field if it is about one, such as `Account/acme name`.
    pub subject: &'a str,
    /// The place in the source: file, line and column.
    pub from: &'a str,
}

/// A value that cannot be written where it belongs.
#[derive(Debug, Serialize)]
pub struct UnwrittenValueDocument<'a> {
    pub subject: &'a str,
    pub origin: OriginDocument<'a>,
    /// Why it cannot be written.
    pub message: &'a str,
}

/// A file that the proposal changes.
#[derive(Debug, Serialize)]
pub struct ProposedFileDocument<'a> {
    pub path: &'a str,
    /// Whether it does not exist yet.
    pub new: bool,
}

/// An export that became manifests.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversionDocument<'a> {
    pub format_version: &'static str,
    /// Why the export may be incomplete.
    pub doubt: Option<&'a str>,
    /// `written` or `refused`.
    pub outcome: &'static str,
    pub summary: ConversionCounts,
    pub files: Vec<&'a str>,
    pub left_out: KeyNames<'a>,
    pub declared: KeyNames<'a>,
    pub deleted: KeyNames<'a>,
    pub diagnostics: Vec<DiagnosticDocument<'a>>,
}

/// How many resources of an export became manifests, and why others did not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversionCounts {
    pub written: usize,
    pub left_out: usize,
    pub declared: usize,
    pub deleted: usize,
    pub errors: usize,
    pub warnings: usize,
}

/// Claims that one source hands over to another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandoverDocument<'a> {
    pub format_version: &'static str,
    pub from: &'a str,
    pub to: &'a str,
    pub summary: HandoverCounts,
    pub given: KeyNames<'a>,
    /// Resources that the other source does not declare.
    pub undeclared: KeyNames<'a>,
    /// Resources that both sources declare.
    pub declared: KeyNames<'a>,
}

/// How many claims are handed over, and how many stay.
#[derive(Debug, Serialize)]
pub struct HandoverCounts {
    pub given: u64,
    pub undeclared: usize,
    pub declared: usize,
}

/// Resources as a list of names, such as `User/u-1`.
#[derive(Debug)]
pub struct KeyNames<'a>(pub Vec<&'a Key>);

impl Serialize for KeyNames<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

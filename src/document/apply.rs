//! The result of an apply.

use super::list::one_line;
use super::{
    DiagnosticDocument, DocumentList, FORMAT_VERSION, HoldDocument, PlanDocument,
    RevertSkippedField,
};
use crate::kinds;
use crate::plan::{Plan, PlanSummary, RunField};
use serde::Serialize;

/// The result of applying one source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyDocument<'a> {
    /// The version of the format.
    pub format_version: &'static str,
    /// The run, if anything was recorded.
    pub run: Option<i64>,
    /// The plan that was applied.
    pub plan: PlanDocument<'a>,
    /// The result, such as `applied`.
    pub outcome: &'a str,
    /// The counts of the plan.
    #[serde(serialize_with = "one_line")]
    pub summary: PlanSummary,
    /// The holds of the plan.
    pub held: DocumentList<'a, HoldDocument<'a>>,
    /// The diagnostics of the plan.
    pub diagnostics: DocumentList<'a, DiagnosticDocument<'a>>,
    /// For a revert, the fields that stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<DocumentList<'a, SkippedFieldDocument<'a>>>,
}

/// A field that a revert leaves as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedFieldDocument<'a> {
    /// The kind of the resource.
    pub kind: &'a str,
    /// The external id of the resource.
    pub external_id: &'a str,
    /// The name of the field.
    pub field: &'a str,
}

impl<'a> From<&'a RevertSkippedField> for SkippedFieldDocument<'a> {
    fn from(skipped: &'a RevertSkippedField) -> Self {
        Self {
            kind: &skipped.kind,
            external_id: &skipped.external_id,
            field: &skipped.field,
        }
    }
}

impl<'a> From<&'a RunField> for SkippedFieldDocument<'a> {
    fn from(skipped: &'a RunField) -> Self {
        Self {
            kind: kinds::get(skipped.key.kind).name,
            external_id: &skipped.key.id,
            field: &skipped.field,
        }
    }
}

impl<'a> ApplyDocument<'a> {
    #[must_use]
    pub fn new(plan: &'a Plan, run: Option<i64>, outcome: &'a str) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            run,
            plan: plan.into(),
            outcome,
            summary: plan.summary,
            held: DocumentList::of(&plan.held, HoldDocument::from),
            diagnostics: DocumentList::of(&plan.diagnostics, DiagnosticDocument::from),
            skipped: None,
        }
    }

    /// The same for a revert.
    #[must_use]
    pub fn with_skipped<T: Sync>(self, skipped: &'a [T]) -> Self
    where
        SkippedFieldDocument<'a>: From<&'a T>,
    {
        Self {
            skipped: Some(DocumentList::of(skipped, SkippedFieldDocument::from)),
            ..self
        }
    }
}

/// The result of applying several sources.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyListDocument<'a> {
    /// The version of the format.
    pub format_version: &'static str,
    /// The plans, in the order of the configuration.
    pub plans: Vec<PlanDocument<'a>>,
    /// The result of each source.
    pub results: DocumentList<'a, ApplyResultDocument<'a>>,
}

/// The result of one of several sources.
#[derive(Debug, Serialize)]
pub struct ApplyResultDocument<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// The run, if anything was recorded.
    pub run: Option<i64>,
    /// The result, such as `applied`.
    pub outcome: &'a str,
    /// Why the apply failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
}

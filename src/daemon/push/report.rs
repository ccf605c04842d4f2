//! The answer to a push: what became of each record, and why.
//!
//! Input is the list of records with their keys, and the plan of the pass. `build_report` gives
//! each record the result of its resources and its diagnostics. The types at the top are part of
//! the API, and their doc comments appear in the OpenAPI document.

use crate::diagnostic::{Diagnostic, codes};
use crate::document::PassOutcome;
use crate::feed::RecordKeys;
use crate::model::{Key, LineColumn};
use crate::plan::{Plan, StepVerb};
use crate::store::DroppedRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The result of a push.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PushReport {
    /// The id of the push: `/api/v1/imports/{id}`.
    #[serde(default)]
    pub id: String,
    /// The source of the push.
    #[serde(default)]
    pub source: String,
    /// The run that applied the push. `null` if nothing was applied.
    #[serde(default)]
    pub run: Option<i64>,
    /// The result of the pass.
    pub outcome: PassOutcome,
    /// Why nothing was applied, if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The number of records per result.
    pub summary: BTreeMap<ResourceOutcome, u64>,
    /// The result of each record, in the order of the push.
    pub records: Vec<RecordReport>,
    /// Diagnostics that belong to no record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<RecordDiagnostic>,
}

/// The result of a record, or of a resource that it names.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum ResourceOutcome {
    /// The resource was created.
    Created,
    /// The stored values were changed.
    Updated,
    /// The resource was stored, and the source now claims it.
    Adopted,
    /// The resource was set inactive.
    Deactivated,
    /// The resource was set active again.
    Reactivated,
    /// The resource was deleted.
    Deleted,
    /// The same values were already stored.
    Unchanged,
    /// The record is held and may still be applied. Do not send it again.
    Held,
    /// The record is invalid and was not applied. Fix it and send it again.
    Refused,
    /// The record names a user who was erased. Nothing of it was stored.
    Dropped,
}

/// A record and its result.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordReport {
    /// The index in the push, from 0.
    pub index: usize,
    /// The line where the record begins.
    pub line: u32,
    /// What it is about.
    #[serde(flatten)]
    pub resource: RecordResource,
    /// Other resources that the record names, such as the addresses of an account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<RecordResource>,
    /// The diagnostics of the record.
    pub diagnostics: Vec<RecordDiagnostic>,
}

/// A resource that a record names, and its result.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordResource {
    /// `Account`, `Address` and so on. `null` if unknown.
    pub kind: Option<String>,
    /// Its external id.
    pub external_id: Option<String>,
    /// The result.
    pub outcome: ResourceOutcome,
    /// For a record that is held only because nothing is applied now: its later result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<ResourceOutcome>,
    /// The codes of the holds and errors.
    pub codes: Vec<String>,
}

/// A diagnostic.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordDiagnostic {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// The code. `roster explain CODE` describes it.
    pub code: String,
    /// The DJUST code.
    pub djust_code: Option<String>,
    /// The resource, such as `Address/d-1`.
    pub resource: Option<String>,
    /// The field.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// The column.
    pub column: Option<u32>,
}

impl From<StepVerb> for ResourceOutcome {
    fn from(verb: StepVerb) -> Self {
        match verb {
            StepVerb::Create => Self::Created,
            StepVerb::Update => Self::Updated,
            StepVerb::Adopt => Self::Adopted,
            StepVerb::Deactivate => Self::Deactivated,
            StepVerb::Reactivate => Self::Reactivated,
            StepVerb::Delete => Self::Deleted,
        }
    }
}

impl From<&Diagnostic> for RecordDiagnostic {
    fn from(found: &Diagnostic) -> Self {
        let at = found.origin.as_ref().map(|origin| origin.at);
        let at = at.filter(|at| at.line > 0);
        Self {
            severity: found.severity.to_string(),
            code: found.code.name().to_owned(),
            djust_code: found.code.rule().djust.map(str::to_owned),
            resource: found.key.as_ref().map(ToString::to_string),
            field: found.field.clone(),
            message: found.message.clone(),
            help: found.help.clone(),
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
        }
    }
}

/// The records that name users who were erased.
pub(super) struct OmittedRecords<'a> {
    /// The users whom the stored records name.
    pub erased: &'a BTreeSet<Key>,
    /// The records that were not stored at all, in their order.
    pub dropped: &'a [DroppedRecord],
}

/// Builds the answer to a push from the plan and the outcome of its pass.
pub(super) fn build_report(
    listed: &[RecordKeys],
    name: &Arc<str>,
    plan: &Plan,
    (outcome, why): (PassOutcome, &str),
    omitted: &OmittedRecords<'_>,
) -> PushReport {
    let listed = &omitted.all_records(listed);
    let applied = outcome == PassOutcome::Applied;
    let fates = OutcomeIndex::from_plan(plan, applied);
    let (mut found, rest) = diagnostics_by_record(listed, name, plan);
    let records = listed.iter().enumerate().map(|(index, record)| {
        let found = found.remove(&index).unwrap_or_default();
        // An error without a resource, such as a missing id, is about the whole record. Otherwise
        // its resources, which are not in the plan, would be answered as unchanged.
        let nobody = found
            .iter()
            .any(|found| found.key.is_none() && found.is_error());
        let keys = record.keys.iter();
        let keys = keys.filter(|key| !omitted.erased.contains(*key));
        let mut resources = keys.map(|key| fates.record_resource(key, nobody));
        let is_dropped = omitted.contain(index, record);
        RecordReport {
            index,
            line: record.at.line,
            // A record without any key could not be read, and has to be fixed.
            resource: resources.next().unwrap_or(RecordResource {
                kind: None,
                external_id: None,
                outcome: if is_dropped {
                    ResourceOutcome::Dropped
                } else {
                    ResourceOutcome::Refused
                },
                would: None,
                codes: error_codes(&found),
            }),
            also: resources.collect(),
            diagnostics: if found.is_empty() && is_dropped {
                vec![RecordDiagnostic::of_dropped(record.at)]
            } else {
                found.into_iter().map(RecordDiagnostic::from).collect()
            },
        }
    });
    let records: Vec<RecordReport> = records.collect();
    let mut summary = BTreeMap::new();
    for record in &records {
        *summary.entry(record.resource.outcome).or_default() += 1;
    }
    PushReport {
        id: String::new(),
        source: plan.source.name.to_string(),
        run: None,
        // An apply without steps only refreshed claims. For the sender, nothing changed.
        outcome: if applied && plan.steps.is_empty() {
            PassOutcome::Unchanged
        } else {
            outcome
        },
        why: (!applied).then(|| why.to_owned()),
        summary,
        records,
        diagnostics: rest.into_iter().map(RecordDiagnostic::from).collect(),
    }
}

impl OmittedRecords<'_> {
    /// All records of the push. A row that was dropped from a table is not listed any more; an object
    /// still is, without keys.
    fn all_records(&self, listed: &[RecordKeys]) -> Vec<RecordKeys> {
        let mut all = listed.to_vec();
        for dropped in self.dropped {
            let line = dropped.line;
            let is_listed = all
                .get(dropped.position)
                .is_some_and(|it| it.keys.is_empty() && it.at.line == line);
            if !is_listed {
                let at = LineColumn { line, column: 1 };
                let position = dropped.position.min(all.len());
                all.insert(
                    position,
                    RecordKeys {
                        at,
                        ..RecordKeys::default()
                    },
                );
            }
        }
        all
    }

    /// Whether a record was left out because of whom it names.
    fn contain(&self, index: usize, record: &RecordKeys) -> bool {
        let mut dropped = self.dropped.iter();
        record.fits_erased
            || dropped.any(|it| it.position == index)
            || record.keys.iter().any(|key| self.erased.contains(key))
    }
}

impl RecordDiagnostic {
    /// The note about a record that was not stored.
    fn of_dropped(at: LineColumn) -> Self {
        let message = "This names a user who was erased. It was dropped";
        let found = Diagnostic::new(codes::USER_ERASED, message)
            .help("Do not send it again. Nothing of it was stored");
        Self {
            line: Some(at.line),
            column: Some(at.column),
            ..Self::from(&found)
        }
    }
}

fn error_codes(found: &[&Diagnostic]) -> Vec<String> {
    let errors = found.iter().filter(|found| found.is_error());
    let mut codes: Vec<String> = errors.map(|found| found.code.name().to_owned()).collect();
    codes.dedup();
    codes
}

/// Sorts the diagnostics by the index of their record, and returns those of no record apart.
fn diagnostics_by_record<'p>(
    listed: &[RecordKeys],
    name: &Arc<str>,
    plan: &'p Plan,
) -> (BTreeMap<usize, Vec<&'p Diagnostic>>, Vec<&'p Diagnostic>) {
    let mut first: HashMap<&Key, usize> = HashMap::new();
    for (index, record) in listed.iter().enumerate() {
        for key in &record.keys {
            first.entry(key).or_insert(index);
        }
    }
    // Records are listed in file order, so the last one that starts before a position contains it.
    let place = |at: LineColumn| {
        let after = listed.partition_point(|record| record.at <= at);
        after.checked_sub(1)
    };
    let (mut of, mut rest) = (BTreeMap::<usize, Vec<_>>::new(), Vec::new());
    for found in &plan.diagnostics {
        let here = found.origin.as_ref();
        let here = here.filter(|origin| origin.path == *name && origin.at.line > 0);
        let index = here.and_then(|origin| place(origin.at));
        // Rules on stored resources have no position in this push, but the record named their key.
        let index = index.or_else(|| first.get(found.key.as_ref()?).copied());
        match index {
            Some(index) => of.entry(index).or_default().push(found),
            None => rest.push(found),
        }
    }
    (of, rest)
}

/// The effect of a plan on each resource.
struct OutcomeIndex<'p> {
    plan: &'p Plan,
    applied: bool,
    steps: HashMap<&'p Key, StepVerb>,
    /// The codes of holds and errors, each with whether it is an error.
    held: HashMap<&'p Key, Vec<(&'static str, bool)>>,
}

impl<'p> OutcomeIndex<'p> {
    fn from_plan(plan: &'p Plan, applied: bool) -> Self {
        let steps = plan.steps.iter().map(|step| (&step.key, step.verb));
        let mut held: HashMap<&Key, Vec<(&'static str, bool)>> = HashMap::new();
        let errors = plan.diagnostics.iter().filter(|found| found.is_error());
        let errors = errors.filter_map(|found| Some((found.key.as_ref()?, (found.code, true))));
        let holds = plan.held.iter().map(|held| {
            let wrong = held.is_error();
            (&held.key, (held.code, wrong))
        });
        for (key, (code, wrong)) in errors.chain(holds) {
            // An error that holds a resource is both a diagnostic and a hold. Its code is listed
            // once.
            let codes = held.entry(key).or_default();
            if codes.iter().all(|(known, _)| *known != code.name()) {
                codes.push((code.name(), wrong));
            }
        }
        Self {
            plan,
            applied,
            steps: steps.collect(),
            held,
        }
    }

    /// Returns the result of a resource. `nobody` says that its record has an error without a
    /// resource.
    fn record_resource(&self, key: &Key, nobody: bool) -> RecordResource {
        let step = self.steps.get(key).copied().map(ResourceOutcome::from);
        let held = self.held.get(key);
        // By severity, not by code: the same rule is an error in exports and a warning in
        // manifests.
        let wrong = self.plan.errored || held.is_some_and(|held| held.iter().any(|(_, it)| *it));
        let outcome = match step {
            Some(step) if self.applied => step,
            Some(_) => ResourceOutcome::Held,
            None if wrong || nobody && held.is_none() => ResourceOutcome::Refused,
            None if held.is_some() => ResourceOutcome::Held,
            None => ResourceOutcome::Unchanged,
        };
        let held = held.into_iter().flatten();
        RecordResource {
            kind: Some(key.kind.to_string()),
            external_id: Some(key.id.to_string()),
            outcome,
            would: step.filter(|_| !self.applied),
            codes: held.map(|(code, _)| (*code).to_owned()).collect(),
        }
    }
}

//! The history: runs, and the changes that they committed.

use super::{OriginDocument, RunCause};
use crate::kinds;
use crate::model::{LineColumn, timestamp};
use crate::store::{ChangeRecord, RunRecord};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// A committed change of a resource.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeDocument {
    /// The place in the sequence of all changes, without gaps.
    pub seq: i64,
    /// The run that committed it.
    pub run: i64,
    /// When the run committed it.
    pub at: String,
    /// The source of the run. Empty for an act of a person.
    pub source: String,
    /// The revision of the source.
    pub revision: String,
    /// Who applied the plan or performed the act.
    pub actor: String,
    /// The kind of the resource.
    pub kind: String,
    /// The external id of the resource. `null` after an erasure.
    pub external_id: Option<String>,
    /// What happened: the verb of a step, or the name of an act.
    pub verb: String,
    /// Why it happened. For an act, the reason that the person gave.
    pub reason: String,
    /// The changed fields by name.
    #[schemars(with = "BTreeMap<String, FieldHistoryDocument>")]
    pub fields: FieldHistory,
    /// Where the change was declared.
    pub origin: Option<OriginDocument<'static>>,
    /// The run that the run of this change reverted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverts: Option<i64>,
}

impl From<ChangeRecord> for ChangeDocument {
    fn from(change: ChangeRecord) -> Self {
        let origin = change_origin(&change);
        let kind = change.kind;
        let fields = change.fields.into_iter().map(|(name, values)| {
            let change = FieldHistoryDocument::new(&kind, &name, values);
            (name, change)
        });
        Self {
            seq: change.seq,
            run: change.run,
            at: timestamp::format_utc(change.at),
            source: change.source,
            revision: change.revision,
            actor: change.actor,
            external_id: change.external_id,
            verb: change.verb,
            reason: change.reason,
            fields: FieldHistory(fields.collect()),
            reverts: change.reverts,
            origin,
            kind,
        }
    }
}

/// Where a change was declared.
pub(super) fn change_origin(change: &ChangeRecord) -> Option<OriginDocument<'static>> {
    let (path, line, column) = change.origin.as_ref()?;
    let number = |number: i64| u32::try_from(number).unwrap_or_default();
    let at = LineColumn {
        line: number(*line),
        column: number(*column),
    };
    Some(OriginDocument::new(path, at).into_owned())
}

/// The changed fields by name, in the order in which they were recorded.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FieldHistory(pub Vec<(String, FieldHistoryDocument)>);

impl Serialize for FieldHistory {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, change)| (name, change)))
    }
}

/// The change of a field.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldHistoryDocument {
    /// The value of a new resource.
    Created {
        /// The new value.
        after: Value,
    },
    /// A value that changed.
    Replaced {
        /// The value before. `null` if there was none.
        before: Value,
        /// The new value. `null` if there is none.
        after: Value,
    },
    /// The members of a new list.
    Joined {
        /// The new members.
        added: Value,
    },
    /// The members that a list lost and gained.
    Exchanged {
        /// The members that it lost.
        removed: Vec<Value>,
        /// The members that it gained.
        added: Vec<Value>,
    },
    /// Anything else, such as nothing after an erasure.
    Other(Value),
}

impl FieldHistoryDocument {
    fn new(kind: &str, name: &str, values: Value) -> Self {
        let Value::Array(mut values) = values else {
            return Self::Other(values);
        };
        match (&mut values[..], is_set(kind, name)) {
            ([after], false) => Self::Created {
                after: after.take(),
            },
            ([added], true) => Self::Joined {
                added: added.take(),
            },
            ([before, after], false) => Self::Replaced {
                before: before.take(),
                after: after.take(),
            },
            ([removed, added], true) => Self::Exchanged {
                removed: members(removed.take()),
                added: members(added.take()),
            },
            _ => Self::Other(Value::Array(values)),
        }
    }
}

fn members(value: Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(members) => members,
        one => vec![one],
    }
}

/// Whether the history stores only the added and removed members of a field.
fn is_set(kind: &str, name: &str) -> bool {
    let kind = kinds::by_name(kind);
    let field = kind.and_then(|kind| kind.index(name).map(|index| &kind.fields[index]));
    field.is_some_and(|field| field.ty.has_link_table())
}

/// A run: one pass that committed something.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDocument {
    /// The number of the run.
    pub id: i64,
    /// When it committed.
    pub at: String,
    /// When it began.
    pub started_at: String,
    /// The source.
    pub source: String,
    /// The revision of the source.
    pub revision: String,
    /// The id of the plan.
    pub plan: String,
    /// Who applied it.
    pub actor: String,
    /// The number of steps per verb, and of holds.
    pub counts: Value,
    /// The result.
    pub outcome: String,
    /// The run that it reverted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverts: Option<i64>,
    /// Of a single run: what it came from, who approved it, and what it did to whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<RunCause>,
}

impl From<RunRecord> for RunDocument {
    fn from(run: RunRecord) -> Self {
        Self {
            id: run.id,
            at: timestamp::format_utc(run.finished_at),
            started_at: timestamp::format_utc(run.started_at),
            source: run.source,
            revision: run.revision,
            plan: run.plan_id,
            actor: run.actor,
            counts: run.counts,
            outcome: run.outcome,
            reverts: run.reverts,
            cause: None,
        }
    }
}

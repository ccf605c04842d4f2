//! What is stored as JSON, the same through every door.

use crate::kinds;
use crate::model::{Claim, ClaimState, LineColumn, timestamp};
use crate::store::{ChangeRecord, RunRecord, StoredResource};
use serde_json::{Map, Value, json};

/// A stored resource: its manifest form, and `meta` with what no manifest says.
#[must_use]
pub fn resource(record: &StoredResource) -> Value {
    let mut object = kinds::json::resource(&record.row);
    object.insert("meta".to_owned(), meta(record));
    Value::Object(object)
}

/// What the database knows of a resource beside its fields.
#[must_use]
pub fn meta(record: &StoredResource) -> Value {
    let row = &record.row;
    let fact = |name| row.facts.get(name).map(compact_str::CompactString::as_str);
    let login = record.login.as_ref();
    json!({
        "version": row.version,
        "usable": record.usable,
        "approval": fact("approval"),
        "block": fact("blocked"),
        "access": fact("access"),
        "login": login.map(|names| names.iter().map(compact_str::CompactString::as_str).collect::<Vec<_>>()),
        "claims": record.claims.iter().map(claim).collect::<Vec<_>>(),
    })
}

fn claim(claim: &Claim) -> Value {
    json!({
        "source": &*claim.source,
        "state": state(claim.state),
        "origin": place(&claim.path, claim.position),
        "revision": &*claim.revision,
    })
}

/// The word for the state of a claim.
#[must_use]
pub fn state(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Active => "active",
        ClaimState::Gone => "gone",
    }
}

/// A place in a file; line and column are null where the whole file is meant.
#[must_use]
pub fn place(path: &str, at: LineColumn) -> Value {
    let number = |number: u32| (at.line > 0).then_some(number);
    json!({"path": path, "line": number(at.line), "column": number(at.column)})
}

/// One committed change.
#[must_use]
pub fn change(change: &ChangeRecord) -> Value {
    let fields = change.fields.iter();
    let fields: Map<String, Value> = fields
        .map(|(name, values)| (name.clone(), before_after(change, name, values)))
        .collect();
    json!({
        "seq": change.seq,
        "run": change.run,
        "at": timestamp::format_utc(change.at),
        "source": change.source,
        "revision": change.revision,
        "kind": change.kind,
        "externalId": change.external_id,
        "verb": change.verb,
        "reason": change.reason,
        "fields": fields,
        "origin": origin(change),
    })
}

/// Where a change was declared.
#[must_use]
pub fn origin(change: &ChangeRecord) -> Option<Value> {
    let (path, line, column) = change.origin.as_ref()?;
    let number = |number: i64| u32::try_from(number).unwrap_or_default();
    let at = LineColumn {
        line: number(*line),
        column: number(*column),
    };
    Some(place(path, at))
}

/// `{after}` of what a create wrote, `{removed, added}` of a set, `{before, after}` of the rest.
fn before_after(change: &ChangeRecord, name: &str, values: &Value) -> Value {
    match (
        values.as_array().map(Vec::as_slice),
        is_set(&change.kind, name),
    ) {
        (Some([after]), false) => json!({ "after": after }),
        (Some([added]), true) => json!({ "added": added }),
        (Some([removed, added]), true) => json!({"removed": list(removed), "added": list(added)}),
        (Some([before, after]), false) => json!({"before": before, "after": after}),
        _ => values.clone(),
    }
}

fn list(value: &Value) -> Value {
    if value.is_null() {
        json!([])
    } else {
        value.clone()
    }
}

/// Whether the history keeps only the members of a field that came and went.
fn is_set(kind: &str, name: &str) -> bool {
    let kind = kinds::by_name(kind);
    let field = kind.and_then(|kind| kind.index(name).map(|index| &kind.fields[index]));
    field.is_some_and(|field| field.ty.has_link_table())
}

#[must_use]
pub fn run(run: &RunRecord) -> Value {
    json!({
        "id": run.id,
        "at": timestamp::format_utc(run.finished_at),
        "startedAt": timestamp::format_utc(run.started_at),
        "source": run.source,
        "revision": run.revision,
        "plan": run.plan_id,
        "actor": run.actor,
        "counts": run.counts,
        "outcome": run.outcome,
    })
}

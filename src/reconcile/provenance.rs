//! Who set each field of a resource, from where, and what that overruled.

use super::json;
use crate::kinds;
use crate::model::digest::short;
use crate::model::{Cell, Claim, ClaimState, FieldRef, Key, moment};
use crate::store::{ChangeRecord, Record};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where the stored state of a resource comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct Provenance {
    /// Which resource.
    pub key: Key,
    /// The version of its row; `None` when it is not stored any more.
    pub version: Option<i64>,
    /// Whether the row is no longer what any run of Roster left.
    pub changed_elsewhere: bool,
    /// What every source says of it.
    pub claims: Vec<Claim>,
    /// Its fields, in the order of the table.
    pub fields: Vec<Field>,
}

/// Where the stored value of one field comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct Field {
    /// Its name as in plans.
    pub name: String,
    /// The stored value.
    pub value: Option<Value>,
    /// The last change that touched it; none when it was stored before Roster knew of it.
    pub set_by: Option<ChangeRecord>,
    /// Whether the stored value is not what that change left.
    pub changed_elsewhere: bool,
    /// What each source says of it, in the order of the claims.
    pub said: Vec<Said>,
}

/// What a source says of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// The stored value.
    Stored,
    /// Another value, which is not stored.
    Overruled,
}

impl Said {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Stored => "stored",
            Self::Overruled => "overruled",
        }
    }
}

/// Tells it from what is stored and the changes of the resource, newest first.
#[must_use]
pub fn provenance(key: &Key, record: Option<&Record>, history: &[ChangeRecord]) -> Provenance {
    let claims = record
        .map(|record| record.claims.clone())
        .unwrap_or_default();
    let names = names(key, record, history, &claims);
    let fields = names
        .iter()
        .map(|field| field_of(key, field, record, history, &claims));
    Provenance {
        key: key.clone(),
        version: record.map(|record| record.row.version),
        changed_elsewhere: record.is_some_and(is_changed_elsewhere),
        fields: fields.collect(),
        claims,
    }
}

/// A run leaves the version that its claim has seen, and moves the claims that agree.
fn is_changed_elsewhere(record: &Record) -> bool {
    let seen = record
        .claims
        .iter()
        .any(|claim| claim.seen == record.row.version);
    !seen && (record.row.version < 0 || !record.claims.is_empty())
}

/// Every field that is stored, was changed or is declared.
fn names(
    key: &Key,
    record: Option<&Record>,
    history: &[ChangeRecord],
    claims: &[Claim],
) -> BTreeSet<FieldRef> {
    let kind = kinds::get(key.kind);
    let own = (0..kind.fields.len()).map(kinds::own);
    let custom = record
        .iter()
        .flat_map(|record| record.row.custom.keys().cloned());
    let stored = own.chain(custom.map(FieldRef::Custom));
    let stored = stored.filter(|field| record.is_some_and(|record| is_stored(record, field)));
    let changed = history
        .iter()
        .flat_map(|change| change.fields.keys().map(String::as_str));
    let declared = claims.iter().flat_map(|claim| {
        claim
            .fields
            .fields()
            .map(compact_str::CompactString::as_str)
    });
    let named = changed
        .chain(declared)
        .filter_map(|name| kind.field_ref(name));
    stored.chain(named).collect()
}

fn is_stored(record: &Record, field: &FieldRef) -> bool {
    record
        .row
        .value(field)
        .is_some_and(|value| !value.is_empty_list())
}

fn field_of(
    key: &Key,
    field: &FieldRef,
    record: Option<&Record>,
    history: &[ChangeRecord],
    claims: &[Claim],
) -> Field {
    let name = kinds::get(key.kind).field_name(field);
    let value = record.and_then(|record| kinds::json::stored(&record.row, field));
    let set_by = history
        .iter()
        .find(|change| change.fields.contains_key(&name))
        .cloned();
    let changed = set_by
        .as_ref()
        .is_some_and(|change| is_another(change, &name, value.as_ref()));
    Field {
        said: claims
            .iter()
            .map(|claim| said(claim, &name, field, record))
            .collect(),
        changed_elsewhere: record.is_some() && changed,
        set_by,
        value,
        name,
    }
}

/// Whether a change left another plain value than the stored one; of lists it tells only what came
/// and went.
fn is_another(change: &ChangeRecord, name: &str, value: Option<&Value>) -> bool {
    let after = change
        .fields
        .get(name)
        .and_then(|values| values.as_array()?.last());
    match (after, value) {
        (Some(Value::Array(_) | Value::Object(_)) | None, _)
        | (_, Some(Value::Array(_) | Value::Object(_))) => false,
        (Some(after), value) => *after != value.cloned().unwrap_or_default(),
    }
}

/// What a source says of a field, told by the digest of what it said.
fn said(claim: &Claim, name: &str, field: &FieldRef, record: Option<&Record>) -> Said {
    let Some(digest) = claim
        .fields
        .get(name)
        .filter(|_| claim.state == ClaimState::Active)
    else {
        return Said::Nothing;
    };
    // A blank clears a custom field and says nothing of any other.
    if digest == short(&Cell::Blank) && field.own().is_some() {
        return Said::Nothing;
    }
    let stored = record.and_then(|record| record.row.value(field));
    let same = match stored {
        Some(value) => digest == short(&Cell::Value(value.clone())),
        None => [Cell::Blank, Cell::Clear]
            .iter()
            .any(|cell| digest == short(cell)),
    };
    if same { Said::Stored } else { Said::Overruled }
}

impl Provenance {
    /// Keeps only one field, or those of a group; whether there is any.
    pub fn keep(&mut self, name: &str) -> bool {
        let member = |field: &Field| {
            let rest = field.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.fields.retain(member);
        !self.fields.is_empty()
    }

    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let claim = |claim: &Claim| {
            json!({
                "source": &*claim.source,
                "state": json::state(claim.state),
                "current": self.version == Some(claim.seen),
                "origin": json::origin_of(claim),
                "revision": &*claim.revision,
            })
        };
        json!({
            "kind": kinds::get(self.key.kind).name,
            "externalId": self.key.id.as_str(),
            "version": self.version,
            "changedElsewhere": self.changed_elsewhere,
            "claims": self.claims.iter().map(claim).collect::<Vec<_>>(),
            "fields": self.fields.iter().map(|field| self.field_json(field)).collect::<Vec<_>>(),
        })
    }

    fn field_json(&self, field: &Field) -> Value {
        let by = |wanted| {
            let said = self.claims.iter().zip(&field.said);
            let sources = said
                .filter(|(_, said)| **said == wanted)
                .map(|(claim, _)| &*claim.source);
            sources.collect::<Vec<_>>()
        };
        json!({
            "field": field.name,
            "value": field.value,
            "setBy": field.set_by.as_ref().map(set_by),
            "changedElsewhere": field.changed_elsewhere,
            "declaredBy": by(Said::Stored),
            "overruled": by(Said::Overruled),
        })
    }
}

fn set_by(change: &ChangeRecord) -> Value {
    json!({
        "run": change.run,
        "seq": change.seq,
        "at": moment::utc(change.at),
        "source": change.source,
        "revision": change.revision,
        "verb": change.verb,
        "reason": change.reason,
        "origin": json::origin(change),
    })
}

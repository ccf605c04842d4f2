//! What gave a stored field its value.

use super::json;
use crate::kinds;
use crate::model::{self, FieldRef, moment};
use crate::plan::Verb;
use crate::store::{ChangeRecord, Record};
use serde_json::{Value, json};

/// What gave a field its value.
#[derive(Clone, PartialEq, Debug)]
pub enum SetBy {
    /// The last change that touched it.
    Change(ChangeRecord),
    /// The creation, which said nothing of it: it has its default.
    Default(ChangeRecord),
    /// Nothing that is known: it was there when this change adopted the resource.
    Found(ChangeRecord),
    /// No run.
    Nobody,
}

/// Whether a change left another plain value than the stored one; of lists it tells only what came
/// and went.
fn is_another(change: &ChangeRecord, name: &str, value: Option<&Value>) -> bool {
    let compound = |value: &Value| value.is_array() || value.is_object();
    let values = change.fields.get(name).and_then(Value::as_array);
    let Some(after) = values.and_then(|values| values.last()) else {
        return false;
    };
    if compound(after) || value.is_some_and(compound) {
        return false;
    }
    after != value.unwrap_or(&Value::Null)
}

impl SetBy {
    /// Told from the changes of the resource, newest first, and the stored row.
    pub(super) fn of(
        name: &str,
        field: &FieldRef,
        record: Option<&Record>,
        history: &[ChangeRecord],
    ) -> Self {
        let mut changes = history.iter();
        if let Some(change) = changes.find(|change| change.fields.contains_key(name)) {
            return Self::Change(change.clone());
        }
        let stored = record.and_then(|record| record.row.value(field));
        match history.last() {
            Some(first) if stored.is_some() && first.verb == Verb::Adopt.word() => {
                Self::Found(first.clone())
            }
            Some(first) if is_default(first, field, stored) => Self::Default(first.clone()),
            _ => Self::Nobody,
        }
    }

    /// The change that set it, the creation that left it at its default, and the adoption that
    /// found it: one of them or none.
    pub(super) fn to_json(&self) -> [Option<Value>; 3] {
        match self {
            Self::Change(change) => [Some(told(change)), None, None],
            Self::Default(change) => [None, Some(told(change)), None],
            Self::Found(change) => [None, None, Some(told(change))],
            Self::Nobody => [None, None, None],
        }
    }

    /// Whether the stored value is not what this left.
    pub(super) fn differs(
        &self,
        name: &str,
        value: Option<&Value>,
        history: &[ChangeRecord],
    ) -> bool {
        match self {
            Self::Change(change) => is_another(change, name, value),
            Self::Default(_) | Self::Found(_) => false,
            // Created without it, and no run set it since.
            Self::Nobody => value.is_some() && history.last().is_some_and(is_creation),
        }
    }
}

fn is_creation(change: &ChangeRecord) -> bool {
    change.verb == Verb::Create.word()
}

/// Whether a value is the one that a creation gives when nothing is said.
fn is_default(first: &ChangeRecord, field: &FieldRef, stored: Option<&model::Value>) -> bool {
    let kind = kinds::by_name(&first.kind);
    let default = kind.and_then(|kind| kind.fields.get(field.own()?)?.default.value());
    stored.is_some() && stored == default.as_ref() && is_creation(first)
}

fn told(change: &ChangeRecord) -> Value {
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

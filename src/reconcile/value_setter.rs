//! Finds out what gave a stored field its value.

use crate::document::ValueChangeDocument;
use crate::kinds;
use crate::model::{self, FieldRef};
use crate::plan::StepVerb;
use crate::store::{ChangeRecord, StoredResource};
use serde_json::Value;

/// What gave a field its value.
#[derive(Clone, PartialEq, Debug)]
pub enum ValueSetter {
    /// The last change that touched it.
    Change(ChangeRecord),
    /// The creation, which did not state the field: it has its default.
    Default(ChangeRecord),
    /// Unknown: the value was there when this change adopted the resource.
    Adopted(ChangeRecord),
    /// No run of Roster.
    Nobody,
}

/// The plain value that a change left. Of a list, a change records only the members that were added
/// and removed, so it has none.
pub(super) fn left_by<'a>(change: &'a ChangeRecord, name: &str) -> Option<&'a Value> {
    let values = change.fields.get(name)?.as_array()?;
    values.last().filter(|value| !is_compound(value))
}

fn is_compound(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// Whether a change left another plain value than the stored one.
fn is_another(change: &ChangeRecord, name: &str, value: Option<&Value>) -> bool {
    let plain = value.is_none_or(|value| !is_compound(value));
    plain && left_by(change, name).is_some_and(|after| after != value.unwrap_or(&Value::Null))
}

impl ValueSetter {
    /// Finds it in the changes of the resource, newest first, and the stored row.
    pub(super) fn of(
        name: &str,
        field: &FieldRef,
        record: Option<&StoredResource>,
        history: &[ChangeRecord],
    ) -> Self {
        let mut changes = history.iter();
        if let Some(change) = changes.find(|change| change.fields.contains_key(name)) {
            return Self::Change(change.clone());
        }
        let stored = record.and_then(|record| record.row.value(field));
        match history.last() {
            Some(first) if stored.is_some() && first.verb == StepVerb::Adopt.word() => {
                Self::Adopted(first.clone())
            }
            Some(first) if is_default(first, field, stored) => Self::Default(first.clone()),
            _ => Self::Nobody,
        }
    }

    /// The change that set it, the creation that left it at its default, and the adoption that
    /// found it: one of them or none.
    pub(super) fn documents(&self) -> [Option<ValueChangeDocument>; 3] {
        match self {
            Self::Change(change) => [Some(change.into()), None, None],
            Self::Default(change) => [None, Some(change.into()), None],
            Self::Adopted(change) => [None, None, Some(change.into())],
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
            Self::Default(_) | Self::Adopted(_) => false,
            // Created without it, and no run set it since.
            Self::Nobody => {
                let is_empty =
                    value.is_none_or(|value| value.as_array().is_some_and(Vec::is_empty));
                !is_empty && history.last().is_some_and(is_creation)
            }
        }
    }
}

fn is_creation(change: &ChangeRecord) -> bool {
    change.verb == StepVerb::Create.word()
}

/// Whether a value is the one that a creation gives when nothing is said.
fn is_default(first: &ChangeRecord, field: &FieldRef, stored: Option<&model::Value>) -> bool {
    let kind = kinds::by_name(&first.kind);
    let default = kind.and_then(|kind| kind.fields.get(field.own()?)?.default.value());
    stored.is_some() && stored == default.as_ref() && is_creation(first)
}

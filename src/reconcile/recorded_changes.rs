//! Reads committed changes back into values, by the table of kinds.

use crate::kinds::{self, act};
use crate::model::{RecordedChange, RecordedField, RecordedValues, RecordedVerb};
use crate::plan::StepVerb;
use crate::store::ChangeRecord;
use serde_json::Value as Json;

/// A committed change with its values. `None` after the erasure of its resource, and for a kind that
/// this release does not know.
pub(super) fn recorded_change(change: &ChangeRecord) -> Option<RecordedChange> {
    let key = change.key()?;
    let kind = kinds::get(key.kind);
    // What was erased of a list has no members, and facts are no fields.
    let fields = change.fields.iter().filter_map(|(name, values)| {
        let field = kind.field_ref(name)?;
        let of = kind.field(&field);
        let values = match values.as_array().map(Vec::as_slice) {
            Some([after]) => known(None, Some(after), |json| kinds::json::recorded(of, json)),
            Some([before, after]) => known(Some(before), Some(after), |json| {
                kinds::json::recorded(of, json)
            }),
            _ => RecordedValues::Unknown,
        };
        Some(RecordedField { field, values })
    });
    let mut fields: Vec<RecordedField> = fields.collect();
    fields.sort_by(|a, b| a.field.cmp(&b.field));
    Some(RecordedChange {
        verb: verb(change),
        key,
        fields,
    })
}

fn known(
    before: Option<&Json>,
    after: Option<&Json>,
    read: impl Fn(&Json) -> Option<crate::model::Value>,
) -> RecordedValues {
    let value = |json: Option<&Json>| match json {
        None | Some(Json::Null) => Some(None),
        Some(json) => read(json).map(Some),
    };
    match (value(before), value(after)) {
        (Some(before), Some(after)) => RecordedValues::Known { before, after },
        _ => RecordedValues::Unknown,
    }
}

fn verb(change: &ChangeRecord) -> RecordedVerb {
    let is_final = || {
        let mut acts = act::ACTS.iter();
        acts.any(|act| act.is_final && act.name == change.verb)
    };
    match StepVerb::by_word(&change.verb) {
        Some(StepVerb::Create) => RecordedVerb::Create,
        Some(StepVerb::Delete) => RecordedVerb::Delete,
        // `deactivate` is the name of an act too, which takes no row away.
        None if change.source.is_empty() && is_final() => RecordedVerb::Delete,
        _ => RecordedVerb::Change,
    }
}

//! Records a change of a customer in the history, in the name of that person.

use super::person::DETAILS;
use crate::kinds::{self, USER};
use crate::store::act_history::{ActChange, CUSTOMER_ACTOR, record_run};
use crate::store::acts::random_plan_id;
use crate::store::connection::SqlTransaction;
use crate::store::error::StoreError;
use crate::store::sql_value;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The actor of the runs. The person stands with the values that can be erased.
pub(super) const ACTOR: &str = "self-service";

/// The change of a user, as the history stores it.
pub(super) struct UserChange {
    user: String,
    verb: &'static str,
    fields: Map<String, Json>,
}

/// A run that was appended and not yet committed.
pub(super) struct RecordedRun {
    pub(super) run: i64,
    pub(super) plan_id: String,
    /// When it was recorded, in milliseconds since 1970.
    pub(super) at: i64,
}

impl UserChange {
    pub(super) fn new(user: &str, verb: &'static str) -> Self {
        Self {
            user: user.to_owned(),
            verb,
            fields: Map::new(),
        }
    }

    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(super) fn verb(&self) -> &'static str {
        self.verb
    }

    /// Adds the new value of a field of a new user.
    pub(super) fn created(&mut self, field: &str, after: impl Into<Json>) {
        self.put(field, json!([after.into()]));
    }

    /// Adds the value of a field before and after, or the members that a list lost and gained.
    pub(super) fn changed(&mut self, field: &str, before: impl Into<Json>, after: impl Into<Json>) {
        self.put(field, json!([before.into(), after.into()]));
    }

    /// Adds the details that differ.
    pub(super) fn changed_details(
        &mut self,
        before: &BTreeMap<&'static str, String>,
        after: &BTreeMap<&'static str, Option<String>>,
    ) {
        for field in DETAILS {
            if let Some(value) = after.get(field) {
                self.changed(field, json!(before.get(field)), json!(value));
            }
        }
    }

    fn put(&mut self, field: &str, values: Json) {
        self.fields.insert(field.to_owned(), values);
    }
}

/// Appends a run with the change of a user, made by a person for this reason.
pub(super) async fn record(
    tx: &mut SqlTransaction,
    person: &str,
    reason: &str,
    change: UserChange,
) -> Result<RecordedRun, StoreError> {
    // Whatever is said of a person is personal.
    let mut personal = change.fields;
    // With the kind, so that nobody takes a customer for an operator of the same name.
    let name = format!("{}/{person}", kinds::get(USER).name);
    personal.insert(CUSTOMER_ACTOR.to_owned(), name.into());
    let fields = json!({});
    let kind = kinds::get(USER);
    let entry = ActChange::new(reason, kind, &change.user, change.verb, &fields, personal);
    let (plan_id, at) = (random_plan_id(), sql_value::now());
    let run = record_run(tx, ACTOR, &[entry], &plan_id, at).await?;
    Ok(RecordedRun { run, plan_id, at })
}

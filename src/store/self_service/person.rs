//! The details of a person that self-service reads and writes: the columns of `users` that people
//! may change themselves. Start at [`DETAILS`].

use crate::kinds::{self, USER};
use crate::store::connection::{SqlRow, SqlTransaction};
use crate::store::error::StoreError;
use crate::store::sql_value::{SqlType, SqlValue};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The fields of a user that people change themselves.
pub(super) const DETAILS: [&str; 6] = [
    "civility",
    "firstName",
    "lastName",
    "email",
    "phone",
    "company",
];

/// The details of a person.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PersonalDetails {
    pub external_id: String,
    /// The values that are there, by field.
    #[serde(rename = "details", deserialize_with = "known_values")]
    pub values: BTreeMap<&'static str, String>,
}

impl PersonalDetails {
    pub fn value(&self, field: &str) -> Option<&str> {
        self.values.get(field).map(String::as_str)
    }
}

/// Reads values by field. One that a later release no longer has cannot be shown.
fn known_values<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<BTreeMap<&'static str, String>, D::Error> {
    let mut values = BTreeMap::<String, String>::deserialize(input)?;
    let known = DETAILS.into_iter();
    Ok(known
        .filter_map(|field| Some((field, values.remove(field)?)))
        .collect())
}

/// The column of a detail.
pub(super) fn column(field: &str) -> &'static str {
    let kind = kinds::get(USER);
    kind.fields[kind.expect_index(field)].column
}

/// The columns of the details of the table with this alias, the id first.
pub(super) fn columns(alias: &str) -> String {
    let details = DETAILS.map(|field| format!("{alias}.{}", column(field)));
    format!("{alias}.external_id, {}", details.join(", "))
}

/// The types of those columns, and of more after them.
pub(super) fn types(more: &[SqlType]) -> Vec<SqlType> {
    let mut types = vec![SqlType::Id];
    types.extend([SqlType::Text; DETAILS.len()]);
    types.extend(more);
    types
}

/// How many columns the details have.
pub(super) const WIDTH: usize = DETAILS.len() + 1;

/// Takes the details out of a row that begins with them.
pub(super) fn take(cells: &mut SqlRow) -> PersonalDetails {
    let external_id = cells[0].take_text().into();
    let values = DETAILS.iter().enumerate().filter_map(|(at, field)| {
        let text = cells[at + 1].take_optional_text()?;
        (!text.is_empty()).then(|| (*field, text.into()))
    });
    PersonalDetails {
        external_id,
        values: values.collect(),
    }
}

/// Writes details of a user, as the shop does. `None` clears one.
pub(super) async fn write(
    tx: &mut SqlTransaction,
    user: &str,
    details: &BTreeMap<&'static str, Option<String>>,
) -> Result<(), StoreError> {
    if details.is_empty() {
        return Ok(());
    }
    let sets = details.keys().map(|field| format!("{} = ?", column(field)));
    let sets: Vec<String> = sets.collect();
    let sql = format!(
        "UPDATE users SET {}, updated_at = {} WHERE external_id = ?",
        sets.join(", "),
        tx.dialect().now
    );
    let mut params: Vec<SqlValue> = details
        .values()
        .map(|value| value.as_ref().map_or(SqlValue::Null, SqlValue::text))
        .collect();
    params.push(user.into());
    tx.run(&sql, &params).await?;
    Ok(())
}

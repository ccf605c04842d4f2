//! The history of one user: the changes of the user, and those of other resources that put the user
//! into a list or took the user out of one. Of the latter, only that is read: the rest of such a
//! change is about others.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::history::{self, ChangeRecord};
use super::sql_value::{SqlValue, escape_like};
use crate::kinds::{self, USER};
use crate::model::Key;
use serde_json::Value as Json;

/// A change of another resource that put the user into a list, or took the user out of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListChange {
    pub seq: i64,
    pub run: i64,
    /// When its run committed, in milliseconds since 1970.
    pub at: i64,
    pub kind: String,
    pub external_id: Option<String>,
    pub field: String,
    pub added: bool,
    pub removed: bool,
}

/// Returns the changes of a user, oldest first.
pub(super) async fn own_history(
    tx: &mut SqlTransaction,
    id: &str,
) -> Result<Vec<ChangeRecord>, StoreError> {
    let sql = history::select_changes("c.kind = ? AND c.external_id = ? ORDER BY c.seq");
    let params = [kinds::get(USER).name.into(), id.into()];
    let found = tx.fetch(&sql, &params, &history::TYPES).await?;
    Ok(found.into_iter().map(history::record).collect())
}

/// The changes of lists of users that name the user. Of such a change, only that is returned: the
/// rest is about others.
pub(super) async fn list_changes(
    tx: &mut SqlTransaction,
    id: &str,
) -> Result<Vec<ListChange>, StoreError> {
    let owners = kinds::ALL.into_iter().filter(|kind| {
        let mut fields = kind.fields.iter();
        fields.any(|field| field.ty.target() == Some(USER))
    });
    let mut changes = Vec::new();
    for kind in owners {
        let sql =
            history::select_changes("c.kind = ? AND v.fields LIKE ? ESCAPE '!' ORDER BY c.seq");
        let quoted = Json::from(id).to_string();
        let params = [
            kind.name.into(),
            SqlValue::text(format!("%{}%", escape_like(&quoted))),
        ];
        let found = tx.fetch(&sql, &params, &history::TYPES).await?;
        for change in found.into_iter().map(history::record) {
            let named = change.fields.iter().filter_map(|(name, values)| {
                let field = kind.index(name).map(|index| &kind.fields[index])?;
                let members = (field.ty.target() == Some(USER)).then_some(values)?;
                let (removed, added) = named_members(members, id);
                (removed || added).then(|| ListChange {
                    seq: change.seq,
                    run: change.run,
                    at: change.at,
                    kind: change.kind.clone(),
                    external_id: change.external_id.clone(),
                    field: name.clone(),
                    added,
                    removed,
                })
            });
            changes.extend(named);
        }
    }
    changes.sort_by_key(|change| change.seq);
    Ok(changes)
}

/// Returns the changes of others that the user made as a customer, oldest first.
pub(super) async fn made_changes(
    tx: &mut SqlTransaction,
    id: &str,
) -> Result<Vec<ChangeRecord>, StoreError> {
    let key = Key::new(USER, id).to_string();
    let sql = history::select_changes("v.fields LIKE ? ESCAPE '!' ORDER BY c.seq");
    let quoted = Json::from(key.as_str()).to_string();
    let params = [SqlValue::text(format!("%{}%", escape_like(&quoted)))];
    let found = tx.fetch(&sql, &params, &history::TYPES).await?;
    let made = found.into_iter().map(history::record);
    let of_others = made.filter(|change| change.external_id.as_deref() != Some(id));
    Ok(of_others.filter(|change| change.actor == key).collect())
}

/// Whether the id is among the removed and among the added members of a list, as the history stores
/// them: the added ones, or both.
fn named_members(values: &Json, id: &str) -> (bool, bool) {
    let is_named = |members: Option<&Json>| match members {
        Some(Json::Array(members)) => members.iter().any(|member| member == id),
        Some(member) => member == id,
        None => false,
    };
    match values.as_array().map(Vec::as_slice) {
        Some([added]) => (false, is_named(Some(added))),
        Some([removed, added]) => (is_named(Some(removed)), is_named(Some(added))),
        _ => (false, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_of_a_list_are_told_from_texts_that_contain_them() {
        for (values, removed, added) in [
            (json!([["u-1"]]), false, true),
            (json!([["u-1"], []]), true, false),
            (json!([["u-2"], ["u-1"]]), false, true),
            (json!([["u-10"]]), false, false),
            (json!("u-1"), false, false),
        ] {
            assert_eq!(named_members(&values, "u-1"), (removed, added), "{values}");
        }
        assert_eq!(escape_like("50%_!"), "50!%!_!!");
    }
}

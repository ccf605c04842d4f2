//! Who sees what, as the views `visible_accounts`, `visible_organisations` and `visible_users` say.
//! The rule is in `views`; this reads it for one viewer.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use super::{Store, migrate, schema_versions};
use crate::kinds::{self, ACCOUNT, ORGANISATION, USER};
use crate::model::{Key, KindId};

/// The kinds of which a user sees only a part, with the view and its column.
const VISIBLE: [(KindId, &str, &str); 3] = [
    (USER, "visible_users", "user_id"),
    (ORGANISATION, "visible_organisations", "organisation_id"),
    (ACCOUNT, "visible_accounts", "account_id"),
];

/// What a user sees, each by external id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VisibleResources {
    pub users: Vec<String>,
    pub organisations: Vec<String>,
    pub accounts: Vec<String>,
}

/// The condition on `external_id` that leaves what a viewer sees, with one parameter, the viewer.
/// `None` for kinds that have no rule.
pub(super) fn condition(kind: KindId) -> Option<String> {
    let (_, view, column) = VISIBLE.iter().find(|(of, ..)| *of == kind)?;
    Some(format!(
        "external_id IN (SELECT v.{column} FROM {view} AS v WHERE v.viewer_id = ?)"
    ))
}

impl Store {
    /// Whether a rule says which resources of a kind a user sees.
    pub fn has_visibility(kind: KindId) -> bool {
        condition(kind).is_some()
    }

    /// Returns everything that a user sees, as of one moment; `None` if the user is not stored.
    pub async fn visible(&self, viewer: &str) -> Result<Option<VisibleResources>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read what a user sees").await? else {
            return Ok(None);
        };
        require_views(&mut tx).await?;
        let known = "SELECT 1 FROM users WHERE external_id = ?";
        if !tx.has_rows(known, &[viewer.into()]).await? {
            return Ok(None);
        }
        let mut seen = Vec::new();
        for (_, view, column) in VISIBLE {
            let sql = format!("SELECT {column} FROM {view} WHERE viewer_id = ? ORDER BY {column}");
            let found = tx.fetch(&sql, &[viewer.into()], &[SqlType::Id]).await?;
            let ids = found.into_iter().map(|mut cells| cells[0].take_text());
            seen.push(ids.map(String::from).collect());
        }
        let [users, organisations, accounts] = seen.try_into().unwrap_or_default();
        Ok(Some(VisibleResources {
            users,
            organisations,
            accounts,
        }))
    }

    /// Whether a user sees a resource, stored or not.
    pub async fn is_visible(&self, viewer: &str, key: &Key) -> Result<bool, StoreError> {
        let Some(condition) = condition(key.kind) else {
            return Ok(false);
        };
        let Some(mut tx) = self.begin_schema_read("read what a user sees").await? else {
            return Ok(false);
        };
        require_views(&mut tx).await?;
        let table = kinds::get(key.kind).table;
        let sql = format!("SELECT 1 FROM {table} WHERE external_id = ? AND {condition}");
        let params = [SqlValue::from(&key.id), viewer.into()];
        tx.has_rows(&sql, &params).await
    }
}

/// Fails if the database was written by a release without the views.
pub(super) async fn require_views(tx: &mut SqlTransaction) -> Result<(), StoreError> {
    match migrate::meta(tx).await? {
        Some(meta) if !schema_versions::has_all_views(meta.schema) => {
            migrate::require_current(tx).await.map(|_| ())
        }
        _ => Ok(()),
    }
}

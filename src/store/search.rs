//! Searches the resources of a kind, one page of keys at a time.

use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use super::tables::{self, ColumnContent, LinkTable};
use super::{Store, visibility};
use crate::kinds::{self, ACCOUNT, FieldType, USER};
use crate::model::{CompactText, KindId};

/// The conditions of a search.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery<'a> {
    /// Words to find in the external id or a text field, ignoring case.
    pub words: Option<&'a str>,
    pub status: Option<&'a str>,
    /// Only what belongs to this account: its users, organisations, policies, addresses and tags.
    pub account: Option<&'a str>,
    /// Only accounts that wait for an approval.
    pub pending: bool,
    /// Only what this user sees. Nothing of a kind for which there is no rule.
    pub as_user: Option<&'a str>,
    /// Only ids after this one, for the next page.
    pub after: Option<&'a str>,
    /// The page size.
    pub limit: u32,
}

impl Store {
    /// Returns the external ids of the matching resources, sorted.
    pub async fn search(
        &self,
        kind: KindId,
        wanted: &SearchQuery<'_>,
    ) -> Result<Vec<CompactText>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("look for resources").await? else {
            return Ok(Vec::new());
        };
        let mut params: Vec<SqlValue> = vec![wanted.after.unwrap_or_default().into()];
        let mut conditions = vec!["external_id > ?".to_owned()];
        if let Some(status) = wanted.status {
            conditions.push("status = ?".to_owned());
            params.push(status.into());
        }
        if let Some(account) = wanted.account {
            let Some(condition) = of_account(kind) else {
                return Ok(Vec::new());
            };
            conditions.push(condition);
            params.push(account.into());
        }
        if wanted.pending && kind != ACCOUNT {
            return Ok(Vec::new());
        }
        if wanted.pending {
            conditions.push("approval = 'pending'".to_owned());
        }
        if let Some(viewer) = wanted.as_user {
            visibility::require_views(&mut tx).await?;
            let Some(condition) = visibility::condition(kind) else {
                return Ok(Vec::new());
            };
            conditions.push(condition);
            params.push(viewer.into());
        }
        // Every word must match, each in any of the columns.
        for word in wanted.words.into_iter().flat_map(str::split_whitespace) {
            let texts = texts(kind).into_iter();
            let mut any: Vec<String> = texts
                .map(|column| format!("lower({column}) LIKE ? ESCAPE '\\'"))
                .collect();
            if kind == USER {
                // People are looked for by the name that they log in with.
                any.push(
                    "EXISTS (SELECT 1 FROM user_logins AS n JOIN user_accounts AS l \
                     ON l.user_id = n.user_id AND l.account_id = n.account_id \
                     WHERE n.user_id = users.external_id AND lower(n.name) LIKE ? ESCAPE '\\')"
                        .to_owned(),
                );
            }
            conditions.push(format!("({})", any.join(" OR ")));
            params.extend(any.iter().map(|_| SqlValue::text(pattern(word))));
        }
        params.push(i64::from(wanted.limit).into());
        let sql = format!(
            "SELECT external_id FROM {} WHERE {} ORDER BY external_id LIMIT ?",
            kinds::get(kind).table,
            conditions.join(" AND ")
        );
        let found = tx.fetch(&sql, &params, &[SqlType::Id]).await?;
        let ids = found.into_iter().map(|mut cells| cells[0].take_text());
        Ok(ids.collect())
    }
}

/// Whether resources of a kind can be searched by account.
pub fn has_account(kind: KindId) -> bool {
    of_account(kind).is_some()
}

/// The condition that a resource of a kind belongs to an account: it names the account, or the
/// account names it.
fn of_account(kind: KindId) -> Option<String> {
    let table = tables::for_kind(kind);
    let name = table.kind.table;
    let linked = |link: &LinkTable, own: &str, other: &str| {
        format!(
            "EXISTS (SELECT 1 FROM {0} AS l WHERE l.{own} = {name}.external_id AND l.{other} = ?)",
            link.name
        )
    };
    let mut own = table.links.iter();
    if let Some(link) = own.find(|link| link.target == Some(ACCOUNT)) {
        return Some(linked(link, &link.owner, &link.member));
    }
    let index = table.kind.account_fields().next();
    if let Some(index) = index {
        return Some(format!("{} = ?", table.kind.fields[index].column));
    }
    let mut others = tables::for_kind(ACCOUNT).links.iter();
    let link = others.find(|link| link.target == Some(kind))?;
    Some(linked(link, &link.member, &link.owner))
}

/// The columns that are searched.
fn texts(kind: KindId) -> Vec<&'static str> {
    let table = tables::for_kind(kind);
    let columns = table.columns.iter().filter(|column| match column.content {
        ColumnContent::Id => true,
        ColumnContent::Field(index) => {
            let ty = &table.kind.fields[index].ty;
            matches!(
                ty,
                FieldType::Text(_) | FieldType::Email | FieldType::Phone | FieldType::Vat
            )
        }
        _ => false,
    });
    columns.map(|column| column.name.as_str()).collect()
}

/// A pattern that matches a word anywhere in a text.
fn pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.to_lowercase().chars() {
        // A `%` in the search text is a character to find and not a wildcard.
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "%"
}

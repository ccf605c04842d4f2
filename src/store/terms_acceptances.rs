//! Which users have accepted which version of which terms. An acceptance is of one Terms document
//! and names its version, the SHA-256 of the content; it is valid while that is the stored version.
//! Acts and the invitation page record acceptances, an apply with new content deletes them.

use super::Store;
use super::connection::{BatchStatement, SqlTransaction};
use super::error::StoreError;
use super::some_rows::WantedResources;
use super::sql_value::{self, SqlType, SqlValue};
use crate::model::CompactText;
use chrono::DateTime;
use std::collections::HashMap;

/// A version of a Terms document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TermsVersion {
    /// The external id of the document.
    pub terms: String,
    /// The SHA-256 of its content, in hexadecimal.
    pub version: String,
}

/// A Terms document, with the version that is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurrentTerms {
    pub title: String,
    pub current: TermsVersion,
}

/// Terms that a user has accepted, in their stored version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TermsAcceptance {
    pub accepted: TermsVersion,
    /// When, as ISO 8601 in UTC.
    pub at: String,
}

impl Store {
    /// Returns all Terms documents with their stored versions, by external id.
    pub async fn current_terms(&self) -> Result<Vec<CurrentTerms>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the terms").await? else {
            return Ok(Vec::new());
        };
        current(&mut tx).await
    }

    /// Returns how many users have accepted a version of a Terms document.
    pub async fn count_acceptances(&self, terms: &str, version: &str) -> Result<u64, StoreError> {
        let Some(mut tx) = self.begin_schema_read("count the acceptances").await? else {
            return Ok(0);
        };
        let sql = "SELECT count(*) FROM terms_acceptances AS a \
                   JOIN users AS u ON u.external_id = a.user_id \
                   WHERE a.terms_id = ? AND a.version = ?";
        let params = [terms.into(), version.into()];
        let found = tx.first(sql, &params, &[SqlType::Int]).await?;
        Ok(found.map_or(0, |cells| cells[0].int().unsigned_abs()))
    }
}

pub(super) async fn current(tx: &mut SqlTransaction) -> Result<Vec<CurrentTerms>, StoreError> {
    let sql = "SELECT external_id, title, file_sha256 FROM terms \
               WHERE file_sha256 IS NOT NULL ORDER BY external_id";
    let types = [SqlType::Id, SqlType::Text, SqlType::Text];
    let found = tx.fetch(sql, &[], &types).await?;
    let terms = found.into_iter().map(|mut cells| CurrentTerms {
        title: cells[1].take_text().into(),
        current: TermsVersion {
            terms: cells[0].take_text().into(),
            version: cells[2].take_text().into(),
        },
    });
    Ok(terms.collect())
}

/// Returns the stored version of a Terms document; `None` if it is not stored.
pub(super) async fn stored_version(
    tx: &mut SqlTransaction,
    terms: &str,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT file_sha256 FROM terms WHERE external_id = ?";
    let found = tx.first(sql, &[terms.into()], &[SqlType::Text]).await?;
    Ok(found.map(|mut cells| cells[0].take_text().into()))
}

/// Records that users accept a version. The caller has compared it with the stored one.
pub(super) async fn record(
    tx: &mut SqlTransaction,
    accepted: &TermsVersion,
    users: impl Iterator<Item = &str>,
    at: i64,
) -> Result<(), StoreError> {
    let batch = BatchStatement {
        sql: "INSERT INTO terms_acceptances (user_id, terms_id, version, at) {rows} \
              ON CONFLICT (user_id, terms_id) DO UPDATE SET version = excluded.version, at = excluded.at",
        types: &[SqlType::Id, SqlType::Id, SqlType::Text, SqlType::Time],
    };
    let rows = users.map(|user| {
        vec![
            SqlValue::text(user),
            SqlValue::text(&accepted.terms),
            SqlValue::text(&accepted.version),
            SqlValue::Time(at),
        ]
    });
    tx.batch(&batch, rows).await?;
    Ok(())
}

/// Carries over what users accepted before an acceptance named its document: the version alone, the
/// SHA-256 of the content. It is valid for each document that has this version now.
pub(super) async fn carry_over(tx: &mut SqlTransaction) -> Result<(), StoreError> {
    let sql = tx.dialect().columns;
    let columns = tx.fetch(sql, &["users".into()], &[SqlType::Id]).await?;
    let has = |name: &str| columns.iter().any(|cells| cells[0].as_text() == Some(name));
    if !has("terms_accepted") || !has("terms_accepted_at") {
        return Ok(());
    }
    let sql = "SELECT u.external_id, t.external_id, t.file_sha256, u.terms_accepted_at \
               FROM users AS u JOIN terms AS t ON t.file_sha256 = lower(u.terms_accepted)";
    let types = [SqlType::Id, SqlType::Id, SqlType::Text, SqlType::Text];
    let now = sql_value::now();
    for mut cells in tx.fetch(sql, &[], &types).await? {
        // The shop wrote the time as a text of its own.
        let at = cells[3].as_text().map(DateTime::parse_from_rfc3339);
        let at = at.and_then(|at| Some(at.ok()?.timestamp_millis()));
        let user: String = cells[0].take_text().into();
        let accepted = TermsVersion {
            terms: cells[1].take_text().into(),
            version: cells[2].take_text().into(),
        };
        let user = [user.as_str()].into_iter();
        record(tx, &accepted, user, at.unwrap_or(now)).await?;
    }
    Ok(())
}

/// Deletes the acceptances of every other version than this one.
pub(super) async fn reset(
    tx: &mut SqlTransaction,
    terms: &str,
    version: &str,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM terms_acceptances WHERE terms_id = ? AND version <> ?";
    tx.run(sql, &[terms.into(), version.into()]).await?;
    Ok(())
}

/// Returns the valid acceptances by user.
pub(super) async fn valid(
    tx: &mut SqlTransaction,
    wanted: WantedResources<'_>,
) -> Result<HashMap<CompactText, Vec<TermsAcceptance>>, StoreError> {
    let at = tx.dialect().iso_text("a.at");
    let sql = format!(
        "SELECT a.user_id, a.terms_id, a.version, {at} FROM terms_acceptances AS a \
         JOIN terms AS t ON t.external_id = a.terms_id AND t.file_sha256 = a.version {{of}} \
         ORDER BY a.user_id, a.terms_id"
    );
    let types = [SqlType::Id, SqlType::Id, SqlType::Text, SqlType::Text];
    let mut acceptances: HashMap<CompactText, Vec<TermsAcceptance>> = HashMap::new();
    for mut cells in wanted
        .fetch(tx, &sql, ("WHERE", "a.user_id"), &types)
        .await?
    {
        let [user, terms, version, at] = [0, 1, 2, 3].map(|at| cells[at].take_text());
        acceptances.entry(user).or_default().push(TermsAcceptance {
            accepted: TermsVersion {
                terms: terms.into(),
                version: version.into(),
            },
            at: at.into(),
        });
    }
    Ok(acceptances)
}

//! Approvals of holds and of sources, by named persons.

use super::daemon_state::{INSERT_ACT, act_params};
use super::error::StoreError;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use crate::model::Key;

/// That a person let a hold through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    pub hold: String,
    /// Which resource of it, as `User/u-1`; empty: all.
    pub resource: String,
    pub approver: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Store {
    /// Every approval of a hold, lapsed ones too.
    pub async fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the approvals").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT hold, resource, approver, reason, approved_at FROM approvals \
                   ORDER BY hold, resource";
        let types = [
            SqlType::Id,
            SqlType::Id,
            SqlType::Text,
            SqlType::Text,
            SqlType::Int,
        ];
        let found = tx.fetch(sql, &[], &types).await?;
        let approvals = found.into_iter().map(|mut cells| Approval {
            hold: cells[0].take_text().into(),
            resource: cells[1].take_text().into(),
            approver: cells[2].take_text().into(),
            reason: cells[3].take_text().into(),
            at: cells[4].int(),
        });
        Ok(approvals.collect())
    }

    /// Records that a person lets a hold through, all of it or one resource of it.
    pub async fn approve_hold(
        &self,
        hold: &str,
        only: Option<&Key>,
        approver: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let resource = only.map(ToString::to_string).unwrap_or_default();
        let sql = "INSERT INTO approvals (hold, resource, approver, reason, approved_at) \
                   VALUES (?, ?, ?, ?, ?) ON CONFLICT (hold, resource) DO UPDATE SET \
                   approver = excluded.approver, reason = excluded.reason, \
                   approved_at = excluded.approved_at";
        let subject = format!("{hold} {resource}");
        let act = act_params(approver, "approve hold", subject.trim_end(), reason);
        let of = [hold.into(), SqlValue::text(resource)];
        self.approve(sql, &of, act, approver, reason).await
    }

    /// Records that a person lets a source begin.
    pub async fn approve_source(
        &self,
        source: &str,
        approver: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO source_approvals (source, approver, reason, approved_at) \
                   VALUES (?, ?, ?, ?) ON CONFLICT (source) DO NOTHING";
        let act = act_params(approver, "approve source", source, reason);
        self.approve(sql, &[source.into()], act, approver, reason)
            .await
    }

    /// Whether a person has let a source begin.
    pub async fn source_approved(&self, source: &str) -> Result<bool, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the approvals").await? else {
            return Ok(false);
        };
        tx.has_rows(
            "SELECT 1 FROM source_approvals WHERE source = ?",
            &[source.into()],
        )
        .await
    }

    async fn approve(
        &self,
        sql: &str,
        of: &[SqlValue],
        act: [SqlValue; 6],
        approver: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write("record the approval").await?;
        migrate::require_current(&mut tx).await?;
        let mut params = of.to_vec();
        params.extend([
            approver.into(),
            reason.into(),
            SqlValue::Int(sql_value::now()),
        ]);
        tx.run(sql, &params).await?;
        tx.run(INSERT_ACT, &act).await?;
        tx.commit().await
    }
}

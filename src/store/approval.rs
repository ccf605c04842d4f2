//! Approvals of holds and of sources, each in the name of a person and written together with its
//! entry in the audit log.

use super::connection::SqlTransaction;
use super::daemon_state::{INSERT_ACT, act_params};
use super::error::{ApplyError, StoreError};
use super::incremental_tables::APPROVERS;
use super::sql_value::{SqlType, SqlValue};
use super::{Store, held_steps, migrate, schema_versions};
use crate::model::Key;
use crate::plan::CommitApproval;
use std::collections::{BTreeMap, BTreeSet};

/// The approval of a hold, or of one resource in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    pub hold: String,
    /// The resource, as `User/u-1`; empty for the whole hold.
    pub resource: String,
    pub approver: String,
    pub reason: String,
    /// When it was given, in milliseconds since 1970.
    pub at: i64,
}

/// Records an approval. A second one of the same hold renews the first one, because approvals expire.
const OF_HOLD: &str = "INSERT INTO approvals (hold, resource, approver, reason, approved_at) \
                       VALUES (?, ?, ?, ?, ?) ON CONFLICT (hold, resource) DO UPDATE SET \
                       approver = excluded.approver, reason = excluded.reason, \
                       approved_at = excluded.approved_at";

/// Records who approved a hold, beside the latest approval.
const BY_WHOM: &str = "INSERT INTO hold_approvers (hold, resource, approver, approved_at) \
                       VALUES (?, ?, ?, ?) ON CONFLICT (hold, resource, approver) DO UPDATE SET \
                       approved_at = excluded.approved_at";

/// The rejection of a hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HoldRejection {
    pub hold: String,
    /// Who rejected it.
    pub actor: String,
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// The names of the acts in the audit log.
const REJECT_HOLD: &str = "reject hold";
const APPROVE_HOLD: &str = "approve hold";
/// How many rejections are read. A hold ends when its source changes, so there are few.
const MAX_REJECTIONS: i64 = 1000;

impl Store {
    /// Records the rejection of a hold. The audit log is all that has it: a hold that nobody
    /// approves stays held anyway.
    pub async fn reject_hold(
        &self,
        hold: &str,
        actor: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.record_act(actor, REJECT_HOLD, hold, reason).await
    }

    /// Returns the rejections of holds since a moment, in milliseconds since 1970, newest first.
    pub async fn hold_rejections(&self, since: i64) -> Result<Vec<HoldRejection>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the rejections").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT at, actor, subject, reason FROM acts WHERE at >= ? AND act = ? \
                   ORDER BY at DESC, id LIMIT ?";
        let params = [since.into(), REJECT_HOLD.into(), MAX_REJECTIONS.into()];
        let types = [SqlType::Int, SqlType::Text, SqlType::Text, SqlType::Text];
        let found = tx.fetch(sql, &params, &types).await?;
        let rejections = found.into_iter().map(|mut cells| HoldRejection {
            at: cells[0].int(),
            actor: cells[1].take_text().into(),
            hold: cells[2].take_text().into(),
            reason: cells[3].take_text().into(),
        });
        Ok(rejections.collect())
    }

    /// Returns the latest approval of every hold, or of a resource in it, including expired ones.
    pub async fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the approvals").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT hold, resource, approver, reason, approved_at FROM approvals \
                   ORDER BY hold, resource";
        read_approvals(&mut tx, sql, &[]).await
    }

    /// Records the approval of a hold, or of one resource in it.
    pub async fn approve_hold(
        &self,
        hold: &str,
        only: Option<&Key>,
        approver: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let resource = only.map(ToString::to_string).unwrap_or_default();
        let subject = format!("{hold} {resource}");
        let act = act_params(approver, APPROVE_HOLD, subject.trim_end(), reason);
        let of = [hold.into(), SqlValue::text(resource)];
        self.approve(OF_HOLD, &of, act, approver, reason, Some(BY_WHOM))
            .await
    }

    /// Returns the approvals since a moment, of every person and with their reasons, that no apply
    /// used before the latest of the same hold.
    pub async fn approvals_of_everybody(&self, since: i64) -> Result<Vec<Approval>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the approvals").await? else {
            return Ok(Vec::new());
        };
        let schema = migrate::meta(&mut tx).await?.map_or(0, |meta| meta.schema);
        if schema_versions::adds_table(schema, APPROVERS) {
            return Ok(Vec::new());
        }
        // The reasons of all but the latest person are in the audit log alone.
        let sql = "SELECT a.hold, a.resource, a.approver, coalesce(c.reason, p.reason), a.approved_at \
                   FROM hold_approvers a \
                   JOIN approvals p ON p.hold = a.hold AND p.resource = a.resource \
                   LEFT JOIN acts c ON c.at = a.approved_at AND c.act = ? \
                     AND c.actor = a.approver AND c.subject = rtrim(a.hold || ' ' || a.resource) \
                   WHERE a.approved_at >= ? AND NOT EXISTS (SELECT 1 FROM used_approvals u \
                     WHERE u.hold = a.hold AND u.resource = a.resource \
                     AND u.approved_at >= a.approved_at AND u.approved_at < p.approved_at) \
                   ORDER BY a.hold, a.resource, a.approved_at";
        read_approvals(&mut tx, sql, &[APPROVE_HOLD.into(), since.into()]).await
    }

    /// Returns the people whose approvals of a hold, or of a resource of it, still count.
    pub async fn approvers(
        &self,
        since: i64,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the approvals").await? else {
            return Ok(BTreeMap::new());
        };
        held_steps::approvers(&mut tx, since).await
    }

    /// Records the first approval of a source.
    pub async fn approve_source(
        &self,
        source: &str,
        approver: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        // Once approved, a source stays approved: a later call must not change who did it first.
        let sql = "INSERT INTO source_approvals (source, approver, reason, approved_at) \
                   VALUES (?, ?, ?, ?) ON CONFLICT (source) DO NOTHING";
        let act = act_params(approver, "approve source", source, reason);
        self.approve(sql, &[source.into()], act, approver, reason, None)
            .await
    }

    /// Whether a source has its first approval.
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

    /// Returns why holds were approved, of the approvals that name a commit.
    pub async fn approval_reasons_naming(&self, commit: &str) -> Result<Vec<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the approvals").await? else {
            return Ok(Vec::new());
        };
        reasons_naming(&mut tx, commit).await
    }

    async fn approve(
        &self,
        sql: &str,
        of: &[SqlValue],
        act: [SqlValue; 6],
        approver: &str,
        reason: &str,
        by_whom: Option<&str>,
    ) -> Result<(), StoreError> {
        // One transaction: an approval without its entry in the audit log must not exist.
        let mut tx = self.begin_write("record the approval").await?;
        migrate::require_current(&mut tx).await?;
        let mut params = of.to_vec();
        // The moment of the entry in the audit log, by which its reason is found.
        let [now, ..] = act.clone();
        if let Some(by_whom) = by_whom {
            let mut params = params.clone();
            params.extend([approver.into(), now.clone()]);
            tx.run(by_whom, &params).await?;
        }
        params.extend([approver.into(), reason.into(), now]);
        tx.run(sql, &params).await?;
        tx.run(INSERT_ACT, &act).await?;
        tx.commit().await
    }
}

async fn read_approvals(
    tx: &mut SqlTransaction,
    sql: &str,
    params: &[SqlValue],
) -> Result<Vec<Approval>, StoreError> {
    let types = [
        SqlType::Id,
        SqlType::Id,
        SqlType::Text,
        SqlType::Text,
        SqlType::Int,
    ];
    let found = tx.fetch(sql, params, &types).await?;
    let approvals = found.into_iter().map(|mut cells| Approval {
        hold: cells[0].take_text().into(),
        resource: cells[1].take_text().into(),
        approver: cells[2].take_text().into(),
        reason: cells[3].take_text().into(),
        at: cells[4].int(),
    });
    Ok(approvals.collect())
}

async fn reasons_naming(tx: &mut SqlTransaction, commit: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT reason FROM acts WHERE act = ? AND reason LIKE ?";
    let params = [APPROVE_HOLD.into(), SqlValue::text(format!("%{commit}%"))];
    let found = tx.fetch(sql, &params, &[SqlType::Text]).await?;
    let reasons = found.into_iter().map(|mut cells| cells[0].take_text());
    Ok(reasons.map(Into::into).collect())
}

/// Records the approvals by signed commits, as if each person had approved the hold by its id.
pub(super) async fn record_commit_approvals(
    tx: &mut SqlTransaction,
    approvals: &[CommitApproval],
) -> Result<(), ApplyError> {
    for approval in approvals {
        // Each trailer counts once. Another source of the same repository may have been faster.
        let earlier = reasons_naming(tx, &approval.commit).await?;
        if approval.is_used(&earlier) {
            let what = format!("the trailer of commit {} was used", approval.commit);
            return Err(ApplyError::Stale { what: vec![what] });
        }
        let (hold, person) = (approval.hold.as_str(), approval.person.as_str());
        let (none, reason) = (SqlValue::text(""), approval.reason());
        let act = act_params(person, APPROVE_HOLD, hold, &reason);
        let [now, ..] = act.clone();
        let params = [hold.into(), none.clone(), person.into(), now.clone()];
        tx.run(BY_WHOM, &params).await?;
        let given = SqlValue::text(reason.clone());
        let params = [hold.into(), none, person.into(), given, now];
        tx.run(OF_HOLD, &params).await?;
        tx.run(INSERT_ACT, &act).await?;
    }
    Ok(())
}

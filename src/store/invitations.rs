//! Invitations: links that work once, with which people set a password. An act makes them
//! (`replace`); a link to be sent by mail waits in the outbox and gets its token when it is sent
//! for the first time (`issue_invitation`). `invitation_acceptance` uses links.
//!
//! The database holds the hash of a token and never the token. Who reads the database, or a backup
//! of it, can use no link.

use super::connection::{BatchStatement, SqlTransaction};
use super::error::StoreError;
use super::outbox::{INVITATION_DOCUMENT, INVITATION_TARGET};
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use crate::kinds::act::ACCEPT_INVITATION;
use crate::kinds::{self, SETTINGS, read};
use crate::model::Value;
use rand::RngCore;
use std::collections::BTreeMap;

/// How long an ended invitation is kept, in milliseconds. Until then its link is answered with the
/// reason why it does not work.
const KEPT: i64 = 365 * 24 * 3_600_000;

const COLUMNS: [(&str, SqlType); 6] = [
    ("id", SqlType::Id),
    ("user_id", SqlType::Id),
    ("token_hash", SqlType::Bytes),
    ("ttl", SqlType::Int),
    ("created_at", SqlType::Int),
    ("expires_at", SqlType::Int),
];

const OUTBOX: [(&str, SqlType); 6] = [
    ("id", SqlType::Id),
    ("target", SqlType::Text),
    ("notice", SqlType::Text),
    ("attempts", SqlType::Int),
    ("next_at", SqlType::Int),
    ("created_at", SqlType::Int),
];

/// The SHA-256 of a token.
pub type TokenDigest = [u8; 32];

/// Invitations to store, one per user.
#[derive(Clone, Copy, Debug)]
pub struct NewInvitations<'a> {
    pub by_user: &'a BTreeMap<String, NewInvitation>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewInvitation {
    /// Random, and the same in every mail with this invitation.
    pub id: String,
    /// Of a draft. Without it, the invitation is sent by mail.
    pub token_hash: Option<TokenDigest>,
}

impl NewInvitation {
    /// An invitation whose token hash follows from its id, or without one.
    pub fn new(token_hash: impl FnOnce(&str) -> Option<TokenDigest>) -> Self {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        let id = crate::model::Digest(bytes).to_string();
        Self {
            token_hash: token_hash(&id),
            id,
        }
    }
}

impl NewInvitations<'_> {
    pub(super) fn id_of(self, user: &str) -> Option<String> {
        self.by_user
            .get(user)
            .map(|invitation| invitation.id.clone())
    }
}

/// A stored invitation and the person it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredInvitation {
    pub id: String,
    pub user: String,
    pub email: Option<String>,
    /// First and last name.
    pub name: String,
    pub created_at: i64,
    /// `None` until it is sent for the first time.
    pub expires_at: Option<i64>,
    pub state: InvitationState,
}

/// Whether the link of an invitation works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvitationState {
    Open,
    /// Not now: the person is blocked or inactive, or cannot log in.
    Paused,
    /// Never again: too late, replaced by a newer one, or the person was deleted.
    Expired,
    Used,
}

/// Returns the users without an e-mail address to whom an invitation is to be sent.
pub(super) async fn users_without_address(
    tx: &mut SqlTransaction,
    new: NewInvitations<'_>,
) -> Result<Vec<String>, StoreError> {
    let sent = new.by_user.iter();
    let sent = sent.filter(|(_, invitation)| invitation.token_hash.is_none());
    let batch = BatchStatement {
        sql: "WITH v(id) AS MATERIALIZED ({rows}) SELECT u.external_id FROM v \
              JOIN users AS u ON u.external_id = v.id WHERE coalesce(u.email, '') = ''",
        types: &[SqlType::Id],
    };
    let rows = sent.map(|(user, _)| vec![SqlValue::text(user)]);
    let found = tx.batch_fetch(&batch, rows, &[SqlType::Id]).await?;
    let ids = found.into_iter().map(|mut cells| cells[0].take_text());
    let mut ids: Vec<String> = ids.map(Into::into).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// How long a link works, in milliseconds: `invitationTtl` of the settings.
async fn link_ttl(tx: &mut SqlTransaction) -> Result<i64, StoreError> {
    let kind = kinds::get(SETTINGS);
    let field = &kind.fields[kind.expect_index("invitationTtl")];
    let sql = format!("SELECT {} FROM {}", field.column, kind.table);
    let stored = tx.first(&sql, &[], &[SqlType::Text]).await?;
    let stored = stored.and_then(|mut cells| cells[0].take_optional_text());
    let default = field.default.value();
    let text = stored.as_deref();
    let text = text.or_else(|| default.as_ref().and_then(Value::as_text));
    let seconds = text.and_then(read::duration_seconds).unwrap_or_default();
    Ok(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}

/// Voids the earlier invitations of the users and stores the new ones. Those to be sent are put
/// into the outbox, in the same transaction.
pub(super) async fn replace(
    tx: &mut SqlTransaction,
    new: NewInvitations<'_>,
    now: i64,
) -> Result<(), StoreError> {
    void(tx, new.by_user.keys(), now).await?;
    let ttl = link_ttl(tx).await?;
    let sql = "DELETE FROM invitations WHERE expires_at < ? OR voided_at < ?";
    tx.run(sql, &[(now - KEPT).into(), (now - KEPT).into()])
        .await?;
    let rows = new.by_user.iter().map(|(user, invitation)| {
        let hash = invitation.token_hash;
        vec![
            SqlValue::text(&invitation.id),
            SqlValue::text(user),
            hash.map_or(SqlValue::Null, |hash| SqlValue::Bytes(hash.to_vec())),
            ttl.into(),
            now.into(),
            // The time of a mail starts when it is sent. It may wait long for a daemon.
            hash.map_or(SqlValue::Null, |_| (now.saturating_add(ttl)).into()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    tx.insert("invitations", &COLUMNS, rows).await?;
    let sent = new.by_user.values();
    let sent = sent.filter(|invitation| invitation.token_hash.is_none());
    let rows = sent.map(|invitation| {
        vec![
            SqlValue::text(&invitation.id),
            INVITATION_TARGET.into(),
            INVITATION_DOCUMENT.into(),
            0.into(),
            now.into(),
            now.into(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    tx.insert("outbox", &OUTBOX, rows).await?;
    Ok(())
}

/// Voids the open invitations of users, and takes back those that were not sent yet.
pub(super) async fn void(
    tx: &mut SqlTransaction,
    users: impl Iterator<Item = impl AsRef<str>>,
    now: i64,
) -> Result<(), StoreError> {
    let rows: Vec<_> = users
        .map(|user| vec![SqlValue::text(user), now.into()])
        .collect();
    let types = &[SqlType::Id, SqlType::Int];
    for sql in [
        "WITH v(id, at) AS MATERIALIZED ({rows}) DELETE FROM outbox WHERE id IN \
         (SELECT i.id FROM invitations AS i JOIN v ON v.id = i.user_id)",
        "WITH v(id, at) AS MATERIALIZED ({rows}) UPDATE invitations SET voided_at = v.at FROM v \
         WHERE invitations.user_id = v.id AND invitations.voided_at IS NULL \
         AND invitations.used_at IS NULL",
    ] {
        let batch = BatchStatement { sql, types };
        tx.batch(&batch, rows.iter().cloned()).await?;
    }
    Ok(())
}

/// Who cannot log in yet is invited from here on.
pub(super) async fn mark_invited(
    tx: &mut SqlTransaction,
    users: impl Iterator<Item = &String>,
    now: i64,
) -> Result<(), StoreError> {
    let batch = BatchStatement {
        sql: "WITH v(id, at) AS MATERIALIZED ({rows}) UPDATE users SET invited_at = v.at, \
              access = CASE WHEN coalesce(access, 'unregistered') = 'unregistered' \
              THEN 'invited' ELSE access END FROM v WHERE users.external_id = v.id",
        types: &[SqlType::Id, SqlType::Text],
    };
    let at = sql_value::iso(now);
    let rows = users.map(|user| vec![SqlValue::text(user), SqlValue::text(&at)]);
    let rows: Vec<_> = rows.collect();
    tx.batch(&batch, rows).await?;
    Ok(())
}

impl Store {
    /// Returns an invitation by its id.
    pub async fn invitation(&self, id: &str) -> Result<Option<StoredInvitation>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the invitation").await? else {
            return Ok(None);
        };
        find(&mut tx, "i.id = ?", id.into()).await
    }

    /// Returns the invitation of a token.
    pub async fn invitation_of_token(
        &self,
        token_hash: &TokenDigest,
    ) -> Result<Option<StoredInvitation>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the invitation").await? else {
            return Ok(None);
        };
        let hash = SqlValue::Bytes(token_hash.to_vec());
        find(&mut tx, "i.token_hash = ?", hash).await
    }

    /// Gives an invitation its token when it is sent for the first time; its time starts then.
    /// Returns whether the token is this one.
    pub async fn issue_invitation(
        &self,
        id: &str,
        token_hash: &TokenDigest,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_write("issue the invitation").await?;
        migrate::require_current(&mut tx).await?;
        let hash = SqlValue::Bytes(token_hash.to_vec());
        let sql = "UPDATE invitations SET token_hash = ?, expires_at = ? + ttl \
                   WHERE id = ? AND token_hash IS NULL";
        let now = sql_value::now();
        tx.run(sql, &[hash.clone(), now.into(), id.into()]).await?;
        let sql = "SELECT 1 FROM invitations WHERE id = ? AND token_hash = ?";
        let is_own = tx.has_rows(sql, &[id.into(), hash]).await?;
        tx.commit().await?;
        Ok(is_own)
    }
}

/// Reads the invitation that a condition with one parameter finds.
pub(super) async fn find(
    tx: &mut SqlTransaction,
    condition: &str,
    param: SqlValue,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = format!(
        "SELECT i.id, i.user_id, i.created_at, i.expires_at, i.voided_at, i.used_at, \
         u.status, u.blocked, u.access, u.email, u.first_name, u.last_name \
         FROM invitations AS i LEFT JOIN users AS u ON u.external_id = i.user_id WHERE {condition}"
    );
    let types = [
        SqlType::Id,
        SqlType::Id,
        SqlType::Int,
        SqlType::Int,
        SqlType::Int,
        SqlType::Int,
        SqlType::Text,
        SqlType::Text,
        SqlType::Text,
        SqlType::Text,
        SqlType::Text,
        SqlType::Text,
    ];
    let Some(mut cells) = tx.first(&sql, &[param], &types).await? else {
        return Ok(None);
    };
    let mut text = |at: usize| cells[at].take_optional_text();
    let (status, blocked, access) = (text(6), text(7), text(8));
    let (email, names) = (text(9), [text(10), text(11)]);
    let names: Vec<String> = names.into_iter().flatten().map(Into::into).collect();
    let (id, user) = (text(0).unwrap_or_default(), text(1).unwrap_or_default());
    let expires_at = cells[3].as_int();
    let is_late = expires_at.is_some_and(|expires| expires <= sql_value::now());
    let may_log_in = status.as_deref() == Some("active") && blocked.is_none();
    let state = ACCEPT_INVITATION.state(access.as_deref());
    let state = match () {
        () if cells[5].as_int().is_some() => InvitationState::Used,
        // A missing row has no status.
        () if cells[4].as_int().is_some() || is_late || status.is_none() => {
            InvitationState::Expired
        }
        () if may_log_in && ACCEPT_INVITATION.from.contains(&state) => InvitationState::Open,
        () => InvitationState::Paused,
    };
    Ok(Some(StoredInvitation {
        id: id.into(),
        user: user.into(),
        email: email
            .map(Into::into)
            .filter(|email: &String| !email.is_empty()),
        name: names.join(" "),
        created_at: cells[2].int(),
        expires_at,
        state,
    }))
}

//! Notifications waiting to be sent. They are kept in the database until they are delivered, and
//! any replica may send them. `take_notice` reserves one, then `drop_notice` or `delay_notice`
//! settles it.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate, paused_invitations};

/// A notification waiting to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxNotice {
    /// The same on every attempt, so that the receiver can recognise a repeat.
    pub id: String,
    pub target: String,
    /// The notification, a JSON document of the daemon's.
    pub notice: String,
    /// How many earlier attempts there were.
    pub attempts: u32,
}

/// The target of invitations in the outbox.
pub(super) const INVITATION_TARGET: &str = "invitation";
/// The document of an invitation in the outbox. The row says neither whom it is for nor what the
/// link is; its id is that of the invitation.
pub(super) const INVITATION_DOCUMENT: &str = "{}";

impl OutboxNotice {
    /// Whether it is an invitation. A target of notices may have the same name.
    #[must_use]
    pub fn is_invitation(&self) -> bool {
        self.target == INVITATION_TARGET && self.notice == INVITATION_DOCUMENT
    }
}

/// A notification to put out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxEntry {
    /// The same whenever the same notification is made again.
    pub id: String,
    pub target: String,
    /// The notification, a JSON document of the daemon's.
    pub notice: String,
}

/// Adds a notification for a target; an existing one with this id is left unchanged.
pub(super) async fn insert_entry(
    tx: &mut SqlTransaction,
    entry: &OutboxEntry,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO outbox (id, target, notice, attempts, next_at, created_at) \
               VALUES (?, ?, ?, 0, ?, ?) ON CONFLICT (id) DO NOTHING";
    let now = sql_value::now();
    let params = [
        entry.id.as_str().into(),
        entry.target.as_str().into(),
        entry.notice.as_str().into(),
        now.into(),
        now.into(),
    ];
    tx.run(sql, &params).await?;
    Ok(())
}

impl Store {
    /// Puts a notification out.
    pub async fn post(&self, entry: &OutboxEntry) -> Result<(), StoreError> {
        let mut tx = self.begin_write("put the notice out").await?;
        migrate::require_current(&mut tx).await?;
        insert_entry(&mut tx, entry).await?;
        tx.commit().await
    }

    /// Reserves the notification that is due first: no other replica sends it for `hold`
    /// milliseconds.
    pub async fn take_notice(&self, hold: i64) -> Result<Option<OutboxNotice>, StoreError> {
        let mut tx = self.begin_write("take a notice").await?;
        migrate::require_current(&mut tx).await?;
        let (sql, types) = (
            // A creation time in the future means that the clock was set back since; otherwise it
            // would wait until the clock has caught up.
            "SELECT id, target, notice, attempts FROM outbox WHERE next_at <= ? OR created_at > ? \
             ORDER BY next_at, id LIMIT 1",
            [SqlType::Id, SqlType::Text, SqlType::Text, SqlType::Int],
        );
        let sql = format!("{sql}{}", tx.dialect().for_update);
        let now = sql_value::now();
        let Some(mut cells) = tx.first(&sql, &[now.into(), now.into()], &types).await? else {
            return Ok(None);
        };
        let due = OutboxNotice {
            id: cells[0].take_text().into(),
            target: cells[1].take_text().into(),
            notice: cells[2].take_text().into(),
            attempts: u32::try_from(cells[3].int()).unwrap_or(u32::MAX),
        };
        // The reservation is written before the notification is sent. If this replica dies on the
        // way, another one sends it after `hold`: twice rather than never.
        let sql = "UPDATE outbox SET attempts = attempts + 1, next_at = ?, \
                   created_at = CASE WHEN created_at > ? THEN ? ELSE created_at END \
                   WHERE id = ? AND (next_at <= ? OR created_at > ?)";
        let time = || SqlValue::from(now);
        let params = [
            (now + hold).into(),
            time(),
            time(),
            due.id.as_str().into(),
            time(),
            time(),
        ];
        // Another replica may have reserved it while this one waited for the row.
        let taken = tx.run(sql, &params).await? == 1;
        tx.commit().await?;
        Ok(taken.then_some(due))
    }

    /// Deletes a notification that was sent or never will be.
    pub async fn drop_notice(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_write("drop the notice").await?;
        tx.run("DELETE FROM outbox WHERE id = ?", &[id.into()])
            .await?;
        tx.commit().await
    }

    /// Delays a notification that could not be sent.
    pub async fn delay_notice(&self, id: &str, wait: i64, error: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_write("delay the notice").await?;
        let sql = "UPDATE outbox SET next_at = ?, error = ? WHERE id = ?";
        let params = [
            (sql_value::now() + wait).into(),
            SqlValue::text(error),
            id.into(),
        ];
        tx.run(sql, &params).await?;
        tx.commit().await
    }

    /// Returns how many notifications are waiting to be sent, and one of their last errors. An
    /// invitation that waits until its person may log in is none of them.
    pub async fn waiting_notices(&self) -> Result<(u64, Option<String>), StoreError> {
        let Some(mut tx) = self.begin_schema_read("count the notices").await? else {
            return Ok((0, None));
        };
        let mut sql = "SELECT count(*), max(o.error) FROM outbox AS o".to_owned();
        let mut params: Vec<SqlValue> = Vec::new();
        // The database of an older release has no such table yet.
        if migrate::has_table(&mut tx, "invitations").await? {
            let paused = paused_invitations::condition();
            sql += &format!(
                " WHERE NOT (o.target = ? AND EXISTS (SELECT 1 FROM invitations AS i \
                 JOIN users AS u ON u.external_id = i.user_id WHERE i.id = o.id AND {paused}))"
            );
            params = vec![INVITATION_TARGET.into(), sql_value::now().into()];
        }
        let mut cells = tx
            .first(&sql, &params, &[SqlType::Int, SqlType::Text])
            .await?
            .unwrap_or_default();
        let count = cells.first().map_or(0, SqlValue::int);
        let error = cells.get_mut(1).and_then(SqlValue::take_optional_text);
        Ok((
            u64::try_from(count).unwrap_or_default(),
            error.map(Into::into),
        ))
    }
}

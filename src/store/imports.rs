//! Files and records that somebody pushed to a source. An import is kept in the database, not in a
//! folder, so that every replica knows it, any replica can process it, and its result is written in
//! the transaction that applies it. Life cycle: `queue_import`, `begin_import`, then `end` from an
//! apply or `end_imports` when nothing was applied.

use super::connection::{SqlRow, SqlTransaction};
use super::erased_ids::{DroppedRecord, record_dropped};
use super::error::StoreError;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use rand::Rng;

/// How many imports of a source may be waiting, or still contain held records.
const MAX_QUEUED: i64 = 100;
/// How long an answered import is kept, in milliseconds: a week.
const KEPT: i64 = 7 * 24 * 60 * 60 * 1000;

/// An import as it is submitted.
#[derive(Clone, Debug)]
pub struct ImportRequest<'a> {
    /// The id it is stored under, from [`new_import_id`].
    pub id: &'a str,
    pub source: &'a str,
    /// The kind of its records.
    pub kind: &'a str,
    pub actor: &'a str,
    /// The sender's idempotency key.
    pub key: Option<&'a str>,
    /// The digest by which a repeat with this key is recognised as the same request.
    pub digest: &'a str,
    /// The file name extension: `json`, `csv`, `xlsx`.
    pub ending: &'a str,
    /// Whether one invalid record rejects the whole import.
    pub atomic: bool,
    pub body: &'a [u8],
    /// The records that are not in it, because they name users who were erased.
    pub dropped: &'a [DroppedRecord],
}

/// Returns the id of a new import.
#[must_use]
pub fn new_import_id() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}

/// The result of submitting an import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportReceipt {
    /// It was stored under this id.
    New(String),
    /// It was submitted before with this key.
    Duplicate { id: String, same: bool },
    /// Too many imports of this source are waiting.
    QueueFull(i64),
}

/// The state of an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImportState {
    /// Waiting to be processed.
    Queued,
    Running,
    /// Answered.
    Done,
    /// Abandoned.
    Lost,
}

/// A stored import and its result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredImport {
    pub id: String,
    /// The source it was sent to.
    pub source: String,
    /// The kind of its records.
    pub kind: String,
    pub actor: String,
    /// The file name under which diagnostics mention its records.
    pub name: String,
    /// Whether one invalid record rejects the whole import.
    pub atomic: bool,
    pub state: ImportState,
    /// How often processing was started.
    pub attempts: i64,
    /// When it was received, in milliseconds since 1970.
    pub at: i64,
    /// When it was answered, in milliseconds since 1970; 0 before.
    pub ended_at: i64,
    /// The run that applied it, if there was anything to apply.
    pub run: Option<i64>,
    /// The answer, a JSON document of the daemon's; for an abandoned import, the reason.
    pub answer: String,
    /// Its resources that are still held, as `User/u-1`.
    pub held: Vec<String>,
}

/// The end of an import, or what another import leaves of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportEnding {
    pub id: String,
    /// The answer; `None` if it was answered before.
    pub answer: Option<String>,
    /// Whether it is abandoned.
    pub abandoned: bool,
    /// Its resources that are still held, as `User/u-1`.
    pub held: Vec<String>,
}

const COLUMNS: &str = "id, source, kind, actor, name, atomic, state, attempts, at, ended_at, run, \
                       answer, held";
const TYPES: [SqlType; 13] = [
    SqlType::Id,
    SqlType::Id,
    SqlType::Id,
    SqlType::Id,
    SqlType::Text,
    SqlType::Int,
    SqlType::Text,
    SqlType::Int,
    SqlType::Int,
    SqlType::Int,
    SqlType::Int,
    SqlType::Text,
    SqlType::Text,
];

impl ImportState {
    const WORDS: [(Self, &str); 4] = [
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Done, "done"),
        (Self::Lost, "lost"),
    ];

    #[must_use]
    pub fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter().filter(|(known, _)| *known == self);
        words.next().map_or("", |(_, word)| word)
    }

    /// Whether it has an answer.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Lost)
    }

    fn by_word(word: &str) -> Self {
        // A state of a newer release: reported as lost instead of being processed by a release that
        // does not know it.
        let mut words = Self::WORDS.iter().filter(|(_, known)| *known == word);
        words.next().map_or(Self::Lost, |(standing, _)| *standing)
    }
}

impl Store {
    /// Stores an import, once per idempotency key.
    pub async fn queue_import(
        &self,
        wanted: &ImportRequest<'_>,
    ) -> Result<ImportReceipt, StoreError> {
        let mut tx = self.begin_write("keep what was sent").await?;
        migrate::require_current(&mut tx).await?;
        // Before the limit: a repeat of an accepted request must get its id even when the queue is
        // full.
        if let Some(known) = find_by_key(&mut tx, wanted).await? {
            return Ok(known);
        }
        forget(&mut tx).await?;
        let sql = "SELECT count(*) FROM imports WHERE source = ? AND body IS NOT NULL";
        let waiting = tx
            .first(sql, &[wanted.source.into()], &[SqlType::Int])
            .await?;
        let waiting = waiting.map_or(0, |cells| cells[0].int());
        if waiting >= MAX_QUEUED {
            return Ok(ImportReceipt::QueueFull(waiting));
        }
        // The order of arrival. Clocks of two replicas may differ, and a later push must not be
        // overtaken by an earlier one.
        let sql = "SELECT coalesce(max(nth), 0) + 1 FROM imports";
        let nth = tx.first(sql, &[], &[SqlType::Int]).await?;
        let nth = nth.map_or(1, |cells| cells[0].int());
        let name = format!("push-{:.8}.{}", wanted.id, wanted.ending);
        let sql = "INSERT INTO imports (id, nth, source, kind, actor, idem, digest, name, atomic, \
                   state, attempts, at, ended_at, run, answer, held, body) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', 0, ?, 0, 0, '', '[]', ?) \
                   ON CONFLICT (actor, idem) DO NOTHING";
        let params = [
            wanted.id.into(),
            nth.into(),
            wanted.source.into(),
            wanted.kind.into(),
            wanted.actor.into(),
            SqlValue::text_or_null(wanted.key),
            wanted.digest.into(),
            SqlValue::text(name),
            i64::from(wanted.atomic).into(),
            sql_value::now().into(),
            SqlValue::Bytes(wanted.body.to_vec()),
        ];
        if tx.run(sql, &params).await? == 0 {
            // Another replica stored the same request at the same moment.
            let found = find_by_key(&mut tx, wanted).await?;
            return found.ok_or_else(|| tx.corrupt("an import that is there and is not"));
        }
        record_dropped(&mut tx, wanted.id, wanted.dropped).await?;
        tx.commit().await?;
        Ok(ImportReceipt::New(wanted.id.to_owned()))
    }

    pub async fn import(&self, id: &str) -> Result<Option<StoredImport>, StoreError> {
        let found = self.imports("WHERE id = ?", &[id.into()]).await?;
        Ok(found.into_iter().next())
    }

    /// Returns the waiting imports of a source, oldest first.
    pub async fn queued_imports(&self, source: &str) -> Result<Vec<StoredImport>, StoreError> {
        let of = "WHERE source = ? AND state IN ('queued', 'running') ORDER BY nth, id";
        self.imports(of, &[source.into()]).await
    }

    /// Returns the answered imports of a source with held resources that may still be applied,
    /// oldest first.
    pub async fn held_imports(&self, source: &str) -> Result<Vec<StoredImport>, StoreError> {
        let of = "WHERE source = ? AND state = 'done' AND body IS NOT NULL ORDER BY nth, id";
        self.imports(of, &[source.into()]).await
    }

    async fn imports(
        &self,
        of: &str,
        params: &[SqlValue],
    ) -> Result<Vec<StoredImport>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read what was sent").await? else {
            return Ok(Vec::new());
        };
        // The previous schema can be read too, and it has no such table.
        let exists = tx.dialect().table_exists;
        if !tx.has_rows(exists, &["imports".into()]).await? {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT {COLUMNS} FROM imports {of}");
        let found = tx.fetch(&sql, params, &TYPES).await?;
        Ok(found.into_iter().map(import).collect())
    }

    /// Returns the content of an import while it is kept.
    pub async fn import_body(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read what was sent").await? else {
            return Ok(None);
        };
        let sql = "SELECT body FROM imports WHERE id = ? AND body IS NOT NULL";
        let found = tx.first(sql, &[id.into()], &[SqlType::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }

    /// Marks an import as being processed.
    pub async fn begin_import(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_write("begin an import").await?;
        migrate::require_current(&mut tx).await?;
        // An import that is running already may be started again: its replica may have crashed. The
        // counter shows how often that happened.
        let sql = "UPDATE imports SET state = 'running', attempts = attempts + 1 \
                   WHERE id = ? AND state IN ('queued', 'running')";
        tx.run(sql, &[id.into()]).await?;
        tx.commit().await
    }

    /// Records the end of imports when nothing was applied.
    pub async fn end_imports(&self, endings: &[ImportEnding]) -> Result<(), StoreError> {
        let mut tx = self.begin_write("end an import").await?;
        migrate::require_current(&mut tx).await?;
        end(&mut tx, endings, None).await?;
        tx.commit().await
    }
}

/// Records the end of imports.
pub(super) async fn end(
    tx: &mut SqlTransaction,
    endings: &[ImportEnding],
    run: Option<i64>,
) -> Result<(), StoreError> {
    for ending in endings {
        let held = serde_json::to_string(&ending.held).unwrap_or_default();
        if let Some(answer) = &ending.answer {
            let sql =
                "UPDATE imports SET state = ?, ended_at = ?, run = ?, answer = ? WHERE id = ?";
            let standing = if ending.abandoned {
                ImportState::Lost
            } else {
                ImportState::Done
            };
            let params = [
                standing.word().into(),
                sql_value::now().into(),
                run.unwrap_or_default().into(),
                answer.as_str().into(),
                ending.id.as_str().into(),
            ];
            tx.run(sql, &params).await?;
        }
        let sql = "UPDATE imports SET held = ? WHERE id = ?";
        tx.run(sql, &[held.as_str().into(), ending.id.as_str().into()])
            .await?;
        // Held records are applied from the stored content once somebody approves. With none left,
        // the content is personal data without a use.
        if ending.held.is_empty() {
            let sql = "UPDATE imports SET body = NULL WHERE id = ?";
            tx.run(sql, &[ending.id.as_str().into()]).await?;
        }
    }
    Ok(())
}

/// Finds an import that was submitted before with the same key.
async fn find_by_key(
    tx: &mut SqlTransaction,
    wanted: &ImportRequest<'_>,
) -> Result<Option<ImportReceipt>, StoreError> {
    let Some(key) = wanted.key else {
        return Ok(None);
    };
    let sql = "SELECT id, digest FROM imports WHERE actor = ? AND idem = ?";
    let params = [wanted.actor.into(), key.into()];
    let found = tx
        .first(sql, &params, &[SqlType::Id, SqlType::Text])
        .await?;
    Ok(found.map(|mut cells| ImportReceipt::Duplicate {
        id: cells[0].take_text().into(),
        same: cells[1].as_text() == Some(wanted.digest),
    }))
}

/// Deletes imports that were answered long ago.
async fn forget(tx: &mut SqlTransaction) -> Result<(), StoreError> {
    let sql = "DELETE FROM imports WHERE body IS NULL AND ended_at > 0 AND ended_at < ?";
    tx.run(sql, &[(sql_value::now() - KEPT).into()]).await?;
    let sql = "DELETE FROM dropped_records WHERE import_id NOT IN (SELECT id FROM imports)";
    tx.run(sql, &[]).await?;
    Ok(())
}

fn import(mut cells: SqlRow) -> StoredImport {
    let mut text = |at: usize| String::from(cells[at].take_text());
    let (id, source, kind) = (text(0), text(1), text(2));
    let (actor, name, state) = (text(3), text(4), text(6));
    let (answer, held) = (text(11), text(12));
    StoredImport {
        id,
        source,
        kind,
        actor,
        name,
        atomic: cells[5].int() != 0,
        state: ImportState::by_word(&state),
        attempts: cells[7].int(),
        at: cells[8].int(),
        ended_at: cells[9].int(),
        run: Some(cells[10].int()).filter(|run| *run > 0),
        answer,
        held: serde_json::from_str(&held).unwrap_or_default(),
    }
}

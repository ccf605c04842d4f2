//! What was sent to sources that are pushed to: kept until it is dealt with, by whichever replica comes
//! first, and what came of it for whoever asks. It is kept here and not in a folder, so that every
//! replica knows it and its end is written in the transaction that applies it.

use super::connection::{SqlRow, SqlTransaction};
use super::error::StoreError;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use rand::Rng;

/// How many of a source may wait, or have something in them that does.
const MAX_QUEUED: i64 = 100;
/// How long what came of one is kept, in milliseconds: a week.
const KEPT: i64 = 7 * 24 * 60 * 60 * 1000;

/// What somebody sends.
#[derive(Clone, Debug)]
pub struct ImportRequest<'a> {
    pub source: &'a str,
    /// What its records are about.
    pub kind: &'a str,
    pub actor: &'a str,
    /// The sender's own key, so that it is done once.
    pub key: Option<&'a str>,
    /// What makes another one with this key the same.
    pub digest: &'a str,
    /// The ending of its name: `json`, `csv`, `xlsx`.
    pub ending: &'a str,
    /// Whether one bad record refuses all of it.
    pub atomic: bool,
    pub body: &'a [u8],
}

/// What became of something that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportReceipt {
    /// It is kept, under this id.
    New(String),
    /// It was sent before with this key.
    Duplicate { id: String, same: bool },
    /// Too much of the source waits already.
    QueueFull(i64),
}

/// How far an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImportState {
    /// It waits for its turn.
    Queued,
    /// It is being dealt with.
    Running,
    /// It was answered.
    Done,
    /// It was given up.
    Lost,
}

/// Something that was sent, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredImport {
    pub id: String,
    /// The source it was sent to.
    pub source: String,
    /// What its records are about.
    pub kind: String,
    /// Who sent it.
    pub actor: String,
    /// What it is called where its records are told of.
    pub name: String,
    /// Whether one bad record refuses all of it.
    pub atomic: bool,
    /// How far it is.
    pub state: ImportState,
    /// How often it was begun.
    pub attempts: i64,
    /// When it came, in milliseconds since 1970.
    pub at: i64,
    /// When it was answered; 0 while it was not.
    pub ended_at: i64,
    /// The run that applied it, if there was anything to do.
    pub run: Option<i64>,
    /// The answer, a JSON document of the daemon's; of one that was given up why.
    pub answer: String,
    /// What of it is held back and may still go through, as `User/u-1`.
    pub held: Vec<String>,
}

/// How something that was sent comes to its end, or is left after another one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportEnding {
    pub id: String,
    /// The answer; `None` for one that was answered before.
    pub answer: Option<String>,
    /// Whether it is given up.
    pub abandoned: bool,
    /// What of it is held back and may still go through, as `User/u-1`.
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

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter().filter(|(known, _)| *known == self);
        words.next().map_or("", |(_, word)| word)
    }

    /// Whether there is an answer.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Lost)
    }

    fn by_word(word: &str) -> Self {
        let mut words = Self::WORDS.iter().filter(|(_, known)| *known == word);
        words.next().map_or(Self::Lost, |(standing, _)| *standing)
    }
}

impl Store {
    /// Keeps what somebody sends, once for a key.
    pub async fn queue_import(
        &self,
        wanted: &ImportRequest<'_>,
    ) -> Result<ImportReceipt, StoreError> {
        let mut tx = self.begin_write("keep what was sent").await?;
        migrate::require_current(&mut tx).await?;
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
        let sql = "SELECT coalesce(max(nth), 0) + 1 FROM imports";
        let nth = tx.first(sql, &[], &[SqlType::Int]).await?;
        let nth = nth.map_or(1, |cells| cells[0].int());
        let id = format!("{:016x}", rand::rng().random::<u64>());
        let name = format!("push-{}.{}", &id[..8], wanted.ending);
        let sql = "INSERT INTO imports (id, nth, source, kind, actor, idem, digest, name, atomic, \
                   state, attempts, at, ended_at, run, answer, held, body) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', 0, ?, 0, 0, '', '[]', ?) \
                   ON CONFLICT (actor, idem) DO NOTHING";
        let params = [
            id.as_str().into(),
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
            // Somebody else was asked for the same at the same time.
            let found = find_by_key(&mut tx, wanted).await?;
            return found.ok_or_else(|| tx.corrupt("an import that is there and is not"));
        }
        tx.commit().await?;
        Ok(ImportReceipt::New(id))
    }

    /// Something that was sent.
    pub async fn import(&self, id: &str) -> Result<Option<StoredImport>, StoreError> {
        let found = self.imports("WHERE id = ?", &[id.into()]).await?;
        Ok(found.into_iter().next())
    }

    /// What was sent to a source and waits for its turn, the earliest first.
    pub async fn queued_imports(&self, source: &str) -> Result<Vec<StoredImport>, StoreError> {
        let of = "WHERE source = ? AND state IN ('queued', 'running') ORDER BY nth, id";
        self.imports(of, &[source.into()]).await
    }

    /// What was sent to a source and answered, of which something is held back that may still go
    /// through, the earliest first.
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
        let exists = tx.dialect().table_exists;
        if !tx.has_rows(exists, &["imports".into()]).await? {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT {COLUMNS} FROM imports {of}");
        let found = tx.fetch(&sql, params, &TYPES).await?;
        Ok(found.into_iter().map(import).collect())
    }

    /// The bytes of something that was sent, while they are kept.
    pub async fn import_body(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read what was sent").await? else {
            return Ok(None);
        };
        let sql = "SELECT body FROM imports WHERE id = ? AND body IS NOT NULL";
        let found = tx.first(sql, &[id.into()], &[SqlType::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }

    /// Notes that something that was sent is being dealt with.
    pub async fn begin_import(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_write("begin an import").await?;
        migrate::require_current(&mut tx).await?;
        let sql = "UPDATE imports SET state = 'running', attempts = attempts + 1 \
                   WHERE id = ? AND state IN ('queued', 'running')";
        tx.run(sql, &[id.into()]).await?;
        tx.commit().await
    }

    /// Notes how something that was sent comes to its end when nothing of it is applied.
    pub async fn end_imports(&self, endings: &[ImportEnding]) -> Result<(), StoreError> {
        let mut tx = self.begin_write("end an import").await?;
        migrate::require_current(&mut tx).await?;
        end(&mut tx, endings, None).await?;
        tx.commit().await
    }
}

/// Notes how what was sent comes to its end.
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
        if ending.held.is_empty() {
            let sql = "UPDATE imports SET body = NULL WHERE id = ?";
            tx.run(sql, &[ending.id.as_str().into()]).await?;
        }
    }
    Ok(())
}

/// What was sent before with the same key.
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

/// Forgets what was answered long ago.
async fn forget(tx: &mut SqlTransaction) -> Result<(), StoreError> {
    let sql = "DELETE FROM imports WHERE body IS NULL AND ended_at > 0 AND ended_at < ?";
    tx.run(sql, &[(sql_value::now() - KEPT).into()]).await?;
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

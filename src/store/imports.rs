//! What was sent to sources that are pushed to: kept until it is dealt with, by whichever replica comes
//! first, and what came of it for whoever asks. It is kept here and not in a folder, so that every
//! replica knows it and its end is written in the transaction that applies it.

use super::connection::{Cells, Tx};
use super::error::StoreError;
use super::param::{self, Param, Ty};
use super::{Store, migrate};
use rand::Rng;

/// How many of a source may wait, or have something in them that does.
const MOST: i64 = 100;
/// How long what came of one is kept, in milliseconds: a week.
const KEPT: i64 = 7 * 24 * 60 * 60 * 1000;

/// What somebody sends.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// To which source.
    pub source: &'a str,
    /// What its records are about.
    pub kind: &'a str,
    /// Who.
    pub actor: &'a str,
    /// The sender's own key, so that it is done once.
    pub key: Option<&'a str>,
    /// What makes another one with this key the same.
    pub digest: &'a str,
    /// The ending of its name: `json`, `csv`, `xlsx`.
    pub ending: &'a str,
    /// Whether one bad record refuses all of it.
    pub atomic: bool,
    /// All of it.
    pub body: &'a [u8],
}

/// What became of something that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It is kept, under this id.
    New(String),
    /// It was sent before with this key.
    Known {
        /// Its id.
        id: String,
        /// Whether it is the same.
        same: bool,
    },
    /// Too much of the source waits already.
    Full(i64),
}

/// How far an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
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
pub struct Import {
    /// Its id.
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
    pub standing: Standing,
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
pub struct Ending {
    /// Which.
    pub id: String,
    /// The answer; `None` for one that was answered before.
    pub answer: Option<String>,
    /// Whether it is given up.
    pub lost: bool,
    /// What of it is held back and may still go through, as `User/u-1`.
    pub held: Vec<String>,
}

const COLUMNS: &str = "id, source, kind, actor, name, atomic, state, attempts, at, ended_at, run, \
                       answer, held";
const TYPES: [Ty; 13] = [
    Ty::Id,
    Ty::Id,
    Ty::Id,
    Ty::Id,
    Ty::Text,
    Ty::Int,
    Ty::Text,
    Ty::Int,
    Ty::Int,
    Ty::Int,
    Ty::Int,
    Ty::Text,
    Ty::Text,
];

impl Standing {
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
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn take_import(&self, wanted: &Wanted<'_>) -> Result<Taken, StoreError> {
        let mut tx = self.writing("keep what was sent").await?;
        migrate::current(&mut tx).await?;
        if let Some(known) = known(&mut tx, wanted).await? {
            return Ok(known);
        }
        forget(&mut tx).await?;
        let sql = "SELECT count(*) FROM imports WHERE source = ? AND body IS NOT NULL";
        let waiting = tx.first(sql, &[wanted.source.into()], &[Ty::Int]).await?;
        let waiting = waiting.map_or(0, |cells| cells[0].int());
        if waiting >= MOST {
            return Ok(Taken::Full(waiting));
        }
        let sql = "SELECT coalesce(max(nth), 0) + 1 FROM imports";
        let nth = tx.first(sql, &[], &[Ty::Int]).await?;
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
            Param::maybe(wanted.key),
            wanted.digest.into(),
            Param::text(name),
            i64::from(wanted.atomic).into(),
            param::now().into(),
            Param::Bytes(wanted.body.to_vec()),
        ];
        if tx.run(sql, &params).await? == 0 {
            // Somebody else was asked for the same at the same time.
            let found = known(&mut tx, wanted).await?;
            return found.ok_or_else(|| tx.corrupt("an import that is there and is not"));
        }
        tx.commit().await?;
        Ok(Taken::New(id))
    }

    /// Something that was sent.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn import(&self, id: &str) -> Result<Option<Import>, StoreError> {
        let found = self.imports("WHERE id = ?", &[id.into()]).await?;
        Ok(found.into_iter().next())
    }

    /// What was sent to a source and waits for its turn, the earliest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn queued_imports(&self, source: &str) -> Result<Vec<Import>, StoreError> {
        let of = "WHERE source = ? AND state IN ('queued', 'running') ORDER BY nth, id";
        self.imports(of, &[source.into()]).await
    }

    /// What was sent to a source and answered, of which something is held back that may still go
    /// through, the earliest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn held_imports(&self, source: &str) -> Result<Vec<Import>, StoreError> {
        let of = "WHERE source = ? AND state = 'done' AND body IS NOT NULL ORDER BY nth, id";
        self.imports(of, &[source.into()]).await
    }

    async fn imports(&self, of: &str, params: &[Param]) -> Result<Vec<Import>, StoreError> {
        let Some(mut tx) = self.reading_schema("read what was sent").await? else {
            return Ok(Vec::new());
        };
        let exists = tx.dialect().table_exists;
        if !tx.any(exists, &["imports".into()]).await? {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT {COLUMNS} FROM imports {of}");
        let found = tx.fetch(&sql, params, &TYPES).await?;
        Ok(found.into_iter().map(import).collect())
    }

    /// The bytes of something that was sent, while they are kept.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn import_body(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.reading_schema("read what was sent").await? else {
            return Ok(None);
        };
        let sql = "SELECT body FROM imports WHERE id = ? AND body IS NOT NULL";
        let found = tx.first(sql, &[id.into()], &[Ty::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }

    /// Notes that something that was sent is being dealt with.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn begin_import(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.writing("begin an import").await?;
        migrate::current(&mut tx).await?;
        let sql = "UPDATE imports SET state = 'running', attempts = attempts + 1 \
                   WHERE id = ? AND state IN ('queued', 'running')";
        tx.run(sql, &[id.into()]).await?;
        tx.commit().await
    }

    /// Notes how something that was sent comes to its end when nothing of it is applied.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_imports(&self, endings: &[Ending]) -> Result<(), StoreError> {
        let mut tx = self.writing("end an import").await?;
        migrate::current(&mut tx).await?;
        end(&mut tx, endings, None).await?;
        tx.commit().await
    }
}

/// Notes how what was sent comes to its end.
pub(super) async fn end(
    tx: &mut Tx,
    endings: &[Ending],
    run: Option<i64>,
) -> Result<(), StoreError> {
    for ending in endings {
        let held = serde_json::to_string(&ending.held).unwrap_or_default();
        if let Some(answer) = &ending.answer {
            let sql =
                "UPDATE imports SET state = ?, ended_at = ?, run = ?, answer = ? WHERE id = ?";
            let standing = if ending.lost {
                Standing::Lost
            } else {
                Standing::Done
            };
            let params = [
                standing.word().into(),
                param::now().into(),
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
async fn known(tx: &mut Tx, wanted: &Wanted<'_>) -> Result<Option<Taken>, StoreError> {
    let Some(key) = wanted.key else {
        return Ok(None);
    };
    let sql = "SELECT id, digest FROM imports WHERE actor = ? AND idem = ?";
    let params = [wanted.actor.into(), key.into()];
    let found = tx.first(sql, &params, &[Ty::Id, Ty::Text]).await?;
    Ok(found.map(|mut cells| Taken::Known {
        id: cells[0].take_text().into(),
        same: cells[1].as_text() == Some(wanted.digest),
    }))
}

/// Forgets what was answered long ago.
async fn forget(tx: &mut Tx) -> Result<(), StoreError> {
    let sql = "DELETE FROM imports WHERE body IS NULL AND ended_at > 0 AND ended_at < ?";
    tx.run(sql, &[(param::now() - KEPT).into()]).await?;
    Ok(())
}

fn import(mut cells: Cells) -> Import {
    let mut text = |at: usize| String::from(cells[at].take_text());
    let (id, source, kind) = (text(0), text(1), text(2));
    let (actor, name, state) = (text(3), text(4), text(6));
    let (answer, held) = (text(11), text(12));
    Import {
        id,
        source,
        kind,
        actor,
        name,
        atomic: cells[5].int() != 0,
        standing: Standing::by_word(&state),
        attempts: cells[7].int(),
        at: cells[8].int(),
        ended_at: cells[9].int(),
        run: Some(cells[10].int()).filter(|run| *run > 0),
        answer,
        held: serde_json::from_str(&held).unwrap_or_default(),
    }
}

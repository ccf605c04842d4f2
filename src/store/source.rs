//! What the database remembers of a source: the files that were read when it was last applied, so
//! that a pass over the same files only has to look whether anybody else changed a row.

use super::connection::Tx;
use super::error::StoreError;
use super::param::{Param, Ty};
use super::{Store, migrate, tables};
use crate::kinds::{self, Kind};
use crate::model::{Digest, Text};
use std::collections::BTreeMap;

/// What an apply leaves to be remembered of its source.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The root, as it was written.
    pub path: String,
    /// The digest of everything that was read.
    pub revision: String,
    /// The digest of whatever else decides how the files read and what they do.
    pub fingerprint: Digest,
    /// How many resources the source declares.
    pub resources: u64,
    /// The files all of whose resources were written or found equal, by path.
    pub files: BTreeMap<Text, Digest>,
}

/// How the claims of a source stand to the rows, and what the whole database is.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The identity of the database.
    pub database: String,
    /// Its environment.
    pub environment: Option<String>,
    /// How many resources the source claims.
    pub claimed: u64,
    /// How many of them somebody else changed or removed since.
    pub foreign: u64,
    /// How many stored resources nobody claims.
    pub unclaimed: u64,
}

impl Store {
    /// The environment that the database belongs to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn environment(&self) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.reading("read the environment").await? else {
            return Ok(None);
        };
        Ok(migrate::meta(&mut tx)
            .await?
            .and_then(|meta| meta.environment))
    }

    /// The identity that the database got with its schema; `None` while it has none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn identity(&self) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.reading("read the identity").await? else {
            return Ok(None);
        };
        Ok(migrate::meta(&mut tx).await?.map(|meta| meta.identity))
    }

    /// What the last apply of a source left to be remembered, if the settings and custom fields
    /// are as they were then.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn remembered(&self, source: &str) -> Result<Option<Remembered>, StoreError> {
        let Some(mut tx) = self.reading_schema("read the sources").await? else {
            return Ok(None);
        };
        let sql = "SELECT path, revision, fingerprint, resources, definitions \
                   FROM sources WHERE name = ?";
        let types = [Ty::Text, Ty::Text, Ty::Bytes, Ty::Int, Ty::Bytes];
        let Some(mut row) = tx.first(sql, &[source.into()], &types).await? else {
            return Ok(None);
        };
        let mut remembered = Remembered {
            path: row[0].take_text().into(),
            revision: row[1].take_text().into(),
            fingerprint: digest(row[2].take_bytes()),
            resources: u64::try_from(row[3].int()).unwrap_or_default(),
            files: BTreeMap::new(),
        };
        if digest(row[4].take_bytes()) == definitions(&mut tx).await? {
            remembered.files = files(&mut tx, source).await?;
        }
        Ok(Some(remembered))
    }

    /// How the claims of a source stand to the rows now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn standing(&self, source: &str) -> Result<Standing, StoreError> {
        let Some(mut tx) = self.reading_schema("compare claims and rows").await? else {
            return Ok(Standing::default());
        };
        let meta = migrate::current(&mut tx).await?;
        let mut standing = Standing {
            database: meta.identity,
            environment: meta.environment,
            ..Standing::default()
        };
        for kind in kinds::ALL {
            stand(&mut tx, source, kind, &mut standing).await?;
        }
        Ok(standing)
    }
}

async fn stand(
    tx: &mut Tx,
    source: &str,
    kind: &Kind,
    standing: &mut Standing,
) -> Result<(), StoreError> {
    let count = |cells: &[Param], at: usize| u64::try_from(cells[at].int()).unwrap_or_default();
    let claims = format!(
        "SELECT CAST(count(*) AS bigint), \
         CAST(coalesce(sum(CASE WHEN r.version = c.seen_version THEN 0 ELSE 1 END), 0) AS bigint) \
         FROM claims c LEFT JOIN {} r ON r.external_id = c.external_id \
         WHERE c.source = ? AND c.kind = ? AND c.state = 'active'",
        kind.table
    );
    let params = [source.into(), kind.name.into()];
    if let Some(cells) = tx.first(&claims, &params, &[Ty::Int, Ty::Int]).await? {
        standing.claimed += count(&cells, 0);
        standing.foreign += count(&cells, 1);
    }
    let unclaimed = format!(
        "SELECT CAST(count(*) AS bigint) FROM {} r WHERE NOT EXISTS \
         (SELECT 1 FROM claims c WHERE c.kind = ? AND c.external_id = r.external_id)",
        kind.table
    );
    if let Some(cells) = tx
        .first(&unclaimed, &[kind.name.into()], &[Ty::Int])
        .await?
    {
        standing.unclaimed += count(&cells, 0);
    }
    Ok(())
}

/// The digest of which settings and custom fields there are, in which version.
async fn definitions(tx: &mut Tx) -> Result<Digest, StoreError> {
    let mut hasher = blake3::Hasher::new();
    for kind in [kinds::SETTINGS, kinds::CUSTOM_FIELD] {
        let table = tables::of(kind).kind.table;
        let sql = format!("SELECT external_id, version FROM {table} ORDER BY external_id");
        for mut cells in tx.fetch(&sql, &[], &[Ty::Id, Ty::Int]).await? {
            let id = cells[0].take_text();
            hasher.update(&(id.len() as u64).to_le_bytes());
            hasher.update(id.as_bytes());
            hasher.update(&cells[1].int().to_le_bytes());
        }
        hasher.update(table.as_bytes());
    }
    Ok(Digest::finish(&hasher))
}

async fn files(tx: &mut Tx, source: &str) -> Result<BTreeMap<Text, Digest>, StoreError> {
    let sql = "SELECT path, digest FROM files WHERE source = ?";
    let found = tx
        .fetch(sql, &[source.into()], &[Ty::Id, Ty::Bytes])
        .await?;
    let files = found.into_iter();
    Ok(files
        .map(|mut cells| (cells[0].take_text(), digest(cells[1].take_bytes())))
        .collect())
}

fn digest(bytes: Vec<u8>) -> Digest {
    Digest(bytes.try_into().unwrap_or_default())
}

/// Remembers a source, within the apply that makes it true.
pub(super) async fn remember(
    tx: &mut Tx,
    source: &str,
    remembered: &Remembered,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO sources (name, path, revision, fingerprint, definitions, resources) \
               VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET \
               path = excluded.path, revision = excluded.revision, \
               fingerprint = excluded.fingerprint, definitions = excluded.definitions, \
               resources = excluded.resources";
    let definitions = definitions(tx).await?;
    let params = [
        source.into(),
        remembered.path.as_str().into(),
        remembered.revision.as_str().into(),
        Param::Bytes(remembered.fingerprint.0.to_vec()),
        Param::Bytes(definitions.0.to_vec()),
        Param::Int(i64::try_from(remembered.resources).unwrap_or(i64::MAX)),
    ];
    tx.run(sql, &params).await?;
    let before = files(tx, source).await?;
    for path in before
        .iter()
        .filter(|(path, digest)| remembered.files.get(*path) != Some(digest))
    {
        let sql = "DELETE FROM files WHERE source = ? AND path = ?";
        tx.run(sql, &[source.into(), path.0.into()]).await?;
    }
    let new = remembered
        .files
        .iter()
        .filter(|(path, digest)| before.get(*path) != Some(digest));
    let rows = new.map(|(path, digest)| {
        vec![
            source.into(),
            Param::from(path),
            Param::Bytes(digest.0.to_vec()),
        ]
    });
    let columns = [("source", Ty::Id), ("path", Ty::Id), ("digest", Ty::Bytes)];
    let rows: Vec<_> = rows.collect();
    tx.insert("files", &columns, rows).await?;
    Ok(())
}

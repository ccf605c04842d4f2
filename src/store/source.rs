//! The checkpoint of a source: which files its last apply read, with their digests and the keys
//! they declare. The next pass reads only the files that differ, and over unchanged files it only
//! asks whether somebody else changed a row. Written by `save_checkpoint` inside the apply; read by
//! `ReadTransaction::source_checkpoint`.

use super::accepted_exports::{self, AcceptedExport};
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::export_rows::{self, ExportRowsUpdate};
use super::imports::ImportEnding;
use super::read_transaction::ReadTransaction;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate, reverted_fields, tables};
use crate::kinds;
use crate::model::{CompactText, Digest, Key, KindId};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::iter;

/// The checkpoint that the last apply of a source left.
#[derive(Clone, Debug, Default)]
pub struct SourceCheckpoint {
    /// The root as it was configured.
    pub path: String,
    /// The digest of everything that was read.
    pub revision: String,
    /// The digest of everything else that decides what the files mean.
    pub fingerprint: Digest,
    /// How many resources the source declares.
    pub resources: u64,
    /// How many resources it claimed.
    pub claimed: u64,
    /// What it claimed without declaring it, of kinds from which nothing is ever removed.
    pub orphans: Vec<Key>,
    /// The digest of every file, by path; `None` if something in it has to be read again.
    pub files: BTreeMap<CompactText, Option<Digest>>,
}

impl SourceCheckpoint {
    /// Whether nothing of it has to be read again.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.files.is_empty() && self.files.values().all(Option::is_some)
    }
}

/// The checkpoint that an apply will leave.
#[derive(Clone, Debug, Default)]
pub struct CheckpointUpdate {
    /// The root as it was configured.
    pub path: String,
    /// The digest of everything that was read.
    pub revision: String,
    /// The digest of everything else that decides what the files mean.
    pub fingerprint: Digest,
    /// How many resources the source declares.
    pub resources: u64,
    /// What it claims without declaring it, of kinds from which nothing is ever removed.
    pub orphans: PackedKeys,
    /// The files that were read, by path.
    pub files: BTreeMap<CompactText, FileCheckpoint>,
    /// Set if only some files were read: what stays of the others.
    pub incremental: Option<IncrementalUpdate>,
    /// The export, if it was not seen before.
    pub accepted: Option<AcceptedExport>,
    /// The rows of the export.
    pub rows: ExportRowsUpdate,
    /// How the imports of the source end.
    pub import_endings: Vec<ImportEnding>,
}

/// What stays of a checkpoint when only some files were read.
#[derive(Clone, Debug, Default)]
pub struct IncrementalUpdate {
    /// The files that are gone; all others stay.
    pub gone: Vec<CompactText>,
    /// How many resources it claims afterwards; `None` if they have to be counted.
    pub claimed: Option<u64>,
}

/// A file as it was when its source was applied.
#[derive(Clone, Debug, Default)]
pub struct FileCheckpoint {
    /// Its digest; `None` if something in it has to be read again.
    pub digest: Option<Digest>,
    /// The keys it declares.
    pub keys: PackedKeys,
}

/// Many keys in few bytes: for each its kind, the length of its id and the id.
#[derive(Clone, Debug, Default)]
pub struct PackedKeys(Vec<u8>);

/// A bit in the byte of the kind: the resource is declared elsewhere too.
const REPEATED: u8 = 0x80;

/// How many milliseconds the clocks of two machines may differ.
const CLOCK_DIFFERENCE: i64 = 60_000;

impl PackedKeys {
    /// Adds a key; `repeated` if it is declared elsewhere too.
    pub fn push(&mut self, key: &Key, repeated: bool) {
        let id = key.id.as_bytes();
        // Ids have at most 128 characters, so the length always fits.
        let length = u16::try_from(id.len()).unwrap_or(u16::MAX);
        self.0
            .push(key.kind.0 | if repeated { REPEATED } else { 0 });
        self.0.extend(length.to_le_bytes());
        self.0.extend(&id[..usize::from(length)]);
    }

    /// Whether a key is among packed ones.
    pub(super) fn contain(packed: &[u8], wanted: &Key) -> bool {
        let id = wanted.id.as_bytes();
        let mut keys = Self::split(packed);
        keys.any(|(kind, found)| found == id && KindId(kind & !REPEATED) == wanted.kind)
    }

    /// Whether a key is among packed ones, and was declared nowhere else.
    fn contain_once(packed: &[u8], wanted: &Key) -> bool {
        let id = wanted.id.as_bytes();
        let mut keys = Self::split(packed);
        keys.any(|(kind, found)| found == id && KindId(kind) == wanted.kind)
    }

    fn read(packed: &[u8]) -> Vec<(Key, bool)> {
        let keys = Self::split(packed).map(|(kind, id)| {
            let key = Key {
                kind: KindId(kind & !REPEATED),
                id: CompactText::from_utf8_lossy(id),
            };
            (key, kind & REPEATED != 0)
        });
        keys.collect()
    }

    /// The kinds and ids, each kind with its flag.
    fn split(packed: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = packed;
        iter::from_fn(move || {
            let [kind, low, high, after @ ..] = rest else {
                return None;
            };
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            // A truncated value ends the list. The missing keys are then read from the file again.
            let (id, next) = after.split_at_checked(length)?;
            rest = next;
            Some((*kind, id))
        })
    }
}

impl Store {
    pub async fn environment(&self) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.begin_read("read the environment").await? else {
            return Ok(None);
        };
        Ok(migrate::meta(&mut tx)
            .await?
            .and_then(|meta| meta.environment))
    }

    /// Returns the root from which a source was last applied, as it was configured.
    pub async fn path_of(&self, source: &str) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the sources").await? else {
            return Ok(None);
        };
        let sql = "SELECT path FROM sources WHERE name = ?";
        let row = tx.first(sql, &[source.into()], &[SqlType::Text]).await?;
        Ok(row.map(|mut cells| cells[0].take_text().into()))
    }

    /// Returns the identity of the database; `None` without a schema.
    pub async fn identity(&self) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.begin_read("read the identity").await? else {
            return Ok(None);
        };
        Ok(migrate::meta(&mut tx).await?.map(|meta| meta.identity))
    }
}

impl ReadTransaction {
    /// Returns the sources that have a checkpoint.
    pub async fn remembered_sources(&mut self) -> Result<BTreeSet<String>, StoreError> {
        let rows = self
            .tx
            .fetch("SELECT name FROM sources", &[], &[SqlType::Text]);
        let names = rows.await?.into_iter();
        Ok(names
            .map(|mut row| row[0].take_text().to_string())
            .collect())
    }

    /// Returns the checkpoint of a source, unless the settings or custom fields have changed since, or
    /// it was left by a clock that was ahead: what its files say of later days was judged too early.
    pub async fn source_checkpoint(
        &mut self,
        source: &str,
    ) -> Result<Option<SourceCheckpoint>, StoreError> {
        let tx = &mut self.tx;
        let sql = "SELECT path, revision, fingerprint, resources, definitions, claimed, \
                   orphans FROM sources WHERE name = ?";
        let types = [
            SqlType::Text,
            SqlType::Text,
            SqlType::Bytes,
            SqlType::Int,
            SqlType::Bytes,
            SqlType::Int,
            SqlType::Bytes,
        ];
        let Some(mut row) = tx.first(sql, &[source.into()], &types).await? else {
            return Ok(None);
        };
        // Both decide how every file reads, so with other definitions no file counts as unchanged.
        if digest(row[4].take_bytes()) != definitions(tx).await? {
            return Ok(None);
        }
        if is_clock_set_back(tx).await? {
            return Ok(None);
        }
        Ok(Some(SourceCheckpoint {
            path: row[0].take_text().into(),
            revision: row[1].take_text().into(),
            fingerprint: digest(row[2].take_bytes()),
            resources: u64::try_from(row[3].int()).unwrap_or_default(),
            claimed: u64::try_from(row[5].int()).unwrap_or_default(),
            orphans: PackedKeys::read(&row[6].take_bytes())
                .into_iter()
                .map(|(key, _)| key)
                .collect(),
            files: files(tx, source).await?,
        }))
    }

    /// Returns what some files of a source declared when they were last read, and whether it is
    /// declared elsewhere too.
    pub async fn declared_in(
        &mut self,
        source: &str,
        paths: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<Key, bool>, StoreError> {
        let mut keys = BTreeMap::new();
        for path in paths {
            let sql = "SELECT keys FROM files WHERE source = ? AND path = ?";
            let params = [source.into(), path.into()];
            if let Some(mut cells) = self.tx.first(sql, &params, &[SqlType::Bytes]).await? {
                keys.extend(PackedKeys::read(&cells[0].take_bytes()));
            }
        }
        Ok(keys)
    }

    /// Returns the file of a source that its claim on a resource names, unless the resource was
    /// declared elsewhere too.
    pub async fn only_file_naming(
        &mut self,
        source: &str,
        key: &Key,
    ) -> Result<Option<CompactText>, StoreError> {
        let sql = "SELECT path FROM claims WHERE source = ? AND kind = ? AND external_id = ? \
                   AND state = 'active'";
        let kind = kinds::get(key.kind).name;
        let params = [source.into(), kind.into(), SqlValue::from(&key.id)];
        let Some(mut claim) = self.tx.first(sql, &params, &[SqlType::Text]).await? else {
            return Ok(None);
        };
        let path = claim[0].take_text();
        let sql = "SELECT keys FROM files WHERE source = ? AND path = ?";
        let params = [source.into(), SqlValue::from(&path)];
        let file = self.tx.first(sql, &params, &[SqlType::Bytes]).await?;
        let keys = file.map(|mut cells| cells[0].take_bytes());
        let is_only = keys.is_some_and(|keys| PackedKeys::contain_once(&keys, key));
        Ok(is_only.then_some(path))
    }

    /// Returns the files of a source that declared a resource when they were last read.
    pub async fn files_naming(
        &mut self,
        source: &str,
        key: &Key,
    ) -> Result<BTreeSet<CompactText>, StoreError> {
        let sql = "SELECT path, keys FROM files WHERE source = ?";
        let types = [SqlType::Id, SqlType::Bytes];
        let found = self.tx.fetch(sql, &[source.into()], &types).await?;
        // An export is one file.
        let naming = export_rows::sources_naming(&mut self.tx, key).await?;
        let is_in_export = naming.contains(source);
        let naming = found.into_iter().filter_map(|mut cells| {
            let is_named = is_in_export || PackedKeys::contain(&cells[1].take_bytes(), key);
            is_named.then(|| cells[0].take_text())
        });
        Ok(naming.collect())
    }
}

/// The digest of the stored settings and custom fields with their versions.
async fn definitions(tx: &mut SqlTransaction) -> Result<Digest, StoreError> {
    let mut hasher = blake3::Hasher::new();
    for kind in kinds::RULE_KINDS {
        let table = tables::for_kind(kind).kind.table;
        let sql = format!("SELECT external_id, version FROM {table} ORDER BY external_id");
        for mut cells in tx.fetch(&sql, &[], &[SqlType::Id, SqlType::Int]).await? {
            let id = cells[0].take_text();
            // The length keeps two ids from being read as one longer id.
            hasher.update(&(id.len() as u64).to_le_bytes());
            hasher.update(id.as_bytes());
            hasher.update(&cells[1].int().to_le_bytes());
        }
        hasher.update(table.as_bytes());
    }
    Ok(Digest::from_hasher(&hasher))
}

async fn files(
    tx: &mut SqlTransaction,
    source: &str,
) -> Result<BTreeMap<CompactText, Option<Digest>>, StoreError> {
    let sql = "SELECT path, digest FROM files WHERE source = ?";
    let found = tx
        .fetch(sql, &[source.into()], &[SqlType::Id, SqlType::Bytes])
        .await?;
    let files = found.into_iter().map(|mut cells| {
        let bytes = cells[1].take_bytes();
        let known = !bytes.is_empty();
        (cells[0].take_text(), known.then(|| digest(bytes)))
    });
    Ok(files.collect())
}

/// Counts the active claims of a source.
pub(super) async fn claimed(tx: &mut SqlTransaction, source: &str) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(count(*) AS bigint) FROM claims WHERE source = ? AND state = 'active'";
    let row = tx.first(sql, &[source.into()], &[SqlType::Int]).await?;
    Ok(row.map_or(0, |cells| u64::try_from(cells[0].int()).unwrap_or_default()))
}

/// Makes the next pass of a source read all its files.
pub(super) async fn read_everything_again(
    tx: &mut SqlTransaction,
    source: &str,
) -> Result<(), StoreError> {
    // An empty fingerprint never equals a computed one.
    let sql = "UPDATE sources SET fingerprint = ? WHERE name = ?";
    let params = [SqlValue::Bytes(Vec::new()), source.into()];
    tx.run(sql, &params).await?;
    Ok(())
}

/// Makes the next pass of a source read again the files that declared some resources when it was last
/// applied whole; all of its files if one of the resources was in none.
pub(super) async fn read_again(
    tx: &mut SqlTransaction,
    source: &str,
    keys: &[Key],
) -> Result<(), StoreError> {
    let mut wanted: BTreeMap<u8, HashSet<&[u8]>> = BTreeMap::new();
    for key in keys {
        let ids = wanted.entry(key.kind.0).or_default();
        ids.insert(key.id.as_bytes());
    }
    let mut missing = wanted.clone();
    let sql = "SELECT path, keys FROM files WHERE source = ?";
    let types = [SqlType::Id, SqlType::Bytes];
    let mut paths = Vec::new();
    for mut cells in tx.fetch(sql, &[source.into()], &types).await? {
        let packed = cells[1].take_bytes();
        let mut declares = false;
        for (kind, id) in PackedKeys::split(&packed) {
            let kind = kind & !REPEATED;
            if wanted.get(&kind).is_some_and(|ids| ids.contains(id)) {
                declares = true;
                if let Some(ids) = missing.get_mut(&kind) {
                    ids.remove(id);
                }
            }
        }
        if declares {
            paths.push(cells[0].take_text());
        }
    }
    if missing.values().any(|ids| !ids.is_empty()) {
        return read_everything_again(tx, source).await;
    }
    for path in paths {
        let sql = "UPDATE files SET digest = NULL WHERE source = ? AND path = ?";
        tx.run(sql, &[source.into(), (&path).into()]).await?;
    }
    Ok(())
}

fn digest(bytes: Vec<u8>) -> Digest {
    Digest(bytes.try_into().unwrap_or_default())
}

/// Whether the newest run was committed later than now.
async fn is_clock_set_back(tx: &mut SqlTransaction) -> Result<bool, StoreError> {
    let sql = "SELECT finished_at FROM runs ORDER BY id DESC LIMIT 1";
    let newest = tx.first(sql, &[], &[SqlType::Int]).await?;
    let newest = newest.map_or(0, |cells| cells[0].int());
    Ok(newest > sql_value::now() + CLOCK_DIFFERENCE)
}

/// Stores the checkpoint of a source, within the apply that makes it true.
pub(super) async fn save_checkpoint(
    tx: &mut SqlTransaction,
    source: &str,
    remember: &CheckpointUpdate,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO sources \
               (name, path, revision, fingerprint, definitions, resources, claimed, orphans) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET \
               path = excluded.path, revision = excluded.revision, \
               fingerprint = excluded.fingerprint, definitions = excluded.definitions, \
               resources = excluded.resources, claimed = excluded.claimed, \
               orphans = excluded.orphans";
    // Taken from the rows as this apply has left them, not as the plan saw them.
    let definitions = definitions(tx).await?;
    let count = |number: u64| SqlValue::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let known = remember.incremental.as_ref();
    let claimed = match known.and_then(|beside| beside.claimed) {
        Some(known) => known,
        None => claimed(tx, source).await?,
    };
    let params = [
        source.into(),
        remember.path.as_str().into(),
        remember.revision.as_str().into(),
        SqlValue::Bytes(remember.fingerprint.0.to_vec()),
        SqlValue::Bytes(definitions.0.to_vec()),
        count(remember.resources),
        count(claimed),
        SqlValue::Bytes(remember.orphans.0.clone()),
    ];
    tx.run(sql, &params).await?;
    match &remember.incremental {
        None => {
            let sql = "DELETE FROM files WHERE source = ?";
            tx.run(sql, &[source.into()]).await?;
        }
        Some(beside) => {
            // Only the files that were read or are gone are replaced; all others keep their digest.
            for path in beside.gone.iter().chain(remember.files.keys()) {
                let sql = "DELETE FROM files WHERE source = ? AND path = ?";
                tx.run(sql, &[source.into(), path.into()]).await?;
            }
        }
    }
    let rows = remember.files.iter().map(|(path, file)| {
        let digest = file.digest.map(|digest| SqlValue::Bytes(digest.0.to_vec()));
        vec![
            source.into(),
            SqlValue::from(path),
            digest.unwrap_or(SqlValue::Null),
            SqlValue::Bytes(file.keys.0.clone()),
        ]
    });
    let columns = [
        ("source", SqlType::Id),
        ("path", SqlType::Id),
        ("digest", SqlType::Bytes),
        ("keys", SqlType::Bytes),
    ];
    tx.insert("files", &columns, rows).await?;
    reverted_fields::forget_earlier(tx, source, &remember.revision).await?;
    export_rows::save_rows(tx, source, &remember.rows).await?;
    match &remember.accepted {
        Some(accepted) => accepted_exports::record_accepted_export(tx, source, accepted).await,
        None => Ok(()),
    }
}

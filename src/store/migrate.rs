//! Creates the schema, upgrades an older one, and decides which releases may read or write a
//! database. `Store::migrate` is the only place that changes the schema; the `require_…` functions
//! guard everything else.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use super::{Store, foreign_writes, incremental_tables, schema_versions, terms_acceptances};
use crate::model::Digest;
use crate::plan::render::PseudonymKey;
use rand::RngCore;

/// How the stored schema relates to this release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SchemaState {
    /// There is no schema: an empty database.
    None,
    /// The schema of this release.
    Current,
    /// An older schema; `roster migrate` upgrades it.
    Old {
        /// The stored version.
        found: i64,
    },
    /// A newer schema, written by a newer release.
    Newer {
        /// The stored version.
        found: i64,
    },
}

/// The result of a migration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigrationResult {
    /// The identity of the database.
    pub identity: String,
    pub environment: Option<String>,
    /// Whether anything was changed.
    pub changed: bool,
}

/// The database's record about itself.
pub(super) struct DatabaseMeta {
    pub(super) identity: String,
    pub(super) environment: Option<String>,
    pub(super) schema: i64,
    /// The key of its keyed hashes.
    pub(super) key: [u8; 32],
}

impl Store {
    /// Returns how the stored schema relates to this release.
    pub async fn schema(&self) -> Result<SchemaState, StoreError> {
        let Some(mut tx) = self.begin_read("read the schema version").await? else {
            return Ok(SchemaState::None);
        };
        Ok(match meta(&mut tx).await? {
            None => SchemaState::None,
            Some(meta) => schema_state(meta.schema),
        })
    }

    /// Returns the key of pseudonyms, derived from the secret of the database. None without one.
    pub async fn pseudonym_key(&self) -> Result<Option<PseudonymKey>, StoreError> {
        let Some(mut tx) = self.begin_read("read the key").await? else {
            return Ok(None);
        };
        let meta = meta(&mut tx).await?;
        Ok(meta.map(|meta| PseudonymKey::from_secret(&meta.key)))
    }

    /// Gives the database of one environment to another. Returns the environment that it belongs to
    /// instead, if that is not `old`; then nothing changes.
    pub async fn change_environment(
        &self,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Result<Option<Option<String>>, StoreError> {
        let mut tx = self.begin_write("change the environment").await?;
        let found = require_current(&mut tx).await?.environment;
        if found.as_deref() != old {
            return Ok(Some(found));
        }
        let sql = "UPDATE meta SET environment = ? WHERE id = 1";
        tx.run(sql, &[SqlValue::text_or_null(new)]).await?;
        tx.commit().await?;
        Ok(None)
    }

    /// Creates the schema and gives the database its identity, or upgrades an older schema, in one
    /// transaction. A current schema is left unchanged.
    pub async fn migrate(&self, environment: Option<&str>) -> Result<MigrationResult, StoreError> {
        let mut tx = self.begin_write("migrate").await?;
        let present = meta(&mut tx).await?;
        let standing = present.map_or(SchemaState::None, |meta| schema_state(meta.schema));
        let statements = match standing {
            SchemaState::None => schema_versions::create(tx.dialect()),
            SchemaState::Old { found } => schema_versions::upgrade(tx.dialect(), found),
            // A newer schema is never touched; `require_current` below reports it.
            SchemaState::Current | SchemaState::Newer { .. } => Vec::new(),
        };
        // One script: a round trip for each statement would take longer than the server does.
        if !statements.is_empty() {
            tx.script(&statements.join(";\n")).await?;
        }
        if let SchemaState::Old { found } = standing
            && schema_versions::adds_table(found, "terms_acceptances")
        {
            terms_acceptances::carry_over(&mut tx).await?;
        }
        if let SchemaState::Old { found } = standing
            && schema_versions::adds_table(found, incremental_tables::FOREIGN_WRITES)
        {
            foreign_writes::begin(&mut tx).await?;
        }
        if standing == SchemaState::None {
            first_rows(&mut tx, environment).await?;
        } else if !statements.is_empty() {
            let sql = "UPDATE meta SET schema_version = ? WHERE id = 1";
            tx.run(sql, &[SqlValue::Int(schema_versions::CURRENT)])
                .await?;
        }
        let changed = !statements.is_empty();
        let meta = require_current(&mut tx).await?;
        tx.commit().await?;
        Ok(MigrationResult {
            identity: meta.identity,
            environment: meta.environment,
            changed,
        })
    }
}

fn schema_state(found: i64) -> SchemaState {
    match found.cmp(&schema_versions::CURRENT) {
        std::cmp::Ordering::Less => SchemaState::Old { found },
        std::cmp::Ordering::Equal => SchemaState::Current,
        std::cmp::Ordering::Greater => SchemaState::Newer { found },
    }
}

/// Returns the database's record about itself; `None` without a schema.
pub(super) async fn meta(tx: &mut SqlTransaction) -> Result<Option<DatabaseMeta>, StoreError> {
    if !has_table(tx, "meta").await? {
        return Ok(None);
    }
    let sql = "SELECT identity, environment, schema_version, secret_key FROM meta WHERE id = 1";
    let types = [SqlType::Text, SqlType::Text, SqlType::Int, SqlType::Bytes];
    // The table without its row is not an empty database: somebody deleted the row, and without
    // its key no retired id can be recognised.
    let Some(mut row) = tx.first(sql, &[], &types).await? else {
        return Err(tx.corrupt("the table `meta` is empty"));
    };
    let key = row[3].take_bytes().try_into();
    Ok(Some(DatabaseMeta {
        identity: row[0].take_text().into(),
        environment: row[1].take_optional_text().map(Into::into),
        schema: row[2].int(),
        key: key.map_err(|_| tx.corrupt("the key in `meta` has another length"))?,
    }))
}

/// Whether a table exists, even if it may not be read.
pub(super) async fn has_table(tx: &mut SqlTransaction, name: &str) -> Result<bool, StoreError> {
    let exists = tx.dialect().table_exists;
    tx.has_rows(exists, &[name.into()]).await
}

/// Returns the record of a schema that this release may write to.
pub(super) async fn require_current(tx: &mut SqlTransaction) -> Result<DatabaseMeta, StoreError> {
    require_within(tx, 0).await
}

/// Returns the record of a schema that this release may read: its own, the next release's, or the
/// previous one's unless columns were added since.
pub(super) async fn require_readable(tx: &mut SqlTransaction) -> Result<DatabaseMeta, StoreError> {
    // One release of distance, so that replicas can be upgraded one after the other.
    require_within(tx, 1).await
}

async fn require_within(
    tx: &mut SqlTransaction,
    releases: u64,
) -> Result<DatabaseMeta, StoreError> {
    let meta = meta(tx).await?.ok_or(StoreError::Missing)?;
    let near = meta.schema.abs_diff(schema_versions::CURRENT) <= releases;
    if near && schema_versions::has_all_columns(meta.schema) {
        return Ok(meta);
    }
    let help = match schema_state(meta.schema) {
        SchemaState::None | SchemaState::Current => return Ok(meta),
        SchemaState::Old { .. } => "run `roster migrate`",
        SchemaState::Newer { .. } => "use the release that wrote it or a newer one",
    };
    Err(StoreError::Schema {
        found: meta.schema,
        needed: schema_versions::CURRENT,
        help,
    })
}

async fn first_rows(tx: &mut SqlTransaction, environment: Option<&str>) -> Result<(), StoreError> {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    let meta = [
        SqlValue::text(identity()),
        SqlValue::text_or_null(environment),
        SqlValue::Int(schema_versions::CURRENT),
        SqlValue::Bytes(key.to_vec()),
    ];
    let sql = "INSERT INTO meta (id, identity, environment, schema_version, secret_key) \
               VALUES (1, ?, ?, ?, ?)";
    tx.run(sql, &meta).await?;
    let sql = "INSERT INTO write (id, last_seq, last_run, head) VALUES (1, 0, 0, ?)";
    tx.run(sql, &[SqlValue::Bytes(vec![0; 32])]).await?;
    foreign_writes::set_unclaimed(tx, 0).await
}

/// A random UUID (version 4).
fn identity() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = Digest(bytes).to_string();
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

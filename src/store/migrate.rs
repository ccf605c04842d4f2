//! The schema's version, and what brings it up.

use super::connection::Tx;
use super::error::StoreError;
use super::param::{Param, Ty};
use super::{Store, schema};
use crate::model::Digest;
use rand::RngCore;

/// How the stored schema stands to this release's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schema {
    /// There is none: an empty database.
    None,
    /// The one this release writes.
    Current,
    /// An older one; `roster migrate` brings it up.
    Old {
        /// Its version.
        found: i64,
    },
    /// A newer one, of a newer release.
    Newer {
        /// Its version.
        found: i64,
    },
}

/// What a migration came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// The identity of the database.
    pub identity: String,
    /// The name of the environment it belongs to.
    pub environment: Option<String>,
    /// Whether anything had to be done.
    pub changed: bool,
}

/// What the database says of itself.
pub(super) struct Meta {
    /// Its identity.
    pub(super) identity: String,
    /// Its environment.
    pub(super) environment: Option<String>,
    /// The version of its schema.
    pub(super) schema: i64,
    /// The key of its keyed hashes.
    pub(super) key: [u8; 32],
}

impl Store {
    /// How the stored schema stands to this release's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let Some(mut tx) = self.reading("read the schema version").await? else {
            return Ok(Schema::None);
        };
        Ok(match meta(&mut tx).await? {
            None => Schema::None,
            Some(meta) => standing(meta.schema),
        })
    }

    /// Creates the schema in one transaction and gives the database its identity, or brings that of
    /// an older release up; a database that is current is left as it is.
    ///
    /// # Errors
    /// When the schema is of a newer release, or a statement fails: then nothing was done.
    pub async fn migrate(&self, environment: Option<&str>) -> Result<Migrated, StoreError> {
        let mut tx = self.writing("migrate").await?;
        let present = meta(&mut tx).await?;
        let standing = present.map_or(Schema::None, |meta| standing(meta.schema));
        let statements = match standing {
            Schema::None => schema::create(tx.dialect()),
            Schema::Old { found } => schema::upgrade(tx.dialect(), found),
            Schema::Current | Schema::Newer { .. } => Vec::new(),
        };
        for statement in &statements {
            tx.script(statement).await?;
        }
        if standing == Schema::None {
            first_rows(&mut tx, environment).await?;
        } else if !statements.is_empty() {
            let sql = "UPDATE meta SET schema_version = ? WHERE id = 1";
            tx.run(sql, &[Param::Int(schema::VERSION)]).await?;
        }
        let changed = !statements.is_empty();
        let meta = current(&mut tx).await?;
        tx.commit().await?;
        Ok(Migrated {
            identity: meta.identity,
            environment: meta.environment,
            changed,
        })
    }
}

fn standing(found: i64) -> Schema {
    match found.cmp(&schema::VERSION) {
        std::cmp::Ordering::Less => Schema::Old { found },
        std::cmp::Ordering::Equal => Schema::Current,
        std::cmp::Ordering::Greater => Schema::Newer { found },
    }
}

/// What the database says of itself; `None` while it has no schema.
pub(super) async fn meta(tx: &mut Tx) -> Result<Option<Meta>, StoreError> {
    if !has_table(tx, "meta").await? {
        return Ok(None);
    }
    let sql = "SELECT identity, environment, schema_version, secret_key FROM meta WHERE id = 1";
    let types = [Ty::Text, Ty::Text, Ty::Int, Ty::Bytes];
    let Some(mut row) = tx.first(sql, &[], &types).await? else {
        return Err(tx.corrupt("the table `meta` is empty"));
    };
    let key = row[3].take_bytes().try_into();
    Ok(Some(Meta {
        identity: row[0].take_text().into(),
        environment: row[1].take_maybe().map(Into::into),
        schema: row[2].int(),
        key: key.map_err(|_| tx.corrupt("the key in `meta` has another length"))?,
    }))
}

/// Whether a table is there, also one that may not be read.
pub(super) async fn has_table(tx: &mut Tx, name: &str) -> Result<bool, StoreError> {
    let exists = tx.dialect().table_exists;
    tx.any(exists, &[name.into()]).await
}

/// The same, of a schema that this release can write to.
pub(super) async fn current(tx: &mut Tx) -> Result<Meta, StoreError> {
    within(tx, 0).await
}

/// The same, of a schema that this release can read: its own, or of the release before or after.
pub(super) async fn readable(tx: &mut Tx) -> Result<Meta, StoreError> {
    within(tx, 1).await
}

async fn within(tx: &mut Tx, releases: u64) -> Result<Meta, StoreError> {
    let meta = meta(tx).await?.ok_or(StoreError::Missing)?;
    if meta.schema.abs_diff(schema::VERSION) <= releases {
        return Ok(meta);
    }
    let help = match standing(meta.schema) {
        Schema::None | Schema::Current => return Ok(meta),
        Schema::Old { .. } => "run `roster migrate`",
        Schema::Newer { .. } => "use the release that wrote it, or a newer one",
    };
    Err(StoreError::Schema {
        found: meta.schema,
        needed: schema::VERSION,
        help,
    })
}

async fn first_rows(tx: &mut Tx, environment: Option<&str>) -> Result<(), StoreError> {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    let meta = [
        Param::text(identity()),
        Param::maybe(environment),
        Param::Int(schema::VERSION),
        Param::Bytes(key.to_vec()),
    ];
    let sql = "INSERT INTO meta (id, identity, environment, schema_version, secret_key) \
               VALUES (1, ?, ?, ?, ?)";
    tx.run(sql, &meta).await?;
    let sql = "INSERT INTO write (id, last_seq, last_run, head) VALUES (1, 0, 0, ?)";
    tx.run(sql, &[Param::Bytes(vec![0; 32])]).await?;
    Ok(())
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

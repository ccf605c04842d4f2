//! The fields that reverts have set back, for each source that declares their resources. As long as
//! the source is at the revision that is recorded here, its passes leave these fields alone. The
//! first apply at another revision deletes the records. `apply/reverts.rs` writes them.
//!
//! A record without a revision is of a resource that its source had removed: it is not declared, so there
//! is nothing to leave alone, and [`Store::reverted_removals`] says that it stays.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::incremental_tables::REVERTED_FIELDS;
use super::sql_value::SqlType;
use super::{Store, migrate, schema_versions};
use crate::kinds::{self, Kind};
use crate::model::{Key, RevertedField, RevertedFields};

/// The revision in the record of a removal that was reverted.
pub(super) const OF_REMOVAL: &str = "";

/// A resource that a source removed and a revert brought back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RevertedRemoval {
    pub key: Key,
    /// The run of the revert.
    pub run: i64,
}

impl Store {
    /// Returns what a source removed and a revert brought back, as long as it is active and no source
    /// declares it.
    pub async fn reverted_removals(
        &self,
        source: &str,
    ) -> Result<Vec<RevertedRemoval>, StoreError> {
        let of = "read what reverts brought back";
        let Some(mut tx) = self.begin_schema_read(of).await? else {
            return Ok(Vec::new());
        };
        // The previous schema can be read too, and it has no such table.
        if !migrate::has_table(&mut tx, REVERTED_FIELDS).await? {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for kind in removed_kinds(&mut tx, source).await? {
            let sql = format!(
                "SELECT r.external_id, r.run FROM {REVERTED_FIELDS} AS r \
                 WHERE r.source = ? AND r.kind = ? AND r.revision = '{OF_REMOVAL}' AND {} \
                 ORDER BY r.external_id",
                stays(kind, "r")
            );
            let of = [source.into(), kind.name.into()];
            let rows = tx.fetch(&sql, &of, &[SqlType::Id, SqlType::Int]).await?;
            found.extend(rows.into_iter().map(|mut cells| RevertedRemoval {
                key: Key::new(kind.id, cells[0].take_text()),
                run: cells[1].int(),
            }));
        }
        Ok(found)
    }
}

/// The kinds of what a source removed and a revert brought back.
async fn removed_kinds(
    tx: &mut SqlTransaction,
    source: &str,
) -> Result<Vec<&'static Kind>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT kind FROM {REVERTED_FIELDS} \
         WHERE source = ? AND revision = '{OF_REMOVAL}' ORDER BY kind"
    );
    let found = tx.fetch(&sql, &[source.into()], &[SqlType::Id]).await?;
    let kinds = found
        .iter()
        .filter_map(|cells| kinds::by_name(cells[0].as_text()?));
    Ok(kinds.filter(|kind| kind.has_status).collect())
}

/// The condition that a resource is active and no source declares it.
fn stays(kind: &Kind, record: &str) -> String {
    let table = kind.table;
    format!(
        "EXISTS (SELECT 1 FROM {table} AS t \
         WHERE t.external_id = {record}.external_id AND t.status = 'active') \
         AND NOT EXISTS (SELECT 1 FROM claims AS c WHERE c.kind = {record}.kind \
         AND c.external_id = {record}.external_id AND c.state = 'active')"
    )
}

/// Reads what is set back of a source's resources. A schema of the release before has no such table.
pub(super) async fn read(
    tx: &mut SqlTransaction,
    schema: i64,
    source: &str,
) -> Result<RevertedFields, StoreError> {
    let mut reverted = RevertedFields::default();
    if schema_versions::adds_table(schema, REVERTED_FIELDS) {
        return Ok(reverted);
    }
    let sql = format!(
        "SELECT kind, external_id, field, revision, run FROM {REVERTED_FIELDS} \
         WHERE source = ? AND revision <> '{OF_REMOVAL}'"
    );
    let types = [
        SqlType::Id,
        SqlType::Id,
        SqlType::Id,
        SqlType::Id,
        SqlType::Int,
    ];
    for mut cells in tx.fetch(&sql, &[source.into()], &types).await? {
        let kind = cells[0].as_text().and_then(kinds::by_name);
        let Some(kind) = kind else { continue };
        let key = Key {
            kind: kind.id,
            id: cells[1].take_text(),
        };
        let field = RevertedField {
            field: cells[2].take_text().into(),
            revision: cells[3].take_text().into(),
            run: cells[4].int(),
        };
        reverted.add(key, field);
    }
    Ok(reverted)
}

/// Deletes what was set back while a source was at another revision than this one, and what was brought
/// back and is declared or inactive by now.
pub(super) async fn forget_earlier(
    tx: &mut SqlTransaction,
    source: &str,
    revision: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "DELETE FROM {REVERTED_FIELDS} \
         WHERE source = ? AND revision <> ? AND revision <> '{OF_REMOVAL}'"
    );
    tx.run(&sql, &[source.into(), revision.into()]).await?;
    for kind in removed_kinds(tx, source).await? {
        let sql = format!(
            "DELETE FROM {REVERTED_FIELDS} WHERE source = ? AND kind = ? \
             AND revision = '{OF_REMOVAL}' AND NOT ({})",
            stays(kind, REVERTED_FIELDS)
        );
        tx.run(&sql, &[source.into(), kind.name.into()]).await?;
    }
    Ok(())
}

/// Deletes what is recorded of a source.
pub(super) async fn forget_source(tx: &mut SqlTransaction, source: &str) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM {REVERTED_FIELDS} WHERE source = ?");
    tx.run(&sql, &[source.into()]).await?;
    Ok(())
}

/// Moves what is recorded of one source to another.
pub(super) async fn transfer(
    tx: &mut SqlTransaction,
    from: &str,
    to: &str,
) -> Result<(), StoreError> {
    forget_source(tx, to).await?;
    let sql = format!("UPDATE {REVERTED_FIELDS} SET source = ? WHERE source = ?");
    tx.run(&sql, &[to.into(), from.into()]).await?;
    Ok(())
}

//! The fields that reverts have set back, for each source that declares their resources. As long as
//! the source is at the revision that is recorded here, its passes leave these fields alone. The
//! first apply at another revision deletes the records. `apply/reverts.rs` writes them.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::incremental_tables::REVERTED_FIELDS;
use super::schema_versions;
use super::sql_value::SqlType;
use crate::kinds;
use crate::model::{Key, RevertedField, RevertedFields};

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
        "SELECT kind, external_id, field, revision, run FROM {REVERTED_FIELDS} WHERE source = ?"
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

/// Deletes what was set back while a source was at another revision than this one.
pub(super) async fn forget_earlier(
    tx: &mut SqlTransaction,
    source: &str,
    revision: &str,
) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM {REVERTED_FIELDS} WHERE source = ? AND revision <> ?");
    tx.run(&sql, &[source.into(), revision.into()]).await?;
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

//! Reads some rows of a kind, or of a query, by a list of ids: one statement for many of them in
//! place of one for each.

use super::codec;
use super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use super::tables::{KindTable, LinkTable, column_names_and_types};
use crate::model::{CompactText, Link, Row};
use std::collections::HashMap;

/// Runs a query for some texts, which replace `{rows}`.
pub(super) async fn look_up(
    tx: &mut SqlTransaction,
    sql: &str,
    texts: &[&CompactText],
    types: &[SqlType],
) -> Result<Vec<SqlRow>, StoreError> {
    let batch = BatchStatement {
        sql,
        types: &[SqlType::Id],
    };
    let rows = texts.iter().map(|text| vec![SqlValue::from(*text)]);
    // Collected, because the future of a lazy list cannot be sent to another thread.
    let rows: Vec<SqlRow> = rows.collect();
    tx.batch_fetch(&batch, rows, types).await
}

/// Which resources of a kind are read.
#[derive(Clone, Copy)]
pub(super) enum WantedResources<'a> {
    All,
    /// Those with these ids.
    Some(&'a [&'a CompactText]),
    /// Those from one id to another, both included.
    Between(&'a CompactText, &'a CompactText),
}

impl WantedResources<'_> {
    /// Runs a query in which `{of}` is replaced by a condition on a column, or by nothing.
    pub(super) async fn fetch(
        self,
        tx: &mut SqlTransaction,
        sql: &str,
        (joint, column): (&str, &str),
        types: &[SqlType],
    ) -> Result<Vec<SqlRow>, StoreError> {
        match self {
            Self::All => tx.fetch(&sql.replace("{of}", ""), &[], types).await,
            Self::Some(ids) => {
                let condition = format!("{joint} {column} IN ({{rows}})");
                look_up(tx, &sql.replace("{of}", &condition), ids, types).await
            }
            Self::Between(first, last) => {
                let condition = format!("{joint} {column} BETWEEN ? AND ?");
                let params = [first.into(), last.into()];
                tx.fetch(&sql.replace("{of}", &condition), &params, types)
                    .await
            }
        }
    }
}

/// Returns the rows of a kind that have one of the ids, with their lists.
pub(super) async fn some_rows(
    tx: &mut SqlTransaction,
    table: &KindTable,
    ids: &[&CompactText],
) -> Result<Vec<Row>, StoreError> {
    let (names, types) = column_names_and_types(&table.shape());
    let sql = format!(
        "SELECT {names} FROM {} WHERE external_id IN ({{rows}})",
        table.kind.table
    );
    let found = look_up(tx, &sql, ids, &types).await?.into_iter();
    let mut rows: Vec<Row> = found
        .map(|mut cells| codec::row(table, &mut cells))
        .collect();
    for link in &table.links {
        lists(tx, link, WantedResources::Some(ids), &mut rows).await?;
    }
    Ok(rows)
}

/// Fills one list of some rows.
pub(super) async fn lists(
    tx: &mut SqlTransaction,
    link: &LinkTable,
    of: WantedResources<'_>,
    rows: &mut [Row],
) -> Result<(), StoreError> {
    let (names, types) = column_names_and_types(&link.shape());
    let sql = format!(
        "SELECT {names} FROM {} {{of}} ORDER BY {}, {}",
        link.name, link.owner, link.member
    );
    let mut lists: HashMap<CompactText, Vec<Link>> = HashMap::new();
    let found = of.fetch(tx, &sql, ("WHERE", &link.owner), &types).await?;
    for mut cells in found {
        let member = codec::link(link, &mut cells[1..]);
        lists.entry(cells[0].take_text()).or_default().push(member);
    }
    for row in rows {
        if let Some(list) = lists.remove(&row.key.id) {
            row.values[link.field] = Some(codec::members(link, list));
        }
    }
    Ok(())
}

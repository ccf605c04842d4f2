//! Reads the rows of a kind page by page, in the order of their ids, so that nobody has to hold all
//! of them.

use super::codec;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::SqlValue;
use super::tables::{KindTable, LinkTable, column_names_and_types};
use crate::model::{CompactText, Link, Row};

/// How many rows a page has. Larger pages are no faster.
const PAGE_ROWS: usize = 2_000;

/// Returns the next rows of a kind after an id, with their lists. An empty page is the end.
pub(super) async fn rows_after(
    tx: &mut SqlTransaction,
    table: &KindTable,
    after: Option<&CompactText>,
) -> Result<Vec<Row>, StoreError> {
    let (names, types) = column_names_and_types(&table.shape());
    // No external id is empty, so every one of them comes after the empty text.
    let after = SqlValue::from(after.map_or("", CompactText::as_str));
    let sql = format!(
        "SELECT {names} FROM {} WHERE external_id > ? ORDER BY external_id LIMIT {PAGE_ROWS}",
        table.kind.table
    );
    let found = tx.fetch(&sql, std::slice::from_ref(&after), &types).await?;
    let rows = found.into_iter();
    let mut rows: Vec<Row> = rows
        .map(|mut cells| codec::row(table, &mut cells))
        .collect();
    if let Some(last) = rows.last() {
        let last = SqlValue::from(&last.key.id);
        for link in &table.links {
            lists_between(tx, link, [after.clone(), last.clone()], &mut rows).await?;
        }
    }
    Ok(rows)
}

/// Fills one list of the rows whose ids are after the first and not after the last of two.
async fn lists_between(
    tx: &mut SqlTransaction,
    link: &LinkTable,
    between: [SqlValue; 2],
    rows: &mut [Row],
) -> Result<(), StoreError> {
    let (names, types) = column_names_and_types(&link.shape());
    let (table, owner, member) = (&link.name, &link.owner, &link.member);
    let sql = format!(
        "SELECT {names} FROM {table} WHERE {owner} > ? AND {owner} <= ? ORDER BY {owner}, {member}"
    );
    let mut links: Vec<(CompactText, Link)> = tx
        .fetch(&sql, &between, &types)
        .await?
        .into_iter()
        .map(|mut cells| {
            let member = codec::link(link, &mut cells[1..]);
            (cells[0].take_text(), member)
        })
        .collect();
    // Both are sorted by the id of the row, so the links of the last row are the last ones.
    for row in rows.iter_mut().rev() {
        let own = links.partition_point(|(owner, _)| *owner < row.key.id);
        let own: Vec<Link> = links.split_off(own).into_iter().map(|(_, it)| it).collect();
        if !own.is_empty() {
            row.values[link.field] = Some(codec::members(link, own));
        }
    }
    Ok(())
}

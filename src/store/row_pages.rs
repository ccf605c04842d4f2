//! Reads the directory as of one moment and one page at a time, for what is written and forgotten
//! again: exports and lists. `read` reads everything at once.

use super::codec;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::read_transaction::ReadTransaction;
use super::some_rows::{WantedResources, lists, look_up, some_rows};
use super::sql_value::{SqlType, SqlValue};
use super::table_scan::TableScan;
use super::tables::{self, ColumnContent, KindTable, column_names_and_types};
use crate::kinds::{self, FieldType};
use crate::model::{CompactText, Key, KindId, Row};
use std::collections::BTreeSet;

impl ReadTransaction {
    /// Returns the next resources of a kind after an id, sorted by external id, with their lists.
    /// Fewer than the limit are the last ones.
    pub async fn rows_after(
        &mut self,
        kind: KindId,
        after: Option<&CompactText>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        page(&mut self.tx, tables::for_kind(kind), after, limit).await
    }

    /// Returns the stored ones of some resources.
    pub async fn rows_of(&mut self, keys: &BTreeSet<Key>) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        for table in tables::ALL.iter() {
            let of_kind = keys.iter().filter(|key| key.kind == table.kind.id);
            let ids: Vec<&CompactText> = of_kind.map(|key| &key.id).collect();
            if !ids.is_empty() {
                found.extend(some_rows(&mut self.tx, table, &ids).await?);
            }
        }
        Ok(found)
    }

    /// Returns the resources of a kind that refer to one of some resources of another kind.
    pub async fn keys_referring(
        &mut self,
        kind: KindId,
        (target, ids): (KindId, &[&CompactText]),
    ) -> Result<BTreeSet<Key>, StoreError> {
        let mut keys = BTreeSet::new();
        for reference in references(tables::for_kind(kind), target) {
            let ReferenceColumns {
                table,
                owner,
                member,
            } = reference;
            let sql = format!("SELECT {owner} FROM {table} WHERE {member} IN ({{rows}})");
            let found = look_up(&mut self.tx, &sql, ids, &[SqlType::Id]).await?;
            keys.extend(found.into_iter().map(|mut cells| Key {
                kind,
                id: cells[0].take_text(),
            }));
        }
        Ok(keys)
    }

    /// Returns the next resources of a kind after an id to which no resource refers, sorted. Fewer
    /// than the limit are the last ones.
    pub async fn unreferenced_after(
        &mut self,
        kind: KindId,
        after: Option<&CompactText>,
        limit: usize,
    ) -> Result<Vec<CompactText>, StoreError> {
        let mut conditions: Vec<String> = Vec::new();
        if after.is_some() {
            conditions.push("t.external_id > ?".to_owned());
        }
        for table in tables::ALL.iter() {
            for reference in references(table, kind) {
                // A link whose owner has no row is none: a program that ignores foreign keys may
                // have left it.
                conditions.push(format!(
                    "NOT EXISTS (SELECT 1 FROM {} AS l JOIN {} AS o ON o.external_id = l.{} \
                     WHERE l.{} = t.external_id)",
                    reference.table, table.kind.table, reference.owner, reference.member
                ));
            }
        }
        let condition = match conditions.as_slice() {
            [] => String::new(),
            some => format!("WHERE {}", some.join(" AND ")),
        };
        let sql = format!(
            "SELECT t.external_id FROM {} AS t {condition} ORDER BY t.external_id LIMIT {limit}",
            kinds::get(kind).table
        );
        let params: Vec<SqlValue> = after.into_iter().map(SqlValue::from).collect();
        let found = self.tx.fetch(&sql, &params, &[SqlType::Id]).await?;
        let ids = found.into_iter().map(|mut cells| cells[0].take_text());
        Ok(ids.collect())
    }

    /// Returns the custom fields for which a resource of a kind has a value.
    pub async fn custom_fields_with_values(
        &mut self,
        kind: KindId,
    ) -> Result<BTreeSet<CompactText>, StoreError> {
        let table = tables::for_kind(kind);
        let mut columns = table.columns.iter();
        let mut used: BTreeSet<CompactText> = BTreeSet::new();
        let Some(custom) = columns.find(|it| matches!(it.content, ColumnContent::Custom)) else {
            return Ok(used);
        };
        let scan = TableScan {
            table: table.kind.table,
            columns: &[("external_id", SqlType::Id), (&custom.name, custom.ty)],
            key: 1,
        };
        self.tx
            .scan(&scan, |cells| {
                let values = codec::custom(cells[1].as_text().unwrap_or_default());
                for id in values.keys() {
                    if !used.contains(id) {
                        used.insert(id.clone());
                    }
                }
            })
            .await?;
        Ok(used)
    }
}

/// Returns the next rows of a kind after an id, sorted by external id, with their lists.
pub(super) async fn page(
    tx: &mut SqlTransaction,
    table: &KindTable,
    after: Option<&CompactText>,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let (names, types) = column_names_and_types(&table.shape());
    let condition = after.map_or("", |_| "WHERE external_id > ?");
    let sql = format!(
        // The limit is a number and no parameter: of those, PostgreSQL expects a tenth of the table.
        "SELECT {names} FROM {} {condition} ORDER BY external_id LIMIT {limit}",
        table.kind.table
    );
    let params: Vec<SqlValue> = after.into_iter().map(SqlValue::from).collect();
    let found = tx.fetch(&sql, &params, &types).await?.into_iter();
    let mut rows: Vec<Row> = found
        .map(|mut cells| codec::row(table, &mut cells))
        .collect();
    let ends = rows.first().zip(rows.last());
    let ends = ends.map(|(first, last)| (first.key.id.clone(), last.key.id.clone()));
    if let Some((first, last)) = &ends {
        for link in &table.links {
            lists(tx, link, WantedResources::Between(first, last), &mut rows).await?;
        }
    }
    Ok(rows)
}

/// Where a kind refers to another one.
struct ReferenceColumns<'a> {
    table: &'a str,
    /// The column with the id of the resource that refers.
    owner: &'a str,
    /// The column with the id of the resource that is referred to.
    member: &'a str,
}

fn references(
    table: &'static KindTable,
    target: KindId,
) -> impl Iterator<Item = ReferenceColumns<'static>> {
    let fields = table.kind.fields.iter();
    let own = fields.filter(move |field| matches!(field.ty, FieldType::Ref(to) if to == target));
    let own = own.map(|field| ReferenceColumns {
        table: table.kind.table,
        owner: "external_id",
        member: field.column,
    });
    let links = table.links.iter();
    let links = links.filter(move |link| link.target == Some(target));
    own.chain(links.map(|link| ReferenceColumns {
        table: &link.name,
        owner: &link.owner,
        member: &link.member,
    }))
}

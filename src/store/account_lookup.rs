//! Finds the accounts of some resources and the names of some accounts: people think in customers,
//! and a plan names users, addresses and policies.

use super::Store;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::some_rows::look_up;
use super::sql_value::SqlType;
use super::tables::{self, ColumnContent, KindTable};
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{CompactText, Key, KindId};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// Returns the stored accounts of each of the resources that has any, sorted.
    pub async fn accounts_of(
        &self,
        keys: &BTreeSet<Key>,
    ) -> Result<BTreeMap<Key, BTreeSet<CompactText>>, StoreError> {
        let mut found: BTreeMap<Key, BTreeSet<CompactText>> = BTreeMap::new();
        let Some(mut tx) = self
            .begin_schema_read("read the accounts of resources")
            .await?
        else {
            return Ok(found);
        };
        let mut by_kind: BTreeMap<KindId, Vec<&CompactText>> = BTreeMap::new();
        for key in keys {
            by_kind.entry(key.kind).or_default().push(&key.id);
        }
        for (kind, ids) in by_kind {
            for sql in statements(kind) {
                for (id, account) in pairs(&mut tx, &sql, &ids).await? {
                    let key = Key { kind, id };
                    found.entry(key).or_default().insert(account);
                }
            }
        }
        Ok(found)
    }

    /// Returns the names of stored accounts by external id.
    pub async fn account_names(
        &self,
        ids: &BTreeSet<CompactText>,
    ) -> Result<BTreeMap<CompactText, CompactText>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the names of accounts").await? else {
            return Ok(BTreeMap::new());
        };
        let table = kinds::get(ACCOUNT).table;
        let sql = format!("SELECT external_id, name FROM {table} WHERE external_id IN ({{rows}})");
        let ids: Vec<&CompactText> = ids.iter().collect();
        Ok(pairs(&mut tx, &sql, &ids).await?.into_iter().collect())
    }
}

async fn pairs(
    tx: &mut SqlTransaction,
    sql: &str,
    ids: &[&CompactText],
) -> Result<Vec<(CompactText, CompactText)>, StoreError> {
    let rows = look_up(tx, sql, ids, &[SqlType::Id, SqlType::Text]).await?;
    let pairs = rows.into_iter();
    Ok(pairs
        .map(|mut cells| (cells[0].take_text(), cells[1].take_text()))
        .collect())
}

/// The statements that find the accounts of resources of a kind: those that it names, and for an
/// address those that name it.
fn statements(kind: KindId) -> Vec<String> {
    let table = tables::for_kind(kind);
    let mut all: Vec<String> = named_by_links(table, ACCOUNT, false).collect();
    all.extend(named_by_columns(table));
    if kind == ADDRESS {
        all.extend(named_by_links(tables::for_kind(ACCOUNT), ADDRESS, true));
    }
    all
}

/// For the link tables with members of a kind: the members of some owners or, the other way round,
/// the owners of some members.
fn named_by_links(
    table: &KindTable,
    target: KindId,
    reverse: bool,
) -> impl Iterator<Item = String> {
    let links = table.links.iter();
    let links = links.filter(move |link| link.target == Some(target));
    links.map(move |link| {
        let (from, to) = if reverse {
            (&link.member, &link.owner)
        } else {
            (&link.owner, &link.member)
        };
        format!(
            "SELECT {from}, {to} FROM {} WHERE {from} IN ({{rows}})",
            link.name
        )
    })
}

/// For the columns that name an account.
fn named_by_columns(table: &KindTable) -> impl Iterator<Item = String> {
    let names_account = |content: &ColumnContent| match content {
        ColumnContent::Field(index) => table.kind.account_fields().any(|field| field == *index),
        _ => false,
    };
    let columns = table.columns.iter();
    let columns = columns.filter(move |column| names_account(&column.content));
    columns.map(|column| {
        let (name, table) = (&column.name, table.kind.table);
        format!(
            "SELECT external_id, {name} FROM {table} WHERE external_id IN ({{rows}}) AND {name} IS NOT NULL"
        )
    })
}

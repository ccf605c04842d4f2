//! What a pass reads of the record of foreign writes: the claims of a source that have not seen the
//! present version of their rows, and how many rows no source claims.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::foreign_writes::{RecordedWrites, recorded_writes, stale, unclaimed_before};
use super::incremental_tables::FOREIGN_WRITES;
use super::read_transaction::ReadTransaction;
use super::sql_value::{SqlType, SqlValue};
use super::tables::{self, KindTable};
use crate::kinds::effective::{self, DATE_NAMES};
use crate::model::{CompactText, Key};
use chrono::Utc;

/// Above this many changed claims, a pass reads everything.
const MANY: usize = 20_000;

/// A claim that has not seen the present version of its row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaleClaim {
    pub key: Key,
    /// The file that declared the resource.
    pub path: CompactText,
    /// Whether the row is still there.
    pub has_row: bool,
}

impl ReadTransaction {
    /// Returns the active claims of a source that have not seen the present version of their rows.
    /// `None` if there are very many.
    pub async fn stale_claims(
        &mut self,
        source: &str,
    ) -> Result<Option<Vec<StaleClaim>>, StoreError> {
        let recorded = self.recorded_writes().await?;
        let mut stale = Vec::new();
        for (table, writes) in recorded {
            let sql = stale_sql(table, writes);
            let params = [source.into(), table.kind.name.into()];
            let types = [SqlType::Id, SqlType::Text, SqlType::Int];
            let found = self.tx.fetch(&sql, &params, &types).await?;
            stale.extend(found.into_iter().map(|mut cells| StaleClaim {
                key: Key {
                    kind: table.kind.id,
                    id: cells[0].take_text(),
                },
                path: cells[1].take_text(),
                has_row: cells[2].as_int().is_some(),
            }));
        }
        if self.has_foreign_writes() {
            let now = Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
            for table in tables::ALL.iter() {
                for sql in overdue_sql(table) {
                    self.add_overdue(table, &sql, (source, &now), &mut stale)
                        .await?;
                }
            }
        }
        Ok((stale.len() <= MANY).then_some(stale))
    }

    /// Adds the claims on what is in force beyond its stored end: whatever the files say of it now, a
    /// pass has to look at it.
    async fn add_overdue(
        &mut self,
        table: &KindTable,
        sql: &str,
        (source, now): (&str, &str),
        stale: &mut Vec<StaleClaim>,
    ) -> Result<(), StoreError> {
        let params = [SqlValue::text(now), source.into(), table.kind.name.into()];
        let types = [SqlType::Id, SqlType::Text];
        let found = self.tx.fetch(sql, &params, &types).await?;
        stale.extend(found.into_iter().map(|mut cells| StaleClaim {
            key: Key {
                kind: table.kind.id,
                id: cells[0].take_text(),
            },
            path: cells[1].take_text(),
            has_row: true,
        }));
        Ok(())
    }

    /// Counts the stored resources that no source claims.
    pub async fn unclaimed(&mut self) -> Result<u64, StoreError> {
        let recorded = self.recorded_writes().await?;
        let is_listed = |(_, writes): &(_, RecordedWrites)| *writes == RecordedWrites::Listed;
        let before = if self.has_foreign_writes() && recorded.iter().all(is_listed) {
            unclaimed_before(&mut self.tx).await?
        } else {
            None
        };
        let Some(mut unclaimed) = before else {
            return count_unclaimed(&mut self.tx).await;
        };
        for (table, _) in recorded {
            let (kind, name) = (table.kind.name, table.kind.table);
            let sql = format!(
                "SELECT CAST(coalesce(sum(CASE WHEN r.external_id IS NULL THEN 0 ELSE 1 END \
                 - f.existed), 0) AS bigint) FROM {FOREIGN_WRITES} f \
                 LEFT JOIN {name} r ON r.external_id = f.external_id \
                 WHERE f.kind = ? AND NOT EXISTS (SELECT 1 FROM claims c \
                 WHERE c.kind = f.kind AND c.external_id = f.external_id)"
            );
            let params = [kind.into()];
            let found = self.tx.first(&sql, &params, &[SqlType::Int]).await?;
            unclaimed += found.map_or(0, |cells| cells[0].int());
        }
        Ok(u64::try_from(unclaimed).unwrap_or_default())
    }

    /// The kinds of which anything is recorded.
    async fn recorded_writes(
        &mut self,
    ) -> Result<Vec<(&'static KindTable, RecordedWrites)>, StoreError> {
        if self.has_foreign_writes() {
            return recorded_writes(&mut self.tx).await;
        }
        // The schema of the release before: nothing was recorded.
        let all = tables::ALL.iter();
        Ok(all.map(|table| (table, RecordedWrites::Unknown)).collect())
    }
}

/// The queries for a source's claims on the resources of a kind that are active beyond their stored
/// end, and on those with members of lists that are.
fn overdue_sql(table: &KindTable) -> Vec<String> {
    if table.kind.field_ref(DATE_NAMES[1]).is_none() {
        return Vec::new();
    }
    let name = table.kind.table;
    // CROSS JOIN makes SQLite begin with the rows, of which an index has those with an end.
    let select = |rows: &str, id: &str, is_over: &str| {
        format!(
            "SELECT c.external_id, c.path FROM {rows} CROSS JOIN claims c WHERE {is_over} \
             AND c.source = ? AND c.kind = ? AND c.external_id = {id} AND c.state = 'active' \
             LIMIT {}",
            MANY + 1
        )
    };
    let is_over =
        "r.effective_until IS NOT NULL AND r.effective_until <= ? AND r.status = 'active'";
    let mut all = vec![select(&format!("{name} r"), "r.external_id", is_over)];
    let items = effective::dated_items_field(table.kind).and_then(|field| field.own());
    let Some(items) = items.and_then(|field| table.link(field)) else {
        return all;
    };
    // `until MOMENT LIST ATTRIBUTES MEMBER`, after `from MOMENT ` if it has both.
    let until = |text: &str, more: usize| {
        format!(
            "CASE WHEN {text} LIKE 'until %' THEN substr({text}, {more}) \
                 WHEN substr({text}, 27, 6) = 'until ' THEN substr({text}, {}) END",
            more + 26
        )
    };
    let text = format!("i.{}", items.member);
    for list in table.kind.fields.iter().enumerate() {
        let (index, field) = list;
        let Some(links) = table.link(index).filter(|_| field.dated_by.is_some()) else {
            continue;
        };
        let attributes = links.attributes.iter();
        let attributes = attributes.map(|it| format!("l.{} || ' ' || ", it.column));
        let attributes: String = attributes.collect();
        let is_over = format!(
            "substr({}, 1, 20) <= ? AND EXISTS (SELECT 1 FROM {} l WHERE l.{} = i.{} \
             AND '{} ' || {attributes}l.{} = {})",
            until(&text, 7),
            links.name,
            links.owner,
            items.owner,
            field.name,
            links.member,
            until(&text, 28)
        );
        let from = format!("{} i", items.name);
        all.push(select(&from, &format!("i.{}", items.owner), &is_over));
    }
    all
}

/// The query for a source's stale claims on the resources of a kind.
fn stale_sql(table: &KindTable, writes: RecordedWrites) -> String {
    let name = table.kind.table;
    let (from, is_recorded) = match writes {
        // CROSS JOIN makes SQLite begin with the record, which is short.
        RecordedWrites::Listed => (
            format!("{FOREIGN_WRITES} f CROSS JOIN claims c"),
            " AND f.kind = c.kind AND f.external_id = c.external_id",
        ),
        RecordedWrites::Unknown => ("claims c".to_owned(), ""),
    };
    let is_stale = stale("c", "r");
    format!(
        "SELECT c.external_id, c.path, r.version FROM {from} \
         LEFT JOIN {name} r ON r.external_id = c.external_id \
         WHERE c.source = ? AND c.kind = ?{is_recorded} AND {is_stale} LIMIT {}",
        MANY + 1
    )
}

/// Counts the rows without any claim.
async fn count_unclaimed(tx: &mut SqlTransaction) -> Result<u64, StoreError> {
    let mut unclaimed = 0;
    for table in tables::ALL.iter() {
        let sql = format!(
            "SELECT CAST(count(*) AS bigint) FROM {} r WHERE NOT EXISTS \
             (SELECT 1 FROM claims c WHERE c.kind = ? AND c.external_id = r.external_id)",
            table.kind.table
        );
        let params = [table.kind.name.into()];
        let found = tx.first(&sql, &params, &[SqlType::Int]).await?;
        unclaimed += found.map_or(0, |cells| u64::try_from(cells[0].int()).unwrap_or_default());
    }
    Ok(unclaimed)
}

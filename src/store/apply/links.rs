//! Writes the link rows of list fields. Only the members that are added, removed or changed are
//! touched, so a list of a thousand members with one new one costs one row. `LinkDelta` compares,
//! `write_links` writes.

use super::super::codec;
use super::super::connection::SqlRow;
use super::super::error::StoreError;
use super::super::row_writer::RowWriter;
use super::super::sql_value::{SqlType, SqlValue};
use super::super::tables::{self, LinkTable};
use super::{ApplyTransaction, changes_row, ids};
use crate::kinds::{self, Field};
use crate::model::FieldChange;
use crate::model::{CompactText, Link, Value};
use crate::plan::{Step, StepVerb};
use std::borrow::Cow;

/// The difference between two versions of a list.
#[derive(Default)]
pub(super) struct LinkDelta {
    pub(super) added: Vec<Link>,
    /// Members whose attributes change: the stored link and the new one.
    pub(super) changed: Vec<(Link, Link)>,
    pub(super) removed: Vec<CompactText>,
}

impl LinkDelta {
    /// Compares the members before and after by target.
    pub(super) fn from_change(change: &FieldChange) -> Self {
        let (before, after) = (
            sorted(change.before.as_ref()),
            sorted(change.after.as_ref()),
        );
        let find = |links: &[Link], target: &CompactText| {
            let found = links.binary_search_by(|link| link.target.cmp(target));
            found.ok().map(|at| links[at].clone())
        };
        let mut delta = Self::default();
        for link in &after {
            match find(&before, &link.target) {
                None => delta.added.push(link.clone()),
                Some(old) if old != *link => delta.changed.push((old, link.clone())),
                Some(_) => {}
            }
        }
        let gone = before
            .into_iter()
            .filter(|link| find(&after, &link.target).is_none());
        delta.removed = gone.map(|link| link.target).collect();
        delta
    }
}

/// The members of a value as links, sorted by target.
fn sorted(value: Option<&Value>) -> Vec<Link> {
    let mut links = match value {
        Some(Value::Links(links)) => links.to_vec(),
        Some(Value::List(members)) => members.iter().map(bare).collect(),
        _ => Vec::new(),
    };
    if !links.is_sorted_by(|a, b| a.target <= b.target) {
        links.sort_by(|a, b| a.target.cmp(&b.target));
    }
    links
}

/// Like [`sorted`], without copying links that are sorted already.
fn borrowed(value: Option<&Value>) -> Vec<Cow<'_, Link>> {
    match value {
        Some(Value::Links(links)) if links.is_sorted_by(|a, b| a.target <= b.target) => {
            links.iter().map(Cow::Borrowed).collect()
        }
        value => sorted(value).into_iter().map(Cow::Owned).collect(),
    }
}

fn bare(target: &CompactText) -> Link {
    Link {
        target: target.clone(),
        attributes: [None; 2],
    }
}

/// The change that a step makes to one list field.
pub(super) fn change_of<'s>(step: &'s Step, table: &LinkTable) -> Option<Cow<'s, FieldChange>> {
    step.change(&kinds::own_field(table.field))
}

impl ApplyTransaction<'_> {
    /// Deletes orphaned links: rows whose owner is gone, left by a program that ignores foreign
    /// keys, such as SQLite's own shell. Otherwise a new row would inherit them, and a deletion
    /// would fail on them.
    pub(super) async fn delete_orphaned_links(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter() {
            for link in &table.links {
                let of = |column: &str| {
                    format!("DELETE FROM {} WHERE {column} IN ({{rows}})", link.name)
                };
                let owners = self.of_kind(table.kind.id, |verb| verb == StepVerb::Create);
                let sql = of(&link.owner);
                let owners = ids(owners.map(|step| &step.key)).collect();
                self.run_for_rows(&sql, &[SqlType::Id], owners).await?;
                let Some(target) = link.target else { continue };
                let members = self.of_kind(target, |verb| verb == StepVerb::Delete);
                let sql = format!(
                    "{} AND NOT EXISTS (SELECT 1 FROM {} WHERE external_id = {})",
                    of(&link.member),
                    // Only links whose owner is gone too: a live owner's link must make the
                    // deletion fail, because it means that somebody added it after the plan.
                    table.kind.table,
                    link.owner
                );
                let members = ids(members.map(|step| &step.key)).collect();
                self.run_for_rows(&sql, &[SqlType::Id], members).await?;
            }
        }
        Ok(())
    }

    /// Writes all link rows of the plan. Runs after the rows are inserted, so every reference
    /// exists.
    pub(super) async fn write_links(&mut self) -> Result<(), StoreError> {
        for table in tables::ALL.iter() {
            for link in &table.links {
                let steps: Vec<&Step> = self
                    .of_kind(table.kind.id, |verb| verb == StepVerb::Create)
                    .collect();
                let field = &table.kind.fields[link.field];
                let rows = steps.iter().flat_map(|step| new_links(link, field, step));
                let mut rows = rows.peekable();
                if rows.peek().is_some() {
                    let put = |row: NewLink<'_>, out: &mut RowWriter<'_>| row.put(link, out);
                    self.tx.load(&link.name, &link.shape(), rows, put).await?;
                }
                let steps: Vec<&Step> = self.of_kind(table.kind.id, changes_row).collect();
                self.change_links(link, &steps).await?;
            }
        }
        Ok(())
    }

    /// A changed link is deleted and inserted again. The transaction guard keeps the triggers from
    /// marking that as a foreign write.
    async fn change_links(&mut self, table: &LinkTable, steps: &[&Step]) -> Result<(), StoreError> {
        let (mut out, mut put): (Vec<SqlRow>, Vec<SqlRow>) = (Vec::new(), Vec::new());
        for step in steps {
            let Some(change) = change_of(step, table) else {
                continue;
            };
            let owner = &step.key.id;
            let delta = LinkDelta::from_change(&change);
            let altered = delta.changed.iter().map(|(_, link)| &link.target);
            for target in delta.removed.iter().chain(altered) {
                out.push(vec![owner.into(), target.into()]);
            }
            let came = delta
                .added
                .iter()
                .map(|link| cells(table, owner, link, None));
            put.extend(came);
            let altered = delta.changed.iter();
            put.extend(altered.map(|(old, link)| cells(table, owner, link, Some(old))));
        }
        // Deletions first: a changed link has the same key before and after.
        let sql = delete_pairs(&table.name, [&table.owner, &table.member]);
        self.run_for_rows(&sql, &[SqlType::Id, SqlType::Id], out)
            .await?;
        if !put.is_empty() {
            // Inserts are sorted by key, which both engines handle fastest.
            put.sort_by(|a, b| {
                (a[0].as_text(), a[1].as_text()).cmp(&(b[0].as_text(), b[1].as_text()))
            });
            self.tx.insert(&table.name, &table.shape(), put).await?;
        }
        Ok(())
    }
}

/// Deletes rows by the first two columns of their primary key. The extra `IN` lets SQLite use the
/// key; with the pair condition alone it reads the whole table.
pub(super) fn delete_pairs(table: &str, [first, second]: [&str; 2]) -> String {
    format!(
        "WITH v(a, b) AS MATERIALIZED ({{rows}}) DELETE FROM {table} \
         WHERE {first} IN (SELECT a FROM v) \
         AND EXISTS (SELECT 1 FROM v WHERE v.a = {table}.{first} AND v.b = {table}.{second})"
    )
}

/// A link of a new row.
struct NewLink<'s> {
    owner: &'s CompactText,
    link: Cow<'s, Link>,
}

impl NewLink<'_> {
    fn put(&self, table: &LinkTable, out: &mut RowWriter<'_>) {
        out.put(self.owner);
        out.put(&self.link.target);
        codec::attribute_cells(table, &self.link, None).for_each(|cell| out.put(cell));
    }
}

/// The links of a new row: the declared ones, or the default of the field.
fn new_links<'s>(
    table: &LinkTable,
    field: &Field,
    step: &'s Step,
) -> impl Iterator<Item = NewLink<'s>> + use<'s> {
    let links = match step.borrowed_change(&kinds::own_field(table.field)) {
        Some(given) => borrowed(given.after),
        None => sorted(field.default.value().as_ref())
            .into_iter()
            .map(Cow::Owned)
            .collect(),
    };
    links.into_iter().map(|link| NewLink {
        owner: &step.key.id,
        link,
    })
}

fn cells(table: &LinkTable, owner: &CompactText, link: &Link, otherwise: Option<&Link>) -> SqlRow {
    let mut cells = vec![SqlValue::from(owner), SqlValue::from(&link.target)];
    cells.extend(codec::attribute_cells(table, link, otherwise).map(SqlValue::from));
    cells
}

#[cfg(test)]
mod tests {
    use super::super::super::{Store, StoreAccess};
    use super::*;

    #[tokio::test]
    async fn no_deletion_of_links_reads_the_whole_table() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("roster.db").display());
        let store = Store::open(&url, StoreAccess::Write)
            .await
            .expect("a database");
        store.migrate(None).await.expect("a schema");
        let mut tx = store.begin_write("explain").await.expect("a transaction");
        for link in tables::ALL.iter().flat_map(|table| &table.links) {
            let sql = delete_pairs(&link.name, [&link.owner, &link.member]);
            let rows = tx.dialect().batch(&[SqlType::Id, SqlType::Id], 100);
            let sql = format!("EXPLAIN QUERY PLAN {}", sql.replace("{rows}", &rows));
            let types = [SqlType::Int, SqlType::Int, SqlType::Int, SqlType::Text];
            let nothing = vec![SqlValue::text("x"); 200];
            let steps = tx
                .fetch(&sql, &nothing, &types)
                .await
                .expect("a query plan");
            let whole = format!("SCAN {}", link.name);
            for step in steps {
                let step = step[3].as_text().unwrap_or_default();
                assert!(!step.starts_with(&whole), "{}: {step}", link.name);
            }
        }
    }
}

//! A part of the directory as of one moment, for an incremental pass. It starts with
//! `base_snapshot` and grows by `extend_snapshot` with what the planner turns out to need. When
//! that becomes too much, the caller reads everything instead.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::incremental_tables::FOREIGN_WRITES;
use super::migrate::{self, DatabaseMeta};
use super::read::{self, SnapshotQuery};
use super::some_rows::{look_up, some_rows};
use super::sql_value::{SqlType, SqlValue, escape_like};
use super::{
    Store, claim, guard_bases, held_steps, reverted_fields, schema_versions, stored_logins, tables,
};
use crate::kinds::{self, FieldType};
use crate::model::{
    CompactText, Digest, FEW_OF_A_KIND, Key, KindId, LookupRecorder, Snapshot, SnapshotLookup,
    SnapshotRows,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A transaction that reads one moment of a database with a schema.
pub struct ReadTransaction {
    pub(super) tx: SqlTransaction,
    meta: DatabaseMeta,
    /// How many rows a partial snapshot may have.
    most_rows: usize,
}

/// The part of a claim that tells whether it is current.
pub struct ClaimSummary {
    pub key: Key,
    pub source: CompactText,
    /// The digest of the declaration.
    pub digest: Digest,
    /// Whether the source still declares it.
    pub active: bool,
    pub row_inactive: bool,
}

/// From this many rows on, reading everything is as fast.
const MANY: usize = 20_000;

impl Store {
    /// Begins a transaction at the present moment; `None` without a database or schema.
    pub async fn read_transaction(&self) -> Result<Option<ReadTransaction>, StoreError> {
        let Some(mut tx) = self
            .begin_schema_read("read a part of the directory")
            .await?
        else {
            return Ok(None);
        };
        let meta = migrate::require_readable(&mut tx).await?;
        Ok(Some(ReadTransaction {
            tx,
            meta,
            most_rows: MANY,
        }))
    }
}

impl ReadTransaction {
    /// Lets partial snapshots grow with the number of resources beside which they are read.
    pub fn allow_share_of(&mut self, resources: u64) {
        let share = usize::try_from(resources / 8).unwrap_or(usize::MAX);
        self.most_rows = MANY.max(share);
    }

    /// The identity of the database.
    pub fn database(&self) -> &str {
        &self.meta.identity
    }

    pub fn environment(&self) -> Option<&str> {
        self.meta.environment.as_deref()
    }

    /// Whether the schema has the record of foreign writes.
    pub(super) fn has_foreign_writes(&self) -> bool {
        !schema_versions::adds_table(self.meta.schema, FOREIGN_WRITES)
    }

    /// Reads what every plan needs: a partial snapshot with the settings and custom fields.
    pub async fn base_snapshot(
        &mut self,
        query: &SnapshotQuery<'_>,
        recorder: Arc<dyn LookupRecorder>,
    ) -> Result<Snapshot, StoreError> {
        let tx = &mut self.tx;
        let mut snapshot = Snapshot {
            database: Some(self.meta.identity.clone()),
            environment: self.meta.environment.clone(),
            today: read::latest_day(),
            retired: read::retired_of(tx, &self.meta.key, query).await?,
            open_jobs: read::open_jobs(tx, query).await?,
            tag_offers: read::tag_offers(tx, query).await?,
            logins_of_rows: stored_logins::of_rows(tx, query.logins).await?,
            approved_holds: held_steps::unused_approvals(tx, query.approved_since).await?,
            approvers: held_steps::approvers(tx, query.approved_since).await?,
            budget_use: read::spent(tx, query).await?,
            held_steps: held_steps::read(tx, query.source).await?,
            reverted: reverted_fields::read(tx, self.meta.schema, query.source).await?,
            ..Snapshot::default()
        };
        snapshot.rows = SnapshotRows::partial(recorder);
        let mut definitions = Vec::new();
        for kind in kinds::RULE_KINDS {
            definitions.extend(read::rows(tx, tables::for_kind(kind)).await?);
        }
        let settings = kinds::settings_key();
        let keys = definitions.iter().map(|row| row.key.clone());
        let keys: BTreeSet<Key> = keys.chain([settings]).collect();
        self.claims(&keys, &mut snapshot).await?;
        for row in definitions {
            // The primary key keeps keys distinct.
            let _ = snapshot.rows.insert(row);
        }
        Ok(snapshot)
    }

    /// Adds what the planner asked for; returns `false` if that is too much for a partial snapshot.
    pub async fn extend_snapshot(
        &mut self,
        snapshot: &mut Snapshot,
        asks: &BTreeSet<SnapshotLookup>,
    ) -> Result<bool, StoreError> {
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        let mut by_field: BTreeMap<(KindId, usize), Vec<&Key>> = BTreeMap::new();
        let mut alike: BTreeMap<(KindId, Option<usize>), Vec<&CompactText>> = BTreeMap::new();
        for ask in asks {
            match ask {
                SnapshotLookup::Row(key) => _ = keys.insert(key.clone()),
                SnapshotLookup::Referrers(kind, field, key) => {
                    by_field.entry((*kind, *field)).or_default().push(key);
                }
                SnapshotLookup::IgnoringCase(kind, field, text) => {
                    alike.entry((*kind, *field)).or_default().push(text);
                }
                SnapshotLookup::CustomerNumber(number) => {
                    self.customer_number(snapshot, number).await?;
                }
                SnapshotLookup::Base(base) => {
                    // No column says it, so only the full snapshot can.
                    let Some(sql) = guard_bases::count_sql(base) else {
                        return Ok(false);
                    };
                    let count = self.count(sql).await?;
                    snapshot.guard_bases.insert(base.clone(), count);
                }
                SnapshotLookup::AllOf(kind) => match self.few_ids(*kind).await? {
                    Some(all) => keys.extend(all),
                    None => _ = snapshot.large_kinds.insert(*kind),
                },
                SnapshotLookup::SimilarIds(kind, id) => {
                    keys.extend(self.similar_ids(*kind, id).await?);
                }
                SnapshotLookup::Declared(_) | SnapshotLookup::Everything => return Ok(false),
            }
        }
        for ((kind, field), targets) in by_field {
            keys.extend(self.referrers(kind, field, &targets).await?);
        }
        for ((kind, field), texts) in alike {
            keys.extend(self.keys_matching_text(kind, field, &texts).await?);
        }
        // Asking twice for the same row is normal: two rules may need it.
        keys.retain(|key| !snapshot.rows.has_read(key));
        if snapshot.rows.len() + keys.len() >= self.most_rows {
            return Ok(false);
        }
        for table in tables::ALL.iter() {
            let ids = ids_of(&keys, table.kind.id);
            if !ids.is_empty() {
                for row in some_rows(&mut self.tx, table, &ids).await? {
                    let _ = snapshot.rows.insert(row);
                }
            }
        }
        self.claims(&keys, snapshot).await?;
        Ok(true)
    }

    /// Returns the claims on some keys, as far as needed to see who holds them and whether they are
    /// current.
    pub async fn claims_on<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k Key>,
    ) -> Result<Vec<ClaimSummary>, StoreError> {
        let keys: BTreeSet<Key> = keys.cloned().collect();
        let mut found = Vec::new();
        for kind in kinds::ALL {
            let (status, table) = (if kind.has_status { "r.status" } else { "''" }, kind.table);
            let sql = format!(
                "SELECT c.external_id, c.source, c.declared_digest, c.state, {status} \
                 FROM claims c LEFT JOIN {table} r ON r.external_id = c.external_id \
                 WHERE c.kind = '{}' AND c.external_id IN ({{rows}})",
                kind.name
            );
            let types = [
                SqlType::Id,
                SqlType::Id,
                SqlType::Bytes,
                SqlType::Text,
                SqlType::Text,
            ];
            let ids = ids_of(&keys, kind.id);
            let claims = look_up(&mut self.tx, &sql, &ids, &types).await?;
            found.extend(claims.into_iter().map(|mut cells| ClaimSummary {
                key: Key {
                    kind: kind.id,
                    id: cells[0].take_text(),
                },
                source: cells[1].take_text(),
                digest: Digest(cells[2].take_bytes().try_into().unwrap_or_default()),
                active: cells[3].as_text() == Some("active"),
                row_inactive: cells[4].as_text() == Some("inactive"),
            }));
        }
        Ok(found)
    }

    async fn count(
        &mut self,
        (sql, param): (String, Option<&CompactText>),
    ) -> Result<u64, StoreError> {
        let params: Vec<SqlValue> = param.into_iter().map(SqlValue::from).collect();
        let found = self.tx.first(&sql, &params, &[SqlType::Int]).await?;
        let count = found.map_or(0, |cells| cells[0].int());
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn customer_number(
        &mut self,
        snapshot: &mut Snapshot,
        number: &CompactText,
    ) -> Result<(), StoreError> {
        let account = "SELECT account_id FROM customer_numbers WHERE number = ?";
        let found = self
            .tx
            .first(account, &[number.into()], &[SqlType::Id])
            .await?;
        if let Some(mut cells) = found {
            let account = cells[0].take_text();
            snapshot.customer_numbers.insert(number.clone(), account);
        }
        let next = "SELECT next FROM login_counters WHERE customer_number = ?";
        if let Some(cells) = self
            .tx
            .first(next, &[number.into()], &[SqlType::Int])
            .await?
        {
            let given = u32::try_from(cells[0].int() - 1).unwrap_or_default();
            snapshot.logins.insert(number.clone(), given);
        }
        Ok(())
    }

    /// Returns the resources that refer to some keys by one field.
    async fn referrers(
        &mut self,
        kind: KindId,
        field: usize,
        targets: &[&Key],
    ) -> Result<Vec<Key>, StoreError> {
        let table = tables::for_kind(kind);
        let (name, owner, member) = match (table.link(field), &table.kind.fields[field].ty) {
            (Some(link), _) => (
                link.name.as_str(),
                link.owner.as_str(),
                link.member.as_str(),
            ),
            (None, FieldType::Ref(_)) => (
                table.kind.table,
                "external_id",
                table.kind.fields[field].column,
            ),
            (None, _) => return Ok(Vec::new()),
        };
        // The limit keeps a much-used target, such as one tag on every account, from filling the
        // memory; reaching it means reading everything.
        let sql = format!("SELECT {owner} FROM {name} WHERE {member} IN ({{rows}}) LIMIT {MANY}");
        let ids: Vec<&CompactText> = targets.iter().map(|key| &key.id).collect();
        self.ids(kind, &sql, &ids).await
    }

    /// Returns the resources whose text in a column equals one of these, ignoring case. The texts
    /// are in lower case.
    async fn keys_matching_text(
        &mut self,
        kind: KindId,
        field: Option<usize>,
        texts: &[&CompactText],
    ) -> Result<Vec<Key>, StoreError> {
        let kind_of = kinds::get(kind);
        let column = field.map_or("external_id", |field| kind_of.fields[field].column);
        let sql = format!(
            // Exactly the expression of the index on e-mail columns; a different one would scan the
            // table.
            "SELECT external_id FROM {} WHERE lower({column}) IN ({{rows}}) LIMIT {MANY}",
            kind_of.table
        );
        self.ids(kind, &sql, texts).await
    }

    /// Returns the resources of a kind, unless there are many.
    async fn few_ids(&mut self, kind: KindId) -> Result<Option<Vec<Key>>, StoreError> {
        let limit = FEW_OF_A_KIND + 1;
        let table = kinds::get(kind).table;
        let sql = format!("SELECT external_id FROM {table} LIMIT {limit}");
        let found = self.tx.fetch(&sql, &[], &[SqlType::Id]).await?;
        let is_few = found.len() < limit;
        let ids = found.into_iter().map(|mut cells| Key {
            kind,
            id: cells[0].take_text(),
        });
        Ok(is_few.then(|| ids.collect()))
    }

    /// Returns the resources of a kind that begin or end like an id. If an id differs from it in two
    /// letters next to each other, one of its halves is the same.
    async fn similar_ids(&mut self, kind: KindId, id: &str) -> Result<Vec<Key>, StoreError> {
        let half = id.len() / 2;
        let start = &id[..id.floor_char_boundary(half)];
        let end = &id[id.ceil_char_boundary((half + 1).min(id.len()))..];
        let sql = format!(
            "SELECT external_id FROM {} WHERE lower(external_id) LIKE ? ESCAPE '!' \
             OR lower(external_id) LIKE ? ESCAPE '!' LIMIT {MANY}",
            kinds::get(kind).table
        );
        let escaped = |text: &str| escape_like(&text.to_ascii_lowercase());
        let params = [
            SqlValue::text(format!("{}%", escaped(start))),
            SqlValue::text(format!("%{}", escaped(end))),
        ];
        let found = self.tx.fetch(&sql, &params, &[SqlType::Id]).await?;
        let ids = found.into_iter().map(|mut cells| Key {
            kind,
            id: cells[0].take_text(),
        });
        Ok(ids.collect())
    }

    async fn ids(
        &mut self,
        kind: KindId,
        sql: &str,
        texts: &[&CompactText],
    ) -> Result<Vec<Key>, StoreError> {
        let found = look_up(&mut self.tx, sql, texts, &[SqlType::Id]).await?;
        let ids = found.into_iter();
        Ok(ids
            .map(|mut cells| Key {
                kind,
                id: cells[0].take_text(),
            })
            .collect())
    }

    /// Adds every source's claims on some keys, whether or not the resources exist.
    async fn claims(
        &mut self,
        keys: &BTreeSet<Key>,
        snapshot: &mut Snapshot,
    ) -> Result<(), StoreError> {
        let (names, types) = tables::column_names_and_types(&claim::COLUMNS);
        let mut reader = claim::ClaimReader::default();
        for kind in kinds::ALL {
            let ids = ids_of(keys, kind.id);
            if ids.is_empty() {
                continue;
            }
            let sql = format!(
                "SELECT {names} FROM claims WHERE kind = '{}' AND external_id IN ({{rows}}) \
                 ORDER BY external_id, source",
                kind.name
            );
            for mut cells in look_up(&mut self.tx, &sql, &ids, &types).await? {
                if let Some((key, claim)) = reader.read(&mut cells) {
                    snapshot.claims.entry(key).or_default().push(claim);
                }
            }
        }
        Ok(())
    }
}

fn ids_of(keys: &BTreeSet<Key>, kind: KindId) -> Vec<&CompactText> {
    let of_kind = keys.iter().filter(|key| key.kind == kind);
    of_kind.map(|key| &key.id).collect()
}

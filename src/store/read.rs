//! Reads the whole directory as of one moment for a full pass, or a single resource.
//! `read_transaction` reads only a part for an incremental pass. Start at `Store::read`.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use super::table_scan::TableScan;
use super::tables::{self, KindTable, LinkTable, column_names_and_types};
use super::{
    Store, accepted_exports, claim, codec, held_steps, jobs, migrate, reverted_fields,
    stored_logins, tag_offers,
};
use crate::kinds::{self, TAG, USER};
use crate::model::{CompactText, Key, KindId, Link, Row, RowLogin, Snapshot};
use crate::plan::EffectBudget;
use chrono::{TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// What a plan needs from the database.
#[derive(Clone, Debug, Default)]
pub struct SnapshotQuery<'a> {
    /// The source to plan.
    pub source: &'a str,
    /// The declared keys; the retired ones among them are looked up.
    pub declared: Vec<&'a Key>,
    /// Keys that are referred to; the retired ones among them are looked up too.
    pub referenced: Vec<Key>,
    /// Users and tags whose deletion is declared; their open jobs and offers are looked up.
    pub deletions: Vec<Key>,
    /// The login names that an export brings along; what is known of them is looked up.
    pub logins: &'a [RowLogin],
    /// From when on the source's runs count against its guards, in milliseconds since 1970.
    pub spent_since: i64,
    /// Approvals given earlier have expired, in milliseconds since 1970.
    pub approved_since: i64,
}

impl Store {
    /// Reads everything a plan needs, as of one moment. A database without a schema is empty.
    pub async fn read(&self, query: &SnapshotQuery<'_>) -> Result<Snapshot, StoreError> {
        let Some(mut tx) = self.begin_read("read the directory").await? else {
            return Ok(empty_snapshot());
        };
        if migrate::meta(&mut tx).await?.is_none() {
            return Ok(empty_snapshot());
        }
        let meta = migrate::require_readable(&mut tx).await?;
        let mut snapshot = Snapshot {
            database: Some(meta.identity),
            environment: meta.environment,
            today: latest_day(),
            ..Snapshot::default()
        };
        for table in tables::ALL.iter() {
            for row in rows(&mut tx, table).await? {
                let _ = snapshot.rows.insert(row);
            }
        }
        claims(&mut tx, &mut snapshot).await?;
        snapshot.retired = retired_of(&mut tx, &meta.key, query).await?;
        snapshot.open_jobs = open_jobs(&mut tx, query).await?;
        snapshot.tag_offers = tag_offers(&mut tx, query).await?;
        snapshot.logins_of_rows = stored_logins::of_rows(&mut tx, query.logins).await?;
        registries(&mut tx, &mut snapshot).await?;
        snapshot.approved_holds =
            held_steps::unused_approvals(&mut tx, query.approved_since).await?;
        snapshot.approvers = held_steps::approvers(&mut tx, query.approved_since).await?;
        snapshot.budget_use = spent(&mut tx, query).await?;
        snapshot.held_steps = held_steps::read(&mut tx, query.source).await?;
        snapshot.reverted = reverted_fields::read(&mut tx, meta.schema, query.source).await?;
        accepted_exports::read_missed_counts(&mut tx, query.source, &mut snapshot).await?;
        Ok(snapshot)
    }

    /// Returns the source's use of each guard's budget since a moment.
    pub async fn spent(
        &self,
        source: &str,
        since: i64,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the budgets").await? else {
            return Ok(BTreeMap::new());
        };
        let query = SnapshotQuery {
            source,
            spent_since: since,
            ..SnapshotQuery::default()
        };
        spent(&mut tx, &query).await
    }

    pub async fn row(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read a resource").await? else {
            return Ok(None);
        };
        read_row(&mut tx, key).await
    }

    /// Returns all stored resources of a kind, sorted by external id.
    pub async fn list(&self, kind: KindId) -> Result<Vec<Row>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the resources").await? else {
            return Ok(Vec::new());
        };
        rows(&mut tx, tables::for_kind(kind)).await
    }
}

/// Returns the rows of a kind with their lists, sorted by external id.
pub(super) async fn rows(
    tx: &mut SqlTransaction,
    table: &KindTable,
) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    let scan = TableScan {
        table: table.kind.table,
        columns: &table.shape(),
        key: 1,
    };
    tx.scan(&scan, |cells| rows.push(codec::row(table, cells)))
        .await?;
    for link in &table.links {
        lists(tx, link, &mut rows).await?;
    }
    Ok(rows)
}

/// Fills one list of all rows. Rows and links arrive in the same order, so one walk joins them.
async fn lists(
    tx: &mut SqlTransaction,
    table: &LinkTable,
    rows: &mut [Row],
) -> Result<(), StoreError> {
    let (mut at, mut found): (usize, Vec<Link>) = (0, Vec::new());
    let scan = TableScan {
        table: &table.name,
        columns: &table.shape(),
        key: 2,
    };
    tx.scan(&scan, |cells| {
        let owner = cells[0].as_text().unwrap_or_default();
        if rows.get(at).is_some_and(|row| row.key.id.as_str() != owner) {
            attach_links(table, rows, at, &mut found);
            // Links whose owner has no row are skipped: a program that ignores foreign keys may
            // have left them.
            while rows.get(at).is_some_and(|row| row.key.id.as_str() < owner) {
                at += 1;
            }
        }
        if rows.get(at).is_some_and(|row| row.key.id.as_str() == owner) {
            found.push(codec::link(table, &mut cells[1..]));
        }
    })
    .await?;
    attach_links(table, rows, at, &mut found);
    Ok(())
}

/// Attaches the links found so far to their row.
fn attach_links(table: &LinkTable, rows: &mut [Row], at: usize, found: &mut Vec<Link>) {
    if let (Some(row), false) = (rows.get_mut(at), found.is_empty()) {
        row.values[table.field] = Some(codec::members(table, std::mem::take(found)));
    }
}

/// Returns one row with its lists.
pub(super) async fn read_row(
    tx: &mut SqlTransaction,
    key: &Key,
) -> Result<Option<Row>, StoreError> {
    let table = tables::for_kind(key.kind);
    let (names, types) = column_names_and_types(&table.shape());
    let sql = format!(
        "SELECT {names} FROM {} WHERE external_id = ?",
        table.kind.table
    );
    let id = [SqlValue::from(&key.id)];
    let Some(mut cells) = tx.first(&sql, &id, &types).await? else {
        return Ok(None);
    };
    let mut row = codec::row(table, &mut cells);
    for link in &table.links {
        let (names, types) = column_names_and_types(&link.shape()[1..]);
        let sql = format!(
            "SELECT {names} FROM {} WHERE {} = ? ORDER BY {}",
            link.name, link.owner, link.member
        );
        let found = tx.fetch(&sql, &id, &types).await?;
        let links = found
            .into_iter()
            .map(|mut cells| codec::link(link, &mut cells));
        row.values[link.field] = Some(codec::members(link, links.collect()));
    }
    Ok(Some(row))
}

async fn claims(tx: &mut SqlTransaction, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let mut reader = claim::ClaimReader::default();
    let scan = TableScan {
        table: "claims",
        columns: &claim::COLUMNS,
        key: 3,
    };
    tx.scan(&scan, |cells| {
        if let Some((key, claim)) = reader.read(cells) {
            // Most resources have one source, and a `Vec` would otherwise make room for four claims
            // each.
            let claims = snapshot.claims.entry(key);
            claims.or_insert_with(|| Vec::with_capacity(1)).push(claim);
        }
    })
    .await
}

fn empty_snapshot() -> Snapshot {
    Snapshot {
        today: latest_day(),
        ..Snapshot::default()
    }
}

/// The day where clocks are 14 hours ahead of UTC. Nowhere does it begin earlier.
pub fn latest_day() -> CompactText {
    let latest = (Utc::now() + TimeDelta::hours(14)).date_naive();
    CompactText::from(latest.to_string())
}

/// Returns the open jobs of the users whose deletion is declared.
pub(super) async fn open_jobs(
    tx: &mut SqlTransaction,
    query: &SnapshotQuery<'_>,
) -> Result<BTreeMap<Key, Vec<(String, String)>>, StoreError> {
    let mut open = BTreeMap::new();
    // A database of the release before has no such table yet, and so no jobs.
    if query.deletions.is_empty() || !migrate::has_table(tx, "jobs").await? {
        return Ok(open);
    }
    for user in query.deletions.iter().filter(|key| key.kind == USER) {
        let jobs = jobs::open_jobs(tx, &user.id).await?;
        if !jobs.is_empty() {
            let jobs = jobs.into_iter().map(|job| (job.id, job.status));
            open.insert(user.clone(), jobs.collect());
        }
    }
    Ok(open)
}

/// Returns the offers that use the tags whose deletion is declared.
pub(super) async fn tag_offers(
    tx: &mut SqlTransaction,
    query: &SnapshotQuery<'_>,
) -> Result<BTreeMap<Key, Vec<String>>, StoreError> {
    let mut used = BTreeMap::new();
    let tags = query.deletions.iter().filter(|key| key.kind == TAG);
    for tag in tags {
        // A database of the release before has no such table yet, and so no offers.
        if !migrate::has_table(tx, "tag_offers").await? {
            break;
        }
        let offers = tag_offers::tag_offers(tx, &tag.id).await?;
        if !offers.is_empty() {
            used.insert(tag.clone(), offers);
        }
    }
    Ok(used)
}

/// Returns the retired keys that a plan has to know.
pub(super) async fn retired_of(
    tx: &mut SqlTransaction,
    secret: &[u8; 32],
    query: &SnapshotQuery<'_>,
) -> Result<BTreeSet<Key>, StoreError> {
    let referenced = query.referenced.iter();
    let keys: Vec<&Key> = query.declared.iter().copied().chain(referenced).collect();
    retired(tx, secret, &keys).await
}

/// Returns the retired keys among these.
pub(super) async fn retired(
    tx: &mut SqlTransaction,
    secret: &[u8; 32],
    keys: &[&Key],
) -> Result<BTreeSet<Key>, StoreError> {
    if !tx
        .has_rows("SELECT 1 FROM retired_ids LIMIT 1", &[])
        .await?
    {
        return Ok(BTreeSet::new());
    }
    let scan = TableScan {
        table: "retired_ids",
        columns: &[("kind", SqlType::Id), ("id_hash", SqlType::Id)],
        key: 2,
    };
    let mut hashes: BTreeSet<(CompactText, CompactText)> = BTreeSet::new();
    tx.scan(&scan, |cells| {
        hashes.insert((cells[0].take_text(), cells[1].take_text()));
    })
    .await?;
    let retired = keys
        .iter()
        .filter(|key| hashes.contains(&retired_hash(secret, key)));
    Ok(retired.map(|key| (*key).clone()).collect())
}

/// How a retired id is stored: its kind and a hash keyed with the database's own key.
pub(super) fn retired_hash(secret: &[u8; 32], key: &Key) -> (CompactText, CompactText) {
    let kind = kinds::get(key.kind).name;
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(kind.as_bytes());
    hasher.update(b"/");
    hasher.update(key.id.as_bytes());
    (
        kind.into(),
        CompactText::from(hasher.finalize().to_hex().as_str()),
    )
}

async fn registries(tx: &mut SqlTransaction, snapshot: &mut Snapshot) -> Result<(), StoreError> {
    let scan = TableScan {
        table: "customer_numbers",
        columns: &[("number", SqlType::Id), ("account_id", SqlType::Id)],
        key: 1,
    };
    tx.scan(&scan, |cells| {
        let (number, account) = (cells[0].take_text(), cells[1].take_text());
        snapshot.customer_numbers.insert(number, account);
    })
    .await?;
    let scan = TableScan {
        table: "login_counters",
        columns: &[("customer_number", SqlType::Id), ("next", SqlType::Int)],
        key: 1,
    };
    tx.scan(&scan, |cells| {
        // The counter holds the next number to give.
        let given = u32::try_from(cells[1].int() - 1).unwrap_or_default();
        snapshot.logins.insert(cells[0].take_text(), given);
    })
    .await
}

pub(super) async fn spent(
    tx: &mut SqlTransaction,
    query: &SnapshotQuery<'_>,
) -> Result<BTreeMap<String, u64>, StoreError> {
    // All sources together use the budgets of effects.
    let shared = EffectBudget::ALL.map(|budget| format!("'{}'", budget.name()));
    let shared = shared.join(", ");
    let sql = format!(
        "SELECT budget, CAST(sum(count) AS bigint) FROM run_budgets \
         WHERE source = ? AND at >= ? AND budget NOT IN ({shared}) GROUP BY budget \
         UNION ALL SELECT budget, CAST(sum(count) AS bigint) FROM run_budgets \
         WHERE at >= ? AND budget IN ({shared}) GROUP BY budget"
    );
    let params = [
        query.source.into(),
        query.spent_since.into(),
        query.spent_since.into(),
    ];
    let found = tx
        .fetch(&sql, &params, &[SqlType::Id, SqlType::Int])
        .await?;
    let spent = found.into_iter().map(|mut cells| {
        let count = u64::try_from(cells[1].int()).unwrap_or_default();
        (cells[0].take_text().into(), count)
    });
    Ok(spent.collect())
}

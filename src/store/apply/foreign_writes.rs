//! Keeps the record of foreign writes true through an apply. An apply makes claims of other sources
//! stale, which is recorded like a foreign write; and it deletes the records of resources whose
//! claims have all seen the present version. [`ApplyTransaction::begin_record`] is called before
//! the first write, [`ApplyTransaction::settle_record`] after the last.

use super::super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::super::error::StoreError;
use super::super::foreign_writes::{
    self, RecordedWrites, count_unclaimed_before, record_stale, set_unclaimed, unclaimed_before,
};
use super::super::incremental_tables::FOREIGN_WRITES;
use super::super::source;
use super::super::sql_value::{SqlType, SqlValue};
use super::super::tables::{self, KindTable};
use super::ApplyTransaction;
use crate::kinds;
use crate::model::{CompactText, Key, KindId};
use std::collections::{BTreeMap, BTreeSet};

/// Above this many resources, all claims are compared with all rows instead.
const MANY: usize = 20_000;
/// How many records are looked at together.
const PAGE: usize = 5_000;

/// What the claims on the resources of an apply were before it.
pub(super) enum RecordBefore {
    /// Nothing was ever loaded.
    Nothing,
    /// Too many resources to look at one by one.
    Many,
    Few(Vec<Key>, ClaimTally),
}

/// What the claims on some resources add up to.
#[derive(Default, PartialEq, Eq)]
pub(super) struct ClaimTally {
    /// How many of their rows count as unclaimed before the recorded writes.
    unclaimed: i64,
    /// How many of them each source actively claims.
    active: BTreeMap<CompactText, u64>,
}

/// A resource with its row, its record and its claims, all as of one moment.
#[derive(Default)]
struct ResourceState {
    version: Option<i64>,
    /// Of a recorded resource: whether its row existed before.
    existed: Option<bool>,
    claims: Vec<SeenClaim>,
}

struct SeenClaim {
    source: CompactText,
    is_active: bool,
    seen_version: i64,
}

impl ResourceState {
    fn is_stale(&self) -> bool {
        let mut claims = self.claims.iter();
        claims.any(|claim| claim.is_active && Some(claim.seen_version) != self.version)
    }

    /// Whether its row counts as unclaimed, before the recorded writes.
    fn counts(&self) -> bool {
        self.claims.is_empty() && self.existed.unwrap_or(self.version.is_some())
    }
}

impl ClaimTally {
    fn add(&mut self, state: &ResourceState) {
        self.unclaimed += i64::from(state.counts());
        for claim in state.claims.iter().filter(|claim| claim.is_active) {
            *self.active.entry(claim.source.clone()).or_default() += 1;
        }
    }

    /// The sources whose number of active claims differs.
    fn sources_that_differ<'t>(&'t self, other: &'t Self) -> BTreeSet<&'t CompactText> {
        let all = self.active.keys().chain(other.active.keys());
        all.filter(|source| self.active.get(*source) != other.active.get(*source))
            .collect()
    }
}

impl ApplyTransaction<'_> {
    /// Adds up the claims on the resources that this apply may claim, release or write.
    pub(super) async fn begin_record(&mut self, bare: bool) -> Result<RecordBefore, StoreError> {
        if bare {
            return Ok(RecordBefore::Nothing);
        }
        let plan = self.apply.plan;
        let steps = plan.steps.iter().map(|step| &step.key);
        let agreed = plan.claim_updates.iter().map(|agreed| &agreed.key);
        let keys: BTreeSet<&Key> = steps.chain(agreed).chain(&plan.released).collect();
        if keys.len() > MANY {
            return Ok(RecordBefore::Many);
        }
        let keys: Vec<Key> = keys.into_iter().cloned().collect();
        let mut before = ClaimTally::default();
        for states in look_at_all(&mut self.tx, &keys).await?.values() {
            states.values().for_each(|state| before.add(state));
        }
        Ok(RecordBefore::Few(keys, before))
    }

    /// Brings the record up to date. The last writes of the transaction: a program that changes one
    /// of the recorded rows waits from here on until the commit.
    pub(super) async fn settle_record(&mut self, before: RecordBefore) -> Result<(), StoreError> {
        let (keys, before) = match before {
            RecordBefore::Nothing => {
                // Whatever is recorded, no row is left of it.
                self.tx
                    .run(&format!("DELETE FROM {FOREIGN_WRITES}"), &[])
                    .await?;
                return set_unclaimed(&mut self.tx, 0).await;
            }
            RecordBefore::Many => {
                for table in tables::ALL.iter() {
                    record_stale(&mut self.tx, table).await?;
                }
                self.distrust_checkpoints(None).await?;
                self.settle_unknown().await?;
                self.delete_settled().await?;
                return self.recount().await;
            }
            RecordBefore::Few(keys, before) => (keys, before),
        };
        let mut after = ClaimTally::default();
        let mut stale = Vec::new();
        for (kind, states) in look_at_all(&mut self.tx, &keys).await? {
            for (id, state) in states {
                after.add(&state);
                if state.is_stale() && state.existed.is_none() {
                    stale.push((kind, id, state.version.is_some()));
                }
            }
        }
        self.record_one_by_one(stale).await?;
        self.distrust_checkpoints(Some((&before, &after))).await?;
        self.distrust_files(&keys).await?;
        let unknown = self.settle_unknown().await?;
        let deleted = self.delete_settled().await?;
        match unclaimed_before(&mut self.tx).await? {
            Some(_) if unknown => self.recount().await,
            None => self.recount().await,
            Some(counted) => {
                let now = counted + after.unclaimed - before.unclaimed + deleted;
                if now == counted {
                    return Ok(());
                }
                set_unclaimed(&mut self.tx, now).await
            }
        }
    }

    async fn recount(&mut self) -> Result<(), StoreError> {
        let counted = count_unclaimed_before(&mut self.tx).await?;
        set_unclaimed(&mut self.tx, counted).await
    }

    async fn record_one_by_one(
        &mut self,
        stale: Vec<(KindId, CompactText, bool)>,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO {FOREIGN_WRITES} (kind, external_id, existed) {{rows}} \
             ON CONFLICT DO NOTHING"
        );
        let rows = stale.into_iter().map(|(kind, id, existed)| {
            vec![
                kinds::get(kind).name.into(),
                SqlValue::Text(id),
                SqlValue::Int(i64::from(existed)),
            ]
        });
        let types = [SqlType::Id, SqlType::Id, SqlType::Int];
        self.run_for_rows(&sql, &types, rows.collect()).await?;
        Ok(())
    }

    /// Makes the next pass of a source read everything if its number of claims changed and this apply
    /// leaves it no checkpoint: what it claims is then not what its checkpoint describes.
    async fn distrust_checkpoints(
        &mut self,
        tallies: Option<(&ClaimTally, &ClaimTally)>,
    ) -> Result<(), StoreError> {
        let own = CompactText::from(&*self.apply.plan.source.name);
        let differ = match tallies {
            Some((before, after)) => before.sources_that_differ(after),
            // `invalidate_other_sources` has seen to the others.
            None => [&own].into(),
        };
        for source in differ {
            if *source == own && self.apply.remember.is_some() {
                continue;
            }
            source::read_everything_again(&mut self.tx, source).await?;
        }
        Ok(())
    }

    /// Makes the next pass of the own source read again what this apply wrote of some of its files
    /// only, or as a saved plan: a file that goes back to what it was when the source was last
    /// applied whole would otherwise count as unchanged.
    async fn distrust_files(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        if self.apply.remember.is_some() || keys.is_empty() {
            return Ok(());
        }
        let own = &*self.apply.plan.source.name;
        source::read_again(&mut self.tx, own, keys).await
    }

    /// Lists one by one what is recorded of kinds as a whole. Returns whether there was any.
    async fn settle_unknown(&mut self) -> Result<bool, StoreError> {
        let recorded = foreign_writes::recorded_writes(&mut self.tx).await?;
        let mut any = false;
        for (table, writes) in recorded {
            let kind = table.kind.name;
            if writes == RecordedWrites::Unknown && self.lock_record_of_kind(kind).await? {
                record_stale(&mut self.tx, table).await?;
                let sql =
                    format!("DELETE FROM {FOREIGN_WRITES} WHERE kind = ? AND external_id = ''");
                self.tx.run(&sql, &[kind.into()]).await?;
                any = true;
            }
        }
        Ok(any)
    }

    /// Locks the record of a kind as a whole, unless another program is writing it.
    async fn lock_record_of_kind(&mut self, kind: &str) -> Result<bool, StoreError> {
        let lock = self.tx.dialect().for_update_skip_locked;
        let sql =
            format!("SELECT 1 FROM {FOREIGN_WRITES} WHERE kind = ? AND external_id = ''{lock}");
        self.tx.has_rows(&sql, &[kind.into()]).await
    }

    /// Deletes the records of resources whose claims have all seen the present version. Returns by
    /// how much the number of unclaimed rows grows with what was recorded.
    async fn delete_settled(&mut self) -> Result<i64, StoreError> {
        let mut grown = 0;
        for (table, _) in foreign_writes::recorded_writes(&mut self.tx).await? {
            let mut last = CompactText::default();
            loop {
                // Locked before the rows are looked at. Whoever changes one of these rows waits, and
                // records it anew after the commit; a record that another transaction is writing is
                // left to the next apply. Otherwise a change between the look and the commit would
                // be forgotten.
                let lock = self.tx.dialect().for_update_skip_locked;
                let sql = format!(
                    "SELECT external_id FROM {FOREIGN_WRITES} WHERE kind = ? \
                     AND external_id > ? ORDER BY external_id LIMIT {PAGE}{lock}"
                );
                let params = [table.kind.name.into(), SqlValue::from(&last)];
                let page = self.tx.fetch(&sql, &params, &[SqlType::Id]).await?;
                let ids: Vec<CompactText> =
                    page.into_iter().map(|mut row| row[0].take_text()).collect();
                let Some(end) = ids.last().cloned() else {
                    break;
                };
                last = end;
                let mut settled: Vec<SqlRow> = Vec::new();
                for (id, state) in look_at(&mut self.tx, table, &ids).await? {
                    if !state.is_stale() {
                        let after = ResourceState {
                            existed: None,
                            ..state
                        };
                        grown += i64::from(after.counts())
                            - i64::from(after.claims.is_empty() && state.existed == Some(true));
                        settled.push(vec![SqlValue::Text(id)]);
                    }
                }
                let sql = format!(
                    "DELETE FROM {FOREIGN_WRITES} WHERE kind = '{}' AND external_id IN ({{rows}})",
                    table.kind.name
                );
                self.run_for_rows(&sql, &[SqlType::Id], settled).await?;
            }
        }
        Ok(grown)
    }
}

/// The states of resources of all kinds.
async fn look_at_all(
    tx: &mut SqlTransaction,
    keys: &[Key],
) -> Result<BTreeMap<KindId, BTreeMap<CompactText, ResourceState>>, StoreError> {
    let mut states = BTreeMap::new();
    for table in tables::ALL.iter() {
        let of_kind = keys.iter().filter(|key| key.kind == table.kind.id);
        let ids: Vec<CompactText> = of_kind.map(|key| key.id.clone()).collect();
        if !ids.is_empty() {
            states.insert(table.kind.id, look_at(tx, table, &ids).await?);
        }
    }
    Ok(states)
}

/// The states of resources of one kind.
async fn look_at(
    tx: &mut SqlTransaction,
    table: &KindTable,
    ids: &[CompactText],
) -> Result<BTreeMap<CompactText, ResourceState>, StoreError> {
    let (kind, name) = (table.kind.name, table.kind.table);
    let sql = format!(
        "WITH v(id) AS MATERIALIZED ({{rows}}) \
         SELECT v.id, r.version, f.existed, c.source, c.state, c.seen_version FROM v \
         LEFT JOIN {name} r ON r.external_id = v.id \
         LEFT JOIN {FOREIGN_WRITES} f ON f.kind = '{kind}' AND f.external_id = v.id \
         LEFT JOIN claims c ON c.kind = '{kind}' AND c.external_id = v.id"
    );
    let types = [
        SqlType::Id,
        SqlType::Int,
        SqlType::Int,
        SqlType::Id,
        SqlType::Text,
        SqlType::Int,
    ];
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id],
    };
    let rows = ids.iter().map(|id| vec![SqlValue::from(id)]);
    let mut states: BTreeMap<CompactText, ResourceState> = BTreeMap::new();
    for mut cells in tx.batch_fetch(&batch, rows, &types).await? {
        let state = states.entry(cells[0].take_text()).or_default();
        state.version = cells[1].as_int();
        state.existed = cells[2].as_int().map(|existed| existed == 1);
        if let Some(source) = cells[3].take_optional_text() {
            state.claims.push(SeenClaim {
                source,
                is_active: cells[4].as_text() == Some("active"),
                seen_version: cells[5].int(),
            });
        }
    }
    Ok(states)
}

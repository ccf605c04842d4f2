//! Plans an export of which only the rows were read that differ from the export accepted before. What
//! it no longer names is known from the rows that are gone and from what was missing already. Start
//! reading at [`plan`], which returns `None` wherever the rest of the export could change the result.

use super::feeds::{self, ExportVerdict};
use super::other_changes::OtherChanges;
use super::{
    ManualExport, Pass, PassError, SourceContent, SourceReading, erased_users, incremental_read,
    row_reading,
};
use crate::incremental::{
    ClaimTotals, IncrementalRead, PartialOutcome, PartialSnapshot, read_everything_because,
    why_rows_do_not_suffice,
};
use crate::model::{Desired, Key, SnapshotLookup};
use crate::plan::{Plan, UndeclaredKeys};
use crate::store::{ReadTransaction, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many times rows are added whose resources the plan depends on.
const ROUNDS: usize = 4;

/// What came of planning the rows that were read.
enum RowsOutcome {
    Plan(Box<Plan>),
    /// The rows that name these have to be read too.
    Declared(BTreeSet<Key>),
    Whole(&'static str),
}

/// Plans the changed rows of an export, or returns `None` when everything has to be read.
pub(super) async fn plan(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    earlier: &[Plan],
) -> Result<Option<Plan>, PassError> {
    let source = pass.readings[index].source.clone();
    let whole = |why| Ok(read_everything_because(&source, why));
    let mut also = BTreeSet::new();
    for _ in 0..ROUNDS {
        if let Some(why) = why_whole(pass, index) {
            return whole(why);
        }
        match Box::pin(plan_rows(pass, index, store, earlier, &also)).await? {
            RowsOutcome::Plan(plan) => return Ok(Some(*plan)),
            RowsOutcome::Whole(why) => return whole(why),
            RowsOutcome::Declared(keys) => also.extend(keys),
        }
        match row_reading::reread_changed_rows(pass.config, &pass.readings[index], &also) {
            Ok(reading) => pass.readings[index] = reading,
            Err(why) => return whole(why),
        }
        erased_users::leave_out_erased(&mut pass.readings, store).await?;
    }
    whole("the change affects everything")
}

async fn plan_rows(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    earlier: &[Plan],
    also: &BTreeSet<Key>,
) -> Result<RowsOutcome, PassError> {
    let whole = |why| Ok(RowsOutcome::Whole(why));
    let Some(mut transaction) = store.read_transaction().await? else {
        return whole("the database is new");
    };
    let others = OtherChanges::read(pass, index, earlier, &mut transaction).await?;
    let others = match others {
        Ok(others) => others,
        Err(why) => return whole(why),
    };
    let name = pass.readings[index].source.name.clone();
    let unread = unread(&pass.readings[index]).clone();
    let totals = ClaimTotals::read(&mut transaction, &name, &unread).await?;
    let mut totals = match totals {
        Ok(totals) => totals,
        Err(why) => return whole(why),
    };
    let mut partial = PartialSnapshot::read(&mut transaction, &pass.query(index)).await?;
    let again = judged_again(&name, &partial, &totals);
    if !again.is_subset(also) {
        return Ok(RowsOutcome::Declared(again));
    }
    let declared = &unread.declared.resources;
    if !totals.foreign.iter().all(|key| declared.contains(key)) {
        return whole("a row that it no longer declares was changed outside Roster");
    }
    transaction.allow_share_of(totals.basis.resources);
    let before = transaction.missed_counts(&name).await?;
    let missing = missing_keys(&pass.readings[index], &before, &mut transaction).await?;
    let judged = judge(pass, index, store, &before, &missing).await?;
    let is_sound = |it: &ExportVerdict| it.doubt.is_none() && it.doubtful_fields.is_empty();
    if !judged.as_ref().is_some_and(is_sound) {
        return whole("it is in doubt");
    }
    if !missing.is_empty() {
        let why = why_peers_may_name(pass, index, &missing, store, &mut transaction).await?;
        if let Some(why) = why {
            return whole(why);
        }
    }
    let reading = &mut pass.readings[index];
    reading.judged.export = judged;
    reading.judged.absent = reading.counts_as_absent(&before);
    partial.add_missed_counts(before);
    partial.answer_declared(also);
    let declared = Arc::clone(&unread.declared);
    let rows = declared.resources.iter().map(|it| &it.key);
    let rows = rows.chain(&missing).cloned().map(SnapshotLookup::Row);
    if !partial.extend(&mut transaction, rows.collect()).await? {
        return whole("many rows changed");
    }
    let undeclared = UndeclaredKeys::Only(missing.clone());
    let plan = |stored: &_| pass.plan_affected(index, &declared, stored, undeclared.clone());
    let planned = partial.plan_until_complete(&mut transaction, plan).await?;
    let part = match planned {
        PartialOutcome::Complete(part) => *part,
        PartialOutcome::Declared(keys) => return Ok(RowsOutcome::Declared(keys)),
        PartialOutcome::Everything => return whole("the change affects everything"),
    };
    if let Some(why) = why_rows_do_not_suffice(&part.plan.plan) {
        return whole(why);
    }
    let why = others.why_they_matter(&part, &declared, &missing, &mut transaction);
    if let Some(why) = why.await? {
        return whole(why);
    }
    let (mut planned, stored) = (part.plan, part.stored);
    totals.basis.resources = total(&pass.readings[index]);
    totals.complete_rows(&mut planned.plan, &declared, &stored);
    pass.readings[index].judged.basis = Some(totals.basis);
    Ok(RowsOutcome::Plan(Box::new(pass.keep_desired(planned))))
}

/// What is compared whatever the changed rows say: what somebody else changed, and what was held.
fn judged_again(source: &str, partial: &PartialSnapshot, totals: &ClaimTotals) -> BTreeSet<Key> {
    let held = partial.stored().held_steps.iter();
    let held = held.filter(|step| *step.source == *source);
    let foreign = totals.foreign.iter().cloned();
    foreign.chain(held.map(|step| step.key.clone())).collect()
}

fn unread(reading: &SourceReading) -> &IncrementalRead {
    match &reading.content {
        SourceContent::ChangedRows(unread, _) => unread,
        _ => unreachable!("only changed rows are planned here"),
    }
}

/// How many resources the export declares.
fn total(reading: &SourceReading) -> u64 {
    let rows = reading.rows.iter();
    let declared = rows.flat_map(|rows| rows.recorded.facts.declared.values());
    declared.sum()
}

/// Why the whole export has to be read, as far as the pass shows it.
fn why_whole(pass: &Pass<'_>, index: usize) -> Option<&'static str> {
    if pass.by_hand != ManualExport::NotManual {
        return Some("it is imported by hand");
    }
    let erased = !pass.readings[index].erased.is_empty();
    erased.then_some("it names somebody who was erased")
}

/// Why a missing resource may be named by another source beyond what that has claimed.
async fn why_peers_may_name(
    pass: &Pass<'_>,
    index: usize,
    missing: &BTreeSet<Key>,
    store: &Store,
    transaction: &mut ReadTransaction,
) -> Result<Option<&'static str>, PassError> {
    let others = pass.readings.iter().enumerate();
    let others = others.filter(|(at, reading)| *at != index && !reading.is_pushed());
    for (_, reading) in others {
        let Some(unread) = reading.incremental() else {
            return Ok(Some("another source was read whole"));
        };
        if missing.iter().any(|key| is_named(&reading.as_read, key)) {
            return Ok(Some("another source names what it lost"));
        }
        if unread.is_open {
            let open =
                incremental_read::open_rows(pass.config, &reading.source, store, transaction);
            let Ok(open) = open.await? else {
                return Ok(Some("another export has rows that cannot be read"));
            };
            let names = |key: &Key| is_named(&open.as_read, key);
            if missing.iter().any(names) {
                return Ok(Some(
                    "what it lost is in a row of another export that is not settled",
                ));
            }
        }
    }
    Ok(None)
}

/// Whether some rows name a resource, or may do so.
fn is_named(desired: &Desired, key: &Key) -> bool {
    desired.resources.contains(key)
        || desired.shielded_keys.contains(key)
        || desired.blank_keys.contains(key)
        || desired.hidden_kinds.contains_key(&key.kind)
}

/// The resources that the source claims and the export does not name.
async fn missing_keys(
    reading: &SourceReading,
    before: &BTreeMap<Key, u32>,
    transaction: &mut ReadTransaction,
) -> Result<BTreeSet<Key>, StoreError> {
    let desired: &Desired = &reading.as_read;
    let gone = reading.rows.iter().flat_map(|rows| &rows.unnamed);
    // A resource that was missing before and is named again is in a new row.
    let named = |key: &Key| is_named(desired, key);
    let candidates: BTreeSet<&Key> = before
        .keys()
        .chain(gone)
        .filter(|key| !named(key))
        .collect();
    let claims = transaction.claims_on(candidates.into_iter()).await?;
    let own = claims
        .into_iter()
        .filter(|claim| claim.active && *claim.source == *reading.source.name);
    Ok(own.map(|claim| claim.key).collect())
}

async fn judge(
    pass: &Pass<'_>,
    index: usize,
    store: &Store,
    before: &BTreeMap<Key, u32>,
    missing: &BTreeSet<Key>,
) -> Result<Option<ExportVerdict>, PassError> {
    let missed = |new: bool| {
        let counts = missing.iter().map(|key| {
            let count = before.get(key).copied().unwrap_or_default();
            (key.clone(), count + u32::from(new))
        });
        counts.collect()
    };
    let blank = pass.config.guards.blank;
    feeds::judge(&pass.readings[index], missed, store, blank, pass.by_hand).await
}

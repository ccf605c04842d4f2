//! Plans a source on only the rows that it affects. [`plan`] returns `None` wherever the rest of
//! the database could change the result; the caller then plans on everything. The decisions
//! themselves are in `crate::incremental`.

use super::other_changes::OtherChanges;
use super::{Pass, PassError, SourceContent, SourceReading, changed_rows};
use crate::config::FeedConfig;
use crate::incremental::{
    AffectedResources, ClaimTotals, PartialOutcome, PartialSnapshot, read_everything_because,
    unclaimed_after, why_not_usable, why_unread_folders_matter,
};
use crate::model::SnapshotLookup;
use crate::plan::{HoldEntry, Plan, UndeclaredKeys};
use crate::store::{ReadTransaction, Store};
use std::collections::BTreeSet;

/// Plans a source that was read in part, or returns `None` when everything has to be read.
pub(super) async fn plan(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    earlier: &[Plan],
) -> Result<Option<Plan>, PassError> {
    // A push after another plan of the same pass would have to see that plan's result.
    if is_push(pass, index) && earlier.is_empty() {
        return Box::pin(plan_push(pass, index, store)).await;
    }
    if matches!(pass.readings[index].content, SourceContent::ChangedRows(..)) {
        return Box::pin(changed_rows::plan(pass, index, store, earlier)).await;
    }
    Box::pin(plan_changes(pass, index, store, earlier)).await
}

async fn plan_changes(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    earlier: &[Plan],
) -> Result<Option<Plan>, PassError> {
    let reading = &pass.readings[index];
    let Some(unread) = reading.incremental() else {
        return Ok(None);
    };
    // One transaction for all the reads below: rows from different moments would give a plan that
    // never was right.
    let Some(mut transaction) = store.read_transaction().await? else {
        return Ok(None);
    };
    let source = reading.source.clone();
    let totals = ClaimTotals::read(&mut transaction, &source.name, unread).await?;
    let mut totals = match totals {
        Ok(totals) => totals,
        Err(why) => return Ok(read_everything_because(&source, why)),
    };
    if source.feed().is_some() && !totals.foreign.is_empty() {
        // It may be drift, and only the export says what the row should be.
        let why = "a row that it claims was changed outside Roster";
        return Ok(read_everything_because(&source, why));
    }
    let others = OtherChanges::read(pass, index, earlier, &mut transaction).await?;
    let others = match others {
        Ok(others) => others,
        Err(why) => return Ok(read_everything_because(&source, why)),
    };
    if reading.is_unchanged() && totals.foreign.is_empty() {
        let plan = plan_unchanged(reading, &totals, &others, &mut transaction, earlier);
        let plan = match plan.await? {
            Ok(plan) => plan,
            Err(why) => return Ok(read_everything_because(&source, why)),
        };
        pass.readings[index].judged.basis = Some(totals.basis);
        return Ok(Some(plan));
    }
    let desired = pass.desired();
    let rules = |stored: &_| pass.rules(index, stored, &desired);
    let query = pass.query(index);
    let affected = AffectedResources::read(
        &mut transaction,
        &query,
        &reading.files,
        unread,
        &totals.foreign,
        rules,
    );
    let affected = match affected.await? {
        Ok(affected) => affected,
        Err(why) => return Ok(read_everything_because(&source, why)),
    };
    totals.basis.resources += affected.new;
    totals.basis.repeated = affected.repeated;
    let changed = affected.changed;
    let plan = |stored: &_| pass.plan_affected(index, &changed, stored, UndeclaredKeys::None);
    let planned = affected.partial.plan_until_complete(&mut transaction, plan);
    let PartialOutcome::Complete(part) = planned.await? else {
        let why = "the change affects everything";
        return Ok(read_everything_because(&source, why));
    };
    // Judged after planning: only the plan shows whether something is held or errs.
    let why = why_not_usable(&part.plan.plan, &reading.files, &totals.basis);
    let read = (&*unread.declared, &part.stored);
    let folders = pass.account_folders(&source);
    let of_folders = why_unread_folders_matter(&mut transaction, &source.name, read, &folders);
    let why = why.or(of_folders.await?);
    let none = BTreeSet::new();
    let others = others.why_they_matter(&part, &changed, &none, &mut transaction);
    if let Some(why) = why.or(others.await?) {
        return Ok(read_everything_because(&source, why));
    }
    let (mut planned, stored) = (part.plan, part.stored);
    totals.complete(&mut planned.plan, &changed, &stored);
    pass.readings[index].judged.basis = Some(totals.basis);
    Ok(Some(pass.keep_desired(planned)))
}

/// The plan of a source in which nothing changed, or why everything has to be read.
async fn plan_unchanged(
    reading: &SourceReading,
    totals: &ClaimTotals,
    others: &OtherChanges,
    transaction: &mut ReadTransaction,
    earlier: &[Plan],
) -> Result<Result<Plan, &'static str>, PassError> {
    let name = &reading.source.name;
    if let Some(why) = others.why_shared([].into_iter(), name, transaction).await? {
        return Ok(Err(why));
    }
    tracing::info!("source {name}: nothing changed");
    Ok(Ok(Plan {
        diagnostics: reading.diagnostics.clone(),
        ..totals.unchanged_plan(&reading.desired, transaction, earlier)
    }))
}

/// Whether records were pushed to the source and nothing in the request asks for more than these.
fn is_push(pass: &Pass<'_>, index: usize) -> bool {
    let (reading, request) = (&pass.readings[index], &pass.request);
    let feed = reading.source.feed();
    let pushed = feed.is_some_and(FeedConfig::is_pushed) && reading.export_facts().is_some();
    // A record that cannot be made out hides a key, and only a full pass knows whose.
    let known = reading.desired.removals_off.is_empty() && reading.desired.hidden_kinds.is_empty();
    let asked = request.exact || request.scrub || !request.targets.is_empty();
    pushed && known && !asked && pass.config.accepts.is_empty()
}

/// Plans a push on the rows that it touches: a push removes nothing that it does not name.
async fn plan_push(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
) -> Result<Option<Plan>, PassError> {
    let Some(mut transaction) = store.read_transaction().await? else {
        return Ok(None);
    };
    let source = pass.readings[index].source.clone();
    let mut partial = PartialSnapshot::read(&mut transaction, &pass.query(index)).await?;
    pass.judge_exports(index, partial.stored(), store).await?;
    let declared = pass.readings[index].as_read.clone();
    let rows = declared.resources.iter();
    let rows = rows.map(|it| SnapshotLookup::Row(it.key.clone()));
    if !partial.extend(&mut transaction, rows.collect()).await? {
        return Ok(read_everything_because(&source, "the push is large"));
    }
    let plan = |stored: &_| pass.plan_affected(index, &declared, stored, UndeclaredKeys::None);
    let planned = partial.plan_until_complete(&mut transaction, plan).await?;
    let PartialOutcome::Complete(planned) = planned else {
        let why = "the push affects everything";
        return Ok(read_everything_because(&source, why));
    };
    let (mut planned, stored) = (planned.plan, planned.stored);
    // A fault of a pushed record shows on its own rows. Any other hold depends on shares and on
    // earlier holds of the source, so a full pass decides it.
    let plan = &mut planned.plan;
    if plan.errored || !plan.held.iter().all(HoldEntry::is_error) {
        let why = "a pushed record needs a decision";
        return Ok(read_everything_because(&source, why));
    }
    let unclaimed = transaction.unclaimed().await?;
    plan.summary.unclaimed = unclaimed_after(unclaimed, &declared, &stored);
    tracing::info!(
        "source {}: planned the push on the {} affected rows",
        source.name,
        stored.rows.len()
    );
    Ok(Some(pass.keep_desired(planned)))
}

impl SourceReading {
    /// Whether nothing of the source had to be read.
    pub(super) fn is_unchanged(&self) -> bool {
        if matches!(self.content, SourceContent::ChangedRows(..)) {
            return false;
        }
        if let Some(feed) = self.source.feed() {
            // A pushed source without a push is as it was.
            return self.is_incremental() || feed.is_pushed() && self.export_facts().is_none();
        }
        let unread = self.incremental();
        self.files.digests.is_empty() && unread.is_some_and(|unread| unread.gone.is_empty())
    }
}

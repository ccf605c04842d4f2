//! Plans a source on the rows that it affects, where that is enough.

use super::{Pass, PassError, SourceReading};
use crate::config::FeedConfig;
use crate::incremental::{
    AffectedResources, ClaimTotals, PartialSnapshot, read_everything_because, unclaimed_after,
    why_not_usable,
};
use crate::model::SnapshotLookup;
use crate::plan::{HoldEntry, Plan};
use crate::store::Store;

/// Plans a source of which only a part was read; `None` when everything has to be read.
pub(super) async fn plan(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    earlier: &[Plan],
) -> Result<Option<Plan>, PassError> {
    if is_push(pass, index) && earlier.is_empty() {
        return plan_push(pass, index, store).await;
    }
    plan_changes(pass, index, store, earlier).await
}

/// Plans what the changed files of a source declare.
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
    let Some(mut moment) = store.read_transaction().await? else {
        return Ok(None);
    };
    let source = reading.source.clone();
    let Some(mut totals) = ClaimTotals::read(&mut moment, &source.name, unread).await? else {
        let why = "a row that it claims was changed outside Roster";
        return Ok(read_everything_because(&source, why));
    };
    if reading.is_unchanged() {
        tracing::info!("source {}: nothing changed", source.name);
        let plan = Plan {
            diagnostics: reading.diagnostics.clone(),
            ..totals.unchanged_plan(&reading.desired, &moment, earlier)
        };
        pass.readings[index].judged.basis = Some(totals.basis);
        return Ok(Some(plan));
    }
    let desired = pass.desired();
    let rules = |stored: &_| pass.rules(index, stored, &desired);
    let query = pass.query(index);
    let affected = AffectedResources::read(&mut moment, &query, &reading.files, unread, rules);
    let affected = match affected.await? {
        Ok(affected) => affected,
        Err(why) => return Ok(read_everything_because(&source, why)),
    };
    totals.basis.resources += affected.new;
    totals.basis.repeated = affected.repeated;
    let changed = affected.changed;
    let plan = |stored: &_| pass.plan_affected(index, &changed, stored);
    let planned = affected.partial.plan_until_complete(&mut moment, plan);
    let Some((mut planned, stored)) = planned.await? else {
        let why = "the change affects everything";
        return Ok(read_everything_because(&source, why));
    };
    if let Some(why) = why_not_usable(&planned.plan, &reading.files, &totals.basis) {
        return Ok(read_everything_because(&source, why));
    }
    totals.complete(&mut planned.plan, &changed, &stored);
    pass.readings[index].judged.basis = Some(totals.basis);
    Ok(Some(pass.keep_desired(planned)))
}

/// Whether records were pushed to the source, and nothing asks for all of it.
fn is_push(pass: &Pass<'_>, index: usize) -> bool {
    let (reading, request) = (&pass.readings[index], &pass.request);
    let feed = reading.source.feed();
    let pushed = feed.is_some_and(FeedConfig::is_pushed) && reading.export_facts().is_some();
    let known = reading.desired.removals_off.is_empty() && reading.desired.hidden_kinds.is_empty();
    let asked = request.exact || request.scrub || !request.targets.is_empty();
    pushed && known && !asked && pass.config.accepts.is_empty()
}

/// Plans what was pushed on the rows that it touches: a push takes nothing away that it does not name.
async fn plan_push(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
) -> Result<Option<Plan>, PassError> {
    let Some(mut moment) = store.read_transaction().await? else {
        return Ok(None);
    };
    let source = pass.readings[index].source.clone();
    let mut partial = PartialSnapshot::read(&mut moment, &pass.query(index)).await?;
    pass.judge_exports(index, partial.stored(), store).await?;
    let declared = pass.readings[index].as_read.clone();
    let rows = declared.resources.iter();
    let rows = rows.map(|it| SnapshotLookup::Row(it.key.clone()));
    if !partial.extend(&mut moment, rows.collect()).await? {
        return Ok(read_everything_because(&source, "the push is large"));
    }
    let plan = |stored: &_| pass.plan_affected(index, &declared, stored);
    let planned = partial.plan_until_complete(&mut moment, plan).await?;
    let Some((mut planned, stored)) = planned else {
        let why = "the push affects everything";
        return Ok(read_everything_because(&source, why));
    };
    // A record with a fault of its own: the rows it touches are enough to see that.
    let plan = &mut planned.plan;
    if plan.errored || !plan.held.iter().all(HoldEntry::is_error) {
        let why = "a pushed record needs a decision";
        return Ok(read_everything_because(&source, why));
    }
    let counts = moment.claim_counts(&source.name).await?;
    plan.summary.unclaimed = unclaimed_after(counts.unclaimed, &declared, &stored);
    tracing::info!(
        "source {}: planned the push on the {} affected rows",
        source.name,
        stored.rows.len()
    );
    Ok(Some(pass.keep_desired(planned)))
}

impl SourceReading {
    /// Whether nothing of it had to be read.
    pub(super) fn is_unchanged(&self) -> bool {
        if let Some(feed) = self.source.feed() {
            // Without anything that was sent, it is as it was.
            return self.is_incremental() || feed.is_pushed() && self.export_facts().is_none();
        }
        let unread = self.incremental();
        self.files.digests.is_empty() && unread.is_some_and(|unread| unread.gone.is_empty())
    }
}

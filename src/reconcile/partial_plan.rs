//! Planning a source of which only a part was read.
//!
//! A part is planned by the same planner as the whole. Whatever a rule looks up beyond what was
//! read is read too, and the plan made again, until nothing is missing. What only everything can
//! answer is left to a pass over everything: whatever is no longer declared, is held, is wrong, or
//! is declared or changed in several places. So a part never decides about a removal or a hold.

use super::incremental::read_everything_because;
use super::{Pass, PassError, source_reading};
use crate::check;
use crate::config::FeedConfig;
use crate::kinds;
use crate::model::{
    CompactText, DeclaredResource, Desired, Key, KeyedList, Snapshot, SnapshotLookup,
};
use crate::plan::{self, HoldEntry, Plan, PlanRules, PlanSummary, SourceRef};
use crate::store::{ClaimCounts, ClaimSummary, ReadTransaction, Store};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How often a part is planned before everything is read instead.
const ROUNDS: usize = 24;

/// Plans a source of which only a part was read; `None` when that is not enough.
pub(super) async fn plan(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    earlier: &[Plan],
) -> Result<Option<Plan>, PassError> {
    if is_push(pass, index) && earlier.is_empty() {
        return plan_push(pass, index, store).await;
    }
    if pass.readings[index].incremental.is_none() {
        return Ok(None);
    }
    let Some(mut moment) = store.read_transaction().await? else {
        return Ok(None);
    };
    let source = pass.readings[index].source.clone();
    let Some(standing) = unchanged_standing(pass, index, &mut moment).await? else {
        return Ok(read_everything_because(
            &source,
            "a row that it claims was changed outside Roster",
        ));
    };
    if pass.readings[index].is_unchanged() {
        tracing::info!("source {}: nothing changed", source.name);
        return Ok(Some(unchanged_plan(
            pass, index, &moment, &standing, earlier,
        )));
    }
    let stored = match affected_snapshot(pass, index, &mut moment).await? {
        Ok(stored) => stored,
        Err(why) => return Ok(read_everything_because(&source, why)),
    };
    let Some((mut plan, stored)) = plan_until_complete(pass, index, &mut moment, stored).await?
    else {
        return Ok(read_everything_because(
            &source,
            "the change affects everything",
        ));
    };
    let repeated = &pass.readings[index].repeated;
    let steps = plan.steps.iter().map(|step| &step.key);
    let mut touched = steps.chain(plan.claim_updates.iter().map(|agreed| &agreed.key));
    if touched.any(|key| repeated.contains_key(key)) {
        return Ok(read_everything_because(
            &source,
            "a changed resource is also declared elsewhere",
        ));
    }
    if !needs_no_decision(&plan) {
        return Ok(read_everything_because(
            &source,
            "the change needs a decision",
        ));
    }
    let new = |key: &Key| stored.rows.has_read(key) && !stored.claims.contains_key(key);
    let declared = &pass.readings[index].desired.resources;
    let adopted = declared.iter().filter(|it| new(&it.key)).count() as u64;
    if let Some(unread) = &pass.readings[index].incremental {
        plan.summary.unchanged = unread.resources - plan.steps.len() as u64;
        plan.orphans.clone_from(&unread.orphans);
    }
    plan.summary.unclaimed = standing.unclaimed.saturating_sub(adopted);
    Ok(Some(plan))
}

/// Whether records were pushed to the source, and nothing asks for all of it.
fn is_push(pass: &Pass<'_>, index: usize) -> bool {
    let (reading, request) = (&pass.readings[index], &pass.request);
    let pushed =
        reading.source.feed().is_some_and(FeedConfig::is_pushed) && reading.export_facts.is_some();
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
    let mut stored = moment.base_snapshot(&pass.query(index)).await?;
    pass.judge_exports(index, &stored, store).await?;
    let declared = pass.readings[index].desired.resources.iter();
    let asks = declared
        .map(|it| SnapshotLookup::Row(it.key.clone()))
        .collect();
    if !moment.extend_snapshot(&mut stored, asks).await? {
        return Ok(read_everything_because(&source, "the push is large"));
    }
    let Some((mut plan, stored)) = plan_until_complete(pass, index, &mut moment, stored).await?
    else {
        return Ok(read_everything_because(
            &source,
            "the push affects everything",
        ));
    };
    // A record with a fault of its own: the rows it touches are enough to see that.
    if plan.errored || !plan.held.iter().all(HoldEntry::is_error) {
        return Ok(read_everything_because(
            &source,
            "a pushed record needs a decision",
        ));
    }
    let new = |key: &Key| stored.rows.has_read(key) && !stored.claims.contains_key(key);
    let declared = &pass.readings[index].desired.resources;
    let adopted = declared.iter().filter(|it| new(&it.key)).count() as u64;
    let standing = moment.claim_counts(&source.name).await?;
    plan.summary.unclaimed = standing.unclaimed.saturating_sub(adopted);
    tracing::info!(
        "source {}: planned the push on the {} affected rows",
        source.name,
        stored.rows.len()
    );
    Ok(Some(plan))
}

/// How the claims stand to the rows, if nobody else changed anything since the files were compared.
async fn unchanged_standing(
    pass: &mut Pass<'_>,
    index: usize,
    moment: &mut ReadTransaction,
) -> Result<Option<ClaimCounts>, PassError> {
    let reading = &mut pass.readings[index];
    let name = reading.source.name.clone();
    let Some(remembered) = moment.source_checkpoint(&name).await? else {
        return Ok(None);
    };
    let standing = moment.claim_counts(&name).await?;
    let Some(unread) = &mut reading.incremental else {
        return Ok(None);
    };
    unread.resources = remembered.resources;
    unread.claimed = standing.claimed;
    unread.orphans.clone_from(&remembered.orphans);
    tracing::debug!(source = %name, ?standing, "compared claims and rows");
    let same = remembered.revision == unread.since
        && remembered.claimed == standing.claimed
        && standing.foreign == 0;
    Ok(same.then_some(standing))
}

fn unchanged_plan(
    pass: &Pass<'_>,
    index: usize,
    moment: &ReadTransaction,
    standing: &ClaimCounts,
    earlier: &[Plan],
) -> Plan {
    let reading = &pass.readings[index];
    let adopted: u64 = earlier.iter().map(|plan| plan.summary.adopt).sum();
    let unread = reading.incremental.as_ref();
    Plan {
        source: SourceRef {
            name: reading.source.name.clone(),
            revision: reading.desired.revision.clone(),
        },
        database: Some(moment.database().to_owned()),
        environment: moment.environment().map(ToOwned::to_owned),
        summary: PlanSummary {
            unchanged: unread.map_or(0, |unread| unread.resources),
            unclaimed: standing.unclaimed.saturating_sub(adopted),
            ..PlanSummary::default()
        },
        orphans: unread.map_or_else(Vec::new, |unread| unread.orphans.clone()),
        diagnostics: reading.diagnostics.clone(),
        ..Plan::default()
    }
}

/// What is stored of all that the changed files declare, unless they no longer declare something,
/// or something that is declared elsewhere too.
async fn affected_snapshot(
    pass: &mut Pass<'_>,
    index: usize,
    moment: &mut ReadTransaction,
) -> Result<Result<Snapshot, &'static str>, PassError> {
    let reading = &mut pass.readings[index];
    let source = reading.source.name.clone();
    let Some(unread) = &mut reading.incremental else {
        return Ok(Err("no previous state"));
    };
    let desired = unread.read.clone();
    let paths = reading.digests.iter().map(|(path, _)| &**path);
    let paths = paths.chain(unread.gone.iter().map(CompactText::as_str));
    let before = moment.declared_in(&source, paths).await?;
    if before.keys().any(|key| !desired.resources.contains(key)) {
        return Ok(Err("a resource is no longer declared"));
    }
    let new = desired.resources.len() - before.len();
    unread.resources += new as u64;
    let mut stored = moment.base_snapshot(&pass.query(index)).await?;
    let keys = desired.resources.iter().map(|declared| &declared.key);
    let claims = moment.claims_on(keys).await?;
    let elsewhere =
        |claim: &ClaimSummary| claim.source != *source || !before.contains_key(&claim.key);
    if claims.iter().any(elsewhere) {
        return Ok(Err("a resource is declared in several places"));
    }
    let Some(anew) = changed_resources(&desired, &stored, &claims, &pass.rules(index, &stored))
    else {
        return Ok(Err("a custom value does not fit its field"));
    };
    let asks = anew
        .iter()
        .map(|it| SnapshotLookup::Row(it.key.clone()))
        .collect();
    if !moment.extend_snapshot(&mut stored, asks).await? {
        return Ok(Err("much changed"));
    }
    let changed = &mut pass.readings[index].as_read;
    *changed = desired.clone();
    Arc::make_mut(changed).resources = anew;
    let repeated = before.into_iter().filter(|(_, repeated)| *repeated);
    let repeated = repeated.map(|(key, _)| (key, BTreeSet::new()));
    pass.readings[index].repeated.extend(repeated);
    Ok(Ok(stored))
}

/// What is declared otherwise than it was when the source was applied, and passwords, which may
/// change while their reference stays; `None` when something is wrong with a custom value, whether
/// or not what is left of its resource is as it was.
fn changed_resources(
    desired: &Arc<Desired>,
    stored: &Snapshot,
    claims: &[ClaimSummary],
    rules: &PlanRules,
) -> Option<KeyedList<Arc<DeclaredResource>>> {
    let mut wrong = Vec::new();
    let definitions = check::definitions(desired, stored);
    let typed = check::type_custom(desired, &definitions, &mut wrong);
    if !wrong.is_empty() {
        return None;
    }
    let known: HashMap<&Key, &ClaimSummary> = claims
        .iter()
        .filter(|claim| claim.active)
        .map(|claim| (&claim.key, claim))
        .collect();
    let pairs = desired.resources.iter().zip(&typed.resources);
    let differ = pairs.filter(|(declared, typed)| {
        let known = known.get(&declared.key);
        let status = kinds::get(declared.key.kind).status_index();
        // Without a status, what it says of an inactive row depends on the other sources.
        let undecided = known.is_some_and(|it| it.row_inactive) && declared.cell(status).is_none();
        let same = known.is_some_and(|it| it.digest == plan::current_digest(typed, rules));
        !same || undecided || source_reading::has_password(declared)
    });
    Some(differ.map(|(declared, _)| declared.clone()).collect())
}

/// Plans on a part that grows until the planner asks for nothing more.
async fn plan_until_complete(
    pass: &mut Pass<'_>,
    index: usize,
    moment: &mut ReadTransaction,
    mut stored: Snapshot,
) -> Result<Option<(Plan, Snapshot)>, PassError> {
    for _ in 0..ROUNDS {
        let plan = pass.plan_on(index, &stored);
        let mut asked = stored.rows.unanswered_lookups();
        if asked.is_empty() {
            return Ok(Some((plan, stored)));
        }
        // What is missing may be all that is wrong, and nobody asks for everything once it is there.
        if asked.len() > 1 {
            asked.remove(&SnapshotLookup::Everything);
        }
        if !moment.extend_snapshot(&mut stored, asked).await? {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Whether a plan on a part may be taken: it changes what is declared, and nobody has to decide.
///
/// What guards are a share of is counted in the database, so they are those of the whole.
fn needs_no_decision(plan: &Plan) -> bool {
    let judges = |step: &crate::plan::Step| kinds::RULE_KINDS.contains(&step.key.kind);
    !plan.errored
        && plan.held.is_empty()
        && plan.released.is_empty()
        && plan.accepted.is_empty()
        && !plan.steps.iter().any(judges)
}

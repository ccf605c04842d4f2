//! Undoes a run: finds it in the history, plans to set back what it changed, and applies that plan
//! under the lease of the source. The planning is `plan::revert`. Start at [`run_to_revert`].

use super::plan_visibility::plan_visibility;
use super::recorded_changes::recorded_change;
use super::run_cause::run_cause;
use super::runtime_facts::{self, PlanInPass};
use super::{ApplySummary, LeaseGuard, PassError, impact, millis_before_now};
use crate::config::{Config, Source};
use crate::diagnostic::{self, Diagnostic, codes, plural};
use crate::document;
use crate::git;
use crate::model::{Key, RecordedChange};
use crate::plan::{
    self, ImpactAnswer, PlanRules, RevertPlan, RevertedRun, StepReason, UndeclaredKeys,
};
use crate::store::{
    ApplyError, ApplyRequest, ChangeRecord, RevertFacts, RunRecord, SnapshotQuery, Store,
    StoreError,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many changes are read at a time.
const PART: u32 = 5_000;

/// Why a run cannot be reverted.
#[derive(Debug, thiserror::Error)]
pub enum RevertError {
    #[error("there is no run {0}; `roster history` lists the runs")]
    NoRun(i64),
    #[error("run {run} is an act, `{act}` by {actor}, and not a plan; {way_out}")]
    Act {
        run: i64,
        act: String,
        actor: String,
        way_out: String,
    },
    #[error(
        "nothing is left of run {0} in the history: everything that it changed belonged to people who were erased"
    )]
    Erased(i64),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run in the history that can be reverted.
#[derive(Clone, Debug)]
pub struct RevertableRun {
    pub record: RunRecord,
    /// What it changed, and how many of its changes were erased since.
    changes: Vec<ChangeRecord>,
    pub erased: usize,
}

/// Finds a run to revert.
pub async fn run_to_revert(store: &Store, run: i64) -> Result<RevertableRun, RevertError> {
    let record = store.run(run).await?.ok_or(RevertError::NoRun(run))?;
    let mut changes: Vec<ChangeRecord> = Vec::new();
    loop {
        let after = changes.last().map_or(0, |last| last.seq);
        let part = store.changes_of(run, after, PART).await?;
        if part.is_empty() {
            break;
        }
        changes.extend(part);
    }
    if record.source.is_empty() {
        return Err(act_error(&record, &changes));
    }
    let all = changes.len();
    changes.retain(|change| change.external_id.is_some());
    if changes.is_empty() {
        return Err(RevertError::Erased(run));
    }
    Ok(RevertableRun {
        record,
        erased: all - changes.len(),
        changes,
    })
}

/// Says that a run is an act, and what undoes it.
fn act_error(record: &RunRecord, changes: &[ChangeRecord]) -> RevertError {
    let first = changes.first();
    let verb = first.map_or("", |change| &change.verb);
    let of = first.and_then(|it| Some(format!("{}/{}", it.kind, it.external_id.as_ref()?)));
    let id = first.and_then(|it| it.external_id.clone());
    let id = id.unwrap_or_else(|| "ID".to_owned());
    let of = of.unwrap_or_else(|| "KIND/ID".to_owned());
    let way_out = match verb {
        "block" => format!("undo it with `roster unblock {of} --reason TEXT`"),
        "unblock" => format!("undo it with `roster block {of} --reason TEXT`"),
        "approve" => format!("undo it with `roster reject account {id} --reason TEXT`"),
        "reject" => format!("undo it with `roster approve account {id} --reason TEXT`"),
        "activate" => format!("undo it with `roster user deactivate {id} --reason TEXT`"),
        "deactivate" => format!("undo it with `roster user activate {id} --reason TEXT`"),
        "delete" | "erase" => "it cannot be undone".to_owned(),
        _ => "only runs of sources can be reverted".to_owned(),
    };
    RevertError::Act {
        run: record.id,
        act: verb.to_owned(),
        actor: first.map_or_else(|| record.actor.clone(), |change| change.actor.clone()),
        way_out,
    }
}

/// Plans to revert a run.
pub async fn plan_revert(
    config: &Config,
    store: &Store,
    run: &RevertableRun,
) -> Result<RevertPlan, PassError> {
    let source = &run.record.source;
    let changes = run.changes.iter().filter_map(recorded_change);
    let applied = store.applied_revision(source).await?;
    let reverted = RevertedRun {
        id: run.record.id,
        source: source.as_str().into(),
        revision: applied
            .unwrap_or_else(|| run.record.revision.clone())
            .into(),
        changes: changes.collect(),
        later: later_changes(store, run).await?,
    };
    let keys = reverted.changes.iter().map(|change| &change.key);
    let keys: Vec<&Key> = keys.collect();
    let query = SnapshotQuery {
        source,
        declared: keys,
        spent_since: millis_before_now(config.window),
        approved_since: millis_before_now(config.approval_ttl),
        ..SnapshotQuery::default()
    };
    let mut stored = store.read(&query).await?;
    // What guards held of the source's own plans is decided there.
    stored.held_steps.clear();
    let rules = PlanRules {
        // A person who reverts cannot correct a fault in a file, so what is faulty is held and the
        // rest goes on.
        hold_errors: true,
        guards: config.guards.clone(),
        effect_fields: config.effect_fields.clone(),
        approvals: config.approvals.clone(),
        accepts: config.accepts.clone(),
        undeclared: UndeclaredKeys::None,
        salt: stored.database.clone().unwrap_or_default(),
        ..PlanRules::default()
    };
    let revert = plan::revert(&reverted, &stored, &rules);
    let again = |answers: &[ImpactAnswer]| {
        let rules = PlanRules {
            impact: answers.to_vec(),
            ..rules.clone()
        };
        Ok(plan::revert(&reverted, &stored, &rules))
    };
    let mut revert =
        impact::judged(config, store, revert, |revert| &mut revert.plan, again).await?;
    if run.erased > 0 {
        let message = format!(
            "{} of run {} in the history belonged to people who were erased; nothing of them can be set back",
            plural(run.erased, "change"),
            run.record.id
        );
        let warning = Diagnostic::new(codes::NOT_REVERTED, message);
        revert.plan.diagnostics.push(warning);
        diagnostic::sort(&mut revert.plan.diagnostics);
    }
    let mut of = PlanInPass {
        plan: &mut revert.plan,
        earlier: &[],
        is_first: false,
    };
    runtime_facts::add_runtime_facts(store, &mut of).await?;
    revert.plan.visibility = plan_visibility(store, &[], &revert.plan.steps).await?;
    Ok(revert)
}

/// The newest revision of the source whose run is reverted, if it is a repository. It may not be applied
/// yet, and declares what is reverted as well.
fn newest_revisions(config: &Config, source: &str) -> BTreeMap<String, String> {
    let Some(place) = config.source(source).and_then(Source::git) else {
        return BTreeMap::new();
    };
    match git::fetch(place, &config.cache) {
        Ok(fetched) => BTreeMap::from([(source.to_owned(), fetched.revision)]),
        Err(error) => {
            tracing::warn!("source {source}: {error}");
            BTreeMap::new()
        }
    }
}

/// What later runs decided about the resources of a run. What a person has reverted since was no
/// decision in the end, and a repair of drift repeats an earlier one.
async fn later_changes(
    store: &Store,
    run: &RevertableRun,
) -> Result<Vec<RecordedChange>, StoreError> {
    let last = run.changes.last().map_or(0, |change| change.seq);
    let keys: Vec<Key> = run.changes.iter().filter_map(ChangeRecord::key).collect();
    let later = store.changes_since(&keys.iter().collect(), last).await?;
    let mut reverted: BTreeSet<(Option<Key>, String, i64)> = BTreeSet::new();
    let mut decided = Vec::new();
    // Newest first, so that whatever reverts a run is seen before it.
    for mut change in later {
        let (key, of, reverts) = (change.key(), change.run, change.reverts);
        let is_drift = change.reason == StepReason::Drift.word();
        let mut counts = |name: &str| {
            if reverted.contains(&(key.clone(), name.to_owned(), of)) {
                return false;
            }
            if let Some(run) = reverts {
                reverted.insert((key.clone(), name.to_owned(), run));
            }
            reverts.is_none() && !is_drift
        };
        change.fields = change
            .fields
            .into_iter()
            .filter(|(name, _)| counts(name))
            .collect();
        decided.extend(recorded_change(&change));
    }
    Ok(decided)
}

/// Applies the plan that reverts a run.
pub async fn apply_revert(
    config: &Config,
    store: &Store,
    run: i64,
    revert: &RevertPlan,
    lease: &LeaseGuard,
    actor: &str,
) -> Result<ApplySummary, PassError> {
    let nothing = BTreeMap::new();
    let what = impact::exceeded_since(config, store, &revert.plan).await;
    if !what.is_empty() {
        return Err(ApplyError::Stale { what }.into());
    }
    // The run that it reverts says which commits it takes back.
    let cause = run_cause(config, None, store, &revert.plan).await?;
    let request = ApplyRequest {
        plan: &revert.plan,
        plan_id: &document::plan_id(&revert.plan),
        actor,
        lease: Some(lease.lease()),
        single_use: false,
        // The contents of files that were stored before are still stored, by their digests.
        contents: &nothing,
        passwords: &BTreeMap::new(),
        remember: None,
        reverts: Some(RevertFacts {
            run,
            newest: &newest_revisions(config, &revert.plan.source.name),
            left_alone: &revert.left_alone,
        }),
        cause: cause.as_deref(),
    };
    Ok(store.apply(&request).await?)
}

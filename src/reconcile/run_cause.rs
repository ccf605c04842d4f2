//! What a run came from: its commits, its approvals, and what it does to whom. It is stored with the
//! run, since the passes of the daemon are kept for a while only.

use super::declared_by::commits_of_steps;
use super::{PassError, SourceReading};
use crate::config::Config;
use crate::document::{CommitList, CommitSummary, RunCause, UsedApproval};
use crate::git;
use crate::plan::Plan;
use crate::plan::render::effects;
use crate::store::{Approval, Store};
use chrono::{DateTime, TimeDelta, Utc};

/// How many commits of a run are listed.
const COMMITS: usize = 20;

/// The cause of the run that a plan will be, as JSON. `None` if there is nothing to say.
pub(super) async fn run_cause(
    config: &Config,
    reading: Option<&SourceReading>,
    store: &Store,
    plan: &Plan,
) -> Result<Option<String>, PassError> {
    if plan.steps.is_empty() {
        return Ok(None);
    }
    let cause = RunCause {
        effects: effects::of_plan(plan),
        approvals: used_approvals(config, store, plan).await?,
        commits: match reading {
            Some(reading) => commits(config, reading, store, plan).await?,
            None => None,
        },
    };
    let is_empty = cause == RunCause::default();
    // Cannot fail: the document has only text as keys.
    Ok((!is_empty).then(|| serde_json::to_string(&cause).unwrap_or_default()))
}

/// The approvals that a plan used, of every person whose approval counted.
pub async fn used_approvals(
    config: &Config,
    store: &Store,
    plan: &Plan,
) -> Result<Vec<UsedApproval>, PassError> {
    // Mostly nobody had to approve anything.
    if plan.accepted.is_empty() {
        return Ok(Vec::new());
    }
    let ttl = TimeDelta::from_std(config.approval_ttl).unwrap_or(TimeDelta::MAX);
    let since = Utc::now().checked_sub_signed(ttl);
    let since = since.unwrap_or(DateTime::UNIX_EPOCH).timestamp_millis();
    let mut given = store.approvals_of_everybody(since).await?;
    // An earlier release noted the latest person only.
    let latest = store.approvals().await?.into_iter();
    let is_given = |it: &Approval| {
        let mut given = given.iter();
        given.any(|other| (&other.hold, &other.resource) == (&it.hold, &it.resource))
    };
    let noted_earlier: Vec<Approval> = latest.filter(|it| !is_given(it)).collect();
    given.extend(noted_earlier);
    let mut used = Vec::new();
    for approval in given {
        let name = format!("hold {} {}", approval.hold, approval.resource);
        let given = UsedApproval {
            by: approval.approver,
            reason: approval.reason,
            at: DateTime::from_timestamp_millis(approval.at).unwrap_or_default(),
        };
        let is_used = plan.accepted.iter().any(|it| *it == name.trim_end());
        // One decision about several resources is recorded for each of them.
        let is_listed = used
            .iter()
            .any(|other: &UsedApproval| (&other.by, &other.reason) == (&given.by, &given.reason));
        if is_used && !is_listed {
            used.push(given);
        }
    }
    Ok(used)
}

async fn commits(
    config: &Config,
    reading: &SourceReading,
    store: &Store,
    plan: &Plan,
) -> Result<Option<CommitList>, PassError> {
    let Some(place) = reading.source.git() else {
        return Ok(None);
    };
    let revision = &*plan.source.revision;
    let applied = store.applied_revision(&plan.source.name).await?;
    // Drift is repaired at the revision that was applied before.
    let before = applied.as_deref().filter(|applied| *applied != revision);
    // What somebody approved may have been declared long before the commit that the pass read.
    if !plan.accepted.is_empty() {
        let declared = commits_of_steps(config, &reading.source, store, plan).await?;
        if declared.is_some() || before.is_none() {
            return Ok(declared);
        }
    }
    let read = git::commits_since(place, &config.cache, before, revision, COMMITS);
    Ok(match read {
        Ok((listed, count)) => Some(CommitList {
            count,
            listed: listed.into_iter().map(CommitSummary::from).collect(),
        }),
        Err(error) => {
            // They only name authors, so failing to list them is no reason to stop.
            tracing::warn!("source {}: {error}", plan.source.name);
            None
        }
    })
}

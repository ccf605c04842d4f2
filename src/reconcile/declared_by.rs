//! Finds who declared what a plan holds or applies: the commits that changed each resource in its
//! file since it was last applied. The pass may be of a later commit, or of none that is new.

use crate::config::{Config, Source};
use crate::diagnostic::Origin;
use crate::document::{CommitList, CommitSummary, HoldState};
use crate::git::{DeclaredResourcePlace, DeclaringCommitSearch};
use crate::model::{Claim, Key};
use crate::plan::Plan;
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// Of how many resources of a hold or a run the commits are looked for. Each asks git.
const MAX_RESOURCES: usize = 25;
/// How many commits are listed.
const MAX_COMMITS: usize = 5;

/// Fills in the commits that declared what is held, for the holds of which they are not known yet.
/// A source without git has none.
pub async fn find_hold_commits(
    config: &Config,
    source: &Source,
    store: &Store,
    plan: &Plan,
    held: &mut [HoldState],
) -> Result<(), StoreError> {
    let is_new = |hold: &HoldState| hold.commits.is_none() && hold.reverts.is_none();
    if source.git().is_none() || !held.iter().any(is_new) {
        return Ok(());
    }
    for hold in held.iter_mut().filter(|hold| is_new(hold)) {
        let entries = plan.held.iter().filter(|entry| {
            entry.code.name() == hold.code && hold.hold.as_ref().is_none_or(|id| *id == entry.hold)
        });
        let places = entries.map(|entry| (&entry.key, entry.origin.as_ref()));
        let found = declared_by(config, source, store, plan, places).await?;
        for detail in &mut hold.details {
            let key = Key::parse(&detail.resource);
            detail.commit = key.and_then(|key| found.by_resource.get(&key).cloned());
        }
        // An empty list says that nobody is known, and that git was asked.
        hold.commits = Some(found.list(MAX_COMMITS));
    }
    Ok(())
}

/// The commits that declared the steps of a plan; `None` if they are not known.
pub(super) async fn commits_of_steps(
    config: &Config,
    source: &Source,
    store: &Store,
    plan: &Plan,
) -> Result<Option<CommitList>, StoreError> {
    let steps = plan.steps.iter();
    let places = steps.map(|step| (&step.key, step.origin.as_ref()));
    let found = declared_by(config, source, store, plan, places).await?;
    let list = found.list(MAX_COMMITS);
    Ok((list.count > 0).then_some(list))
}

/// The commits of some resources.
#[derive(Default)]
struct DeclaredBy {
    /// In the order in which they were found.
    commits: Vec<CommitSummary>,
    /// The newest commit of each resource that git followed in its file.
    by_resource: BTreeMap<Key, String>,
}

impl DeclaredBy {
    fn list(&self, limit: usize) -> CommitList {
        CommitList {
            count: self.commits.len(),
            listed: self.commits.iter().take(limit).cloned().collect(),
        }
    }
}

async fn declared_by<'p>(
    config: &Config,
    source: &Source,
    store: &Store,
    plan: &Plan,
    places: impl Iterator<Item = (&'p Key, Option<&'p Origin>)>,
) -> Result<DeclaredBy, StoreError> {
    let mut found = DeclaredBy::default();
    let Some(place) = source.git() else {
        return Ok(found);
    };
    let mut seen = BTreeSet::new();
    let places = places.filter(|(key, _)| seen.insert(*key));
    let places: Vec<_> = places.take(MAX_RESOURCES).collect();
    let keys: BTreeSet<Key> = places.iter().map(|(key, _)| (*key).clone()).collect();
    let claims = store.claims_of(&source.name, &keys).await?;
    let mut search = DeclaringCommitSearch::new(place, &config.cache, &plan.source.revision);
    for (key, origin) in places {
        let claim = claims.get(key);
        let path = origin.map(|origin| &*origin.path);
        let Some(path) = path.or_else(|| claim.map(|claim: &Claim| &*claim.path)) else {
            continue;
        };
        let declared = search.find(DeclaredResourcePlace {
            path,
            position: origin.map(|origin| origin.at),
            id: &key.id,
            since: claim.map(|claim| &*claim.revision),
        });
        let declared = match declared {
            Ok(Some(declared)) => declared,
            Ok(None) => continue,
            Err(error) => {
                // They only name authors, so failing to list them is no reason to stop.
                tracing::warn!("source {}: {error}", source.name);
                break;
            }
        };
        if let Some(newest) = declared.commits.first().filter(|_| declared.is_exact) {
            found
                .by_resource
                .insert(key.clone(), newest.revision.clone());
        }
        for commit in declared.commits.into_iter().map(CommitSummary::from) {
            if !found.commits.contains(&commit) {
                found.commits.push(commit);
            }
        }
    }
    Ok(found)
}

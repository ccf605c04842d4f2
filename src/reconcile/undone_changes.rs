//! Names in a plan the recorded changes that its steps take back, with their commits: the branch may
//! be older than what was applied, or a merge may have dropped something. The comparison itself is
//! `plan::find_undone`; what is recorded comes from the history, and the rest from git.

use super::recorded_changes::recorded_change;
use crate::config::{Config, Source, SourceLocation};
use crate::git::CommitHistory;
use crate::model::{FieldChange, Key, is_commit};
use crate::plan::{self, Plan, StepReason, StepVerb, UndoneChange};
use crate::store::{ChangeRecord, Store, StoreError};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many resources are looked up. What is held and what is removed comes first.
const MAX_RESOURCES: usize = 5_000;

/// How many changes of a resource are looked at.
const MAX_CHANGES: u32 = 20;

/// How many commits git is asked about.
const MAX_COMMITS: usize = 50;

/// Finds what the steps of a plan, and what it holds, take back.
pub(super) async fn find_undone_changes(
    config: &Config,
    source: &Source,
    store: &Store,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    // An export says what is the case now. It is no branch that somebody could forget to update.
    if source.feed().is_some() {
        return Ok(());
    }
    let keys = keys_to_look_up(plan);
    if keys.is_empty() {
        return Ok(());
    }
    let history = store.newest_changes(&keys, MAX_CHANGES).await?;
    let mut lookup = UndoneLookup {
        history,
        commits: CommitLookup::of(config, source, &plan.source.revision),
    };
    let steps = plan
        .steps
        .iter_mut()
        .filter(|step| is_considered(step.verb, Some(step.reason)));
    for step in steps {
        let path = step.origin.as_ref().map(|origin| &*origin.path);
        let mut undoes = lookup
            .undone_by(&step.key, &step.changes(), path)
            .into_vec();
        if step.reason == StepReason::Drift {
            // Somebody else's doing, or that of a person who reverted a run.
            undoes.retain(|undone| undone.reverted_run.is_some());
        }
        step.undoes = undoes.into();
    }
    let held = plan
        .held
        .iter_mut()
        .filter(|held| is_considered(held.verb, None));
    for held in held {
        let path = held.origin.as_ref().map(|origin| &*origin.path);
        held.undoes = lookup.undone_by(&held.key, &held.changes, path);
    }
    Ok(())
}

/// Whether a step may take back what a run did.
fn is_considered(verb: StepVerb, reason: Option<StepReason>) -> bool {
    let by_declaration = match reason {
        Some(
            StepReason::Declared | StepReason::Drift | StepReason::Removed | StepReason::Returned,
        )
        | None => true,
        Some(StepReason::Adopted | StepReason::Requested | StepReason::Consequence) => false,
    };
    by_declaration && plan::may_undo(verb)
}

fn keys_to_look_up(plan: &Plan) -> BTreeSet<Key> {
    let held = plan
        .held
        .iter()
        .filter(|held| is_considered(held.verb, None));
    let steps = |removes: bool| {
        let steps = plan.steps.iter();
        let steps = steps.filter(move |step| (step.verb == StepVerb::Deactivate) == removes);
        let steps = steps.filter(|step| is_considered(step.verb, Some(step.reason)));
        steps.map(|step| &step.key)
    };
    let keys = held
        .map(|held| &held.key)
        .chain(steps(true))
        .chain(steps(false));
    keys.take(MAX_RESOURCES).cloned().collect()
}

struct UndoneLookup<'a> {
    /// The newest changes of each resource.
    history: BTreeMap<Key, Vec<ChangeRecord>>,
    commits: CommitLookup<'a>,
}

impl UndoneLookup<'_> {
    /// The recorded changes that these changes of a resource take back. `path` is where it is or was
    /// declared.
    fn undone_by(
        &mut self,
        key: &Key,
        changes: &[FieldChange],
        path: Option<&str>,
    ) -> Box<[UndoneChange]> {
        let Some(records) = self.history.get(key) else {
            return Box::default();
        };
        // What cannot be read ends the search: it may have set everything.
        let recorded = records.iter().map_while(recorded_change);
        let recorded: Vec<_> = recorded.collect();
        let found = plan::find_undone(key, changes, &recorded);
        let undone = found.into_iter().filter_map(|(at, fields)| {
            let record = &records[at];
            // An act is no commit. Undoing it is held, or is drift.
            if record.source.is_empty() {
                return None;
            }
            // A directory has no commits. There, to come and to go is what resources do.
            if record.reverts.is_none() && !is_commit(&record.revision) {
                return None;
            }
            let commit = self.commits.commit(&record.revision);
            // Whoever leaves takes back no commit that let them in.
            let comes_or_goes = fields.iter().all(|field| field == "status");
            if record.reverts.is_none()
                && comes_or_goes
                && !self.commits.lost_file(&record.revision, &commit, path)
            {
                return None;
            }
            Some(UndoneChange {
                run: record.run,
                source: record.source.as_str().into(),
                revision: record.revision.as_str().into(),
                subject: commit.subject.filter(|_| record.reverts.is_none()),
                is_contained: commit.is_contained.filter(|_| record.reverts.is_none()),
                reverted_run: record.reverts,
                fields,
            })
        });
        undone.collect()
    }
}

/// What git says of commits, asked once for each.
struct CommitLookup<'a> {
    config: &'a Config,
    source: &'a Source,
    /// The planned revision.
    revision: String,
    history: OnceCell<Option<CommitHistory>>,
    known: BTreeMap<String, CommitFacts>,
    /// Whether only merges changed a file since a commit.
    merged: BTreeMap<(String, String), bool>,
}

#[derive(Clone, Default)]
struct CommitFacts {
    subject: Option<Arc<str>>,
    is_contained: Option<bool>,
}

impl<'a> CommitLookup<'a> {
    fn of(config: &'a Config, source: &'a Source, revision: &str) -> Self {
        Self {
            config,
            source,
            revision: revision.to_owned(),
            history: OnceCell::new(),
            known: BTreeMap::new(),
            merged: BTreeMap::new(),
        }
    }

    /// Most plans take nothing back, and need no git.
    fn history(&self) -> Option<&CommitHistory> {
        let open = || match &self.source.place {
            SourceLocation::Git(place) => {
                CommitHistory::of_place(place, &self.config.cache, &self.revision)
            }
            SourceLocation::Directory(folder) => CommitHistory::of_folder(folder),
            SourceLocation::Export(_) => None,
        };
        self.history.get_or_init(open).as_ref()
    }

    fn commit(&mut self, revision: &str) -> CommitFacts {
        if let Some(known) = self.known.get(revision) {
            return known.clone();
        }
        if self.known.len() >= MAX_COMMITS || !is_commit(revision) {
            return CommitFacts::default();
        }
        let Some(history) = self.history() else {
            return CommitFacts::default();
        };
        let facts = CommitFacts {
            subject: history.subject(revision).map(Arc::from),
            is_contained: history.contains(revision),
        };
        self.known.insert(revision.to_owned(), facts.clone());
        facts
    }

    /// Whether what a commit added is gone without anybody having taken it away: the planned revision
    /// does not have the commit, or a merge dropped it.
    fn lost_file(&mut self, revision: &str, commit: &CommitFacts, path: Option<&str>) -> bool {
        let (Some(true), Some(path)) = (commit.is_contained, path) else {
            return commit.is_contained == Some(false);
        };
        let asked = (revision.to_owned(), path.to_owned());
        if let Some(known) = self.merged.get(&asked) {
            return *known;
        }
        if self.merged.len() >= MAX_COMMITS {
            return false;
        }
        let history = self.history();
        let is_merged = history.is_some_and(|it| it.was_only_merged_since(revision, path));
        self.merged.insert(asked, is_merged);
        is_merged
    }
}

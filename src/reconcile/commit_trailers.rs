//! Reads the trailers `Roster-Accept: User.deactivate=104` of the commits that a pass applies, and
//! decides which of them approve: only those of commits that somebody in `approvalKeys` signed, whose
//! manifests are exactly those of the plan, and that were not used before. Everything else is said,
//! and approves nothing.

use crate::config::{Config, Source};
use crate::diagnostic::{Diagnostic, Severity, chain, codes};
use crate::git::{self, CommitSignature, SigningKey, TrailerCommit};
use crate::model::SHORT_REVISION;
use crate::plan::{self, AcceptOverride, CommitAccept, CommitApproval, Plan};
use crate::store::{Store, StoreError};
use chrono::{TimeDelta, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// The name of the trailer.
const TRAILER: &str = "Roster-Accept";

/// By how much the clock of whoever commits may be ahead.
const CLOCK_AHEAD: TimeDelta = TimeDelta::minutes(10);

/// The trailers of the commits that a pass applies.
#[derive(Default)]
pub(super) struct CommitTrailers {
    /// Those that approve.
    pub accepts: Vec<CommitAccept>,
    /// Why the others do not, each with its override if it is one.
    refusals: Vec<(Option<String>, Diagnostic)>,
}

/// Reads the trailers, if the plan holds anything that one may approve.
pub(super) async fn read(
    config: &Config,
    source: &Source,
    store: &Store,
    plan: &Plan,
) -> Result<CommitTrailers, StoreError> {
    let mut trailers = CommitTrailers::default();
    let is_needed = plan
        .held
        .iter()
        .any(|it| plan::needed_overrides(it).is_some());
    let Some(place) = source.git().filter(|_| is_needed) else {
        return Ok(trailers);
    };
    let applied = store.applied_revision(&source.name).await?;
    let keys = config.approval_keys.iter().map(|key| SigningKey {
        key: &key.key,
        fingerprint: &key.fingerprint,
    });
    let keys: Vec<SigningKey<'_>> = keys.collect();
    let revisions = (applied.as_deref(), &*plan.source.revision);
    let found = git::commits_with_trailer(place, &config.cache, revisions, TRAILER, &keys);
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let message = format!(
                "the trailers `{TRAILER}` of the commits cannot be read, so none counts: {}",
                chain(&error)
            );
            let found = Diagnostic::new(codes::ACCEPT_TRAILER, message);
            trailers.refusals.push((None, found));
            return Ok(trailers);
        }
    };
    for commit in found {
        let reasons = store.approval_reasons_naming(&commit.commit).await?;
        let person = person(config, &commit);
        let mut overrides = BTreeSet::new();
        for value in &commit.values {
            let judged = person.clone().and_then(|_| known_override(value));
            let judged = judged.and_then(|one| {
                if plan::is_used(&one, &commit.commit, &reasons) {
                    return Err(("it was used before", AGAIN));
                }
                Ok(one)
            });
            match judged {
                Ok(one) => _ = overrides.insert(one),
                Err(why) => {
                    let of = known_override(value).ok();
                    trailers.refusals.push((of, refusal(&commit, value, why)));
                }
            }
        }
        if let (Ok(person), false) = (person, overrides.is_empty()) {
            trailers.accepts.push(CommitAccept {
                person,
                commit: commit.commit,
                overrides,
            });
        }
    }
    Ok(trailers)
}

impl CommitTrailers {
    /// What became of every trailer, for the plan that was made with them.
    pub fn diagnostics(self, plan: &Plan) -> Vec<Diagnostic> {
        let given = plan.commit_approvals.iter();
        let given: BTreeSet<&String> = given.flat_map(|it| &it.overrides).collect();
        // Somebody else has approved the same.
        let refusals = self.refusals.into_iter();
        let refusals = refusals.filter(|(of, _)| of.as_ref().is_none_or(|of| !given.contains(of)));
        let mut found: Vec<Diagnostic> = refusals.map(|(_, found)| found).collect();
        found.extend(plan.commit_approvals.iter().map(|given| note(given, plan)));
        for accept in &self.accepts {
            let taken = plan.commit_approvals.iter();
            let taken = taken.filter(|it| it.commit == accept.commit && it.person == accept.person);
            let taken: BTreeSet<&String> = taken.flat_map(|it| &it.overrides).collect();
            for one in accept.overrides.iter().filter(|one| !taken.contains(one)) {
                let message = format!(
                    "commit {}: `{TRAILER}: {one}` approves nothing: no hold of this plan takes exactly this",
                    short(&accept.commit)
                );
                let note = Diagnostic::new(codes::ACCEPT_TRAILER, message);
                found.push(note.severity(Severity::Note));
            }
        }
        found
    }
}

/// Why a trailer does not count, and what to do.
type TrailerRefusal = (&'static str, &'static str);

const SIGN: &str = "Approve the hold by its id with `roster approve hold`, or push a commit that somebody in `approvalKeys` signed";
const AGAIN: &str =
    "Approve the hold by its id with `roster approve hold`, or sign a new commit with the trailer";

/// The person whose approval the trailers of a commit are.
fn person(config: &Config, commit: &TrailerCommit) -> Result<String, TrailerRefusal> {
    if config.approval_keys.is_empty() {
        return Err((
            "the configuration has no `approvalKeys`, so no commit may approve",
            "Approve the hold by its id with `roster approve hold`",
        ));
    }
    let at = match commit.signature {
        CommitSignature::By(at) => at,
        CommitSignature::Missing => return Err(("the commit is not signed", SIGN)),
        CommitSignature::Unknown => {
            let why = "its signature is by no key in `approvalKeys`, or could not be verified";
            return Err((why, SIGN));
        }
    };
    let key = config.approval_keys.get(at);
    let person = key.map(|key| key.person.clone());
    let person = person.filter(|person| config.may_approve(person).is_ok());
    let Some(person) = person else {
        return Err(("whoever signed it is not one of the `approvers`", SIGN));
    };
    if !commit.has_same_content {
        let why = "the manifests were changed after it, so it says nothing about this plan";
        return Err((why, AGAIN));
    }
    if !is_fresh(commit.committed_at, config.approval_ttl) {
        return Err(("it is older than `approvalTtl`, or of a later time", AGAIN));
    }
    Ok(person)
}

fn is_fresh(committed_at: i64, ttl: Duration) -> bool {
    let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
    let at = chrono::DateTime::from_timestamp(committed_at, 0);
    at.is_some_and(|at| {
        let age = Utc::now().signed_duration_since(at);
        age <= ttl && -age <= CLOCK_AHEAD
    })
}

/// The override as a plan names it.
fn known_override(value: &str) -> Result<String, TrailerRefusal> {
    match AcceptOverride::parse(value) {
        Ok(AcceptOverride::Budget(budget, count)) => Ok(format!("{budget}={count}")),
        Ok(AcceptOverride::Empty(kind)) => Ok(format!("empty={kind}")),
        // These name people.
        Ok(AcceptOverride::Rename(_) | AcceptOverride::Renames(_)) => Err((
            "a commit approves no renames",
            "Approve the hold by its id with `roster approve hold`",
        )),
        Err(_) => Err((
            "it is not a valid override",
            "Use what the plan names, such as `User.deactivate=104` or `empty=Policy`",
        )),
    }
}

fn refusal(commit: &TrailerCommit, value: &str, (why, help): TrailerRefusal) -> Diagnostic {
    let message = format!(
        "commit {} \"{}\": `{TRAILER}: {value}` does not count: {why}",
        short(&commit.commit),
        commit.subject
    );
    Diagnostic::new(codes::ACCEPT_TRAILER, message).help(help)
}

fn note(given: &CommitApproval, plan: &Plan) -> Diagnostic {
    let overrides: Vec<&str> = given.overrides.iter().map(String::as_str).collect();
    let held = plan.held.iter().find(|held| held.hold == given.hold);
    let needed = held.map_or(1, |held| held.approvals_needed);
    let more = if needed > 1 {
        format!("; {needed} different people have to approve it")
    } else {
        String::new()
    };
    let message = format!(
        "commit {}: `{TRAILER}: {}` approves hold {} as {}{more}",
        short(&given.commit),
        overrides.join(", "),
        given.hold,
        given.person
    );
    Diagnostic::new(codes::ACCEPT_TRAILER, message).severity(Severity::Note)
}

fn short(commit: &str) -> &str {
    commit.get(..SHORT_REVISION).unwrap_or(commit)
}

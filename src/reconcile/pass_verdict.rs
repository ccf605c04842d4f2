//! What the pass of a source accepts; only that decides anything for the other sources. A source
//! that is refused, held whole, unreadable, truncated or not fetched stands by its claims. Whether
//! a source that is planned later in the same run will be refused is found out by planning it.
//! Start reading at [`SourceStanding::peer`].

use super::feeds::{self, ExportVerdict};
use super::source_reading::{SourceContent, SourceReading};
use super::{ManualExport, Pass, PassError, TypedPlan};
use crate::config::RELEASED_AFTER;
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds;
use crate::model::{
    Claim, ClaimState, DeclaredResource, Desired, Digest, FieldRef, Key, KindId, Snapshot,
};
use crate::plan::{self, HoldEntry, IdleReason, PeerSource, Plan, StepVerb};
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the plan of a source accepts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PassVerdict {
    /// Why the plan is refused, if it is.
    pub refused: Option<String>,
    /// The resources that it holds as a whole.
    pub held: BTreeSet<Key>,
    pub held_fields: BTreeSet<(Key, FieldRef)>,
    /// The kinds that disappeared all at once and are held for that.
    pub emptied: BTreeSet<KindId>,
}

impl PassVerdict {
    /// What a plan accepts.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut verdict = Self {
            refused: plan.errored.then(|| refusal(&plan.diagnostics)),
            ..Self::default()
        };
        for held in &plan.held {
            // A held create or adopt leaves nothing of the resource to accept; of a held update,
            // the other fields count.
            if held.changes.is_empty() || matches!(held.verb, StepVerb::Create | StepVerb::Adopt) {
                verdict.held.insert(held.key.clone());
            }
            let fields = held.changes.iter().map(|change| change.field.clone());
            let fields = fields.map(|field| (held.key.clone(), field));
            verdict.held_fields.extend(fields);
            if held.code == codes::EMPTY_SOURCE {
                verdict.emptied.extend(emptied(held));
            }
        }
        verdict
    }

    fn holds_something(&self) -> bool {
        *self != Self::default()
    }
}

/// The kinds that a hold of `empty-source` is about.
fn emptied(held: &HoldEntry) -> Vec<KindId> {
    if held.accept_option.as_deref() == Some("--accept empty=all") {
        return kinds::ALL.iter().map(|kind| kind.id).collect();
    }
    vec![held.key.kind]
}

/// The first error, and how many there are.
fn refusal(found: &[Diagnostic]) -> String {
    let mut errors = found.iter().filter(|found| found.is_error());
    let first = errors.next().map_or("", |first| &first.message);
    match errors.count() {
        0 => format!("1 error refused the plan: {first}"),
        more => format!("{} errors refused the plan; first error: {first}", more + 1),
    }
}

/// The standing of a source towards the others, by what it declares in one plan.
pub(super) struct SourceStanding<'a> {
    reading: &'a SourceReading,
    desired: &'a Arc<Desired>,
}

impl SourceStanding<'_> {
    /// Why its pass accepts nothing of what it declares, if so.
    fn unaccepted(&self) -> Option<String> {
        let (reading, desired) = (self.reading, self.desired);
        // Read in part or pushed: its claims stand, and nothing it did not name is concluded from
        // it.
        if reading.is_incremental() || reading.is_pushed() {
            return None;
        }
        if !reading.source.hold_errors && reading.diagnostics.iter().any(Diagnostic::is_error) {
            return Some(refusal(&reading.diagnostics));
        }
        let lost = reading.source.feed().is_some() && reading.export_facts().is_none();
        if lost || desired.resources.is_empty() && !desired.removals_off.is_empty() {
            return Some(desired.removals_off.join("; "));
        }
        let judged = &reading.judged;
        let doubt = judged.export.as_ref().and_then(|it| it.doubt.as_ref());
        if let Some((code, why)) = doubt {
            return Some(format!("{code}: {why}"));
        }
        judged.plan.as_ref()?.refused.clone()
    }

    /// Why its pass writes nothing, and the way out.
    fn idle(&self) -> Option<IdleReason> {
        let reading = self.reading;
        let name = &reading.source.name;
        if let Some(why) = self.unaccepted() {
            let help = format!("See the plan with `roster plan --source {name}`.");
            return Some(IdleReason { why, help });
        }
        if reading.judged.closed.is_some() {
            return reading.judged.closed.clone();
        }
        let why = reading.why_not_applied()?;
        let help = if reading.source.apply {
            format!("Approve it with `roster approve source {name}`.")
        } else {
            format!("Set `mode: apply` for source {name}, or remove it from `order`.")
        };
        Some(IdleReason { why, help })
    }

    /// The kinds of which it may declare more than is known, and why.
    fn hidden_kinds(&self) -> BTreeMap<KindId, String> {
        let all = |why: &str| kinds::ALL.map(|kind| (kind.id, why.to_owned())).into();
        let off = &self.desired.removals_off;
        match self.unaccepted() {
            _ if self.reading.is_pushed() => BTreeMap::new(),
            Some(why) => all(&why),
            None if !off.is_empty() => all(&off.join("; ")),
            None => {
                // A kind that disappeared at once may be a folder that was not there, and with it
                // what moved into it.
                let verdict = self.reading.judged.plan.iter();
                let emptied = verdict.flat_map(|verdict| &verdict.emptied);
                let why = |kind| {
                    format!(
                        "all of its {} disappeared at once",
                        kinds::get(kind).collection
                    )
                };
                let mut hidden: BTreeMap<_, _> = emptied.map(|kind| (*kind, why(*kind))).collect();
                hidden.extend(self.desired.hidden_kinds.clone());
                hidden
            }
        }
    }

    /// The source as the others see it.
    pub fn peer(&self) -> PeerSource {
        let (idle, reading) = (self.idle(), self.reading);
        let is_known = !reading.is_incremental() && !reading.is_pushed();
        let declared = is_known.then(|| self.desired.clone());
        let verdict = reading.judged.plan.clone().unwrap_or_default();
        // A source that writes nothing now decides no field, but what it declares still keeps
        // others from removing it.
        let (desired, unaccepted) = if idle.is_some() {
            (None, declared)
        } else {
            (declared, None)
        };
        PeerSource {
            name: reading.source.name.clone(),
            desired,
            unaccepted,
            is_unread: reading.is_unchanged(),
            authority: reading.source.authority.clone(),
            hidden_kinds: self.hidden_kinds(),
            idle,
            held: verdict.held,
            held_fields: verdict.held_fields,
            absent_keys: reading.judged.absent.clone(),
        }
    }
}

impl SourceReading {
    /// Its standing by what it declared when it was last planned.
    pub(super) fn standing(&self) -> SourceStanding<'_> {
        self.standing_with(&self.desired)
    }

    /// Its standing if it declares this.
    pub(super) fn standing_with<'a>(&'a self, desired: &'a Arc<Desired>) -> SourceStanding<'a> {
        SourceStanding {
            reading: self,
            desired,
        }
    }

    /// Whether everything it declares is known.
    pub(super) fn is_fully_known(&self) -> bool {
        let desired = &self.desired;
        !self.is_pushed() && desired.removals_off.is_empty() && desired.hidden_kinds.is_empty()
    }

    pub(super) fn is_pushed(&self) -> bool {
        let feed = self.source.feed();
        feed.is_some_and(crate::config::FeedConfig::is_pushed)
    }

    /// The resources that count as absent, including the export read now if that is accepted.
    pub(super) fn counts_as_absent(&self, before: &BTreeMap<Key, u32>) -> BTreeSet<Key> {
        let export = self.source.feed();
        let after = export.map_or(RELEASED_AFTER, |export| export.released_after);
        let accepted = |judged: &&ExportVerdict| judged.is_started && judged.doubt.is_none();
        let judged = self.judged.export.as_ref().filter(accepted);
        let is_read = !matches!(self.content, SourceContent::UnchangedExport(..));
        let now = judged.filter(|_| is_read);
        let missed = now.map_or(before, |judged| &judged.missed_counts).iter();
        let counts = missed.filter(|(_, missed)| **missed >= after);
        counts.map(|(key, _)| key.clone()).collect()
    }
}

impl Pass<'_> {
    /// A digest of the standing of a planned source: while it is the same, the other sources need
    /// no new pass.
    #[must_use]
    pub fn standing_digest(&self, index: usize) -> Digest {
        let peer = self.readings[index].standing().peer();
        let revision = &self.readings[index].desired.revision;
        let hides: Vec<_> = peer.hidden_kinds.keys().collect();
        // The reasons are left out: a time in one of them would change the digest with every pass.
        let stands = (
            revision,
            hides,
            peer.idle.is_some(),
            peer.held,
            peer.absent_keys,
        );
        Digest::of(format!("{stands:?}").as_bytes())
    }

    /// Judges every export by those accepted before.
    pub(super) async fn judge_exports(
        &mut self,
        index: usize,
        stored: &Snapshot,
        store: &Store,
    ) -> Result<(), PassError> {
        for at in 0..self.readings.len() {
            let reading = &self.readings[at];
            if reading.source.feed().is_none() || at != index && reading.is_pushed() {
                continue;
            }
            let (before, by_hand) = if at == index {
                (stored.missed_exports.clone(), self.by_hand)
            } else {
                (
                    store.missed_counts(&reading.source.name).await?,
                    ManualExport::NotManual,
                )
            };
            if !reading.is_incremental() {
                let blank = self.config.guards.blank;
                let missed = |new| feeds::missed_counts(reading, &before, stored, new);
                let judged = feeds::judge(reading, missed, store, blank, by_hand).await?;
                self.readings[at].judged.export = judged;
            }
            self.readings[at].judged.absent = self.readings[at].counts_as_absent(&before);
        }
        Ok(())
    }

    /// Plans the other sources where their verdict matters for this one. Returns whether any
    /// accepts less than it declares.
    pub(super) async fn judge_others(
        &mut self,
        index: usize,
        stored: &Snapshot,
        store: &Store,
        earlier: &[Plan],
        plan: &Plan,
    ) -> Result<bool, PassError> {
        let mut earlier = earlier.to_vec();
        // A plan that will not be applied must not count as applied for the others.
        if self.readings[index].why_not_applied().is_none() {
            earlier.push(plan.clone());
        }
        let mut less = false;
        for other in self.sources_to_judge(index, stored, plan) {
            let mut stored = self.snapshot(other, store).await?;
            // In the order in which they will run, each on what the ones before it leave.
            for plan in &earlier {
                plan::advance(&mut stored, plan);
            }
            let TypedPlan { plan, .. } = self.plan_on(other, &stored);
            self.go_on()?;
            let verdict = PassVerdict::of(&plan);
            less |= verdict.holds_something();
            self.readings[other].judged.plan = Some(verdict);
            earlier.push(plan);
        }
        Ok(less)
    }

    /// The sources whose plan may refuse something that this one depends on.
    fn sources_to_judge(&self, index: usize, stored: &Snapshot, plan: &Plan) -> Vec<usize> {
        let reading = &self.readings[index];
        let declared = &reading.desired.resources;
        let mine = |claim: &Claim| {
            claim.source == reading.source.name && claim.state == ClaimState::Active
        };
        let mut claims = stored.claims.iter();
        // Only a missing resource or a shared one makes another source matter; planning each of
        // them otherwise would double the time of every pass.
        let missing =
            claims.any(|(key, claims)| !declared.contains(key) && claims.iter().any(mine));
        let losing = plan::losing_administrators(plan, stored);
        let succeeds = |theirs: &DeclaredResource| {
            !losing.is_empty() && plan::is_declared_administrator(theirs, &losing)
        };
        let depends = |other: &SourceReading| {
            let mut theirs = other.desired.resources.iter();
            missing || theirs.any(|theirs| declared.contains(&theirs.key) || succeeds(theirs))
        };
        let others = self.readings.iter().enumerate();
        let others = others.filter(|(other, reading)| {
            *other != index
                && reading.judged.plan.is_none()
                && !reading.is_incremental()
                && !reading.is_pushed()
                && reading.standing().idle().is_none()
                && depends(reading)
        });
        others.map(|(other, _)| other).collect()
    }
}

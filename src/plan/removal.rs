//! Decides what becomes of resources that a source claims and no longer declares: deactivated,
//! released to another source, orphaned, or kept. [`removals`] goes through the claims and asks
//! what the other sources say. Whether so many may go at once is up to the guards and to
//! `emptied_kinds.rs`.

use super::absence::{counts_as_absent, hidden_elsewhere, hidden_keys, removals_off};
use super::context::PlanContext;
use super::peer::PeerStanding;
use super::regained;
use super::rules::PeerSource;
use super::stored_ends::deactivation;
use super::types::{ClaimAction, ClaimUpdate};
use crate::check::{PlannedChange, PlannedOutcome};
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::kinds;
use crate::model::{Claim, ClaimState, Key, Row, Value};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Default)]
pub(super) struct RemovalDrafts {
    pub effects: Vec<PlannedChange>,
    pub claim_updates: Vec<ClaimUpdate>,
    /// Claims given up because another source declares the resource.
    pub released: Vec<Key>,
    /// Resources of kinds without a status, which cannot be deactivated.
    pub orphans: Vec<Key>,
    /// Sources that have to be read or accepted before the rest can be decided.
    pub waits_for: BTreeSet<String>,
    pub notes: Vec<Diagnostic>,
}

/// Drafts what becomes of every claimed resource that is no longer declared.
pub(super) fn removals(context: &PlanContext<'_>) -> RemovalDrafts {
    let mut drafts = RemovalDrafts::default();
    let mine = |claims: &[Claim]| {
        let claim = claims
            .iter()
            .find(|claim| claim.source == context.desired.source)?;
        (claim.state == ClaimState::Active).then(|| claim.clone())
    };
    let mut missing: Vec<(&Key, Claim)> = context
        .stored
        .claims
        .iter()
        .filter(|(key, _)| !context.desired.resources.contains(key))
        .filter(|(key, _)| !context.desired.shielded_keys.contains(key))
        .filter(|(key, _)| !context.desired.blank_keys.contains(key))
        // What an incremental plan did not read is not missing.
        .filter(|(key, _)| context.rules.undeclared.contains(key))
        .filter_map(|(key, claims)| Some((key, mine(claims)?)))
        .collect();
    // Sorted, because the order of a hash map would change notes from run to run.
    missing.sort_by(|a, b| a.0.cmp(b.0));
    if missing.is_empty() {
        return drafts;
    }
    // Before any single removal: a file that could not be read may declare every one of these.
    if !context.desired.removals_off.is_empty() && context.rules.only.is_none() {
        drafts.notes.push(removals_off(context, missing.len()));
        return drafts;
    }
    let hidden = &context.desired.hidden_kinds;
    let known = missing.len();
    missing.retain(|(key, _)| !hidden.contains_key(&key.kind));
    if missing.len() < known {
        let hidden = hidden_keys(context, known - missing.len());
        drafts.notes.push(hidden);
    }
    let mut unknown: BTreeMap<UncertainPeer<'_>, usize> = BTreeMap::new();
    // Resource by resource from here: a kind with unreadable keys does not protect the other kinds.
    for (key, claim) in missing {
        let meant = context
            .rules
            .only
            .as_ref()
            .is_none_or(|only| only.contains(key));
        if meant
            && counts_as_absent(context, key)
            && let Some(why) = remove(context, &mut drafts, key, &claim)
        {
            drafts.waits_for.insert(why.0.to_owned());
            *unknown.entry(why).or_default() += 1;
        }
    }
    for ((peer, why), count) in unknown {
        let hidden = hidden_elsewhere(context, peer, why, count);
        drafts.notes.push(hidden);
    }
    drafts
}

/// A source that may declare a resource without Roster knowing, and the reason.
type UncertainPeer<'p> = (&'p str, &'p str);

/// Removes one resource unless another source declares it; returns the source of which that is not
/// known.
fn remove<'p>(
    context: &PlanContext<'p>,
    drafts: &mut RemovalDrafts,
    key: &Key,
    claim: &Claim,
) -> Option<UncertainPeer<'p>> {
    let kind = kinds::get(key.kind);
    let Some(row) = context.stored.rows.get(key) else {
        // Without the claim, nobody would know that the row was removed while another source
        // declares it.
        let mut peers = context.rules.peers.iter();
        if !peers.any(|peer| peer.declares(key).is_some()) {
            drafts.give_up_claim(key);
        }
        return None;
    };
    // All sources are asked before anything is concluded: one that declares the resource outweighs
    // one of which nothing is known.
    let mut unknown = None;
    let mut unaccepted = None;
    for peer in &context.rules.peers {
        match context.standing_of(peer, key) {
            PeerStanding::Declared => {
                drafts.release_claim(context, row, claim, peer);
                return None;
            }
            PeerStanding::Unaccepted => unaccepted = unaccepted.or(Some(peer)),
            PeerStanding::Unknown(why) => unknown = unknown.or(Some((&*peer.name, why))),
            PeerStanding::Absent => {}
        }
    }
    // Held or not approved there: it neither goes nor changes hands until that source is accepted.
    if let Some(peer) = unaccepted {
        drafts.keep_claim(key, claim, peer);
        return None;
    }
    if !kind.has_status {
        drafts.orphans.push(key.clone());
        return None;
    }
    if !context.rules.prune || !context.rules.authority.decides_existence(key.kind) {
        return None;
    }
    // A wrong deactivation locks customers out; waiting for the other source costs a pass.
    if unknown.is_some() {
        return unknown;
    }
    if status_of(row) == "inactive" {
        // Somebody deactivated it before. Without the claim, a return adopts an inactive row and is
        // held, instead of undoing what this source did not do.
        drafts.give_up_claim(key);
        return None;
    }
    drafts.effects.push(PlannedChange {
        key: key.clone(),
        outcome: PlannedOutcome::Change(vec![deactivation(row)]),
    });
    None
}

impl RemovalDrafts {
    /// Releases the claim on a resource that another source declares, unless only this claim knows
    /// of access that was taken away. Then it stays until the other source has a claim of its own.
    fn release_claim(
        &mut self,
        context: &PlanContext<'_>,
        row: &Row,
        claim: &Claim,
        peer: &PeerSource,
    ) {
        let (key, name) = (&row.key, &peer.name);
        let what = if regained::is_only_witness(context, row, claim, peer) {
            "keeps its claim until that source has its own"
        } else {
            self.released.push(key.clone());
            self.give_up_claim(key);
            "releases its claim"
        };
        let message = format!("{key} is still declared by source {name}; this source {what}");
        self.note_handover(key, claim, message);
    }

    /// Keeps the claim on a resource that another source declares but cannot take over yet.
    fn keep_claim(&mut self, key: &Key, claim: &Claim, peer: &PeerSource) {
        self.waits_for.insert(peer.name.to_string());
        let why = peer
            .idle
            .as_ref()
            .map_or("it is held there", |idle| &idle.why);
        let message = format!(
            "{key} is declared by source {}, which does not accept it yet ({why}); this source keeps its claim",
            peer.name
        );
        self.note_handover(key, claim, message);
    }

    fn give_up_claim(&mut self, key: &Key) {
        self.claim_updates.push(ClaimUpdate {
            key: key.clone(),
            claim: ClaimAction::Release,
        });
    }

    fn note_handover(&mut self, key: &Key, claim: &Claim, message: String) {
        let at = Origin {
            path: claim.path.clone(),
            at: claim.position,
        };
        let note = Diagnostic::new(codes::STILL_DECLARED, message);
        self.notes.push(note.for_resource(key).at(at));
    }
}

fn status_of(row: &Row) -> &str {
    let index = kinds::get(row.key.kind).status_index();
    row.values[index]
        .as_ref()
        .and_then(Value::as_text)
        .unwrap_or("active")
}

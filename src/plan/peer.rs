//! What other sources say of a resource or a field. The tree of a source counts if its last pass
//! accepted it. Where the tree does not tell, because the source is an export, was not read or is
//! held, its claim does.

use super::compare::says_something;
use super::context::PlanContext;
use super::dropped_members::is_left_blank;
use super::rules::{AuthorityMode, PeerSource};
use crate::kinds::Kind;
use crate::model::{Cell, ClaimState, Desired, FieldRef, Key};
use std::sync::Arc;

pub(super) enum PeerStatement<'a> {
    /// By its tree.
    Cell(&'a Cell),
    /// By its claim, as the digest of the cell.
    Claim(u64),
}

/// The relation of another source to a resource that is no longer declared here.
pub(super) enum PeerStanding<'a> {
    /// It declares or claims the resource.
    Declared,
    /// It declares the resource, but its pass does not accept that.
    Unaccepted,
    /// It is not known, for this reason.
    Unknown(&'a str),
    /// It does not declare the resource, or does not decide about existence.
    Absent,
}

impl PeerSource {
    /// Whether the source declares a resource and, if so, whether its pass accepts that.
    pub fn declares(&self, key: &Key) -> Option<bool> {
        let names = |desired: &Arc<Desired>| desired.resources.contains(key);
        if self.desired.as_ref().is_some_and(names) {
            return Some(!self.held.contains(key));
        }
        self.unaccepted.iter().any(names).then_some(false)
    }
}

impl PlanContext<'_> {
    /// The authority of another source over a field. `shop` fields are seeds at most.
    pub fn mode_of(&self, peer: &PeerSource, kind: &Kind, field: &FieldRef) -> AuthorityMode {
        match peer.authority.mode(kind, field) {
            AuthorityMode::Enforce => self.rules.shop.mode(kind, field),
            mode => mode,
        }
    }

    pub fn statement<'p>(
        &self,
        peer: &'p PeerSource,
        key: &Key,
        field: &FieldRef,
        name: &str,
    ) -> Option<PeerStatement<'p>> {
        match by_tree(peer, key, field) {
            TreeStatement::Stated(cell) => Some(PeerStatement::Cell(cell)),
            TreeStatement::Nothing => None,
            TreeStatement::ByClaim => {
                let claim = self.stored.claim(&peer.name, key)?;
                let stands = claim.state == ClaimState::Active && !peer.absent_keys.contains(key);
                let said = stands.then(|| claim.fields.get(name))?;
                said.map(PeerStatement::Claim)
            }
        }
    }

    /// The relation of another source to a resource that is no longer declared here.
    pub fn standing_of<'p>(&self, peer: &'p PeerSource, key: &Key) -> PeerStanding<'p> {
        if !peer.authority.decides_existence(key.kind) {
            return PeerStanding::Absent;
        }
        let claim = self.stored.claim(&peer.name, key);
        let claimed = claim.is_some_and(|claim| claim.state == ClaimState::Active);
        let declares = peer.declares(key);
        // A claim is enough: an export that did not name a customer once still has it.
        if declares == Some(true) || claimed && !peer.absent_keys.contains(key) {
            return PeerStanding::Declared;
        }
        if declares.is_some() {
            return PeerStanding::Unaccepted;
        }
        match peer.hidden_kinds.get(&key.kind) {
            Some(why) => PeerStanding::Unknown(why),
            None => PeerStanding::Absent,
        }
    }
}

enum TreeStatement<'a> {
    Stated(&'a Cell),
    Nothing,
    /// Not known from the tree: the claim decides.
    ByClaim,
}

fn by_tree<'p>(peer: &'p PeerSource, key: &Key, field: &FieldRef) -> TreeStatement<'p> {
    let Some(desired) = &peer.desired else {
        return TreeStatement::ByClaim;
    };
    if peer.held.contains(key) {
        return TreeStatement::ByClaim;
    }
    let Some(declared) = desired.resources.get(key) else {
        // An export that leaves a resource out once does not give up its fields.
        let hidden = desired.partial || !desired.removals_off.is_empty();
        return if hidden || desired.shielded_keys.contains(key) {
            TreeStatement::ByClaim
        } else {
            TreeStatement::Nothing
        };
    };
    let of_field = (key.clone(), field.clone());
    if peer.held_fields.contains(&of_field) || desired.faulty_fields.contains(&of_field) {
        return TreeStatement::ByClaim;
    }
    match declared.stated(field) {
        Some(stated) if says_something(&stated.field, &stated.cell) => {
            TreeStatement::Stated(&stated.cell)
        }
        // A blank cell of an export keeps the stored value, and the authority over it.
        None if is_left_blank(desired, declared, field) => TreeStatement::ByClaim,
        _ => TreeStatement::Nothing,
    }
}

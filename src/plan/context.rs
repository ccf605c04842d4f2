//! What every stage of planning looks at: both sides, and the rules.

use super::rules::{AuthorityMode, PlanRules};
use crate::check::CustomFieldDefinitions;
use crate::diagnostic::Origin;
use crate::kinds::Kind;
use crate::model::{Desired, Digest, FieldRef, Key, Snapshot};

/// What a plan is made from.
pub(super) struct PlanContext<'a> {
    pub desired: &'a Desired,
    pub stored: &'a Snapshot,
    pub rules: &'a PlanRules,
    pub definitions: &'a CustomFieldDefinitions,
    /// Of what the operator decided about who writes what.
    pub fingerprint: Digest,
}

impl PlanContext<'_> {
    /// Who decides a field: the source's own authority, and `shop` fields are seeds at most.
    pub fn mode(&self, kind: &Kind, field: &FieldRef) -> AuthorityMode {
        match self.rules.authority.mode(kind, field) {
            AuthorityMode::Enforce => self.rules.shop.mode(kind, field),
            mode => mode,
        }
    }

    /// Whether this source comes before the other in the declared order, if both are in it.
    pub fn comes_before(&self, other: &str) -> Option<bool> {
        let place = |name: &str| self.rules.order.iter().position(|named| &**named == name);
        Some(place(&self.desired.source)? < place(other)?)
    }

    /// Where a resource is declared, or, by this source's claim, was.
    pub fn origin(&self, key: &Key) -> Option<Origin> {
        if let Some(declared) = self.desired.resources.get(key) {
            return Some(Origin::of_resource(declared));
        }
        let claim = self.stored.claim(&self.desired.source, key)?;
        Some(Origin {
            path: claim.path.clone(),
            at: claim.position,
        })
    }
}

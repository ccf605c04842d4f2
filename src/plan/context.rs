//! The input that every stage of planning reads: what is declared, what is stored, and the rules.
//! [`PlanContext`] also answers questions of authority.

use super::rules::{AuthorityMode, PlanRules};
use crate::check::CustomFieldDefinitions;
use crate::diagnostic::Origin;
use crate::kinds::{self, Kind};
use crate::model::{Desired, Digest, FieldRef, Key, Snapshot};
use std::collections::BTreeSet;

/// Everything that a plan is made from.
pub(super) struct PlanContext<'a> {
    pub desired: &'a Desired,
    pub stored: &'a Snapshot,
    pub rules: &'a PlanRules,
    /// The holds whose approvals are enough.
    pub approved: &'a BTreeSet<String>,
    pub definitions: &'a CustomFieldDefinitions,
    /// The digest of the configuration that says who writes what.
    pub fingerprint: Digest,
}

impl PlanContext<'_> {
    /// The authority of this source over a field. `shop` fields are seeds at most, since the shop
    /// may change them.
    pub fn mode(&self, kind: &Kind, field: &FieldRef) -> AuthorityMode {
        match self.rules.authority.mode(kind, field) {
            AuthorityMode::Enforce => self.rules.shop.mode(kind, field),
            mode => mode,
        }
    }

    /// Whether this source comes before the other in the declared order; `None` when one is not in
    /// it.
    pub fn comes_before(&self, other: &str) -> Option<bool> {
        let place = |name: &str| self.rules.order.iter().position(|named| &**named == name);
        Some(place(&self.desired.source)? < place(other)?)
    }

    /// The run that set a field back from what this revision of the source declares. Until the source
    /// is at another one, the field stays.
    pub fn reverting_run(&self, key: &Key, field: &FieldRef) -> Option<i64> {
        let name = kinds::get(key.kind).field_name(field);
        let reverted = &self.stored.reverted;
        reverted.run_of(&self.desired.revision, key, &name)
    }

    /// The run that set a field back which follows from a list, or that set the list back.
    pub fn reverting_run_of_inferred(
        &self,
        kind: &Kind,
        key: &Key,
        field: &FieldRef,
    ) -> Option<i64> {
        let list = kind.field(field).and_then(|field| field.inferred_from);
        let list = list.map(|list| kinds::own_field(kind.expect_index(list)));
        let mut fields = [Some(field), list.as_ref()].into_iter().flatten();
        fields.find_map(|field| self.reverting_run(key, field))
    }

    /// The place where a resource is declared or, by this source's claim, used to be.
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

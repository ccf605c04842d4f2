//! What a source claims of a resource: the digests of what it declares.
//!
//! The digest of the whole tells whether anything is new; those of the fields tell who declared what.

use super::compare;
use super::context::PlanContext;
use super::rules::PlanRules;
use crate::kinds;
use crate::model::{DeclaredResource, Digest, FieldDigests};
use std::borrow::Cow;
use std::sync::Arc;

/// What a source claims of the resource of a step.
#[derive(Clone, Debug)]
pub enum StepClaim {
    /// All that it declares. The digests are taken when they are asked for: in a first plan those
    /// of every field would cost more than all the rest of it.
    Declared {
        declared: Arc<DeclaredResource>,
        /// Of what the operator decided about who writes what.
        fingerprint: Digest,
    },
    /// These digests.
    Digests(ClaimDigests),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimDigests {
    /// The digest of what was declared.
    pub digest: Digest,
    /// The declared fields.
    pub fields: FieldDigests,
}

impl StepClaim {
    #[must_use]
    pub fn digests(&self) -> Cow<'_, ClaimDigests> {
        match self {
            Self::Digests(claimed) => Cow::Borrowed(claimed),
            Self::Declared {
                declared,
                fingerprint,
            } => Cow::Owned(ClaimDigests {
                digest: digest(declared, *fingerprint),
                fields: fields(declared),
            }),
        }
    }
}

/// The digest of what is declared and of who decides: the cheap test for "nothing new".
pub(super) fn digest_of(context: &PlanContext<'_>, declared: &DeclaredResource) -> Digest {
    digest(declared, context.fingerprint)
}

/// The digest that the claim on a declared resource has as long as nothing new is declared.
#[must_use]
pub fn current_digest(declared: &DeclaredResource, rules: &PlanRules) -> Digest {
    digest(declared, rules.fingerprint())
}

fn digest(declared: &DeclaredResource, fingerprint: Digest) -> Digest {
    declared.digest(kinds::fingerprint(), &[fingerprint])
}

/// The entry of a field in a claim, or of a member of a list.
pub(super) fn entry(field: &str, member: &str) -> String {
    if member.is_empty() {
        field.to_owned()
    } else {
        format!("{field}={member}")
    }
}

/// What is claimed of a declared resource: the fields that say something.
pub(super) fn fields(declared: &DeclaredResource) -> FieldDigests {
    let kind = kinds::get(declared.key.kind);
    let said = declared.cells.iter();
    let said = said.filter(|stated| compare::says_something(&stated.field, &stated.cell));
    FieldDigests::of(said.map(|stated| {
        let name = match kind.field(&stated.field) {
            Some(field) => Cow::Borrowed(field.name),
            None => Cow::Owned(kind.field_name(&stated.field)),
        };
        (name, &stated.cell)
    }))
}

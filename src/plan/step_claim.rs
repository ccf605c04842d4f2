//! What a source claims of a resource: digests of what it declares. The digest of the whole tells
//! whether anything is new, those of the fields who declared what.

use super::compare;
use super::context::PlanContext;
use super::rules::PlanRules;
use crate::kinds;
use crate::model::{DeclaredResource, Digest, FieldDigests};
use std::borrow::Cow;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub enum StepClaim {
    /// Everything it declares. The digests are taken on demand, since in a first plan those of
    /// every field would cost more than all the rest.
    Declared {
        declared: Arc<DeclaredResource>,
        /// The digest of the configuration that says who writes what.
        fingerprint: Digest,
    },
    Digests(ClaimDigests),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimDigests {
    pub digest: Digest,
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

/// The digest of a declaration and of the authority over it: the cheap test for "nothing new".
pub(super) fn digest_of(context: &PlanContext<'_>, declared: &DeclaredResource) -> Digest {
    digest(declared, context.fingerprint)
}

/// The digest in the claim on a declared resource while nothing new is declared.
#[must_use]
pub fn current_digest(declared: &DeclaredResource, rules: &PlanRules) -> Digest {
    digest(declared, rules.fingerprint())
}

fn digest(declared: &DeclaredResource, fingerprint: Digest) -> Digest {
    declared.digest(kinds::fingerprint(), &[fingerprint])
}

/// The entry in a claim of a field, or of a member of a list.
pub(super) fn entry(field: &str, member: &str) -> String {
    if member.is_empty() {
        field.to_owned()
    } else {
        format!("{field}={member}")
    }
}

/// The claimed fields of a declared resource: those that say something.
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

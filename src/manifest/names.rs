//! Which keys a manifest of a kind may have, looked up by name.

use crate::diagnostic::did_you_mean;
use crate::kinds::{self, Kind, Type};
use crate::model::KindId;
use std::sync::LazyLock;

/// What a key of a resource means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    /// `externalId`.
    Id,
    /// The kind's own field with this index.
    Field(u8),
    /// A group of fields written as one mapping.
    Group,
    /// `customFields`.
    Custom,
    /// `clear`.
    Clear,
    /// `kind` and `apiVersion`, which head a document.
    Head,
    /// What no manifest may say: a fact of run time.
    Fact,
    /// What looks like a password.
    Password,
}

/// Names of passwords, on a kind that has a secret field.
const PASSWORDS: [&str; 5] = ["password", "passwd", "pwd", "secret", "passwort"];

/// Facts of run time that people might try to state, besides those of the table.
const FACTS: [&str; 28] = [
    "acceptedTerms",
    "activated",
    "approvals",
    "approved",
    "block",
    "createdAt",
    "enabled",
    "identities",
    "identity",
    "invitation",
    "invitations",
    "invite",
    "invited",
    "jobs",
    "lastLogin",
    "login",
    "loginName",
    "loginNames",
    "loginNumber",
    "logins",
    "orders",
    "registered",
    "rejected",
    "termsAcceptedOn",
    "termsDate",
    "unblocked",
    "updatedAt",
    "version",
];

/// The keys of one kind, sorted.
struct Names(Vec<(&'static str, Slot)>);

static NAMES: LazyLock<[Names; kinds::ALL.len()]> = LazyLock::new(|| kinds::ALL.map(Names::of));

impl Names {
    fn of(kind: &'static Kind) -> Self {
        let mut names: Vec<(&str, Slot)> = vec![
            ("externalId", Slot::Id),
            ("kind", Slot::Head),
            ("apiVersion", Slot::Head),
            ("clear", Slot::Clear),
        ];
        names.extend(kind.custom.map(|_| ("customFields", Slot::Custom)));
        names.extend((0..).zip(kind.fields).map(|(index, field)| {
            let group = field.name.split_once('.');
            group.map_or((field.name, Slot::Field(index)), |(group, _)| {
                (group, Slot::Group)
            })
        }));
        if kind
            .fields
            .iter()
            .any(|field| matches!(field.ty, Type::Secret))
        {
            names.extend(PASSWORDS.map(|name| (name, Slot::Password)));
        }
        names.extend(kind.facts.iter().map(|fact| (fact.name, Slot::Fact)));
        names.extend(FACTS.map(|name| (name, Slot::Fact)));
        // Of two with one name the first stays: a field before a fact.
        names.sort_by_key(|(name, _)| *name);
        names.dedup_by_key(|(name, _)| *name);
        Self(names)
    }
}

/// What a key of a resource of `kind` means.
pub(super) fn slot(kind: KindId, name: &str) -> Option<Slot> {
    let names = &NAMES[usize::from(kind.0)].0;
    let at = names
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()?;
    Some(names[at].1)
}

/// Whether this is how people name a password.
pub(super) fn is_password(name: &str) -> bool {
    PASSWORDS.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// The key that was probably meant.
pub(super) fn meant(kind: &Kind, name: &str) -> Option<&'static str> {
    did_you_mean(name, kind.manifest_keys())
}

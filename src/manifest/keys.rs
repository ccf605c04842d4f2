//! The keys that a manifest of each kind may have, and what each of them means. Looked up for every
//! key of every resource, hence the hash table built once per kind.

use crate::diagnostic::did_you_mean;
use crate::kinds::{self, FieldType, Kind};
use crate::model::KindId;
use std::sync::LazyLock;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ManifestKey {
    /// `externalId`.
    Id,
    /// The kind's own field with this index.
    Field(u8),
    /// A group of fields written as one mapping, such as `legalUser`.
    Group,
    /// The list with this index of resources written inside this one.
    Nested(u8),
    /// `customFields`.
    Custom,
    Clear,
    /// `kind` and `apiVersion`, which head a document.
    Header,
    /// A fact that only Roster sets at run time.
    Fact,
    /// A name that people give a password.
    Password,
}

/// Names of passwords. They count only on a kind that has a secret field.
const PASSWORDS: [&str; 5] = ["password", "passwd", "pwd", "secret", "passwort"];

/// Names of run-time facts that people may try to set, besides those in the table of kinds.
const FACTS: [&str; 37] = [
    "acceptedTerms",
    "actions",
    "activated",
    "approvals",
    "approved",
    "block",
    "contactStatus",
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
    "meta",
    "orders",
    "pending",
    "quotes",
    "registered",
    "rejected",
    "terms",
    "termsAccepted",
    "termsAcceptedAt",
    "termsAcceptedOn",
    "termsDate",
    "unblocked",
    "updatedAt",
    "usable",
    "version",
];

/// The keys of one kind, in buckets by a cheap hash. A lookup compares about one name.
struct ManifestKeyTable {
    buckets: Box<[Vec<(&'static str, ManifestKey)>; BUCKETS]>,
}

const BUCKETS: usize = 256;

static NAMES: LazyLock<[ManifestKeyTable; kinds::ALL.len()]> =
    LazyLock::new(|| kinds::ALL.map(ManifestKeyTable::of));

impl ManifestKeyTable {
    fn of(kind: &'static Kind) -> Self {
        let mut buckets = Box::new([const { Vec::new() }; BUCKETS]);
        for (name, slot) in keys_of(kind) {
            let bucket: &mut Vec<(&str, ManifestKey)> = &mut buckets[bucket(name)];
            // A name that is both a field and a fact is a field: `keys_of` lists fields first.
            if bucket.iter().all(|(known, _)| *known != name) {
                bucket.push((name, slot));
            }
        }
        Self { buckets }
    }
}

fn bucket(name: &str) -> usize {
    let bytes = name.as_bytes();
    // A few bytes of the name keep the keys of one kind apart; hashing the whole name would cost
    // more than the comparison it saves.
    let at = |index: usize| bytes.get(index).copied().map_or(0, usize::from);
    let last = at(bytes.len().wrapping_sub(1));
    (at(0) * 7 + at(2) * 31 + last * 3 + bytes.len() * 17) % BUCKETS
}

fn keys_of(kind: &'static Kind) -> Vec<(&'static str, ManifestKey)> {
    let mut names: Vec<(&str, ManifestKey)> = vec![
        ("externalId", ManifestKey::Id),
        ("kind", ManifestKey::Header),
        ("apiVersion", ManifestKey::Header),
        ("clear", ManifestKey::Clear),
    ];
    names.extend(
        kind.applies_to_word
            .map(|_| ("customFields", ManifestKey::Custom)),
    );
    let fields = (0..).zip(kind.fields).filter(|(_, field)| !field.implied);
    names.extend(fields.map(|(index, field)| {
        let group = field.name.split_once('.');
        group.map_or((field.name, ManifestKey::Field(index)), |(group, _)| {
            (group, ManifestKey::Group)
        })
    }));
    names.extend(
        (0..)
            .zip(kind.nested)
            .map(|(index, list)| (list.name, ManifestKey::Nested(index))),
    );
    if kind
        .fields
        .iter()
        .any(|field| matches!(field.ty, FieldType::Secret))
    {
        names.extend(PASSWORDS.map(|name| (name, ManifestKey::Password)));
    }
    names.extend(kind.facts.iter().map(|fact| (fact.name, ManifestKey::Fact)));
    names.extend(FACTS.map(|name| (name, ManifestKey::Fact)));
    names
}

/// The meaning of a key on a resource of `kind`.
pub(super) fn slot(kind: KindId, name: &str) -> Option<ManifestKey> {
    let names = &NAMES[usize::from(kind.0)].buckets[bucket(name)];
    names
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, slot)| *slot)
}

/// Whether people commonly use this name for a password.
pub(super) fn is_password(name: &str) -> bool {
    PASSWORDS.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Common names for a key whose spelling is too different for "did you mean".
const OTHER_NAMES: &[(&str, &str)] = &[("id", "externalId"), ("key", "externalId")];

/// The key that was probably meant.
pub(super) fn suggest_key(kind: &Kind, name: &str) -> Option<&'static str> {
    let mut others = OTHER_NAMES.iter();
    let other = others.find(|(other, _)| other.eq_ignore_ascii_case(name));
    let other = other.map(|(_, key)| *key);
    other.or_else(|| did_you_mean(name, kind.manifest_keys()))
}

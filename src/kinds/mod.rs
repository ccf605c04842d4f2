//! The table of kinds: one file per kind, with its fields as data. Parser, type checks, diff,
//! order, SQL, export, JSON Schema and reference pages are all derived from it, so a new kind is
//! one file and one line in `ALL`. Start reading at `Kind` and then at one kind, such as
//! `user.rs`.

mod account;
mod address;
pub mod country;
mod custom_field;
pub mod explain;
mod field;
pub mod json;
mod organisation;
mod policy;
pub mod read;
pub mod schema;
mod settings;
mod store;
mod tag;
mod terms;
mod user;

pub use field::{BOOL, EnumChoices, Field, FieldDefault, FieldType, LinkAttribute, SetItem};

use crate::model::{Digest, FieldRef, KindId};
use std::sync::LazyLock;

/// The kinds that decide how everything else is checked.
pub const RULE_KINDS: [KindId; 2] = [SETTINGS, CUSTOM_FIELD];

/// One per directory.
pub const SETTINGS: KindId = KindId(0);
/// Terms and conditions.
pub const TERMS: KindId = KindId(1);
/// Shops that users have access to.
pub const STORE: KindId = KindId(2);
/// Customer groups for prices.
pub const TAG: KindId = KindId(3);
/// Definitions of custom fields.
pub const CUSTOM_FIELD: KindId = KindId(4);
/// Declared alone or inline in accounts.
pub const ADDRESS: KindId = KindId(5);
/// A company.
pub const ACCOUNT: KindId = KindId(6);
/// A group within an account.
pub const ORGANISATION: KindId = KindId(7);
/// A person who buys.
pub const USER: KindId = KindId(8);
/// Whose purchases are reviewed by whom.
pub const POLICY: KindId = KindId(9);

/// All kinds in the order of creation; removals go in reverse, so that nothing refers to what is
/// gone. `Settings` and `Terms` come first because a change of them is what a reviewer must see
/// first.
pub const ALL: [&Kind; 10] = [
    &settings::KIND,
    &terms::KIND,
    &store::KIND,
    &tag::KIND,
    &custom_field::KIND,
    &address::KIND,
    &account::KIND,
    &organisation::KIND,
    &user::KIND,
    &policy::KIND,
];

#[derive(Debug)]
pub struct Kind {
    /// Its index in [`ALL`].
    pub id: KindId,
    /// As in `kind: Account`.
    pub name: &'static str,
    /// As in `accounts: [..]`.
    pub collection: &'static str,
    /// The SQL table, a plural in snake case.
    pub table: &'static str,
    /// The SQL name of one, as in `user_id` and `user_accounts`.
    pub singular: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// The fields. `status` and `protect` are last, in this order.
    pub fields: &'static [Field],
    /// Whether it has `status: active | inactive`. The others accept only `deleted`.
    pub has_status: bool,
    /// The word for it in `CustomField.appliesTo`, if it has custom fields.
    pub applies_to_word: Option<&'static str>,
    /// The only allowed external id, for a kind that exists once.
    pub singleton: Option<&'static str>,
    pub id_chars: IdChars,
    /// Whether the external id is personal data, so that history keeps only its hash.
    pub personal_id: bool,
    /// Columns that no manifest sets.
    pub facts: &'static [RuntimeFact],
}

/// Which characters an external id may have. Its length is always 1 to 128.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdChars {
    /// Printable ASCII without spaces.
    Ascii,
    /// Printable characters without spaces at either end. A space inside is a warning.
    Printable,
}

/// A column that Roster initialises and never compares, because the shop changes it.
#[derive(Debug)]
pub struct RuntimeFact {
    /// The column, in snake case.
    pub column: &'static str,
    /// The name under which a manifest might try to set it.
    pub name: &'static str,
    /// The initial value. `None` is SQL NULL.
    pub initial: Option<&'static str>,
    pub doc: &'static str,
}

/// `blocked`, for every kind with a status.
pub(crate) const BLOCKED: RuntimeFact = RuntimeFact {
    column: "blocked",
    name: "blocked",
    initial: None,
    doc: "Why the resource is blocked at run time. Empty if it is not blocked.",
};

/// Returns the kind with this id.
///
/// # Panics
/// When the id is not one of the constants of this module.
pub fn get(id: KindId) -> &'static Kind {
    ALL[usize::from(id.0)]
}

/// Returns the kind for `User`, `user` or `users`.
#[must_use]
pub fn by_loose_name(name: &str) -> Option<&'static Kind> {
    ALL.into_iter().find(|kind| {
        kind.name.eq_ignore_ascii_case(name) || kind.collection.eq_ignore_ascii_case(name)
    })
}

/// Returns the kind called `name` (`Account`).
pub fn by_name(name: &str) -> Option<&'static Kind> {
    ALL.into_iter().find(|kind| kind.name == name)
}

/// Returns the kind whose collection is called `name` (`accounts`).
pub fn by_collection(name: &str) -> Option<&'static Kind> {
    ALL.into_iter().find(|kind| kind.collection == name)
}

/// A digest of the whole table. The table decides how cells are read, so claims carry this digest:
/// after an upgrade that changes it, everything is compared again.
pub fn fingerprint() -> Digest {
    static FINGERPRINT: LazyLock<Digest> =
        LazyLock::new(|| Digest::of(format!("canonical form 1 {ALL:?}").as_bytes()));
    *FINGERPRINT
}

impl Kind {
    pub fn index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Returns the index of a field that the table is known to have.
    ///
    /// # Panics
    /// If there is no such field. Callers name fields of the table only.
    pub fn expect_index(&self, name: &str) -> usize {
        self.index(name)
            .unwrap_or_else(|| panic!("the table of kinds has no {}.{name}", self.name))
    }

    /// The name of a field as in plans: `phone`, `customFields.badge`.
    pub fn field_name(&self, field: &FieldRef) -> String {
        match field {
            FieldRef::Own(index) => self.fields[usize::from(*index)].name.to_owned(),
            FieldRef::Custom(id) => format!("customFields.{id}"),
        }
    }

    /// Returns the field for a name as in plans. Custom fields are not checked for existence.
    pub fn field_ref(&self, name: &str) -> Option<FieldRef> {
        match name.strip_prefix("customFields.") {
            Some(id) if self.applies_to_word.is_some() => Some(FieldRef::Custom(id.into())),
            _ => self.index(name).map(own_field),
        }
    }

    /// Returns the row of the table for a field. Custom fields have none.
    pub fn field(&self, field: &FieldRef) -> Option<&'static Field> {
        field.own().map(|index| &self.fields[index])
    }

    /// The index of `status`, which every kind has.
    pub fn status_index(&self) -> usize {
        self.fields.len() - 2
    }

    /// The index of `protect`, which every kind has.
    pub fn protect_index(&self) -> usize {
        self.fields.len() - 1
    }

    /// The members of a group that is written as one mapping (`legalUser`).
    pub fn group(&self, name: &str) -> impl Iterator<Item = usize> {
        self.fields
            .iter()
            .enumerate()
            .filter_map(move |(i, field)| (field.name.split_once('.')?.0 == name).then_some(i))
    }

    /// The name with `a` or `an`.
    pub fn with_article(&self) -> String {
        // No `U`, because `User` is spoken with a consonant.
        let article = if self.name.starts_with(['A', 'E', 'I', 'O']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {}", self.name)
    }

    /// The keys that an entry of this kind may have. Groups count once.
    pub fn manifest_keys(&self) -> Vec<&'static str> {
        let mut names = vec!["externalId"];
        for field in self.fields {
            let name = field.name.split('.').next().unwrap_or(field.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if self.applies_to_word.is_some() {
            names.push("customFields");
        }
        names.push("clear");
        names
    }

    /// All references of this kind: the field index and the kind referred to.
    pub fn references(&self) -> impl Iterator<Item = (usize, KindId)> {
        self.fields
            .iter()
            .enumerate()
            .filter_map(|(index, field)| Some((index, field.ty.target()?)))
    }
}

/// Returns the reference to a field of the table.
///
/// # Panics
/// Never: no kind has 256 fields.
pub fn own_field(index: usize) -> FieldRef {
    FieldRef::Own(u8::try_from(index).expect("a kind has fewer than 256 fields"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_at_its_id_and_ends_with_status_and_protect() {
        for (index, kind) in ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.id.0), index, "{}", kind.name);
            assert_eq!(
                kind.fields[kind.status_index()].name,
                "status",
                "{}",
                kind.name
            );
            assert_eq!(
                kind.fields[kind.protect_index()].name,
                "protect",
                "{}",
                kind.name
            );
        }
    }

    #[test]
    fn names_tables_and_columns_are_unique() {
        for (i, kind) in ALL.into_iter().enumerate() {
            for other in &ALL[i + 1..] {
                assert_ne!(kind.name, other.name);
                assert_ne!(kind.collection, other.collection);
                assert_ne!(kind.table, other.table);
            }
            for (j, field) in kind.fields.iter().enumerate() {
                for other in &kind.fields[j + 1..] {
                    assert_ne!(field.name, other.name, "{}", kind.name);
                    assert_ne!(field.column, other.column, "{}", kind.name);
                }
                assert!(
                    !field.doc.is_empty(),
                    "{}.{} has no doc",
                    kind.name,
                    field.name
                );
            }
        }
    }

    #[test]
    fn references_point_to_kinds_created_no_later() {
        for kind in ALL {
            for (_, target) in kind.references() {
                assert!(target <= kind.id, "{} refers to {target}", kind.name);
            }
        }
    }
}

//! The table of kinds: one file per kind, with its fields as data. Parser, type checks, diff,
//! order, SQL, export, JSON Schema and reference pages are all derived from it, so a new kind is
//! one file and one line in `ALL`. Start reading at `Kind` and then at one kind, such as
//! `user.rs`.

mod account;
pub mod act;
mod address;
mod branch;
pub mod country;
mod custom_field;
pub mod effective;
pub mod explain;
mod field;
pub mod job;
pub mod json;
mod kind;
mod organisation;
mod policy;
pub mod read;
pub mod schema;
mod schema_values;
mod settings;
mod store;
mod tag;
mod terms;
mod user;

pub use branch::branch_name;
pub use field::{
    BOOL, EnumChoices, Field, FieldDefault, FieldType, LinkAttribute, SECRET_IN_EXPORT, SetItem,
};

pub(crate) use kind::BLOCKED;
pub use kind::{
    ACCOUNT, ADDRESS, CUSTOM_FIELD, GivenValue, IdChars, Kind, NestedList, ORGANISATION, POLICY,
    RuntimeFact, SETTINGS, STORE, TAG, TERMS, USER, own_field,
};
pub use user::ADMIN_GROUP;

use crate::model::{Digest, Key, KindId, Value};
use std::sync::LazyLock;

/// The kinds that decide how everything else is checked.
pub const RULE_KINDS: [KindId; 2] = [SETTINGS, CUSTOM_FIELD];

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

/// Returns the kind with this id.
///
/// # Panics
/// When the id is not one of the constants of this module.
pub fn get(id: KindId) -> &'static Kind {
    ALL[usize::from(id.0)]
}

/// Returns the SHA-256 in the value of a file field, in hexadecimal.
pub fn file_sha256(value: &Value) -> Option<&str> {
    Some(value.as_text()?.rsplit_once(" sha256:")?.1)
}

/// Returns the key of the one Settings resource.
pub fn settings_key() -> Key {
    Key::new(SETTINGS, get(SETTINGS).singleton.unwrap_or_default())
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
    fn nested_lists_name_fields_of_both_kinds() {
        for kind in ALL {
            for list in kind.nested {
                let name = list.name;
                assert!(kind.index(name).is_none(), "{}.{name}", kind.name);
                assert!(kind.group(name).next().is_none(), "{}.{name}", kind.name);
                for (field, value) in list.given {
                    get(list.kind).expect_index(field);
                    if let GivenValue::OuterField(outer) = value {
                        kind.expect_index(outer);
                    }
                }
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

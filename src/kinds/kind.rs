//! What the table says of a kind, and the ids of all kinds.

use super::field::Field;
use crate::model::{FieldRef, KindId};

/// `Settings`: one per directory.
pub const SETTINGS: KindId = KindId(0);

/// `Terms`: the terms and conditions document.
pub const TERMS: KindId = KindId(1);

/// `Store`: what users have access to.
pub const STORE: KindId = KindId(2);

/// `Tag`: customer groups for prices.
pub const TAG: KindId = KindId(3);

/// `CustomField`: the definition of one.
pub const CUSTOM_FIELD: KindId = KindId(4);

/// `Address`: alone or inline in accounts.
pub const ADDRESS: KindId = KindId(5);

/// `Account`: a company.
pub const ACCOUNT: KindId = KindId(6);

/// `Organisation`: a group within an account.
pub const ORGANISATION: KindId = KindId(7);

/// `User`: a person who buys.
pub const USER: KindId = KindId(8);

/// `Policy`: whose purchases are reviewed by whom.
pub const POLICY: KindId = KindId(9);

/// One kind of thing.
#[derive(Debug)]
pub struct Kind {
    /// Its place in `kinds::ALL`.
    pub id: KindId,
    /// As in `kind: Account`.
    pub name: &'static str,
    /// As in `accounts: [..]`.
    pub collection: &'static str,
    /// The SQL table, plural snake case.
    pub table: &'static str,
    /// The SQL name of one, as in `user_id` and `user_accounts`.
    pub singular: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Its fields; `status` (all kinds) and `protect` come last.
    pub fields: &'static [Field],
    /// The lists of other resources that may be written inside it.
    pub nested: &'static [NestedList],
    /// Whether it has `status: active | inactive`; the others take only `deleted`.
    pub has_status: bool,
    /// The word for it in `CustomField.appliesTo`, if it has `customFields`.
    pub applies_to_word: Option<&'static str>,
    /// The only external id there is, for the kind of which a directory has one.
    pub singleton: Option<&'static str>,
    /// Which external ids are allowed.
    pub id_chars: IdChars,
    /// Whether the external id says something about a person, so that history keeps only its hash.
    pub personal_id: bool,
    /// Runtime facts: columns that no manifest states.
    pub facts: &'static [RuntimeFact],
}

/// A list in a manifest whose entries are resources of their own. Nothing of it is stored with the
/// resource around it: the place of an entry gives it the fields that connect the two.
#[derive(Debug)]
pub struct NestedList {
    /// The key of the list in manifests.
    pub name: &'static str,
    /// The kind of its entries.
    pub kind: KindId,
    /// The fields that the place gives to an entry, so that no entry states them.
    pub given: &'static [(&'static str, GivenValue)],
    /// The meaning, in one sentence.
    pub doc: &'static str,
}

/// The value that the place of an entry gives to one of its fields.
#[derive(Clone, Copy, Debug)]
pub enum GivenValue {
    /// The external id of the resource around it.
    OuterId,
    /// The value of this field of the resource around it.
    OuterField(&'static str),
    /// No value: the field is cleared.
    Cleared,
}

impl NestedList {
    /// Whether the place gives this field to an entry.
    pub fn gives(&self, field: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == field)
    }
}

/// Which characters an external id may have; always 1 to 128 of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdChars {
    /// Printable ASCII without space.
    Ascii,
    /// Printable, without outer spaces; an inner space is a warning.
    Printable,
}

/// A runtime fact: a column that Roster initialises and never compares.
#[derive(Debug)]
pub struct RuntimeFact {
    /// The column, snake case.
    pub column: &'static str,
    /// The name a manifest might try to state it by.
    pub name: &'static str,
    /// The value it starts with; `None` is SQL NULL.
    pub initial: Option<&'static str>,
    /// What it means.
    pub doc: &'static str,
}

/// `blocked`, which every kind with a status has.
pub(crate) const BLOCKED: RuntimeFact = RuntimeFact {
    column: "blocked",
    name: "blocked",
    initial: None,
    doc: "Why the resource is blocked at run time. Empty if it is not blocked.",
};

impl Kind {
    /// The index of the field called `name`.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The field called `name`, which the table is known to have.
    ///
    /// # Panics
    /// When it has none: the callers name fields of the table.
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

    /// The field that a name as in plans means; custom fields are not looked up.
    pub fn field_ref(&self, name: &str) -> Option<FieldRef> {
        match name.strip_prefix("customFields.") {
            Some(id) if self.applies_to_word.is_some() => Some(FieldRef::Custom(id.into())),
            _ => self.index(name).map(own_field),
        }
    }

    /// The table's entry for a field; a custom field has none.
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

    /// The nested list called `name`.
    pub fn nested_list(&self, name: &str) -> Option<&'static NestedList> {
        self.nested.iter().find(|list| list.name == name)
    }

    /// The members of a group of fields that is written as one mapping (`legalUser`).
    pub fn group(&self, name: &str) -> impl Iterator<Item = usize> {
        self.fields
            .iter()
            .enumerate()
            .filter_map(move |(i, field)| (field.name.split_once('.')?.0 == name).then_some(i))
    }

    /// The name after `a` or `an`.
    pub fn with_article(&self) -> String {
        let article = if self.name.starts_with(['A', 'E', 'I', 'O']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {}", self.name)
    }

    /// The names that may head an entry of a manifest of this kind, groups once.
    pub fn manifest_keys(&self) -> Vec<&'static str> {
        let mut names = vec!["externalId"];
        for field in self.fields.iter().filter(|field| !field.implied) {
            let name = field.name.split('.').next().unwrap_or(field.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.extend(self.nested.iter().map(|list| list.name));
        if self.applies_to_word.is_some() {
            names.push("customFields");
        }
        names.push("clear");
        names
    }

    /// All references from this kind: field index and the kind it points to.
    pub fn references(&self) -> impl Iterator<Item = (usize, KindId)> {
        self.fields
            .iter()
            .enumerate()
            .filter_map(|(index, field)| Some((index, field.ty.target()?)))
    }

    /// The fields that name accounts.
    pub fn account_fields(&self) -> impl Iterator<Item = usize> {
        let named = self.references().filter(|(_, kind)| *kind == ACCOUNT);
        named.map(|(index, _)| index)
    }
}

/// The reference to one of a kind's own fields, by index.
///
/// # Panics
/// Never: no kind has 256 fields.
pub fn own_field(index: usize) -> FieldRef {
    FieldRef::Own(u8::try_from(index).expect("a kind has fewer than 256 fields"))
}

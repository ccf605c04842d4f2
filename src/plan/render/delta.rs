//! Turns one change into the form in which it is shown: members added, removed and changed for
//! lists, and nothing of the value for secrets.
//!
//! All formats go through [`FieldDelta`], so a secret is redacted by its type in one place.

use crate::kinds::{self, FieldType, LinkAttribute};
use crate::model::{CompactText, FieldRef, KindId, Link, Value};
use crate::plan::BorrowedChange;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A change, shown according to the type of its field.
pub(crate) enum FieldDelta<'a> {
    /// A secret. Only the fact that it changes may be shown.
    Redacted,
    /// One value replaces another. Lists that keep their order count as one value.
    Scalar {
        before: Option<&'a Value>,
        after: Option<&'a Value>,
    },
    /// Members of a set are added and removed.
    Set {
        added: Vec<&'a CompactText>,
        removed: Vec<&'a CompactText>,
    },
    /// Links are added and removed, or change their attributes.
    Links {
        attributes: &'static [LinkAttribute],
        added: Vec<&'a Link>,
        removed: Vec<&'a Link>,
        changed: Vec<(&'a Link, &'a Link)>,
    },
}

impl<'a> FieldDelta<'a> {
    pub fn of(kind: KindId, change: impl Into<BorrowedChange<'a>>) -> Self {
        let BorrowedChange {
            field,
            before,
            after,
        } = change.into();
        let field = kinds::get(kind).field(field);
        match field.map(|field| &field.ty) {
            Some(FieldType::Secret) => Self::Redacted,
            // By the value as well as by the type, because a saved plan comes from a file.
            Some(FieldType::Set(_))
                if is_absent_or(before, is_list) && is_absent_or(after, is_list) =>
            {
                set(before, after)
            }
            Some(FieldType::Links { attributes, .. })
                if is_absent_or(before, is_links) && is_absent_or(after, is_links) =>
            {
                links(attributes, before, after)
            }
            _ => Self::Scalar { before, after },
        }
    }
}

fn is_absent_or(value: Option<&Value>, shape: fn(&Value) -> bool) -> bool {
    value.is_none_or(shape)
}

fn is_list(value: &Value) -> bool {
    matches!(value, Value::List(_))
}

fn is_links(value: &Value) -> bool {
    matches!(value, Value::Links(_))
}

fn set<'a>(before: Option<&'a Value>, after: Option<&'a Value>) -> FieldDelta<'a> {
    // Hashed, because a list may have thousands of members.
    let old: HashSet<&CompactText> = members(before).collect();
    let new: HashSet<&CompactText> = members(after).collect();
    FieldDelta::Set {
        added: members(after).filter(|m| !old.contains(m)).collect(),
        removed: members(before).filter(|m| !new.contains(m)).collect(),
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = &CompactText> {
    value.into_iter().flat_map(Value::members)
}

fn links<'a>(
    attributes: &'static [LinkAttribute],
    before: Option<&'a Value>,
    after: Option<&'a Value>,
) -> FieldDelta<'a> {
    let (old, new) = (by_target(before), by_target(after));
    let before = before.map_or(&[][..], Value::as_links);
    let after = after.map_or(&[][..], Value::as_links);
    FieldDelta::Links {
        attributes,
        added: after
            .iter()
            .filter(|link| !old.contains_key(&link.target))
            .collect(),
        removed: before
            .iter()
            .filter(|link| !new.contains_key(&link.target))
            .collect(),
        // By target: a member whose level changes is changed, not removed and added.
        changed: before
            .iter()
            .filter_map(|link| Some((link, *new.get(&link.target)?)))
            .filter(|(old, new)| old != new)
            .collect(),
    }
}

fn by_target(value: Option<&Value>) -> HashMap<&CompactText, &Link> {
    let links = value.map_or(&[][..], Value::as_links);
    links.iter().map(|link| (&link.target, link)).collect()
}

/// Returns the stated attributes of a link, each with its word.
pub(crate) fn words(
    attributes: &'static [LinkAttribute],
    link: &Link,
) -> impl Iterator<Item = (&'static LinkAttribute, &'static str)> {
    attributes
        .iter()
        .zip(link.attributes)
        .filter_map(|(attribute, choice)| {
            let word = attribute.choices.get(usize::from(choice?))?;
            Some((attribute, *word))
        })
}

/// The name of a field as plans show it.
pub(crate) fn field_name(kind: KindId, field: &FieldRef) -> Cow<'static, str> {
    match kinds::get(kind).field(field) {
        Some(field) => Cow::Borrowed(field.name),
        None => Cow::Owned(kinds::get(kind).field_name(field)),
    }
}

//! One change as it reads: a list as what comes, goes and changes, a secret as nothing at all.

use crate::kinds::{self, Attribute, Type};
use crate::model::{Change, KindId, Link, Text, Value};
use std::collections::{HashMap, HashSet};

/// What a change does to its field.
pub(super) enum Delta<'a> {
    /// A secret: that it changes is all that is said.
    Redacted,
    /// One value becomes another; lists that keep an order are values.
    Scalar {
        before: Option<&'a Value>,
        after: Option<&'a Value>,
    },
    /// Members come and go.
    Set {
        added: Vec<&'a Text>,
        removed: Vec<&'a Text>,
    },
    /// Links come, go and change their attributes.
    Links {
        attributes: &'static [Attribute],
        added: Vec<&'a Link>,
        removed: Vec<&'a Link>,
        changed: Vec<(&'a Link, &'a Link)>,
    },
}

impl<'a> Delta<'a> {
    /// What `change` does to its field of a resource of `kind`.
    pub fn of(kind: KindId, change: &'a Change) -> Self {
        let field = kinds::get(kind).field(&change.field);
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        match field.map(|field| &field.ty) {
            Some(Type::Secret) => Self::Redacted,
            Some(Type::Set(_)) if fits(before, is_list) && fits(after, is_list) => {
                set(before, after)
            }
            Some(Type::Links { attributes, .. })
                if fits(before, is_links) && fits(after, is_links) =>
            {
                links(attributes, before, after)
            }
            _ => Self::Scalar { before, after },
        }
    }
}

fn fits(value: Option<&Value>, shape: fn(&Value) -> bool) -> bool {
    value.is_none_or(shape)
}

fn is_list(value: &Value) -> bool {
    matches!(value, Value::List(_))
}

fn is_links(value: &Value) -> bool {
    matches!(value, Value::Links(_))
}

fn set<'a>(before: Option<&'a Value>, after: Option<&'a Value>) -> Delta<'a> {
    let old: HashSet<&Text> = members(before).collect();
    let new: HashSet<&Text> = members(after).collect();
    Delta::Set {
        added: members(after).filter(|m| !old.contains(m)).collect(),
        removed: members(before).filter(|m| !new.contains(m)).collect(),
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = &Text> {
    value.into_iter().flat_map(Value::members)
}

fn links<'a>(
    attributes: &'static [Attribute],
    before: Option<&'a Value>,
    after: Option<&'a Value>,
) -> Delta<'a> {
    let (old, new) = (by_target(before), by_target(after));
    let before = before.map_or(&[][..], Value::as_links);
    let after = after.map_or(&[][..], Value::as_links);
    Delta::Links {
        attributes,
        added: after
            .iter()
            .filter(|link| !old.contains_key(&link.target))
            .collect(),
        removed: before
            .iter()
            .filter(|link| !new.contains_key(&link.target))
            .collect(),
        changed: before
            .iter()
            .filter_map(|link| Some((link, *new.get(&link.target)?)))
            .filter(|(old, new)| old != new)
            .collect(),
    }
}

fn by_target(value: Option<&Value>) -> HashMap<&Text, &Link> {
    let links = value.map_or(&[][..], Value::as_links);
    links.iter().map(|link| (&link.target, link)).collect()
}

/// The attributes of a link that are said, each with its word.
pub(super) fn words(
    attributes: &'static [Attribute],
    link: &Link,
) -> impl Iterator<Item = (&'static Attribute, &'static str)> {
    attributes
        .iter()
        .zip(link.attributes)
        .filter_map(|(attribute, choice)| {
            let word = attribute.choices.get(usize::from(choice?))?;
            Some((attribute, *word))
        })
}

//! Changes as JSON: values before and after, members added, removed and changed, no secrets.

use super::delta::{self, Delta};
use super::json::field_name;
use crate::kinds::{self, BOOL};
use crate::model::{Change, KindId, Link, Text, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// The changes of one resource; of a created one there is no before.
pub(super) struct Changes<'a> {
    pub kind: KindId,
    pub created: bool,
    pub all: &'a [Change],
}

impl Serialize for Changes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.all.iter().map(|change| ChangeEntry {
            kind: self.kind,
            created: self.created,
            change,
        }))
    }
}

struct ChangeEntry<'a> {
    kind: KindId,
    created: bool,
    change: &'a Change,
}

impl Serialize for ChangeEntry<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("field", &*field_name(self.kind, &self.change.field))?;
        match Delta::of(self.kind, self.change) {
            Delta::Redacted => self.sides(&mut map, &REDACTED, &REDACTED)?,
            Delta::Scalar { before, after } => {
                self.sides(&mut map, &before.map(Plain), &after.map(Plain))?;
            }
            Delta::Set { added, removed } => {
                map.serialize_entry("added", &added)?;
                if !self.created {
                    map.serialize_entry("removed", &removed)?;
                }
            }
            Delta::Links {
                attributes,
                added,
                removed,
                changed,
            } => {
                let named = |member, link| Attributes {
                    all: attributes,
                    member,
                    link,
                };
                let added: Vec<_> = added.into_iter().map(|link| named(true, link)).collect();
                map.serialize_entry("added", &added)?;
                if !self.created {
                    let removed: Vec<&Text> = removed.iter().map(|link| &link.target).collect();
                    map.serialize_entry("removed", &removed)?;
                    let changed = changed.into_iter().map(|(before, after)| ChangedLink {
                        member: &before.target,
                        before: named(false, before),
                        after: named(false, after),
                    });
                    map.serialize_entry("changed", &changed.collect::<Vec<_>>())?;
                }
            }
        }
        map.end()
    }
}

const REDACTED: Entry<'static, bool> = Entry("redacted", &true);

impl ChangeEntry<'_> {
    fn sides<M: SerializeMap>(
        &self,
        map: &mut M,
        before: &impl Serialize,
        after: &impl Serialize,
    ) -> Result<(), M::Error> {
        if !self.created {
            map.serialize_entry("before", before)?;
        }
        map.serialize_entry("after", after)
    }
}

#[derive(serde::Serialize)]
struct ChangedLink<'a> {
    member: &'a Text,
    before: Attributes<'a>,
    after: Attributes<'a>,
}

/// The attributes of a link, and, where it is needed, of which.
struct Attributes<'a> {
    all: &'static [kinds::Attribute],
    member: bool,
    link: &'a Link,
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        if self.member {
            map.serialize_entry("member", &self.link.target)?;
        }
        for (attribute, word) in delta::words(self.all, self.link) {
            if attribute.choices == BOOL {
                map.serialize_entry(attribute.name, &(word == "true"))?;
            } else {
                map.serialize_entry(attribute.name, word)?;
            }
        }
        map.end()
    }
}

/// A map of one entry.
pub(super) struct Entry<'a, T>(pub &'static str, pub &'a T);

impl<T: Serialize> Serialize for Entry<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([(self.0, self.1)])
    }
}

/// A value as JSON has it.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) => to.serialize_str(text),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Int(value) => to.serialize_i64(*value),
            Value::Number(text) => number(text, to),
            Value::List(members) => to.collect_seq(members.iter()),
            Value::Links(links) => {
                let mut seq = to.serialize_seq(Some(links.len()))?;
                for link in links {
                    seq.serialize_element(&link.target)?;
                }
                seq.end()
            }
        }
    }
}

/// A number keeps its spelling; one that JSON readers would spell otherwise is written as text.
fn number<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) if whole.to_string() == text => to.serialize_i64(whole),
        (_, Ok(number)) if number.to_string() == text && survives(number) => {
            to.serialize_f64(number)
        }
        _ => to.serialize_str(text),
    }
}

/// Whether a number reads back as it was, which JSON readers do not promise for long ones.
fn survives(number: f64) -> bool {
    let read = serde_json::to_string(&number)
        .ok()
        .and_then(|text| serde_json::from_str::<f64>(&text).ok());
    read.is_some_and(|read| read.to_bits() == number.to_bits())
}

//! Changes as JSON: values before and after, members added, removed and changed, no secrets.

use super::delta::{self, FieldDelta};
use super::json::field_name;
use crate::kinds::{self, BOOL};
use crate::model::{CompactText, FieldChange, KindId, Link, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// The changes of one resource; of a created one there is no before.
pub(super) struct ChangeList<'a> {
    pub kind: KindId,
    pub created: bool,
    pub all: &'a [FieldChange],
}

impl Serialize for ChangeList<'_> {
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
    change: &'a FieldChange,
}

impl Serialize for ChangeEntry<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("field", &*field_name(self.kind, &self.change.field))?;
        match FieldDelta::of(self.kind, self.change) {
            FieldDelta::Redacted => self.sides(&mut map, &REDACTED, &REDACTED)?,
            FieldDelta::Scalar { before, after } => {
                self.sides(&mut map, &before.map(PlainValue), &after.map(PlainValue))?;
            }
            FieldDelta::Set { added, removed } => {
                map.serialize_entry("added", &added)?;
                if !self.created {
                    map.serialize_entry("removed", &removed)?;
                }
            }
            FieldDelta::Links {
                attributes,
                added,
                removed,
                changed,
            } => {
                let named = |member, link| AttributeMap {
                    all: attributes,
                    member,
                    link,
                };
                let added: Vec<_> = added.into_iter().map(|link| named(true, link)).collect();
                map.serialize_entry("added", &added)?;
                if !self.created {
                    let removed: Vec<&CompactText> =
                        removed.iter().map(|link| &link.target).collect();
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

const REDACTED: MapEntry<'static, bool> = MapEntry("redacted", &true);

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
    member: &'a CompactText,
    before: AttributeMap<'a>,
    after: AttributeMap<'a>,
}

/// The attributes of a link, and, where it is needed, of which.
struct AttributeMap<'a> {
    all: &'static [kinds::LinkAttribute],
    member: bool,
    link: &'a Link,
}

impl Serialize for AttributeMap<'_> {
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

pub(super) struct MapEntry<'a, T>(pub &'static str, pub &'a T);

impl<T: Serialize> Serialize for MapEntry<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([(self.0, self.1)])
    }
}

/// A value as JSON has it.
struct PlainValue<'a>(&'a Value);

impl Serialize for PlainValue<'_> {
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
        (_, Ok(number)) if number.to_string() == text && reads_back_exactly(number) => {
            to.serialize_f64(number)
        }
        _ => to.serialize_str(text),
    }
}

/// Whether a number reads back as it was, which JSON readers do not promise for long ones.
fn reads_back_exactly(number: f64) -> bool {
    let read = serde_json::to_string(&number)
        .ok()
        .and_then(|text| serde_json::from_str::<f64>(&text).ok());
    read.is_some_and(|read| read.to_bits() == number.to_bits())
}

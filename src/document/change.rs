//! Changes of fields: values before and after, and the members that are added, removed and changed.
//! Secrets are left out by the type of their field. Start reading at the conversion from a plan's
//! change.

use crate::kinds::{BOOL, LinkAttribute};
use crate::model::{KindId, Link, Value};
use crate::plan::BorrowedChange;
use crate::plan::render::delta::{self, FieldDelta, field_name};
use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A change of a field. A value that changes has `before` and `after`. A list has `added`, `removed`
/// and, if its members have attributes, `changed`. The changes of a create have only `after` or
/// `added`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct FieldChangeDocument<'a> {
    /// The name of the field.
    pub field: Cow<'a, str>,
    /// The stored value. `null` if there is none.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::present"
    )]
    pub before: Option<ValueDocument<'a>>,
    /// The new value. `null` if there is none.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::present"
    )]
    pub after: Option<ValueDocument<'a>>,
    /// The members that are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Vec<MemberDocument<'a>>>,
    /// The members that are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Vec<Cow<'a, str>>>,
    /// The members whose attributes change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<ChangedLinkDocument<'a>>>,
}

impl<'a> FieldChangeDocument<'a> {
    /// The changes of one resource. A created resource has no values before.
    pub(crate) fn all(
        kind: KindId,
        created: bool,
        changes: impl IntoIterator<Item = impl Into<BorrowedChange<'a>>>,
    ) -> Vec<Self> {
        let changes = changes.into_iter().map(Into::into);
        changes
            .map(|change| Self::of(kind, created, change))
            .collect()
    }

    /// Returns the change with values of its own.
    pub(crate) fn into_owned(self) -> Option<FieldChangeDocument<'static>> {
        // By the form in which it is stored, so that nothing of it can be forgotten here.
        let stored = serde_json::to_value(self).ok()?;
        serde_json::from_value(stored).ok()
    }

    fn of(kind: KindId, created: bool, change: BorrowedChange<'a>) -> Self {
        // A created resource had no values before, so `before` is left out instead of being null.
        let before = |value| (!created).then_some(value);
        let named = Self {
            field: field_name(kind, change.field),
            ..Self::default()
        };
        match FieldDelta::of(kind, change) {
            FieldDelta::Redacted => Self {
                // Redacted on both sides, because an empty side would reveal whether there was a
                // secret.
                before: before(ValueDocument::REDACTED),
                after: Some(ValueDocument::REDACTED),
                ..named
            },
            FieldDelta::Scalar {
                before: old,
                after: new,
            } => Self {
                before: before(ValueDocument::from(old)),
                after: Some(ValueDocument::from(new)),
                ..named
            },
            FieldDelta::Set { added, removed } => {
                let removed = removed.into_iter().map(|id| Cow::Borrowed(&**id));
                Self {
                    added: Some(added.into_iter().map(|id| MemberDocument::id(id)).collect()),
                    removed: (!created).then(|| removed.collect()),
                    ..named
                }
            }
            FieldDelta::Links {
                attributes,
                added,
                removed,
                changed,
            } => {
                let added = added.into_iter();
                let removed = removed.into_iter();
                let changed = changed.into_iter();
                Self {
                    added: Some(
                        added
                            .map(|link| MemberDocument::link(attributes, link))
                            .collect(),
                    ),
                    removed: (!created)
                        .then(|| removed.map(|link| Cow::Borrowed(&*link.target)).collect()),
                    changed: (!created).then(|| {
                        changed
                            .map(|(old, new)| ChangedLinkDocument {
                                member: Cow::Borrowed(&*old.target),
                                before: LinkAttributes::of(attributes, old),
                                after: LinkAttributes::of(attributes, new),
                            })
                            .collect()
                    }),
                    ..named
                }
            }
        }
    }
}

/// The value of a field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "not a valid value")]
pub enum ValueDocument<'a> {
    /// No value.
    Nothing,
    /// Yes or no.
    Flag(bool),
    /// A number.
    #[schemars(with = "f64")]
    Number(Number),
    /// Text, or a number that JSON readers would not read back exactly.
    Text(Cow<'a, str>),
    /// A list that keeps its order.
    List(Vec<Cow<'a, str>>),
    /// A secret.
    Redacted(RedactedDocument),
}

/// The placeholder of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct RedactedDocument {
    /// Always `true`.
    pub redacted: bool,
}

impl ValueDocument<'_> {
    /// The placeholder of every secret.
    pub const REDACTED: Self = Self::Redacted(RedactedDocument { redacted: true });
}

impl<'a> From<Option<&'a Value>> for ValueDocument<'a> {
    fn from(value: Option<&'a Value>) -> Self {
        match value {
            None => Self::Nothing,
            Some(Value::Text(text)) => Self::Text(Cow::Borrowed(text)),
            Some(Value::Bool(value)) => Self::Flag(*value),
            Some(Value::Int(value)) => Self::Number((*value).into()),
            Some(Value::Number(text)) => {
                number(text).map_or(Self::Text(Cow::Borrowed(text)), Self::Number)
            }
            Some(Value::List(members)) => {
                Self::List(members.iter().map(|id| Cow::Borrowed(&**id)).collect())
            }
            Some(Value::Links(links)) => {
                let targets = links.iter().map(|link| Cow::Borrowed(&*link.target));
                Self::List(targets.collect())
            }
        }
    }
}

/// A number that keeps its spelling. `None` if JSON readers would spell it in another way.
fn number(text: &str) -> Option<Number> {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        // Any other number stays text, so that reading the document back gives the same value.
        (Ok(whole), _) if whole.to_string() == text => Some(whole.into()),
        (_, Ok(number)) if number.to_string() == text && reads_back_exactly(number) => {
            Number::from_f64(number)
        }
        _ => None,
    }
}

/// Whether a number is read back unchanged. JSON readers do not promise this for long ones.
fn reads_back_exactly(number: f64) -> bool {
    let read = serde_json::to_string(&number)
        .ok()
        .and_then(|text| serde_json::from_str::<f64>(&text).ok());
    read.is_some_and(|read| read.to_bits() == number.to_bits())
}

/// A member of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a member must be text, or for a link a mapping with a `member`"
)]
pub enum MemberDocument<'a> {
    /// A member without attributes.
    Id(Cow<'a, str>),
    /// A link with its attributes.
    Link(LinkDocument<'a>),
}

impl<'a> MemberDocument<'a> {
    fn id(id: &'a str) -> Self {
        Self::Id(Cow::Borrowed(id))
    }

    fn link(attributes: &'static [LinkAttribute], link: &'a Link) -> Self {
        Self::Link(LinkDocument {
            member: Cow::Borrowed(&*link.target),
            attributes: LinkAttributes::of(attributes, link),
        })
    }
}

/// A link with its attributes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LinkDocument<'a> {
    /// The external id of the linked resource.
    pub member: Cow<'a, str>,
    /// The attributes.
    #[serde(flatten)]
    #[schemars(with = "BTreeMap<String, AttributeDocument<'a>>")]
    pub attributes: LinkAttributes<'a>,
}

/// A link whose attributes change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct ChangedLinkDocument<'a> {
    /// The external id of the linked resource.
    pub member: Cow<'a, str>,
    /// The stored attributes.
    #[schemars(with = "BTreeMap<String, AttributeDocument<'a>>")]
    pub before: LinkAttributes<'a>,
    /// The new attributes.
    #[schemars(with = "BTreeMap<String, AttributeDocument<'a>>")]
    pub after: LinkAttributes<'a>,
}

/// The value of an attribute of a link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AttributeDocument<'a> {
    /// Yes or no.
    Flag(bool),
    /// One of several words.
    Word(Cow<'a, str>),
}

/// The attributes of a link by name, in the order of the table of kinds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkAttributes<'a>(pub Vec<(Cow<'a, str>, AttributeDocument<'a>)>);

impl LinkAttributes<'_> {
    fn of(all: &'static [LinkAttribute], link: &Link) -> Self {
        let stated = delta::words(all, link);
        let stated = stated.map(|(attribute, word)| {
            let value = if attribute.choices == BOOL {
                AttributeDocument::Flag(word == "true")
            } else {
                AttributeDocument::Word(Cow::Borrowed(word))
            };
            (Cow::Borrowed(attribute.name), value)
        });
        Self(stated.collect())
    }
}

impl Serialize for LinkAttributes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for LinkAttributes<'_> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AttributesVisitor;
        impl<'de> Visitor<'de> for AttributesVisitor {
            type Value = LinkAttributes<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the attributes of a link")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    all.push((name, value));
                }
                Ok(LinkAttributes(all))
            }
        }
        from.deserialize_map(AttributesVisitor)
    }
}

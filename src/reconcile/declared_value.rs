//! Finds out of a field whether somebody outside Roster changed it, and what is declared instead.
//!
//! History says it of a plain value. Of a list it records only the members that came and went, and of
//! what was adopted nothing. There the digests of the claims tell: whether they are of the stored
//! value and, where few values are possible, of which one.

use super::value_setter::{ValueSetter, left_by};
use crate::kinds::{Field, FieldType, LinkAttribute, json};
use crate::model::digest::short_digest;
use crate::model::{Cell, Claim, ClaimState, CompactText, Link, Value};
use crate::store::ChangeRecord;
use serde_json::Value as Json;

/// What is declared of a field that somebody changed outside Roster.
#[derive(Clone, PartialEq, Debug)]
pub enum DeclaredValue {
    Value(Json),
    /// No source declares it.
    Nothing,
    /// Another value than the stored one. Only its digest is known.
    Unknown,
}

/// A stored field, and what is known of it.
pub(super) struct StoredField<'a> {
    pub name: &'a str,
    /// `None` for a custom field.
    pub field: Option<&'a Field>,
    pub value: Option<&'a Value>,
    pub set_by: &'a ValueSetter,
    /// The changes that explain the resource, newest first.
    pub history: &'a [ChangeRecord],
    /// Whether the row was changed after every source last agreed with it.
    pub is_row_changed: bool,
}

impl StoredField<'_> {
    /// What is declared instead of the stored value. `None` if nobody outside Roster changed it, as
    /// far as that is known.
    pub fn declared_instead(&self, claims: &[&Claim]) -> Option<DeclaredValue> {
        let stored = self.value.map(|value| json::value(self.field, value));
        if self
            .set_by
            .differs(self.name, stored.as_ref(), self.history)
        {
            return Some(self.left_or_declared(claims));
        }
        // A person may set what a source declares otherwise, and a revert undoes what one declares.
        let is_overruled = match self.set_by {
            ValueSetter::Change(change) => change.source.is_empty() || change.reverts.is_some(),
            _ => false,
        };
        // The last change says it of a plain value, and that it is as it was left.
        let is_known = matches!(self.set_by, ValueSetter::Change(change) if left_by(change, self.name).is_some());
        if is_overruled || is_known || !self.is_row_changed {
            return None;
        }
        let declarations = self.declarations(claims);
        let agrees = declarations
            .iter()
            .any(|declared| declared.agrees(self.value));
        let first = declarations.into_iter().next().filter(|_| !agrees)?;
        Some(first.into_declared(self))
    }

    fn left_or_declared(&self, claims: &[&Claim]) -> DeclaredValue {
        let left = match self.set_by {
            ValueSetter::Change(change) => left_by(change, self.name),
            _ => None,
        };
        if let Some(left) = left {
            return DeclaredValue::Value(left.clone());
        }
        let first = self.declarations(claims).into_iter().next();
        first.map_or(DeclaredValue::Nothing, |first| first.into_declared(self))
    }

    /// What the claims say of the field.
    fn declarations(&self, claims: &[&Claim]) -> Vec<Declaration> {
        let active = claims.iter();
        let active = active.filter(|claim| claim.state == ClaimState::Active);
        active
            .filter_map(|claim| Declaration::of(claim, self))
            .collect()
    }
}

/// What a claim says of a field.
enum Declaration {
    /// The whole value; `None` for no value.
    Whole(Option<Value>),
    /// Members that a list must have. It may have others.
    Members(Value),
    Unknown,
}

impl Declaration {
    fn of(claim: &Claim, stored: &StoredField<'_>) -> Option<Self> {
        let digest = claim.fields.get(stored.name)?;
        let is = |cell: &Cell| digest == short_digest(cell);
        if is(&Cell::Blank) || is(&Cell::Clear) {
            return Some(Self::Whole(None));
        }
        let field = stored.field;
        let candidates = match field.map(|field| &field.ty) {
            Some(FieldType::Bool) => vec![Value::Bool(false), Value::Bool(true)],
            Some(FieldType::Enum(words)) => words.iter().map(Value::text).collect(),
            _ => Vec::new(),
        };
        let candidates = candidates.into_iter().chain(stored.value.cloned());
        let mut candidates = candidates.map(Cell::Value);
        if let Some(Cell::Value(value)) = candidates.find(is) {
            return Some(Self::Whole(Some(value)));
        }
        let Some(ty) = field.map(|field| &field.ty).filter(|ty| ty.is_list()) else {
            return Some(Self::Unknown);
        };
        let Some(members) = members(claim, stored.name, ty) else {
            return Some(Self::Unknown);
        };
        Some(if is(&Cell::Value(members.clone())) {
            Self::Whole(Some(members))
        } else if matches!(ty, FieldType::Ordered(_)) {
            // The digests of its members do not tell their order.
            Self::Unknown
        } else {
            Self::Members(members)
        })
    }

    fn agrees(&self, stored: Option<&Value>) -> bool {
        let non_empty =
            |value: Option<&Value>| value.filter(|value| !value.is_empty_list()).cloned();
        match self {
            Self::Whole(value) => non_empty(value.as_ref()) == non_empty(stored),
            Self::Members(members) => with_members(stored, members) == non_empty(stored),
            Self::Unknown => false,
        }
    }

    fn into_declared(self, stored: &StoredField<'_>) -> DeclaredValue {
        let value = match self {
            Self::Whole(None) => return DeclaredValue::Value(Json::Null),
            Self::Unknown => return DeclaredValue::Unknown,
            Self::Whole(Some(value)) => Some(value),
            Self::Members(members) => with_members(stored.value, &members),
        };
        value.map_or(DeclaredValue::Unknown, |value| {
            DeclaredValue::Value(json::value(stored.field, &value))
        })
    }
}

/// The members of a list that a claim recorded.
fn members(claim: &Claim, name: &str, ty: &FieldType) -> Option<Value> {
    let members = claim.fields.members(name);
    if !matches!(ty, FieldType::Links { .. }) {
        return Some(Value::set(members.map(CompactText::new)));
    }
    let links = members.map(|target| {
        let digest = claim.fields.member(name, target)?;
        link_with_digest(target, ty.attributes(), digest)
    });
    Some(Value::links(links.collect::<Option<Vec<Link>>>()?))
}

/// The link that has a digest. Its attributes have few possible values, so all of them are tried.
fn link_with_digest(target: &str, attributes: &[LinkAttribute], digest: u64) -> Option<Link> {
    let choices = |at: usize| {
        let count = attributes
            .get(at)
            .map_or(0, |attribute| attribute.choices.len());
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        std::iter::once(None).chain((0..count).map(Some))
    };
    let mut links = choices(0)
        .flat_map(|first| choices(1).map(move |second| [first, second]))
        .map(|attributes| Link {
            target: CompactText::new(target),
            attributes,
        });
    links.find(|link| digest == short_digest(&Cell::Value(Value::Links([link.clone()].into()))))
}

/// The stored list with the members that it must have. An attribute that is not declared stays.
fn with_members(stored: Option<&Value>, members: &Value) -> Option<Value> {
    let value = match members {
        Value::Links(declared) => {
            let stored = stored.map_or(&[][..], Value::as_links);
            let declared = declared.iter().map(|link| {
                let old = stored.iter().find(|old| old.target == link.target);
                let old = old.map_or([None; 2], |old| old.attributes);
                let [first, second] = link.attributes;
                Link {
                    target: link.target.clone(),
                    attributes: [first.or(old[0]), second.or(old[1])],
                }
            });
            // Of two links with one target, the first stays.
            Value::links(declared.chain(stored.iter().cloned()))
        }
        members => {
            let stored = stored.into_iter().flat_map(Value::members);
            Value::set(stored.chain(members.members()).cloned())
        }
    };
    Some(value).filter(|value| !value.is_empty_list())
}

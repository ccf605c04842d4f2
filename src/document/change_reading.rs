//! Reads changes back from a document, using the table of kinds. Anything that does not match the
//! table is refused.

use super::{
    AttributeDocument, ChangedLinkDocument, FieldChangeDocument, LinkAttributes, MemberDocument,
    ValueDocument,
};
use crate::kinds::{self, BOOL, Field, FieldType, Kind};
use crate::model::{CompactText, FieldChange, FieldRef, Key, Link, Value};
use std::borrow::Cow;

/// The changes of one resource.
pub(super) fn changes(
    key: &Key,
    read: Vec<FieldChangeDocument<'_>>,
) -> Result<Vec<FieldChange>, String> {
    let kind = kinds::get(key.kind);
    let changes = read.into_iter().map(|read| {
        let name = read.field.clone();
        change(kind, read).map_err(|error| format!("{key}, {name}: {error}"))
    });
    changes.collect()
}

fn change(kind: &'static Kind, read: FieldChangeDocument<'_>) -> Result<FieldChange, String> {
    let reference = kind.field_ref(&read.field).ok_or("no such field")?;
    let field = kind.field(&reference);
    let (before, after) = match (field.map(|field| &field.ty), read.added) {
        // A create removes nothing. If its list is empty, it was declared empty.
        (Some(FieldType::Set(_)), Some(added)) => {
            let added = ids(added)?;
            match read.removed {
                Some(removed) => (list(texts(removed)), list(added)),
                None => (None, Some(Value::List(added.into()))),
            }
        }
        (Some(FieldType::Links { .. }), Some(added)) => match read.removed {
            // Without `removed`, it is a create, whose links have no earlier state.
            Some(removed) => links(field, added, removed, read.changed.unwrap_or_default())?,
            None => (None, Some(Value::links(created(field, added)?))),
        },
        (_, Some(_)) => return Err("only sets and links have added members".into()),
        (_, None) => (
            scalar(field, &reference, read.before)?,
            scalar(field, &reference, read.after)?,
        ),
    };
    Ok(FieldChange {
        field: reference,
        before,
        after,
    })
}

/// Returns `None` for a list without members.
fn list(members: Vec<CompactText>) -> Option<Value> {
    (!members.is_empty()).then(|| Value::List(members.into()))
}

fn texts(members: Vec<Cow<'_, str>>) -> Vec<CompactText> {
    members.into_iter().map(CompactText::from).collect()
}

fn ids(members: Vec<MemberDocument<'_>>) -> Result<Vec<CompactText>, String> {
    let ids = members.into_iter().map(|member| match member {
        MemberDocument::Id(id) => Ok(CompactText::from(id)),
        MemberDocument::Link(_) => Err("members must be text".to_owned()),
    });
    ids.collect()
}

type BeforeAfter = (Option<Value>, Option<Value>);

fn links(
    field: Option<&Field>,
    added: Vec<MemberDocument<'_>>,
    removed: Vec<Cow<'_, str>>,
    changed: Vec<ChangedLinkDocument<'_>>,
) -> Result<BeforeAfter, String> {
    let mut before: Vec<Link> = removed
        .into_iter()
        .map(|target| Link {
            target: target.into(),
            // A document has only the targets of removed links, so their attributes are lost.
            attributes: [None; 2],
        })
        .collect();
    let mut after = created(field, added)?;
    for ChangedLinkDocument {
        member,
        before: old,
        after: new,
    } in changed
    {
        before.push(link(field, &member, &old)?);
        after.push(link(field, &member, &new)?);
    }
    let links = |links: Vec<Link>| (!links.is_empty()).then(|| Value::links(links));
    Ok((links(before), links(after)))
}

/// The added links.
fn created(field: Option<&Field>, added: Vec<MemberDocument<'_>>) -> Result<Vec<Link>, String> {
    let added = added.into_iter().map(|member| match member {
        MemberDocument::Link(read) => link(field, &read.member, &read.attributes),
        MemberDocument::Id(_) => Err("a link must be a mapping with a `member`".to_owned()),
    });
    added.collect()
}

fn link(field: Option<&Field>, target: &str, read: &LinkAttributes<'_>) -> Result<Link, String> {
    let all = field.map_or(&[][..], |field| field.ty.attributes());
    let mut attributes = [None; 2];
    for (name, value) in &read.0 {
        let at = all.iter().position(|attribute| attribute.name == name);
        let choice = at.and_then(|at| choice(all[at].choices, value));
        let (Some(at), Some(choice)) = (at, choice) else {
            let value = match value {
                AttributeDocument::Flag(value) => value.to_string(),
                AttributeDocument::Word(word) => format!("{word:?}"),
            };
            // An edited file must not be applied with a word silently dropped.
            return Err(format!("a link has no `{name}: {value}`"));
        };
        attributes[at] = Some(choice);
    }
    Ok(Link {
        target: target.into(),
        attributes,
    })
}

fn choice(choices: kinds::EnumChoices, value: &AttributeDocument<'_>) -> Option<u8> {
    let word = match value {
        AttributeDocument::Flag(value) if choices == BOOL => BOOL[usize::from(*value)],
        AttributeDocument::Word(word) if choices != BOOL => word,
        _ => return None,
    };
    let at = choices.iter().position(|choice| *choice == word)?;
    u8::try_from(at).ok()
}

fn scalar(
    field: Option<&Field>,
    reference: &FieldRef,
    read: Option<ValueDocument<'_>>,
) -> Result<Option<Value>, String> {
    let value = match read {
        None | Some(ValueDocument::Nothing) => return Ok(None),
        // A plan never contains the value of a secret. The apply reads it from its file or
        // variable.
        Some(ValueDocument::REDACTED) if field.is_some_and(Field::is_secret) => Value::text(""),
        Some(_) if field.is_some_and(Field::is_secret) => {
            // A plain secret in a plan file was written there by hand.
            return Err("a secret in a plan must be `{\"redacted\": true}`".into());
        }
        Some(ValueDocument::Redacted(_)) => return Err("not a valid value".into()),
        Some(ValueDocument::Text(text)) => Value::Text(text.into()),
        Some(ValueDocument::Flag(value)) => Value::Bool(value),
        Some(ValueDocument::Number(number)) => match number.as_i64() {
            Some(whole) if reference.own().is_some() => Value::Int(whole),
            _ => kinds::json::number(&number),
        },
        Some(ValueDocument::List(members)) => Value::List(texts(members).into()),
    };
    Ok(Some(value))
}

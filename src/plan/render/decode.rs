//! Changes read back from JSON, by the table of kinds.

use crate::kinds::{self, BOOL, Field, FieldType, Kind};
use crate::model::{CompactText, FieldChange, FieldRef, Key, Link, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// A change as it stands in the document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeDocument {
    field: String,
    before: Option<Json>,
    after: Option<Json>,
    added: Option<Vec<Json>>,
    removed: Option<Vec<CompactText>>,
    changed: Option<Vec<ChangedLinkDocument>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedLinkDocument {
    member: CompactText,
    before: Map<String, Json>,
    after: Map<String, Json>,
}

/// The changes of one resource.
pub(super) fn changes(key: &Key, read: Vec<ChangeDocument>) -> Result<Vec<FieldChange>, String> {
    let kind = kinds::get(key.kind);
    let changes = read.into_iter().map(|read| {
        let name = read.field.clone();
        change(kind, read).map_err(|fault| format!("{key}, {name}: {fault}"))
    });
    changes.collect()
}

fn change(kind: &'static Kind, read: ChangeDocument) -> Result<FieldChange, String> {
    let reference = kind.field_ref(&read.field).ok_or("no such field")?;
    let field = kind.field(&reference);
    let (before, after) = match (field.map(|field| &field.ty), read.added) {
        // Of a create nothing is removed, and a list without members is one that was declared so.
        (Some(FieldType::Set(_)), Some(added)) => {
            let added = texts(added).ok_or("members must be text")?;
            match read.removed {
                Some(removed) => (list(removed), list(added)),
                None => (None, Some(Value::List(added.into()))),
            }
        }
        (Some(FieldType::Links { .. }), Some(added)) => match read.removed {
            Some(removed) => links(field, added, removed, read.changed.unwrap_or_default())?,
            None => (None, Some(Value::links(created(field, added)?))),
        },
        (_, Some(_)) => return Err("only sets and links have added members".into()),
        (_, None) => (
            read.before
                .map(|value| scalar(field, &reference, value))
                .transpose()?,
            read.after
                .map(|value| scalar(field, &reference, value))
                .transpose()?,
        ),
    };
    Ok(FieldChange {
        field: reference,
        before,
        after,
    })
}

/// A list without members is none.
fn list(members: Vec<CompactText>) -> Option<Value> {
    (!members.is_empty()).then(|| Value::List(members.into()))
}

fn texts(members: Vec<Json>) -> Option<Vec<CompactText>> {
    let texts = members.into_iter().map(|member| match member {
        Json::String(text) => Some(CompactText::from(text)),
        _ => None,
    });
    texts.collect()
}

type BeforeAfter = (Option<Value>, Option<Value>);

fn links(
    field: Option<&Field>,
    added: Vec<Json>,
    removed: Vec<CompactText>,
    changed: Vec<ChangedLinkDocument>,
) -> Result<BeforeAfter, String> {
    let mut before: Vec<Link> = removed
        .into_iter()
        .map(|target| Link {
            target,
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
        before.push(link(field, member.clone(), &old)?);
        after.push(link(field, member, &new)?);
    }
    let links = |links: Vec<Link>| (!links.is_empty()).then(|| Value::links(links));
    Ok((links(before), links(after)))
}

/// Links that come.
fn created(field: Option<&Field>, added: Vec<Json>) -> Result<Vec<Link>, String> {
    let added = added.into_iter().map(|member| {
        let no_link = || "a link must be a mapping with a `member`".to_owned();
        let Json::Object(mut entries) = member else {
            return Err(no_link());
        };
        match entries.shift_remove("member") {
            Some(Json::String(target)) => link(field, target.into(), &entries),
            _ => Err(no_link()),
        }
    });
    added.collect()
}

fn link(
    field: Option<&Field>,
    target: CompactText,
    entries: &Map<String, Json>,
) -> Result<Link, String> {
    let all = field.map_or(&[][..], |field| field.ty.attributes());
    let mut attributes = [None; 2];
    for (name, value) in entries {
        let at = all.iter().position(|attribute| attribute.name == name);
        let choice = at.and_then(|at| choice(all[at].choices, value));
        let (Some(at), Some(choice)) = (at, choice) else {
            return Err(format!("a link has no `{name}: {value}`"));
        };
        attributes[at] = Some(choice);
    }
    Ok(Link { target, attributes })
}

fn choice(choices: kinds::EnumChoices, value: &Json) -> Option<u8> {
    let word = match value {
        Json::Bool(value) if choices == BOOL => BOOL[usize::from(*value)],
        Json::String(word) if choices != BOOL => word,
        _ => return None,
    };
    let at = choices.iter().position(|choice| *choice == word)?;
    u8::try_from(at).ok()
}

fn scalar(field: Option<&Field>, reference: &FieldRef, value: Json) -> Result<Value, String> {
    if field.is_some_and(Field::is_secret) {
        let redacted = value == serde_json::json!({"redacted": true});
        return if redacted {
            Ok(Value::text(""))
        } else {
            Err("a secret in a plan must be `{\"redacted\": true}`".into())
        };
    }
    match value {
        Json::String(text) => Ok(Value::Text(text.into())),
        Json::Bool(value) => Ok(Value::Bool(value)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) if reference.own().is_some() => Ok(Value::Int(whole)),
            _ => Ok(kinds::json::number(&number)),
        },
        Json::Array(members) => texts(members)
            .map(|members| Value::List(members.into()))
            .ok_or_else(|| "members must be text".into()),
        Json::Null | Json::Object(_) => Err("not a valid value".into()),
    }
}

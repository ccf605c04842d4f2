//! Changes read back from JSON, by the table of kinds.

use crate::kinds::{self, BOOL, Field, Kind, Type};
use crate::model::{Change, FieldRef, Key, Link, Text, Value};
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
    removed: Option<Vec<Text>>,
    changed: Option<Vec<ChangedDocument>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedDocument {
    member: Text,
    before: Map<String, Json>,
    after: Map<String, Json>,
}

/// The changes of one resource.
pub(super) fn changes(key: &Key, read: Vec<ChangeDocument>) -> Result<Vec<Change>, String> {
    let kind = kinds::get(key.kind);
    let changes = read.into_iter().map(|read| {
        let name = read.field.clone();
        change(kind, read).map_err(|fault| format!("{key}, {name}: {fault}"))
    });
    changes.collect()
}

fn change(kind: &'static Kind, read: ChangeDocument) -> Result<Change, String> {
    let reference = kind
        .field_ref(&read.field)
        .ok_or("there is no such field")?;
    let field = kind.field(&reference);
    let (before, after) = match (field.map(|field| &field.ty), read.added) {
        (Some(Type::Set(_)), Some(added)) => (
            list(read.removed.unwrap_or_default()),
            list(texts(added).ok_or("members are texts")?),
        ),
        (Some(Type::Links { .. }), Some(added)) => links(
            field,
            added,
            read.removed.unwrap_or_default(),
            read.changed.unwrap_or_default(),
        )?,
        (_, Some(_)) => return Err("only sets and links have members that are added".into()),
        (_, None) => (
            read.before
                .map(|value| scalar(field, &reference, value))
                .transpose()?,
            read.after
                .map(|value| scalar(field, &reference, value))
                .transpose()?,
        ),
    };
    Ok(Change {
        field: reference,
        before,
        after,
    })
}

/// A list without members is none.
fn list(members: Vec<Text>) -> Option<Value> {
    (!members.is_empty()).then(|| Value::List(members.into()))
}

fn texts(members: Vec<Json>) -> Option<Vec<Text>> {
    let texts = members.into_iter().map(|member| match member {
        Json::String(text) => Some(Text::from(text)),
        _ => None,
    });
    texts.collect()
}

type Sides = (Option<Value>, Option<Value>);

fn links(
    field: Option<&Field>,
    added: Vec<Json>,
    removed: Vec<Text>,
    changed: Vec<ChangedDocument>,
) -> Result<Sides, String> {
    let mut before: Vec<Link> = removed
        .into_iter()
        .map(|target| Link {
            target,
            attributes: [None; 2],
        })
        .collect();
    let mut after = Vec::new();
    for member in added {
        let Json::Object(mut entries) = member else {
            return Err("a link is a mapping with a `member`".into());
        };
        let Some(Json::String(target)) = entries.shift_remove("member") else {
            return Err("a link is a mapping with a `member`".into());
        };
        after.push(link(field, target.into(), &entries)?);
    }
    for ChangedDocument {
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

fn link(field: Option<&Field>, target: Text, entries: &Map<String, Json>) -> Result<Link, String> {
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

fn choice(choices: kinds::Choices, value: &Json) -> Option<u8> {
    let word = match value {
        Json::Bool(value) if choices == BOOL => BOOL[usize::from(*value)],
        Json::String(word) if choices != BOOL => word,
        _ => return None,
    };
    let at = choices.iter().position(|choice| *choice == word)?;
    u8::try_from(at).ok()
}

fn scalar(field: Option<&Field>, reference: &FieldRef, value: Json) -> Result<Value, String> {
    if field.is_some_and(Field::secret) {
        let redacted = value == serde_json::json!({"redacted": true});
        return if redacted {
            Ok(Value::text(""))
        } else {
            Err("a secret stands in a plan only as `{\"redacted\": true}`".into())
        };
    }
    match value {
        Json::String(text) => Ok(Value::Text(text.into())),
        Json::Bool(value) => Ok(Value::Bool(value)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) if reference.own().is_some() => Ok(Value::Int(whole)),
            (Some(whole), _) => Ok(Value::Number(whole.to_string().into())),
            // Displayed, a float has its shortest spelling and never an exponent.
            (None, Some(float)) => Ok(Value::Number(float.to_string().into())),
            (None, None) => Err(format!("{number} is no number")),
        },
        Json::Array(members) => texts(members)
            .map(|members| Value::List(members.into()))
            .ok_or_else(|| "members are texts".into()),
        Json::Null | Json::Object(_) => Err("this is no value".into()),
    }
}

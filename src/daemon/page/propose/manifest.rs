//! Writes what a form says as manifests, in JSON, which the reader of manifests takes like YAML.
//! What is wrong with a value is for the rules to say.

use super::fields::{FormSection, attribute_name};
use crate::daemon::page::forms::FormFields;
use crate::kinds::{ACCOUNT, ADDRESS, BOOL, Field, FieldType, USER};
use serde_json::{Map, Number, Value, json};

/// The manifests of a form: one document for each section, an address within its account.
pub(super) fn of_form(sections: &[FormSection], filled: &FormFields) -> String {
    let account = sections.iter().find(|section| section.kind.id == ACCOUNT);
    let uses = account.map(|section| attributes(section, "addresses", filled));
    let account = account.map(|section| section.value(filled, "externalId"));
    let mut documents: Vec<Map<String, Value>> = Vec::new();
    for section in sections {
        let mut own = resource(section, filled);
        match (section.kind.id, account, documents.first_mut()) {
            (ADDRESS, Some(_), Some(of)) => {
                own.extend(uses.clone().unwrap_or_default());
                of.insert("addresses".to_owned(), json!([own]));
                continue;
            }
            (USER, Some(account), _) => {
                own.insert(
                    "accounts".to_owned(),
                    links(section, "accounts", [account], filled),
                );
            }
            _ => {}
        }
        let mut document = Map::new();
        document.insert("kind".to_owned(), json!(section.kind.name));
        document.extend(own);
        documents.push(document);
    }
    let written = documents
        .into_iter()
        .map(|it| Value::Object(it).to_string());
    written.collect::<Vec<_>>().join("\n---\n")
}

fn resource(section: &FormSection, filled: &FormFields) -> Map<String, Value> {
    let mut own = Map::new();
    let id = section.value(filled, "externalId");
    own.insert("externalId".to_owned(), json!(id));
    for field in section.offered() {
        let text = section.value(filled, field.name);
        if text.is_empty() {
            continue;
        }
        let value = value(section, field, text, filled);
        match field.name.split_once('.') {
            None => {
                own.insert(field.name.to_owned(), value);
            }
            Some((group, member)) => {
                let group = own.entry(group).or_insert_with(|| json!({}));
                if let Value::Object(group) = group {
                    group.insert(member.to_owned(), value);
                }
            }
        }
    }
    let custom: Map<String, Value> = custom_values(section, filled).collect();
    if !custom.is_empty() {
        own.insert("customFields".to_owned(), Value::Object(custom));
    }
    own
}

fn custom_values(
    section: &FormSection,
    filled: &FormFields,
) -> impl Iterator<Item = (String, Value)> {
    section.custom.iter().filter_map(|custom| {
        let text = section.value(filled, &custom.name());
        let value = match &*custom.ty {
            _ if text.is_empty() => return None,
            "boolean" => json!(text == "true"),
            "number" => text
                .parse::<Number>()
                .map_or_else(|_| json!(text), Value::Number),
            _ => json!(text),
        };
        Some((custom.id.clone(), value))
    })
}

fn value(section: &FormSection, field: &Field, text: &str, filled: &FormFields) -> Value {
    let members = || text.split(',').map(str::trim).filter(|it| !it.is_empty());
    match field.ty {
        FieldType::Bool => json!(text == "true"),
        FieldType::Int(..) => text
            .parse::<i64>()
            .map_or_else(|_| json!(text), |it| json!(it)),
        FieldType::Links { .. } => links(section, field.name, members(), filled),
        _ if field.ty.is_list() => members().collect(),
        _ => json!(text),
    }
}

/// The attributes that the form asks for of each link in a field.
fn attributes(section: &FormSection, name: &str, filled: &FormFields) -> Map<String, Value> {
    let asked = section
        .asked_attributes()
        .filter(|(field, _)| field.name == name);
    let chosen = asked.filter_map(|(field, attribute)| {
        let word = section.value(filled, &attribute_name(field, attribute));
        let value = match attribute.choices {
            BOOL => json!(word == "true"),
            _ => json!(word),
        };
        (!word.is_empty()).then(|| (attribute.name.to_owned(), value))
    });
    chosen.collect()
}

/// Links to resources, each with the attributes that the form asks for.
fn links<'m>(
    section: &FormSection,
    name: &str,
    members: impl IntoIterator<Item = &'m str>,
    filled: &FormFields,
) -> Value {
    let chosen = attributes(section, name, filled);
    let fields = section.kind.fields.iter();
    let key = fields.into_iter().find_map(|field| match field.ty {
        FieldType::Links { key, .. } if field.name == name => Some(key),
        _ => None,
    });
    let members = members.into_iter();
    members
        .map(|member| {
            let mut link = Map::new();
            link.insert(key.unwrap_or_default().to_owned(), json!(member));
            link.extend(chosen.clone());
            Value::Object(link)
        })
        .collect()
}

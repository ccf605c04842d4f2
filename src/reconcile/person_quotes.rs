//! Finds the parts of a stored text that quote one user: the smallest objects of a JSON text, and the
//! rows of a table. What a text says about others is left out, so an object that lists several people
//! is returned with this one only. Start at [`quoted_parts`].

use crate::feed::format::{self, ExportColumns, ExportRecord, FormatOptions};
use crate::kinds::{self, USER};
use crate::model::Key;
use crate::store::{PersonRecords, PersonText, contains_word, has_id_word};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::io::Cursor;

/// How texts name a user.
pub(super) struct PersonNames {
    id: String,
    /// `User/ID`.
    key: String,
    /// The e-mail addresses that the user has and had, in lower case.
    addresses: BTreeSet<String>,
    /// The words that name the user by the id.
    id_words: Vec<String>,
}

impl PersonNames {
    pub(super) fn new(records: &PersonRecords) -> Self {
        let current = records.user.as_ref().and_then(|user| {
            let email = kinds::get(USER).expect_index("email");
            user.row.values[email].as_ref()?.as_text()
        });
        let changed = records.history.iter();
        let changed = changed.filter_map(|change| change.fields.get("email")?.as_array());
        let earlier = changed.flatten().filter_map(Json::as_str);
        let addresses = current.into_iter().chain(earlier);
        Self {
            id: records.external_id.clone(),
            key: Key::new(USER, &records.external_id).to_string(),
            addresses: addresses.map(str::to_lowercase).collect(),
            id_words: records.id_words.clone(),
        }
    }

    /// Whether a text contains the key of the user, an address, or the id if that is no ordinary word.
    fn are_in(&self, text: &str) -> bool {
        contains_word(text, &self.key) || has_id_word(text, &self.id_words) || {
            let text = text.to_lowercase();
            let mut addresses = self.addresses.iter();
            addresses.any(|address| contains_word(&text, address))
        }
    }

    /// Whether a text is the id of the user, the key or an address.
    fn are_all_of(&self, text: &str) -> bool {
        let text = text.trim();
        text == self.id || text == self.key || self.addresses.contains(&text.to_lowercase())
    }
}

/// The parts of a text that quote a user.
pub(super) fn quoted_parts(names: &PersonNames, text: &PersonText) -> Vec<Json> {
    if let Some(answer) = &text.answer {
        return pushed_records(names, &text.content, answer);
    }
    let mut parts = Vec::new();
    match serde_json::from_slice::<Json>(&text.content) {
        Ok(json) => {
            // A list of keys.
            let members = json.as_array().into_iter().flatten();
            parts.extend(members.filter(|member| is_named_by(names, member)).cloned());
            quoted_objects(names, &json, &mut parts);
        }
        // The report on an export: each row names its resource.
        Err(_) => read_rows(&text.content, |row| {
            if row.values().any(|cell| is_named_by(names, cell)) {
                parts.push(Json::Object(row));
            }
        }),
    }
    parts
}

fn is_named_by(names: &PersonNames, value: &Json) -> bool {
    value.as_str().is_some_and(|text| names.are_in(text))
}

/// Adds the objects that quote the user. An object about the user is added whole, any other one
/// without its members that are about others.
fn quoted_objects(names: &PersonNames, value: &Json, parts: &mut Vec<Json>) {
    match value {
        Json::Object(object) if is_about(names, object) => parts.push(value.clone()),
        Json::Object(object) => {
            let own = own_members(names, object);
            parts.extend(own.map(Json::Object));
            for member in object.values() {
                quoted_objects(names, member, parts);
            }
        }
        Json::Array(members) => {
            for member in members {
                quoted_objects(names, member, parts);
            }
        }
        _ => {}
    }
}

/// Whether an object describes the user: it has the user's key, or the id and no other kind.
fn is_about(names: &PersonNames, object: &Map<String, Json>) -> bool {
    let text = |name: &str| object.get(name).and_then(Json::as_str);
    let is_user = text("kind").is_none_or(|kind| kind.eq_ignore_ascii_case("user"));
    let has_id = text("externalId") == Some(&names.id) || text("external_id") == Some(&names.id);
    let is_key = |member: &Json| member.as_str() == Some(&names.key);
    (has_id && is_user) || object.values().any(is_key)
}

/// The plain members of an object in which the user is named; `None` if none names the user. Of a
/// list, only the entries that name the user are left.
fn own_members(names: &PersonNames, object: &Map<String, Json>) -> Option<Map<String, Json>> {
    let mut is_named = false;
    let mut own = Map::new();
    for (name, member) in object {
        let kept = match member {
            Json::Object(_) => continue,
            Json::Array(entries) => {
                let entries = entries.iter().filter(|entry| is_named_by(names, entry));
                let entries: Vec<Json> = entries.cloned().collect();
                if entries.is_empty() {
                    continue;
                }
                is_named = true;
                Json::Array(entries)
            }
            plain => {
                is_named |= is_named_by(names, plain);
                plain.clone()
            }
        };
        own.insert(name.clone(), kept);
    }
    is_named.then_some(own)
}

/// The records of a push that are about the user. The answer says which ones they are; before there
/// is one, those of which a cell is the id or an address.
fn pushed_records(names: &PersonNames, body: &[u8], answer: &str) -> Vec<Json> {
    let answered = answered_records(names, answer);
    let mut records = Vec::new();
    let mut add = |index: usize, record: Json| {
        let is_wanted = match &answered {
            Some(indexes) => indexes.contains(&index),
            None => has_cell(names, &record),
        };
        if is_wanted {
            records.push(record);
        }
    };
    if let Ok(json) = serde_json::from_slice::<Json>(body) {
        let all = record_list(&json).into_iter().flatten();
        all.enumerate()
            .for_each(|(index, record)| add(index, record.clone()));
    } else {
        let mut index = 0;
        read_rows(body, |row| {
            add(index, Json::Object(row));
            index += 1;
        });
    }
    records
}

/// The indexes of the records that an answer reports about the user.
fn answered_records(names: &PersonNames, answer: &str) -> Option<BTreeSet<usize>> {
    let answer: Json = serde_json::from_str(answer).ok()?;
    let records = answer.get("records")?.as_array()?;
    let about = |resource: &Json| {
        let object = resource.as_object();
        object.is_some_and(|object| is_about(names, object))
    };
    let indexes = records.iter().filter_map(|record| {
        let also = record.get("also").and_then(Json::as_array);
        let named = about(record) || also.into_iter().flatten().any(about);
        let index = record.get("index").and_then(Json::as_u64)?;
        named.then_some(usize::try_from(index).ok()?)
    });
    Some(indexes.collect())
}

/// The list of records: the document itself, or its first list of objects.
fn record_list(json: &Json) -> Option<&Vec<Json>> {
    match json {
        Json::Array(records) => Some(records),
        Json::Object(object) => object.values().find_map(record_list),
        _ => None,
    }
}

/// Whether a cell of a record is the id or an address of the user.
fn has_cell(names: &PersonNames, record: &Json) -> bool {
    match record {
        Json::String(text) => names.are_all_of(text),
        Json::Array(members) => members.iter().any(|member| has_cell(names, member)),
        Json::Object(object) => object.values().any(|member| has_cell(names, member)),
        _ => false,
    }
}

/// Passes the rows of a table to `each`, as objects by column.
fn read_rows(bytes: &[u8], mut each: impl FnMut(Map<String, Json>)) {
    let mut columns = ExportColumns::default();
    let mut on_record = |record: &ExportRecord, columns: &ExportColumns| {
        let cells = columns.names().enumerate().filter_map(|(at, name)| {
            let cell = record.cell(at)?;
            Some((name.to_owned(), Json::from(cell.text.as_str())))
        });
        each(cells.collect());
        true
    };
    let options = FormatOptions::default();
    let name = "stored".into();
    // A table that cannot be read quotes nobody that could be found.
    format::read(
        Cursor::new(bytes),
        &name,
        &options,
        &mut columns,
        &mut on_record,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> PersonNames {
        PersonNames {
            id: "u-1".into(),
            key: "User/u-1".into(),
            addresses: BTreeSet::from(["karin@roster.example".to_owned()]),
            id_words: Vec::new(),
        }
    }

    fn parts(content: &str, answer: Option<&str>) -> Vec<Json> {
        let text = PersonText {
            place: "imports.body",
            subject: "x".into(),
            at: 0,
            content: content.into(),
            answer: answer.map(str::to_owned),
        };
        quoted_parts(&names(), &text)
    }

    #[test]
    fn a_name_within_a_longer_one_is_somebody_else() {
        for (text, found) in [
            ("User/u-1 was deleted", true),
            ("held: User/u-1.", true),
            ("`User/u-1`, User/u-2", true),
            ("Karin@roster.example: taken", true),
            ("User/u-10", false),
            ("User/u-1.5", false),
            ("SuperUser/u-1", false),
            ("eva-karin@roster.example", false),
            ("karin@roster.example.org", false),
            ("u-1", false),
        ] {
            assert_eq!(names().are_in(text), found, "{text}");
        }
    }

    #[test]
    fn what_a_document_says_about_others_is_left_out() {
        let plan = json!({
            "steps": [
                {"kind": "User", "externalId": "u-1", "changes": [{"field": "email", "after": "x"}]},
                {"kind": "User", "externalId": "u-2"},
                {"kind": "Account", "externalId": "u-1"},
            ],
            "holds": [{"id": "h", "resources": ["User/u-2", "User/u-1"], "by": {"id": "User/u-2"}}],
            "summary": {"create": 2},
        });
        assert_eq!(
            parts(&plan.to_string(), None),
            [
                json!({"kind": "User", "externalId": "u-1", "changes": [{"field": "email", "after": "x"}]}),
                json!({"id": "h", "resources": ["User/u-1"]}),
            ]
        );
        let keys = json!(["User/u-1", "User/u-10"]).to_string();
        assert_eq!(parts(&keys, None), [json!("User/u-1")]);
        let report = "line,resource,message,mail\n2,User/u-1,wrong,a\n3,User/u-2,wrong,b\n";
        let row = json!({"line": "2", "resource": "User/u-1", "message": "wrong", "mail": "a"});
        assert_eq!(parts(report, None), [row]);
    }

    #[test]
    fn the_answer_to_a_push_says_which_records_are_about_a_user() {
        let answer = json!({"records": [
            {"index": 0, "kind": "User", "externalId": "u-2"},
            {"index": 1, "kind": "Account", "externalId": "a", "also": [{"kind": "User", "externalId": "u-1"}]},
        ]});
        let answer = answer.to_string();
        let csv = "id,name\nu-1,Eva\nx,Karin\n";
        let karin = json!({"id": "x", "name": "Karin"});
        assert_eq!(parts(csv, Some(&answer)), std::slice::from_ref(&karin));
        let body = json!({"items": [{"id": "u-1"}, karin]}).to_string();
        assert_eq!(parts(&body, Some(&answer)), [karin]);
        // Without an answer.
        assert_eq!(parts(csv, Some("")), [json!({"id": "u-1", "name": "Eva"})]);
        let body = json!([{"id": "x"}, {"user": {"mail": "KARIN@roster.example"}}]);
        let found = json!({"user": {"mail": "KARIN@roster.example"}});
        assert_eq!(parts(&body.to_string(), Some("")), [found]);
    }
}

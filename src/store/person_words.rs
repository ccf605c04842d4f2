//! The words by which stored texts name one person, and how they are taken out of a text: for an
//! erasure. A document about the person is taken out whole, a text that mentions the person loses
//! the word. Start at [`PersonWords`].

use super::id_words::without_id_word;
use super::whole_words::{ERASED_WORD, contains_word, without_word};
use crate::kinds::{self, FieldType, USER};
use crate::model::{Key, MatchTerm};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// The names under which documents have the id of a resource.
const ID_NAMES: [&str; 2] = ["externalId", "external_id"];

/// The words that name one person.
#[derive(Clone, Debug, Default)]
pub(super) struct PersonWords {
    pub(super) id: String,
    /// `User/ID`.
    key: String,
    /// E-mail addresses, telephone numbers and the full name, in lower case.
    words: BTreeSet<String>,
    /// First names, in lower case. They name the person only in what is the person's own.
    first_names: BTreeSet<String>,
    /// The same of last names.
    last_names: BTreeSet<String>,
    /// The values by which rows without an id are matched, in the form in which they are compared:
    /// the name of the field and the value.
    match_values: BTreeSet<(String, String)>,
    /// The words that name the person by the id, in what people say and in names of branches.
    id_words: Vec<String>,
    /// What people said about the person, and what is left of it. The same may stand elsewhere: an
    /// act on several resources has one reason.
    own_texts: BTreeMap<String, String>,
}

impl PersonWords {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            key: Key::new(USER, id).to_string(),
            ..Self::default()
        }
    }

    /// Adds the values that a user has or had, by the names of their fields.
    pub(super) fn add_fields(&mut self, fields: &Map<String, Json>) {
        // Of a change, a field has a list: the new value, or the old and the new one.
        let texts = |name: &str| -> Vec<String> {
            match fields.get(name) {
                Some(Json::Array(values)) => {
                    let values = values.iter().filter_map(Json::as_str);
                    values.map(folded).collect()
                }
                Some(Json::String(value)) => vec![folded(value)],
                _ => Vec::new(),
            }
        };
        self.words.extend(texts("email"));
        self.words.extend(texts("phone"));
        let is_empty = |text: &String| text.trim().is_empty();
        self.first_names.extend(texts("firstName"));
        self.last_names.extend(texts("lastName"));
        self.first_names.retain(|name| !is_empty(name));
        self.last_names.retain(|name| !is_empty(name));
        // A change has only the name that changed, so every pair may have been the full name.
        for first in &self.first_names {
            let pairs = self.last_names.iter().map(|last| format!("{first} {last}"));
            self.words.extend(pairs);
        }
        for (field, values) in fields {
            let is_custom = field.starts_with("customFields.");
            let one = std::slice::from_ref(values);
            let values = values.as_array().map_or(one, Vec::as_slice);
            let values = values.iter().filter_map(|value| match value {
                Json::String(text) if field == "email" => Some(FieldType::Email.match_text(text)),
                Json::String(text) if is_custom => Some(text.trim().to_owned()),
                Json::Number(number) if is_custom => Some(number.to_string()),
                _ => None,
            });
            let values = values.filter(|text| !text.is_empty());
            let values = values.map(|text| (field.clone(), text));
            self.match_values.extend(values);
        }
        self.words.retain(|word| !is_empty(word));
    }

    /// Adds the words that name the person by the id.
    pub(super) fn add_id_words(&mut self, words: Vec<String>) {
        self.id_words.extend(words);
    }

    /// Adds something that was said about the person, once all words are known.
    pub(super) fn add_own_text(&mut self, text: &str) {
        let left = self.redacted_own_text(text);
        if left != text {
            self.own_texts.insert(text.to_owned(), left);
        }
    }

    /// The e-mail addresses, telephone numbers and full names, in lower case.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// The values by which rows without an id are matched, with the names of their fields.
    pub(super) fn match_values(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.match_values.iter();
        values.map(|(field, text)| (field.as_str(), text.as_str()))
    }

    /// Whether a value by which a row is matched is one of the person's.
    pub(super) fn have(&self, term: &MatchTerm) -> bool {
        let field = term.field.as_ref();
        field.is_some_and(|field| {
            let name = kinds::get(term.kind).field_name(field);
            term.kind == USER && self.match_values.contains(&(name, term.text.clone()))
        })
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.first_names.iter().chain(&self.last_names)
    }

    /// Leaves out a word that names others too.
    pub(super) fn forget_word(&mut self, word: &str) {
        self.words.remove(word);
        self.match_values
            .retain(|(field, text)| field != "email" || text != word);
    }

    /// What to search the tables for: whatever names the person contains one of these.
    fn searched(&self) -> impl Iterator<Item = &str> {
        let by_id = self.id_words.iter().chain([&self.id]);
        self.words().chain(by_id.map(String::as_str))
    }

    /// Whether a text names the person: by the key, an address, a number or the full name.
    pub(super) fn are_in(&self, text: &str) -> bool {
        contains_word(text, &self.key) || {
            let text = folded(text);
            self.words.iter().any(|word| contains_word(&text, word))
        }
    }

    /// Whether a text is the id, the key, an address or a number of the person.
    pub(super) fn are_all_of(&self, text: &str) -> bool {
        let text = text.trim();
        text == self.id || text == self.key || self.words.contains(&folded(text))
    }

    /// Whether a record that nobody could read names the person.
    pub(super) fn are_in_record(&self, text: &str) -> bool {
        let mut cells = text.split([
            ',', ';', '\t', '|', ':', '"', '{', '}', '[', ']', '\n', '\r',
        ]);
        self.are_in(text) || cells.any(|cell| cell.trim() == self.id)
    }

    /// Whether a path of the person's own names the person, also by a bare id or a name.
    pub(super) fn are_in_path(&self, path: &str) -> bool {
        let lower = folded(path);
        let is_named = |name: &String| name.chars().count() > 2 && lower.contains(name.as_str());
        self.are_in(path)
            || lower.contains(&self.id.to_lowercase())
            || self.words.iter().any(|word| lower.contains(word.as_str()))
            || self.names().any(is_named)
    }

    /// Whether bytes may name the person: the id, or any word, as part of whatever.
    pub(super) fn may_be_in(&self, bytes: &[u8]) -> bool {
        let bytes = String::from_utf8_lossy(bytes);
        let text = folded(&bytes);
        // JSON may write a letter as an escape.
        let escaped = text.contains("\\u");
        let mut own = self.own_texts.keys();
        escaped
            || self
                .searched()
                .any(|word| text.contains(&word.to_lowercase()))
            || own.any(|own| bytes.contains(own) || bytes.contains(&Json::from(&**own).to_string()))
    }

    /// What people or Roster say, without the words that name the person; `None` if it has none.
    pub(super) fn redacted_text(&self, text: &str) -> Option<String> {
        if let Some(left) = self.own_texts.get(text) {
            return Some(left.clone());
        }
        let without_words = self.redacted_value(text);
        let before = without_words.as_deref().unwrap_or(text);
        let mut left = before.to_owned();
        for word in &self.id_words {
            left = without_id_word(&left, word);
        }
        if left == before {
            without_words
        } else {
            Some(left)
        }
    }

    /// A value of somebody else, such as the name of an operator, without the words that name the
    /// person; `None` if it has none. A bare id is no proof there.
    pub(super) fn redacted_value(&self, text: &str) -> Option<String> {
        if self.are_all_of(text) {
            return Some(ERASED_WORD.to_owned());
        }
        // Letters may be written as one character or with their accents apart.
        let whole: String = text.nfc().collect();
        let mut left = whole.clone();
        for word in self.words().chain([self.key.as_str()]) {
            left = without_word(&left, word);
        }
        (left != whole).then_some(left)
    }

    /// A text that somebody wrote about the person, without the words and without first and last
    /// names.
    pub(super) fn redacted_own_text(&self, text: &str) -> String {
        let left = self.redacted_text(text);
        let mut left = left.unwrap_or_else(|| text.nfc().collect());
        for word in self.names().chain([&self.id]) {
            left = without_word(&left, word);
        }
        left
    }

    /// Takes the person out of a document: objects about the person leave their lists, and texts
    /// lose the words. Returns whether anything changed.
    pub(super) fn redact(&self, value: &mut Json) -> bool {
        match value {
            Json::String(text) => match self.redacted_text(text) {
                Some(left) => {
                    *text = left;
                    true
                }
                None => false,
            },
            Json::Array(members) => {
                let before = members.len();
                members.retain(|member| !self.are_about(member));
                let changed = members.iter_mut().map(|member| self.redact(member));
                changed.fold(false, |any, it| any | it) | (members.len() != before)
            }
            Json::Object(object) => {
                let names: Vec<String> = object
                    .keys()
                    .filter(|it| self.are_in(it))
                    .cloned()
                    .collect();
                for name in &names {
                    object.remove(name);
                }
                // Of something that is no user, an equal id is its own.
                let is_other = !is_user(object);
                let is_own_id = |name: &str, member: &Json| {
                    is_other && ID_NAMES.contains(&name) && member.as_str() == Some(&self.id)
                };
                let changed = object.iter_mut().map(|(name, member)| {
                    let stays = is_own_id(name, member);
                    !stays && self.redact(member)
                });
                changed.fold(false, |any, it| any | it) | !names.is_empty()
            }
            _ => false,
        }
    }

    /// Whether a member of a list is about the person: a key, or an object with the key or the id.
    fn are_about(&self, member: &Json) -> bool {
        let Json::Object(object) = member else {
            return member
                .as_str()
                .is_some_and(|text| self.are_in(text) || text == self.id);
        };
        let text = |name: &str| object.get(name).and_then(Json::as_str);
        let has_id = ID_NAMES.map(text).contains(&Some(&*self.id));
        let is_key = |member: &Json| member.as_str() == Some(&*self.key);
        (has_id && is_user(object)) || object.values().any(is_key)
    }
}

/// Whether an object is about a user, or does not say of what kind it is.
fn is_user(object: &Map<String, Json>) -> bool {
    let kind = object.get("kind").and_then(Json::as_str);
    kind.is_none_or(|kind| kind.eq_ignore_ascii_case(kinds::get(USER).name))
}

/// A text in the form in which words are compared.
fn folded(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words() -> PersonWords {
        let mut words = PersonWords::new("u-1");
        let fields = json!({"email": ["Karin@roster.example"], "firstName": ["Karin"],
            "lastName": ["Ek"], "phone": ["+461"]});
        words.add_fields(fields.as_object().expect("an object"));
        words
    }

    #[test]
    fn a_text_loses_the_words_and_keeps_what_only_contains_them() {
        for (text, left) in [
            ("held: User/u-1.", "held: (erased)."),
            ("User/u-10", "User/u-10"),
            (
                "KARIN@roster.example, karin ek, +461",
                "(erased), (erased), (erased)",
            ),
            ("eva-karin@roster.example", "eva-karin@roster.example"),
            ("u-1", "(erased)"),
            ("the id u-1 stays", "the id u-1 stays"),
            ("Karin stays", "Karin stays"),
        ] {
            let redacted = words().redacted_text(text);
            assert_eq!(redacted.as_deref().unwrap_or(text), left);
        }
    }

    #[test]
    fn a_name_that_changed_in_two_steps_is_known_as_a_whole() {
        let mut words = PersonWords::new("u-1");
        for fields in [
            json!({"firstName": ["Ann"], "lastName": ["Berg"]}),
            json!({"lastName": ["Berg", "Ek"]}),
            json!({"firstName": ["Ann", "Anna"]}),
        ] {
            words.add_fields(fields.as_object().expect("an object"));
        }
        let left = words.redacted_text("Ann Berg, Ann Ek, Anna Ek, Ek");
        assert_eq!(left.as_deref(), Some("(erased), (erased), (erased), Ek"));
    }

    #[test]
    fn accents_may_be_written_apart() {
        let mut words = PersonWords::new("u-1");
        let fields = json!({"firstName": ["A\u{30a}sa"], "lastName": ["Öst"]});
        words.add_fields(fields.as_object().expect("an object"));
        let left = words.redacted_text("for ÅSA O\u{308}st, é");
        assert_eq!(left.as_deref(), Some("for (erased), é"));
        assert!(words.may_be_in("a\u{30a}sa öst".as_bytes()));
        assert_eq!(words.redacted_text("A\u{30a}sa"), None);
    }

    #[test]
    fn a_document_loses_what_is_about_the_person() {
        let mut document = json!({
            "steps": [{"kind": "User", "externalId": "u-1"}, {"kind": "User", "externalId": "u-2"}],
            "resources": ["User/u-1", "User/u-2"],
            "message": "User/u-1 and User/u-2",
        });
        assert!(words().redact(&mut document));
        assert_eq!(
            document,
            json!({"steps": [{"kind": "User", "externalId": "u-2"}], "resources": ["User/u-2"],
                "message": "(erased) and User/u-2"})
        );
        assert!(!words().redact(&mut document));
    }

    #[test]
    fn a_path_names_the_person_by_any_word() {
        for (path, named) in [
            ("users/u-1.yaml", true),
            ("users/karin.yaml", true),
            ("users/all.yaml", false),
        ] {
            assert_eq!(words().are_in_path(path), named, "{path}");
        }
    }
}

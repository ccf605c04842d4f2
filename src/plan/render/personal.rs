//! Masks personal data in plans that are published, such as comments on pull requests.
//!
//! A value becomes a pseudonym: the same value of the same field always gets the same one, so a
//! reader sees what stays and what changes. It is keyed, because telephone numbers and names are few
//! enough to try all of them against a plain hash. External ids stay, as they name the resource.

use super::wording::display_value;
use crate::diagnostic::Diagnostic;
use crate::kinds;
use crate::model::{FieldRef, Key, KindId, Value, hmac_digest};
use crate::plan::mask::MASKED;
use std::borrow::Cow;
use std::fmt;

/// What pseudonyms are derived with.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey([u8; 32]);

impl PseudonymKey {
    /// Derives the key from a secret, which it does not reveal.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        Self(hmac_digest(secret, &[b"roster pseudonyms 1"]))
    }

    /// By field as well, so that nobody can tell whether two fields have the same value.
    fn pseudonym(&self, field: &str, value: &str) -> String {
        let digest = hmac_digest(&self.0, &[field.as_bytes(), &[0], value.as_bytes()]);
        digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

/// How personal data is shown.
#[derive(Clone, Debug, Default)]
pub enum PersonalData {
    /// As it is.
    #[default]
    Shown,
    /// As pseudonyms. Without a key it is only left out.
    Masked(Option<PseudonymKey>),
}

impl PersonalData {
    /// Whether a field is not shown as it is.
    pub(super) fn hides(&self, kind: KindId, field: &FieldRef) -> bool {
        let personal = match field {
            FieldRef::Own(_) => kinds::get(kind)
                .field(field)
                .is_some_and(|field| field.personal || field.locates_person),
            // Whether a custom field is personal is not known.
            FieldRef::Custom(_) => true,
        };
        personal && matches!(self, Self::Masked(_))
    }

    /// Returns what is shown for a value of a field that is hidden.
    pub(super) fn masked(&self, field: &str, value: Option<&Value>) -> String {
        match value {
            Some(value) => self.masked_text(field, &display_value(Some(value))),
            None => display_value(None),
        }
    }

    fn masked_text(&self, field: &str, text: &str) -> String {
        match self {
            Self::Shown => text.to_owned(),
            // What somebody else left out already has nothing to tell apart.
            Self::Masked(Some(key)) if text != MASKED => {
                format!("(masked {})", key.pseudonym(field, text))
            }
            Self::Masked(_) => "(masked)".to_owned(),
        }
    }

    /// Returns the login name of a user.
    pub(super) fn login<'t>(&self, name: &'t str) -> Cow<'t, str> {
        match self {
            Self::Shown => Cow::Borrowed(name),
            Self::Masked(_) => Cow::Owned(self.masked_text("login", name)),
        }
    }

    /// Returns a message of a diagnostic.
    #[must_use]
    pub fn message<'t>(&self, of: &Diagnostic, text: &'t str) -> Cow<'t, str> {
        if matches!(self, Self::Shown) {
            return Cow::Borrowed(text);
        }
        let hidden = self.hidden_field(of);
        let parts = text.split('`').enumerate().map(|(at, part)| {
            let is_quoted = at % 2 == 1;
            match hidden {
                Some(field) if is_quoted && !names(of.key.as_ref(), field, part) => {
                    Cow::Owned(self.masked_text(field, part))
                }
                _ if is_quoted && of.key.as_ref().is_some_and(|key| &*key.id == part) => {
                    Cow::Borrowed(part)
                }
                _ => self.prose(part),
            }
        });
        Cow::Owned(parts.collect::<Vec<_>>().join("`"))
    }

    /// Returns a sentence without the e-mail addresses in it, apart from those that are ids.
    #[must_use]
    pub fn prose<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if matches!(self, Self::Shown) || !text.contains('@') {
            return Cow::Borrowed(text);
        }
        let is_end = |c: char| c.is_whitespace() || "`()[]{}<>,;:\"'".contains(c);
        let words = text.split_inclusive(is_end).map(|word| {
            let (word, end) = match word.char_indices().next_back() {
                Some((at, c)) if is_end(c) => word.split_at(at),
                _ => (word, ""),
            };
            let is_address = word
                .split_once('@')
                .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
            // `User/eva@example.com` is the name of a resource.
            if is_address && !word.contains('/') {
                self.masked_text("email", word) + end
            } else {
                format!("{word}{end}")
            }
        });
        Cow::Owned(words.collect())
    }

    /// The field that a diagnostic is about, if its values are hidden.
    fn hidden_field<'d>(&self, of: &'d Diagnostic) -> Option<&'d str> {
        let name = of.field.as_deref()?;
        let hides = |kind: KindId| {
            let field = kinds::get(kind).field_ref(name);
            field.is_some_and(|field| self.hides(kind, &field))
        };
        let is_hidden = match &of.key {
            Some(key) => hides(key.kind),
            // One that stands for several may be about resources of any kind.
            None => kinds::ALL.iter().any(|kind| hides(kind.id)),
        };
        is_hidden.then_some(name)
    }
}

/// Whether a quoted word of a message names the resource or a field, and is no value.
fn names(key: Option<&Key>, field: &str, word: &str) -> bool {
    let custom = field.strip_prefix("customFields.");
    key.is_some_and(|key| &*key.id == word || kinds::get(key.kind).field_ref(word).is_some())
        || word == field
        || custom == Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;
    use crate::kinds::USER;

    fn masked() -> PersonalData {
        PersonalData::Masked(Some(PseudonymKey::from_secret(b"secret")))
    }

    #[test]
    fn what_stands_for_several_shows_no_value_either() {
        let one = |n: usize| {
            let message = format!("`+46 SECRET{n}` is not a phone number");
            let found = Diagnostic::new(codes::PHONE, message);
            found
                .for_resource(&Key::new(USER, format!("u-{n}")))
                .field("phone")
        };
        for same in [true, false] {
            let all: Vec<Diagnostic> = (0..12).map(|n| one(if same { 0 } else { n })).collect();
            let groups = crate::diagnostic::group(&all);
            assert_eq!(groups.len(), 1);
            let found = &groups[0].found;
            let shown = masked().message(found, &found.message).into_owned();
            assert!(!shown.contains("SECRET"), "{shown}");
            assert!(shown.contains("(masked "), "{shown}");
        }
    }

    #[test]
    fn the_same_value_has_the_same_pseudonym_and_only_with_the_same_key() {
        let phone = Value::text("+46");
        let shown = |data: &PersonalData, field: &str| data.masked(field, Some(&phone));
        let first = shown(&masked(), "phone");
        assert_eq!(first, shown(&masked(), "phone"));
        assert!(
            first.starts_with("(masked ") && !first.contains("46)"),
            "{first}"
        );
        assert_ne!(first, shown(&masked(), "company"));
        let other = PersonalData::Masked(Some(PseudonymKey::from_secret(b"another")));
        assert_ne!(first, shown(&other, "phone"));
        assert_eq!(shown(&PersonalData::Masked(None), "phone"), "(masked)");
        assert_eq!(masked().masked("phone", None), "(none)");
        let before = Value::text(MASKED);
        assert_eq!(masked().masked("phone", Some(&before)), "(masked)");
    }

    #[test]
    fn messages_keep_their_words_and_ids_and_lose_their_values() {
        let key = Key::new(USER, "eva@acme.example");
        let found = |field: &str| {
            Diagnostic::new(codes::PHONE, "m")
                .for_resource(&key)
                .field(field)
        };
        let said = |field: &str, text: &str| masked().message(&found(field), text).into_owned();
        let phone = said(
            "phone",
            "`12` is not a phone number; write `phone` as `+46`",
        );
        assert!(!phone.contains("12`") && !phone.contains("+46"), "{phone}");
        assert!(
            phone.contains("` is not a phone number; write `phone` as `(masked "),
            "{phone}"
        );
        let other = said("groups", "no group `FOC_Usr`");
        assert_eq!(other, "no group `FOC_Usr`");
        let text = "`eva@acme.example` and User/bo@acme.example are used by cy@acme.example, too";
        let mail = said("groups", text);
        let start = "`eva@acme.example` and User/bo@acme.example are used by (masked ";
        assert!(
            mail.starts_with(start) && mail.ends_with("), too"),
            "{mail}"
        );
        let shown = PersonalData::Shown
            .message(&found("phone"), "`12` is wrong")
            .into_owned();
        assert_eq!(shown, "`12` is wrong");
    }
}

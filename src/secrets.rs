//! Passwords from environment variables or files. They are read, checked, compared and hashed only
//! here; what leaves this module is a state or a hash. Start reading at `SecretReader::compare`
//! for plans and `SecretReader::hashes` for applies.

use crate::diagnostic::{Diagnostic, Origin, Severity, codes};
use crate::kinds::{self, SECRET_IN_EXPORT};
use crate::model::{
    DeclaredResource, Desired, Key, SecretState, SecretText, Snapshot, StatedField,
};
use crate::plan::{Plan, StepVerb};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rayon::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Reads secrets.
#[derive(Clone, Debug, Default)]
pub struct SecretReader {
    /// The secrets directory of the configuration.
    pub dir: Option<PathBuf>,
    /// Whether no secret may be read: a tree that somebody submitted must not reveal which exist.
    pub sealed: bool,
}

/// A secret that a plan needs is not as it was when the plan was made.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {} is no longer available or is too weak", shown(reference))]
pub struct SecretError {
    pub key: Key,
    /// The reference at which it was expected.
    pub reference: String,
}

/// Whether a resource says anything about its password.
#[must_use]
pub fn has_password(declared: &DeclaredResource) -> bool {
    let kind = kinds::get(declared.key.kind);
    let mut fields = declared.cells.iter().map(|stated| &stated.field);
    fields.any(|field| kind.field(field).is_some_and(kinds::Field::is_secret))
}

impl SecretReader {
    /// Compares every declared password with the hash of the one applied last. Returns diagnostics for passwords
    /// that are weak or not available. Only the states are kept.
    pub fn compare(&self, desired: &mut Desired, stored: &Snapshot) -> Vec<Diagnostic> {
        let declared: Vec<(&DeclaredResource, &StatedField)> = desired
            .resources
            .iter()
            .filter_map(|declared| Some((&**declared, secret_of(declared)?)))
            .collect();
        // In parallel, because comparing with an argon2 hash is slow on purpose.
        let judged: Vec<(Key, SecretState, Option<Diagnostic>)> = declared
            .par_iter()
            .map(|(declared, stated)| {
                self.judge_password(declared, stated, stored, &desired.row_secrets)
            })
            .collect();
        let mut diagnostics = Vec::new();
        for (key, state, diagnostic) in judged {
            desired.secrets.insert(key, state);
            diagnostics.extend(diagnostic);
        }
        diagnostics
    }

    fn judge_password(
        &self,
        declared: &DeclaredResource,
        stated: &StatedField,
        stored: &Snapshot,
        rows: &BTreeMap<Key, SecretText>,
    ) -> (Key, SecretState, Option<Diagnostic>) {
        let key = declared.key.clone();
        let reference = stated
            .cell
            .value()
            .and_then(|value| value.as_text())
            .unwrap_or_default();
        let told = |code, message: String| {
            let origin = Origin {
                path: declared.path.clone(),
                at: stated.position,
            };
            Diagnostic::new(code, message)
                .for_resource(&key)
                .field("passwordFrom")
                .at(origin)
        };
        let shown = shown(reference);
        let Some(secret) = self.read(reference, &key, rows) else {
            // A missing secret is a warning and never removes a password: the reader may run where
            // the secrets are not mounted.
            let message = format!("{shown} is not available; the stored one is kept, not compared");
            let diagnostic = told(codes::SECRET_UNAVAILABLE, message).severity(Severity::Warning);
            return (key, SecretState::Unavailable, Some(diagnostic));
        };
        // Checked before the comparison, so that a weak password is reported even if it is the
        // stored one.
        if let Some(lack) = password_weakness(&secret) {
            let message = format!("{shown} {lack}");
            let help = format!("Use {PASSWORD_RULE}");
            let diagnostic = told(codes::PASSWORD_WEAK, message).help(help);
            return (key, SecretState::Unavailable, Some(diagnostic));
        }
        // Compared with the one that was applied last and not with the current one: the person may
        // have chosen another, or lost the login.
        let facts = stored.rows.get(&key).map(|row| &row.facts);
        let hash = facts.and_then(|facts| {
            let applied = facts.get("passwordApplied");
            applied.or_else(|| facts.get("passwordHash"))
        });
        let same = hash.is_some_and(|hash| matches(&secret, hash));
        (
            key,
            if same {
                SecretState::Same
            } else {
                SecretState::Changed
            },
            None,
        )
    }

    /// Returns hashes of the passwords that the steps of a plan set.
    pub fn hashes(
        &self,
        plan: &Plan,
        desired: &Desired,
    ) -> Result<BTreeMap<Key, String>, SecretError> {
        let sets = plan
            .steps
            .iter()
            .filter(|step| step.verb != StepVerb::Delete)
            .filter(|step| {
                let kind = kinds::get(step.key.kind);
                let fields = kind.fields.iter().enumerate();
                let mut secret = fields.filter(|(_, field)| field.is_secret());
                // Only steps that change the password need its hash.
                secret.any(|(index, _)| step.change(&kinds::own_field(index)).is_some())
            });
        let keys: Vec<&Key> = sets.map(|step| &step.key).collect();
        let hashed = keys.par_iter().map(|key| self.hash(key, desired));
        hashed.collect()
    }

    /// Hashes the password of a resource. It is read again: between plan and apply it may have
    /// changed, and a plan never holds its text.
    fn hash(&self, key: &Key, desired: &Desired) -> Result<(Key, String), SecretError> {
        let declared = desired.resources.get(key);
        let stated = declared.and_then(|declared| secret_of(declared));
        let reference = stated
            .and_then(|stated| stated.cell.value()?.as_text())
            .unwrap_or_default()
            .to_owned();
        let secret = self
            .read(&reference, key, &desired.row_secrets)
            .filter(|secret| password_weakness(secret).is_none());
        match secret.and_then(|secret| hash_password(&secret)) {
            Some(hash) => Ok((key.clone(), hash)),
            None => Err(SecretError {
                key: key.clone(),
                reference,
            }),
        }
    }

    /// Reads the secret of a reference: `env:NAME`, `file:NAME`, or a row of an export.
    fn read(
        &self,
        reference: &str,
        key: &Key,
        rows: &BTreeMap<Key, SecretText>,
    ) -> Option<SecretString> {
        if self.sealed {
            return None;
        }
        if reference == SECRET_IN_EXPORT {
            return Some(SecretString::from(rows.get(key)?.expose()));
        }
        let text = match reference.split_once(':')? {
            ("env", name) => std::env::var(name).ok()?,
            ("file", name) => std::fs::read_to_string(self.dir.as_ref()?.join(name)).ok()?,
            _ => return None,
        };
        // Editors and `echo` end a file with a line break that is not part of the password.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        Some(SecretString::from(text.to_owned()))
    }
}

/// A reference as messages name it.
fn shown(reference: &str) -> String {
    if reference == SECRET_IN_EXPORT {
        "the password in the row".to_owned()
    } else {
        format!("the password at `{reference}`")
    }
}

fn secret_of(declared: &DeclaredResource) -> Option<&StatedField> {
    let kind = kinds::get(declared.key.kind);
    declared.cells.iter().find(|stated| {
        stated.cell.value().is_some()
            && kind
                .field(&stated.field)
                .is_some_and(kinds::Field::is_secret)
    })
}

/// Returns the argon2id hash of a password.
#[must_use]
pub fn hash_password(secret: &SecretString) -> Option<String> {
    let hash = Argon2::default().hash_password(secret.expose_secret().as_bytes());
    hash.ok().map(|hash| hash.to_string())
}

/// What a password has to be, as the end of a sentence.
pub const PASSWORD_RULE: &str =
    "8 to 255 characters with a lower-case letter, an upper-case letter and a digit";

/// Returns what a password lacks. The text never quotes it.
#[must_use]
pub fn password_weakness(secret: &SecretString) -> Option<&'static str> {
    let text = secret.expose_secret();
    let length = text.chars().count();
    match () {
        () if length < 8 => Some("has fewer than 8 characters"),
        () if length > 255 => Some("has more than 255 characters"),
        () if !text.chars().any(char::is_lowercase) => Some("has no lower-case letter"),
        () if !text.chars().any(char::is_uppercase) => Some("has no upper-case letter"),
        () if !text.chars().any(|c| c.is_ascii_digit()) => Some("has no digit"),
        () => None,
    }
}

/// Returns whether a password has this hash. A hash that cannot be parsed matches none, so that the
/// password is set again.
fn matches(secret: &SecretString, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(secret.expose_secret().as_bytes(), &hash)
            .is_ok()
    })
}

/// The hash of a password that nobody knows.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cm9zdGVyLW5vLWxvZ2luIQ$\
    8Jb0W0yXjz0k9n3xq7m2v5c1r4t6y8u0p2a4s6d8f1g";

/// Returns whether somebody logs in with the right password. Without a hash, it takes as long as
/// with a wrong password: otherwise the time would tell which logins exist.
#[must_use]
pub fn password_fits(secret: &SecretString, hash: Option<&str>) -> bool {
    let stored = hash.filter(|hash| PasswordHash::new(hash).is_ok());
    let fits = matches(secret, stored.unwrap_or(NOBODY));
    stored.is_some() && fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_password_is_named_by_what_it_lacks() {
        let cases = [
            ("Short1a", Some("has fewer than 8 characters")),
            ("NOLOWER123", Some("has no lower-case letter")),
            ("nocapital123", Some("has no upper-case letter")),
            ("NoDigitsHere", Some("has no digit")),
            ("Good12345", None),
        ];
        for (text, lack) in cases {
            assert_eq!(password_weakness(&SecretString::from(text)), lack);
        }
    }

    #[test]
    fn a_file_is_read_below_the_secrets_directory_without_its_last_newline() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("u-1"), "Secret123\r\n").unwrap();
        let secrets = SecretReader {
            sealed: false,
            dir: Some(dir.path().to_owned()),
        };
        let key = Key::new(kinds::USER, "u-1");
        let rows = BTreeMap::from([(key.clone(), SecretText::new("InARow123"))]);
        let read = |reader: &SecretReader, reference: &str| {
            let secret = reader.read(reference, &key, &rows);
            secret.map(|secret| secret.expose_secret().to_owned())
        };
        assert_eq!(read(&secrets, "file:u-1").as_deref(), Some("Secret123"));
        assert_eq!(read(&secrets, "file:u-2"), None);
        assert_eq!(
            read(&secrets, SECRET_IN_EXPORT).as_deref(),
            Some("InARow123")
        );
        assert_eq!(read(&SecretReader::default(), "file:u-1"), None);
    }

    #[test]
    fn a_login_without_a_hash_costs_what_a_wrong_password_costs() {
        let secret = SecretString::from("Secret123".to_owned());
        let hash = hash_password(&secret).expect("a hash");
        let parameters = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(parameters(&hash), parameters(NOBODY));
        let nobody = PasswordHash::new(NOBODY).expect("a hash");
        assert!(nobody.hash.is_some() && nobody.salt.is_some());
        assert!(password_fits(&secret, Some(&hash)));
        for none in [None, Some("plain"), Some(NOBODY)] {
            assert!(!password_fits(&secret, none), "{none:?}");
        }
    }

    #[test]
    fn a_hash_matches_its_own_password_only() {
        let hash = Argon2::default()
            .hash_password(b"Secret123")
            .unwrap()
            .to_string();
        assert!(matches(&SecretString::from("Secret123"), &hash));
        assert!(!matches(&SecretString::from("Secret124"), &hash));
    }
}

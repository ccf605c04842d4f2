//! Which columns are not used by a mapping, and which hold secrets, judged by their names.

use super::field_names::folded;
use crate::feed::format::ExportColumns;
use crate::feed::mapping::Mapping;

/// The columns of an export that a mapping does not know.
pub(in crate::feed) fn unknown_columns<'c>(
    mapping: &Mapping,
    columns: &'c ExportColumns,
) -> Vec<&'c str> {
    let mut all = ExportColumns::default();
    for name in mapping.columns.iter().flatten().chain(&mapping.ignored) {
        all.intern(name);
    }
    let known = |name: &str| {
        let mut every = mapping
            .sections
            .iter()
            .filter_map(|section| section.custom_prefix.as_ref());
        all.find(name).is_some() || every.any(|before| name.starts_with(before.as_str()))
    };
    // Another message says that columns of secrets are not read.
    let said = |name: &str| known(name) || holds_secrets(name);
    columns.names().filter(|name| !said(name)).collect()
}

/// Whether a column of this name holds secrets. Its content is never shown.
pub(crate) fn holds_secrets(name: &str) -> bool {
    #[rustfmt::skip]
    const SECRETS: &[&str] = &[
        "password", "passwd", "passwort", "passord", "losenord", "motdepasse", "contrasena", "wachtwoord", "kennwort", "adgangskode",
        "salasana", "senha", "passphrase", "pwd", "mdp", "pwhash",
    ];
    const WORDS: &[&str] = &["pw", "pass", "hash", "salt", "secret", "pin"];
    let (whole, words) = (folded(name), words(name));
    SECRETS.iter().any(|known| whole.contains(known))
        || words.iter().any(|word| WORDS.contains(&word.as_str()))
}

/// The words of a name, without case and accents; `isActive` has two.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            spaced.push(' ');
        }
        lower = c.is_lowercase();
        spaced.push(c);
    }
    let words = spaced.split(|c: char| !c.is_alphanumeric());
    words.map(folded).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_secrets_are_known_in_many_languages() {
        for name in [
            "password",
            "Pwd",
            "Passwort",
            "lösenord",
            "Mot de passe",
            "password_hash",
            "hash",
            "user.password",
        ] {
            assert!(holds_secrets(name), "{name}");
        }
        for name in ["Name", "Spinning", "Passage", "Hashtag"] {
            assert!(!holds_secrets(name), "{name}");
        }
    }
}

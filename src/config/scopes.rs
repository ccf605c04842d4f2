//! `scopes:`: the folders that belong to one account each, and who owns which files. Paths are
//! checked where they are read, because a pattern that covers nothing would protect nothing.

use crate::model::FolderPattern;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Some files of the sources.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderScope {
    /// Which files. With `{account}`, they declare only that account.
    pub path: FolderPattern,
    /// Who reviews changes of them, as written in a CODEOWNERS file.
    pub owners: Vec<String>,
}

/// An entry of `scopes`, as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeSpec {
    /// The files below the root of a source: `accounts/{account}/**`. `{account}` is the external id
    /// of the account that these files may declare, `*` any name, `**` any number of folders.
    path: ScopePath,
    /// Who reviews changes of these files: `@user`, `@organisation/team` or an e-mail address.
    #[serde(default)]
    owners: Vec<ScopeOwner>,
}

#[derive(Debug, JsonSchema)]
struct ScopePath(#[schemars(with = "String")] FolderPattern);

#[derive(Debug, JsonSchema)]
struct ScopeOwner(String);

impl<'de> Deserialize<'de> for ScopePath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = |why| D::Error::custom(format!("`scopes`: {why}"));
        text.parse().map(Self).map_err(wrong)
    }
}

impl<'de> Deserialize<'de> for ScopeOwner {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        // The names of a line are separated by spaces, and `#` begins a comment.
        let is_name = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#');
        let is_owner = if let Some(name) = text.strip_prefix('@') {
            !name.trim_start_matches('@').is_empty() && !name.ends_with('/')
        } else {
            let parts = text.split_once('@');
            parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        };
        if is_name && is_owner {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format!(
            "`scopes`: `{text}` is not an owner; use `@user`, `@organisation/team` or an e-mail address"
        )))
    }
}

/// The scopes of the configuration.
pub(super) fn resolve(specs: Vec<ScopeSpec>) -> Result<Vec<FolderScope>, String> {
    let mut scopes: Vec<FolderScope> = Vec::new();
    for ScopeSpec { path, owners } in specs {
        let path = path.0;
        if !path.has_account() && owners.is_empty() {
            return Err(format!(
                "`scopes`: `{path}` has no `{{account}}` and no `owners`, so it does nothing; add one of them, or remove the entry"
            ));
        }
        if scopes.iter().any(|other| other.path == path) {
            return Err(format!(
                "`scopes`: `{path}` is listed twice; keep one entry"
            ));
        }
        scopes.push(FolderScope {
            path,
            owners: owners.into_iter().map(|owner| owner.0).collect(),
        });
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<FolderScope>, String> {
        let specs = serde_saphyr::from_str(text).map_err(|error| error.to_string());
        resolve(specs?)
    }

    #[test]
    fn a_scope_has_an_account_or_owners() {
        let scopes = read(
            "- {path: 'accounts/{account}/**', owners: ['@acme/sales', eva@example.com, '@@maintainers']}\n- {path: '{account}.yaml'}\n- {path: 'people/**', owners: ['@hr']}\n",
        );
        let scopes = scopes.expect("valid");
        let shown: Vec<String> = scopes.iter().map(|scope| scope.path.to_string()).collect();
        assert_eq!(
            shown,
            ["accounts/{account}/**", "{account}.yaml", "people/**"]
        );
        assert_eq!(scopes[0].owners.len(), 3);
        for (text, why) in [
            ("- {path: 'people/**'}", "does nothing"),
            ("- {path: 'a/{account}', owners: ['@a']}", "names a folder"),
            ("- {path: '{account}/**', owners: [eva]}", "is not an owner"),
            (
                "- {path: '{account}/**', owners: ['@a b']}",
                "is not an owner",
            ),
            ("- {path: '{account}/**', owner: '@a'}", "owner"),
            ("- {owners: ['@a']}", "path"),
            (
                "- {path: '{account}/**'}\n- {path: '{account}/**'}",
                "twice",
            ),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        let error = read("- {path: '{account}/**'}\n- {path: '{acount}/**'}").expect_err("wrong");
        assert!(error.contains("line 2"), "{error}");
    }
}

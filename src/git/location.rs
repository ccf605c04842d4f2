//! Which part of which repository a source is, and how the repository is accessed.

use crate::model::Digest;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The limit for one call of git. Drift of a source is repaired between two fetches, so a remote
/// that hangs must not delay that for long.
pub const TIMEOUT: Duration = Duration::from_mins(2);

/// A folder of a repository at a branch, tag or commit.
#[derive(Clone, Debug)]
pub struct GitLocation {
    /// The url to fetch from, without a password.
    pub url: String,
    /// The branch, tag or commit. `None` for the default branch.
    pub reference: Option<String>,
    /// The folder in the repository. Empty for all of it.
    pub path: String,
    pub auth: GitAuth,
    pub timeout: Duration,
}

/// How to authenticate to a remote, in addition to the configuration of git.
#[derive(Clone, Debug, Default)]
pub enum GitAuth {
    /// Only the configuration of git.
    #[default]
    GitConfig,
    /// A name and a password or token, for http.
    Password {
        username: String,
        password: SecretString,
    },
    /// A private key, for ssh.
    Key {
        key: PathBuf,
        /// The file of trusted hosts. `None` leaves that to the configuration of ssh.
        known_hosts: Option<PathBuf>,
    },
}

impl GitLocation {
    /// Returns the same folder at another branch, tag or commit.
    #[must_use]
    pub fn at(&self, reference: &str) -> Self {
        Self {
            reference: Some(reference.to_owned()),
            ..self.clone()
        }
    }

    /// The branch, tag or commit for messages.
    #[must_use]
    pub fn reference(&self) -> &str {
        self.reference.as_deref().unwrap_or("HEAD")
    }

    /// The reference under which the mirror records the commit of this place. Places of one
    /// repository share a mirror, so it has the branch and the folder in it.
    pub(super) fn record_reference(&self) -> String {
        let what = format!("{}\0{}", self.reference.as_deref().unwrap_or(""), self.path);
        format!("refs/roster/{}", Digest::of(what.as_bytes()))
    }

    /// Removes the secrets of this place from a text. Servers repeat credentials in their messages,
    /// plain or in base64.
    pub(super) fn redact(&self, text: &str) -> String {
        let GitAuth::Password { username, password } = &self.auth else {
            return text.to_owned();
        };
        let password = password.expose_secret();
        let basic = encode(&format!("{username}:{password}"));
        let mut text = text.replace(password, "[secret]");
        for form in [basic, encode(password)] {
            // Padding is dropped, since what follows the text may have been cut off with it.
            text = text.replace(form.trim_end_matches('='), "[secret]");
        }
        text
    }
}

fn encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

impl fmt::Display for GitLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        if let Some(reference) = &self.reference {
            write!(f, "#{reference}")?;
        }
        if !self.path.is_empty() {
            write!(f, ":{}", self.path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> GitLocation {
        GitLocation {
            url: "https://git.example/customers.git".to_owned(),
            reference: Some("main".to_owned()),
            path: "manifests".to_owned(),
            auth: GitAuth::Password {
                username: "roster".to_owned(),
                password: SecretString::from("hunter22"),
            },
            timeout: TIMEOUT,
        }
    }

    #[test]
    fn a_place_is_shown_without_its_secrets() {
        let shown = format!("{} {:?}", place(), place());
        assert!(shown.starts_with("https://git.example/customers.git#main:manifests "));
        assert!(!shown.contains("hunter22"), "{shown}");
    }

    #[test]
    fn what_a_remote_repeats_is_redacted() {
        let basic = encode("roster:hunter22");
        let said = format!("no: hunter22, Basic {basic}, aHVudGVyMjI=");
        assert_eq!(
            place().redact(&said),
            "no: [secret], Basic [secret], [secret]="
        );
    }

    #[test]
    fn each_branch_and_folder_has_a_mark_of_its_own() {
        assert_eq!(place().record_reference(), place().record_reference());
        assert_ne!(
            place().record_reference(),
            place().at("other").record_reference()
        );
    }
}

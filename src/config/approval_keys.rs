//! `approvalKeys` of the configuration: with which keys people sign the commits by which they approve
//! what a guard holds.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The types of plain SSH keys. A certificate would also stand for whoever its authority signs for.
const TYPES: [&str; 6] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
];

/// A public key and the person who signs with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalKey {
    pub person: String,
    /// The type and the key, as in a `.pub` file.
    pub key: String,
    /// Its fingerprint as git prints it: `SHA256:…`.
    pub fingerprint: String,
}

/// The keys of one person.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum KeySpec {
    /// The line of a `.pub` file.
    One(String),
    /// Several of them.
    Several(Vec<String>),
}

/// Reads the keys. A key belongs to one person, and to somebody who may approve.
pub(super) fn resolve(
    written: BTreeMap<String, KeySpec>,
    approvers: &[String],
) -> Result<Vec<ApprovalKey>, String> {
    let mut keys: Vec<ApprovalKey> = Vec::new();
    for (person, lines) in written {
        if person.trim().is_empty() {
            return Err("approvalKeys: write the name of a person before each key".to_owned());
        }
        if !approvers.is_empty() && !approvers.contains(&person) {
            let known = approvers.join(", ");
            return Err(format!(
                "approvalKeys: {person} is not one of the `approvers`: {known}"
            ));
        }
        let lines = match lines {
            KeySpec::One(line) => vec![line],
            KeySpec::Several(lines) => lines,
        };
        for line in lines {
            let key = ApprovalKey::parse(&person, &line).ok_or_else(|| {
                format!(
                    "approvalKeys: a key of {person} is not a public SSH key; copy the line of a `.pub` file: `ssh-ed25519 AAAA…`"
                )
            })?;
            let mut same = keys.iter();
            if let Some(other) = same.find(|other| other.fingerprint == key.fingerprint) {
                return Err(format!(
                    "approvalKeys: {} and {person} have the same key; give each person their own",
                    other.person
                ));
            }
            keys.push(key);
        }
    }
    Ok(keys)
}

impl ApprovalKey {
    fn parse(person: &str, line: &str) -> Option<Self> {
        // Options before the type, as in an `authorized_keys` file, are not taken.
        let mut words = line.split_whitespace();
        let (ty, encoded) = (words.next()?, words.next()?);
        let known = TYPES.contains(&ty) || ty == "sk-ecdsa-sha2-nistp256@openssh.com";
        if !known || line.trim().lines().count() != 1 {
            return None;
        }
        let blob = STANDARD.decode(encoded).ok()?;
        // The blob repeats its type, after its length.
        let length = u32::try_from(ty.len()).ok()?.to_be_bytes();
        let rest = blob
            .strip_prefix(&length[..])?
            .strip_prefix(ty.as_bytes())?;
        if rest.is_empty() {
            return None;
        }
        let fingerprint = STANDARD_NO_PAD.encode(Sha256::digest(&blob));
        Some(Self {
            person: person.to_owned(),
            key: format!("{ty} {encoded}"),
            fingerprint: format!("SHA256:{fingerprint}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const FINGERPRINT: &str = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

    fn read(written: &[(&str, &str)], approvers: &[&str]) -> Result<Vec<ApprovalKey>, String> {
        let written = written
            .iter()
            .map(|(person, key)| ((*person).to_owned(), KeySpec::One((*key).to_owned())));
        let approvers: Vec<String> = approvers.iter().map(ToString::to_string).collect();
        resolve(written.collect(), &approvers)
    }

    #[test]
    fn a_key_has_the_fingerprint_that_ssh_keygen_prints() {
        let keys = read(&[("eva@example.com", &format!("{KEY} eva@laptop"))], &[]).expect("valid");
        assert_eq!(keys[0].key, KEY);
        assert_eq!(keys[0].fingerprint, FINGERPRINT);
    }

    #[test]
    fn what_could_stand_for_somebody_else_is_refused() {
        let cut = &KEY[..KEY.len() - 60];
        let other = KEY.replace("ssh-ed25519 ", "ssh-rsa ");
        let option = format!("cert-authority {KEY}");
        let certificate = KEY.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com ");
        let two = format!("{KEY}\n{KEY}");
        for wrong in [cut, &other, &option, &certificate, &two, "", "eva"] {
            let error = read(&[("eva", wrong)], &[]).expect_err(wrong);
            assert!(error.contains("is not a public SSH key"), "{error}");
        }
        let error = read(&[("eva", KEY), ("nils", KEY)], &[]).expect_err("shared");
        assert!(error.contains("have the same key"), "{error}");
        let error = read(&[("eva", KEY)], &["nils"]).expect_err("no approver");
        assert!(error.contains("is not one of the `approvers`"), "{error}");
        assert!(read(&[("eva", KEY)], &["eva", "nils"]).is_ok());
    }
}

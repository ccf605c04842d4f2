//! The key from which the tokens of links are derived. It is in a file that the database does not
//! contain; all replicas that send mail need the same one.

use crate::model::hmac_digest;
use crate::own_folder;
use crate::store::TokenDigest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What tells these tokens from anything else that may be derived from the same key one day.
const PURPOSE: &[u8] = b"roster invitation";
/// The bytes of a token: 192 bits, which are 32 characters.
const TOKEN_BYTES: usize = 24;
/// The shortest content of a key file that is not guessable.
const SHORTEST: usize = 32;

/// The key of links.
#[derive(Clone, Debug)]
pub struct InvitationKey(SecretString);

impl InvitationKey {
    /// A key that no file contains, for links that need not be made again.
    pub fn ephemeral() -> Result<Self, String> {
        Ok(Self(random_text()?.into()))
    }

    /// Reads the key from its file, which is created if it does not exist.
    pub fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = read_or_create(path).map_err(|error| {
            format!(
                "cannot read or create the key of links {shown}: {error}; set `invitations.key` to a file that the daemon can read"
            )
        })?;
        if text.trim().len() < SHORTEST {
            return Err(format!(
                "the key of links {shown} is shorter than {SHORTEST} characters; write a random text of at least {SHORTEST} characters into it"
            ));
        }
        Ok(Self(text.trim().to_owned().into()))
    }

    /// The token of an invitation.
    pub fn token(&self, invitation: &str) -> SecretString {
        let key = self.0.expose_secret().as_bytes();
        let digest = hmac_digest(key, &[PURPOSE, &[0], invitation.as_bytes()]);
        URL_SAFE_NO_PAD.encode(&digest[..TOKEN_BYTES]).into()
    }
}

/// The hash of a token, which is all that the database holds.
pub fn token_digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

fn read_or_create(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    if let Some(folder) = path.parent() {
        own_folder::make(folder)?;
    }
    let text = random_text().map_err(io::Error::other)?;
    // A name of its own: two threads or containers with one process id may get here at once.
    let new = path.with_extension(format!("{:016x}.new", rand::random::<u64>()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_all()?;
    // A hard link fails if another process was first; then the key of that process counts.
    let linked = fs::hard_link(&new, path);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::read_to_string(path),
    }
}

/// 256 random bits in hexadecimal.
fn random_text() -> Result<String, String> {
    let mut bytes = [0; 32];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| format!("the system provides no random numbers: {error}"))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_created_once_and_its_tokens_stay_the_same() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(".roster/invitation-key");
        let token = |key: &InvitationKey, id: &str| key.token(id).expose_secret().to_owned();
        let first = InvitationKey::load(&path).expect("created");
        let again = InvitationKey::load(&path).expect("read");
        assert_eq!(token(&first, "i-1"), token(&again, "i-1"));
        assert_ne!(token(&first, "i-1"), token(&first, "i-2"));
        assert_eq!(token(&first, "i-1").len(), 32);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
        let other = InvitationKey::ephemeral().expect("random");
        assert_ne!(token(&first, "i-1"), token(&other, "i-1"));
    }

    #[test]
    fn a_short_key_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key");
        fs::write(&path, "secret\n").expect("written");
        let error = InvitationKey::load(&path).expect_err("too short");
        assert!(error.contains("at least 32 characters"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        let error = InvitationKey::load(Path::new("/proc/none/key")).expect_err("no place");
        assert!(error.contains("`invitations.key`"), "{error}");
    }
}

//! People who sign their commits with SSH keys.

use super::git_remote::Remote;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A person with a key.
pub struct Signer {
    folder: TempDir,
}

impl Signer {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("roster-key-").expect("a folder");
        let signer = Self { folder };
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "a laptop", "-f"])
            .arg(signer.key())
            .status();
        assert!(made.expect("ssh-keygen is installed").success());
        signer
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    /// The line of the `.pub` file.
    pub fn public(&self) -> String {
        let line = fs::read_to_string(self.key().with_extension("pub")).expect("a public key");
        line.trim().to_owned()
    }

    /// Commits everything in the checkout with a signature, at a date of git's if one is given, and
    /// pushes it; the commit.
    pub fn push(&self, remote: &Remote, message: &[&str], date: Option<&str>) -> String {
        self.commit(remote, message, date);
        remote.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        remote.head()
    }

    pub fn commit(&self, remote: &Remote, message: &[&str], date: Option<&str>) {
        remote.git(&["add", "--all", "."]);
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(remote.work())
            .env("HOME", remote.work())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args([
                "-c",
                "user.name=Eva Lindqvist",
                "-c",
                "user.email=eva@example.com",
            ])
            .args(["-c", "gpg.format=ssh", "-c"])
            .arg(format!("user.signingKey={}", self.key().display()))
            .args(["commit", "--quiet", "--allow-empty", "-S"]);
        for paragraph in message {
            command.args(["-m", paragraph]);
        }
        if let Some(date) = date {
            command.env("GIT_COMMITTER_DATE", date);
        }
        let out = command.output().expect("git is installed");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "git commit: {said}");
    }
}

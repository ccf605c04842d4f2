//! A repository that somebody pushes to, and the configuration that names it.

use super::workspace::Workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A checkout and the bare repository that it is pushed to.
pub struct Remote {
    folder: TempDir,
}

impl Remote {
    /// One without a commit, whose default branch is `main`.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("roster-git-").expect("a folder");
        let remote = Self { folder };
        run(
            &remote.bare(),
            &["init", "--quiet", "--bare", "--initial-branch=main", "."],
        );
        run(
            &remote.work(),
            &["init", "--quiet", "--initial-branch=main", "."],
        );
        remote.git(&["remote", "add", "origin", &remote.url()]);
        remote
    }

    /// One whose folder `manifests` holds one file.
    pub fn with(yaml: &str) -> Self {
        let remote = Self::new();
        remote.write("manifests/all.yaml", yaml).push("first");
        remote
    }

    pub fn bare(&self) -> PathBuf {
        made(self.folder.path().join("remote.git"))
    }

    pub fn work(&self) -> PathBuf {
        made(self.folder.path().join("work"))
    }

    /// What `file:` calls it.
    pub fn url(&self) -> String {
        format!("file://{}", self.bare().display())
    }

    /// Writes a file of the checkout.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(path, text).expect("the file");
        self
    }

    /// Commits what the checkout holds, and pushes by force; the commit.
    pub fn push(&self, message: &str) -> String {
        self.git(&["add", "--all", "."]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        self.head()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Git in the checkout; the first line of what it prints.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(&self.work(), arguments)
    }
}

fn made(folder: PathBuf) -> PathBuf {
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Git, with nothing of the tester's settings.
pub fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Eva Lindqvist")
            .env(format!("GIT_{who}_EMAIL"), "eva@example.com");
    }
    let out = command
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .output()
        .expect("git is installed");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "git {arguments:?}: {said}");
    let printed = String::from_utf8_lossy(&out.stdout);
    printed.lines().next().unwrap_or_default().to_owned()
}

/// Writes a `roster.yaml` whose source `shop` is the folder `manifests` of a repository; `more` are
/// further keys of `git:`.
pub fn configure(place: &Workspace, url: &str, more: &str) {
    let path = if more.contains("path:") {
        ""
    } else {
        ", path: manifests"
    };
    let text = format!(
        "apiVersion: roster/v1\nsources:\n  - name: shop\n    git: {{url: '{url}'{path}{more}}}\n"
    );
    place.write("roster.yaml", text);
}

//! Errors of repositories, recognised from the output of git. The categories exist because each has
//! another remedy; the words that identify them are at the end of the file.

use super::location::GitLocation;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git cannot be run: {0}")]
    Program(io::Error),
    /// The folder of the mirrors is not usable.
    #[error("the mirror {path} cannot be written: {source}")]
    Cache { path: PathBuf, source: io::Error },
    /// The remote denied access.
    #[error("{url} denied access: {said}")]
    Authentication { url: String, said: String },
    /// The host key is unknown to ssh, or has changed.
    #[error("ssh does not trust the host of {url}: {said}")]
    HostKey { url: String, said: String },
    /// The remote cannot be reached.
    #[error("{url} cannot be reached: {said}")]
    Unreachable { url: String, said: String },
    /// There is no repository, or none that these credentials may see.
    #[error("no git repository at {url}: {said}")]
    Repository { url: String, said: String },
    /// The remote has no commits, or none on its default branch.
    #[error("{url} has no commit on its default branch")]
    Empty { url: String },
    /// The branch, tag or commit does not exist.
    #[error("{url} has no branch, tag or commit `{reference}`")]
    Reference {
        url: String,
        reference: String,
        /// The most similar name.
        near: Option<String>,
    },
    /// The folder is not in the commit, or is not a folder.
    #[error("`{path}` in commit {revision} of {url} cannot be read: {why}")]
    Path {
        url: String,
        path: String,
        revision: String,
        /// What it is instead.
        why: &'static str,
    },
    /// The commit is larger than what Roster reads.
    #[error("commit {revision} of {url} is too large: {what}")]
    Limit {
        url: String,
        revision: String,
        /// The limit that is exceeded.
        what: String,
    },
    #[error("{url} did not answer within {} s", .after.as_secs())]
    Timeout { url: String, after: Duration },
    /// The disk of the mirror is full.
    #[error("no space left for the mirror of {url}: {said}")]
    Full { url: String, said: String },
    /// The repository was never fetched, or its mirror is gone.
    #[error("{url} was never fetched")]
    Unfetched { url: String },
    /// Any other failure.
    #[error("git failed for {url}: {said}")]
    Failed { url: String, said: String },
}

impl GitError {
    /// Returns what to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Program(_) => "Install git 2.31 or newer and put it on the PATH",
            Self::Cache { .. } => "Set `cache:` in roster.yaml to a writable folder",
            Self::Authentication { .. } => {
                "Check `auth:` of the source: it needs a token that is valid and may read the repository, or `{sshKey: FILE}` with a key without a passphrase"
            }
            Self::HostKey { .. } => {
                "Check the key of the host, write it to a file (`ssh-keyscan HOST`), and set `auth: {sshKey: FILE, knownHosts: FILE}`"
            }
            Self::Unreachable { .. } => "Check the `url:`, the network and the proxy",
            Self::Repository { .. } => {
                "Check the `url:`; without access, a private repository looks like a missing one, so also check `auth:`"
            }
            Self::Empty { .. } => "Push a first commit, or set `ref:` to another branch",
            Self::Reference { near: Some(near), .. } => return format!("Did you mean `{near}`?"),
            Self::Reference { .. } => {
                "Set `ref:` to a branch, a tag, or a commit that one of them contains"
            }
            Self::Path { .. } => "Set `path:` to a folder of the repository",
            Self::Limit { .. } => {
                "Set `path:` to the folder of the manifests, or split the repository into several sources"
            }
            Self::Timeout { .. } => {
                "Check the network, or raise `timeout:` of the source for a large repository"
            }
            Self::Full { .. } => {
                "Free some space, or set `cache:` in roster.yaml to another folder"
            }
            Self::Unfetched { .. } => "Run `roster plan`, which fetches it first",
            Self::Failed { .. } => "Run again with `-v`, and run `git ls-remote` with the same url",
        }
        .to_owned()
    }

    /// Returns whether a new mirror could help.
    pub(super) fn may_be_damage(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Recognises the failure in the output of git.
    pub(super) fn classify(place: &GitLocation, said: &str) -> Self {
        // A url such as `https://ssl.example` must not be mistaken for a reason.
        let folded = said.replace(&place.url, "").to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| folded.contains(word));
        let (url, said) = (place.url.clone(), summarize_output(said));
        match () {
            // The order matters: git adds general lines, such as a broken connection, to the output
            // of a specific failure.
            () if has(FULL) => Self::Full { url, said },
            () if has(HOST_KEY) => Self::HostKey { url, said },
            () if has(DENIED) => Self::Authentication { url, said },
            () if has(UNREACHABLE) => Self::Unreachable { url, said },
            () if has(NO_REPOSITORY) => Self::Repository { url, said },
            () => Self::Failed { url, said },
        }
    }
}

const FULL: &[&str] = &[
    "no space left on device",
    "disk quota exceeded",
    "file too large",
];
const HOST_KEY: &[&str] = &[
    "host key verification failed",
    "remote host identification has changed",
];
const DENIED: &[&str] = &[
    "authentication failed",
    "could not read username",
    "could not read password",
    "permission denied (",
    "returned error: 401",
    "returned error: 403",
    "access denied",
    "identity file",
];
const UNREACHABLE: &[&str] = &[
    "could not resolve host",
    "couldn't resolve host",
    "name or service not known",
    "temporary failure in name resolution",
    "connection refused",
    "connection timed out",
    "connection reset",
    "connection closed",
    "operation timed out",
    "operation too slow",
    "network is unreachable",
    "no route to host",
    "failed to connect",
    "could not connect",
    "couldn't connect",
    "certificate",
    "ssl",
    "returned error: 5",
    "the remote end hung up",
    "early eof",
];
const NO_REPOSITORY: &[&str] = &[
    "not appear to be a git repository",
    "repository not found",
    "project not found",
    "could not be found",
    "returned error: 404",
    "' not found",
    "not valid: is this a git repository",
    "does not exist",
    "not a git repository",
];

/// Joins the relevant lines into one.
fn summarize_output(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| {
        let noise = line.is_empty()
            || line.starts_with("warning:")
            || line.starts_with("Please make sure you have")
            || line.starts_with("and the repository exists")
            || line.starts_with("hint:");
        !noise
    });
    let lines: Vec<&str> = lines
        .map(|line| line.trim_start_matches("fatal: "))
        .collect();
    let brief = lines.join("; ");
    let short: String = brief.chars().take(400).collect();
    short.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::location::{GitAuth, TIMEOUT};
    use super::*;

    fn of(said: &str) -> GitError {
        let place = GitLocation {
            url: "https://git.example/x.git".to_owned(),
            reference: None,
            path: String::new(),
            auth: GitAuth::GitConfig,
            timeout: TIMEOUT,
        };
        GitError::classify(&place, said)
    }

    #[test]
    fn what_git_says_is_told_apart() {
        use GitError::{Authentication, Failed, Full, HostKey, Repository, Unreachable};
        assert!(matches!(
            of("fatal: Authentication failed for 'https://git.example/x.git/'"),
            Authentication { .. }
        ));
        assert!(matches!(
            of(
                "git@git.example: Permission denied (publickey).\nfatal: Could not read from remote repository."
            ),
            Authentication { .. }
        ));
        assert!(matches!(
            of("Host key verification failed."),
            HostKey { .. }
        ));
        assert!(matches!(
            of(
                "fatal: unable to access 'https://git.example/': Could not resolve host: git.example"
            ),
            Unreachable { .. }
        ));
        assert!(matches!(
            of("fatal: '/x.git' does not appear to be a git repository"),
            Repository { .. }
        ));
        assert!(matches!(
            of("fatal: write error: No space left on device"),
            Full { .. }
        ));
        assert!(matches!(
            of("fatal: repository 'https://git.example/x.git/' not found"),
            Repository { .. }
        ));
        assert!(matches!(of("error: object file is empty"), Failed { .. }));
    }

    #[test]
    fn the_reason_stands_on_one_line() {
        let said = "warning: x\nfatal: a\n\nPlease make sure you have the correct access rights\nand the repository exists.\n";
        assert_eq!(summarize_output(said), "a");
    }
}

//! Commits changes on a new branch: of a repository that somebody works in, without touching their
//! files, their index or the current branch, or of a remote. In go the place and the changed files;
//! out comes the id of the commit. Start reading at `commit_on_branch` and `push_branch`.

use super::command::{git, remote, run as run_for};
use super::committer::committer;
use super::error::GitError;
use super::location::{GitLocation, TIMEOUT};
use super::mirror::GitMirror;
use crate::process::{self, ProcessError};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Why a branch could not be created.
#[derive(Debug, thiserror::Error)]
pub enum BranchError {
    #[error("git cannot be run: {0}")]
    Program(#[from] ProcessError),
    #[error("{place} is not in a git repository with a commit: {said}")]
    Repository { place: PathBuf, said: String },
    #[error("the source is not in a git repository")]
    NoRepository,
    #[error("`{0}` is not a valid branch name")]
    Name(String),
    #[error("the branch `{0}` already exists; use another name or delete it first")]
    Exists(String),
    /// The files differ from the last commit.
    #[error("{0} has uncommitted changes; commit or stash them first")]
    Modified(String),
    #[error("the repository cannot be written: {0}")]
    Io(#[from] io::Error),
    #[error("git {what}: {said}")]
    Failed { what: &'static str, said: String },
    #[error(transparent)]
    Remote(#[from] GitError),
    #[error("{url} refused the branch: {said}")]
    Refused { url: String, said: String },
}

/// A changed file of a commit.
pub struct FileChange<'a> {
    /// Its path below the folder, with `/` between folders.
    pub path: &'a str,
    /// Its text in the last commit. `None` for a new file.
    pub before: Option<&'a str>,
    /// Its text in the new commit.
    pub after: &'a str,
}

/// What a commit says besides its changes.
#[derive(Clone, Copy, Debug)]
pub struct CommitText<'a> {
    pub message: &'a str,
    /// The name of its author, if it is not who runs Roster.
    pub author: Option<&'a str>,
}

/// A branch that was pushed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushedBranch {
    pub commit: String,
    /// What the remote said, such as the address at which to open a pull request.
    pub said: Vec<String>,
}

/// Commits changes below a folder on a new branch that begins at the last commit. Returns the
/// commit.
pub fn commit_on_branch(
    folder: &Path,
    branch: &str,
    text: CommitText<'_>,
    changes: &[FileChange<'_>],
) -> Result<String, BranchError> {
    let base = CommitBase::of_folder(folder)?;
    let reference = branch_reference(branch)?;
    // Checked early for a good message. `update-ref` below checks again, atomically.
    let known = ["rev-parse", "--verify", "--quiet", &reference];
    if run(git_in(folder).args(known))?.status.success() {
        return Err(BranchError::Exists(branch.to_owned()));
    }
    let commit = base.commit(text, changes)?;
    // An empty old value makes git fail if the branch was created in the meantime.
    let set = [
        "update-ref",
        "-m",
        "roster propose",
        &reference,
        &commit,
        "",
    ];
    run_checked("update-ref", git_in(folder).args(set))?;
    Ok(commit)
}

/// Commits changes below the folder of a place and pushes them as a new branch. `revision` is the
/// fetched commit that they begin at. The mirror keeps no reference to the branch, so a push that
/// fails leaves nothing.
pub fn push_branch(
    place: &GitLocation,
    cache: &Path,
    revision: &str,
    branch: &str,
    text: CommitText<'_>,
    changes: &[FileChange<'_>],
) -> Result<PushedBranch, BranchError> {
    let reference = branch_reference(branch)?;
    let mirror = GitMirror::of(place, cache);
    // Held to the end: a fetch may replace the mirror, and its clean-up may remove the commit.
    let _lock = mirror.lock()?;
    let base = CommitBase {
        git_dir: mirror.path.clone(),
        prefix: match place.path.trim_matches('/') {
            "" => String::new(),
            path => format!("{path}/"),
        },
        head: revision.to_owned(),
    };
    let commit = base.commit(text, changes)?;
    let mut push = remote(&mirror.path, place);
    // The empty lease makes the remote refuse a branch that exists.
    push.args(["push", "--porcelain", "--no-verify"])
        .arg(format!("--force-with-lease={reference}:"))
        .arg("--")
        .arg(&place.url)
        .arg(format!("{commit}:{reference}"));
    let ended = run_for(push, place)?;
    let answers = ended.stderr.lines();
    let said = answers.filter_map(|line| line.strip_prefix("remote:"));
    let said: Vec<String> = said.map(|line| line.trim().to_owned()).collect();
    if ended.status.success() {
        return Ok(PushedBranch { commit, said });
    }
    let listed = String::from_utf8_lossy(&ended.stdout);
    let refused = listed.lines().find(|line| line.starts_with('!'));
    Err(match refused {
        Some(line) if line.contains("stale info") || line.contains("already exists") => {
            BranchError::Exists(branch.to_owned())
        }
        Some(line) => BranchError::Refused {
            url: place.url.clone(),
            said: said
                .into_iter()
                .chain(line.split('\t').nth(2).map(str::to_owned))
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join("; "),
        },
        None => GitError::classify(place, &ended.stderr).into(),
    })
}

/// The full name of a branch, if it can be one.
fn branch_reference(branch: &str) -> Result<String, BranchError> {
    let reference = format!("refs/heads/{branch}");
    let fits = run(git().args(["check-ref-format", &reference]))?;
    if !fits.status.success() || is_confusing(branch) {
        return Err(BranchError::Name(branch.to_owned()));
    }
    Ok(reference)
}

/// Whether git, or everybody who uses the branch later, would take the name for something else.
fn is_confusing(branch: &str) -> bool {
    // `ORIG_HEAD` and the like are names that git gives itself, `@` is short for `HEAD`, and a
    // name with a leading dash would be read as an option.
    let is_heads_name = matches!(branch, "@" | "HEAD") || branch.ends_with("_HEAD");
    let is_object_name =
        matches!(branch.len(), 40 | 64) && branch.bytes().all(|b| b.is_ascii_hexdigit());
    let is_full = branch == "refs" || branch.starts_with("refs/");
    branch.starts_with('-') || is_heads_name || is_object_name || is_full
}

/// Returns which of these files below a folder differ from the last commit or are not in it, by
/// their path from the top of the repository. None if the folder is in no repository.
pub fn uncommitted(folder: &Path, paths: &[&str]) -> Result<Vec<String>, BranchError> {
    // Paths are arguments, and the length of a command line is limited.
    const ONCE: usize = 500;
    let real = folder.canonicalize()?;
    // Without a repository, git would fail with a message instead of an answer.
    if !real.ancestors().any(|above| above.join(".git").exists()) {
        return Ok(Vec::new());
    }
    // A file that is staged for removal but still exists is listed twice.
    let mut dirty = BTreeSet::new();
    for part in paths.chunks(ONCE) {
        let mut command = git_in(&real);
        command
            .args(["--literal-pathspecs", "status", "--porcelain", "-z"])
            .args(["--untracked-files=all", "--no-renames", "--"])
            .args(part);
        let said = run_checked("status", &mut command)?;
        let lines = said.split('\0').filter_map(|line| line.get(3..));
        dirty.extend(lines.map(str::to_owned));
    }
    Ok(dirty.into_iter().collect())
}

/// The commit that a new one begins at.
struct CommitBase {
    /// The folder of git's own files.
    git_dir: PathBuf,
    /// The path of the changed folder below the top, with `/` at its end, or empty.
    prefix: String,
    head: String,
}

fn git_in(folder: &Path) -> Command {
    let mut command = git();
    command.arg("-C").arg(folder);
    command
}

impl CommitBase {
    /// The last commit of the repository that a folder is in.
    fn of_folder(folder: &Path) -> Result<Self, BranchError> {
        let ask = |question: &[&str]| {
            let mut command = git_in(folder);
            command.arg("rev-parse").args(question);
            let ended = process::run(command, TIMEOUT)?;
            if !ended.status.success() {
                return Err(BranchError::Repository {
                    place: folder.to_owned(),
                    said: text(&ended.stderr),
                });
            }
            Ok(text(&ended.stdout))
        };
        Ok(Self {
            git_dir: PathBuf::from(ask(&["--absolute-git-dir"])?),
            prefix: ask(&["--show-prefix"])?,
            head: ask(&["--verify", "HEAD^{commit}"])?,
        })
    }

    fn commit(
        &self,
        text: CommitText<'_>,
        changes: &[FileChange<'_>],
    ) -> Result<String, BranchError> {
        static COMMITS: AtomicU32 = AtomicU32::new(0);
        // Named after the process and the commit, so that two of them do not share an index. In the
        // git folder, because it is on the same file system and never shows up as an untracked file.
        let number = COMMITS.fetch_add(1, Ordering::Relaxed);
        let name = format!("roster-{}-{number}", std::process::id());
        let apart = self.git_dir.join(name);
        // Left over from a process that was killed.
        let _ = fs::remove_dir_all(&apart);
        fs::create_dir_all(&apart)?;
        let made = self.commit_within(&apart, text, changes);
        // Also after a failure: an overlay left behind would be found by the next process with this
        // id.
        let _ = fs::remove_dir_all(&apart);
        made
    }

    fn commit_within(
        &self,
        apart: &Path,
        text: CommitText<'_>,
        changes: &[FileChange<'_>],
    ) -> Result<String, BranchError> {
        // The texts were read from the work tree. If they are not those of the last commit, the new
        // commit would contain somebody's unfinished changes.
        let before = changes.iter();
        let before = before.filter_map(|change| Some((change.path, change.before?)));
        let old = CommitOverlay::new(self, apart.join("old"), before)?;
        if let Some(unlike) = old.first_difference()? {
            return Err(BranchError::Modified(unlike));
        }
        // A new file must not overwrite one that is in the commit but was deleted or ignored in the
        // work tree.
        let added = changes.iter().filter(|change| change.before.is_none());
        let added: BTreeSet<String> = added
            .map(|change| format!("{}{}", self.prefix, change.path))
            .collect();
        let listed = old.listed()?;
        if let Some(there) = listed.into_iter().find(|path| added.contains(path)) {
            return Err(BranchError::Modified(there));
        }
        let after = changes.iter().map(|change| (change.path, change.after));
        let new = CommitOverlay::new(self, apart.join("new"), after)?;
        let tree = run_checked("write-tree", new.git().arg("write-tree"))?;
        let words = apart.join("message");
        fs::write(&words, text.message)?;
        let mut command = new.git();
        // A daemon often runs where git knows nobody.
        if let Some(author) = text.author {
            let known = committer();
            let email = known.filter(|known| known.contains('@'));
            let email = email.unwrap_or_else(|| "roster@localhost".to_owned());
            command
                .env("GIT_AUTHOR_NAME", author)
                .env("GIT_AUTHOR_EMAIL", &email)
                .env("GIT_COMMITTER_NAME", "Roster")
                .env("GIT_COMMITTER_EMAIL", email);
        }
        command
            .args(["commit-tree", &tree, "-p", &self.head, "-F"])
            .arg(words);
        run_checked("commit-tree", &mut command)
    }
}

/// The last commit with some files replaced, in an index and a work tree of its own. Git's filters,
/// such as for line ends, apply as usual, so that the commit has the same bytes as one made by
/// hand.
struct CommitOverlay<'r> {
    base: &'r CommitBase,
    place: PathBuf,
}

impl<'r> CommitOverlay<'r> {
    fn new<'f>(
        base: &'r CommitBase,
        place: PathBuf,
        files: impl Iterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, BranchError> {
        fs::create_dir_all(place.join("tree"))?;
        let overlay = Self { base, place };
        let head = &base.head;
        run_checked("read-tree", overlay.git().args(["read-tree", head]))?;
        let mut names = Vec::new();
        for (path, text) in files {
            let path = format!("{}{path}", base.prefix);
            let file = overlay.place.join("tree").join(&path);
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(file, text)?;
            names.extend(path.bytes().chain([0]));
        }
        // From a file, because `process::run` writes nothing to standard input.
        let list = overlay.place.join("list");
        fs::write(&list, names)?;
        let mut add = overlay.git();
        // The files written here are never executable, and that is no change of anybody's.
        add.args([
            "-c",
            "core.fileMode=false",
            "update-index",
            "--add",
            "-z",
            "--stdin",
        ]);
        add.stdin(File::open(list)?);
        run_checked("update-index", &mut add)?;
        Ok(overlay)
    }

    fn git(&self) -> Command {
        let mut command = git();
        command
            .arg("--git-dir")
            .arg(&self.base.git_dir)
            .arg("--work-tree")
            .arg(self.place.join("tree"))
            .env("GIT_INDEX_FILE", self.place.join("index"))
            .current_dir(self.place.join("tree"));
        command
    }

    /// Returns a file that differs from the last commit, if there is one.
    fn first_difference(&self) -> Result<Option<String>, BranchError> {
        let mut command = self.git();
        command.args([
            "diff-index",
            "--cached",
            "--name-only",
            "-z",
            &self.base.head,
        ]);
        let names = run_checked("diff-index", &mut command)?;
        Ok(names
            .split('\0')
            .next()
            .filter(|name| !name.is_empty())
            .map(str::to_owned))
    }

    fn listed(&self) -> Result<Vec<String>, BranchError> {
        let mut command = self.git();
        command.args(["ls-files", "--cached", "-z"]);
        let names = run_checked("ls-files", &mut command)?;
        Ok(names.split('\0').map(str::to_owned).collect())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches(['\n', '\r'])
        .to_owned()
}

fn run(command: &mut Command) -> Result<process::ProcessOutput, BranchError> {
    let command = std::mem::replace(command, Command::new("git"));
    Ok(process::run(command, TIMEOUT)?)
}

fn run_checked(what: &'static str, command: &mut Command) -> Result<String, BranchError> {
    let ended = run(command)?;
    if ended.status.success() {
        return Ok(text(&ended.stdout));
    }
    Err(BranchError::Failed {
        what,
        said: text(&ended.stderr),
    })
}

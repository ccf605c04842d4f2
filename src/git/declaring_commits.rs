//! Finds the commits that declared what one resource is now, or that removed it.
//!
//! Git follows the lines of a resource through the history of its file. Of what is no longer in the
//! file, it finds the commits in which its id came or went. If neither tells, the commits of the file
//! are the ones among which the right one is.

use super::command::{local, run_checked};
use super::commit::is_ancestor;
use super::error::GitError;
use super::history::{CommitInfo, FORMAT, commits_of};
use super::location::GitLocation;
use super::mirror::GitMirror;
use crate::model::{LineColumn, is_commit};
use std::collections::HashMap;
use std::path::Path;

/// How many commits are named of one resource.
const MAX_COMMITS: usize = 3;
/// Larger files are not followed line by line, which reads every version of them.
const MAX_BYTES: usize = 1 << 20;

/// A resource, where it is or was declared.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredResourcePlace<'a> {
    /// The file below the folder of the source.
    pub path: &'a str,
    /// Where it begins; `None` if it is not declared any more.
    pub position: Option<LineColumn>,
    /// Its external id.
    pub id: &'a str,
    /// The last revision whose declaration was applied.
    pub since: Option<&'a str>,
}

/// The commits of a declaration, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaringCommits {
    pub commits: Vec<CommitInfo>,
    /// Whether they changed the resource itself. Otherwise they changed its file.
    pub is_exact: bool,
}

/// Looks for the commits of declarations as of one revision. Nothing is fetched.
pub struct DeclaringCommitSearch<'a> {
    place: &'a GitLocation,
    mirror: GitMirror,
    revision: &'a str,
    /// The files that were read; `None` for one that cannot be read or is too large.
    files: HashMap<String, Option<Vec<String>>>,
}

impl<'a> DeclaringCommitSearch<'a> {
    #[must_use]
    pub fn new(place: &'a GitLocation, cache: &Path, revision: &'a str) -> Self {
        Self {
            place,
            mirror: GitMirror::of(place, cache),
            revision,
            files: HashMap::new(),
        }
    }

    /// Returns the commits that declared a resource; `None` if they are not known.
    pub fn find(
        &mut self,
        of: DeclaredResourcePlace<'_>,
    ) -> Result<Option<DeclaringCommits>, GitError> {
        let since = of.since.filter(|since| is_commit(since));
        // An error means that the mirror does not have the commit, so it is in no history.
        let follows = |since: &&str| {
            is_ancestor(&self.mirror, self.place, since, self.revision).unwrap_or(false)
        };
        let since = since.filter(follows);
        let range = match since {
            Some(since) => format!("{since}..{}", self.revision),
            None => self.revision.to_owned(),
        };
        let exact = match self.lines(of) {
            Some((first, last)) => {
                let path = self.repository_path(of.path);
                self.log(
                    &range,
                    &[&format!("-L{first},{last}:{path}"), "--no-patch"],
                    &[],
                )?
            }
            // Without an earlier state, the id is new to every commit of the history.
            None if since.is_some() => {
                let id = format!("-S{}", whole_word(of.id));
                self.log(&range, &["--pickaxe-regex", &id], &[of.path])?
            }
            None => Vec::new(),
        };
        if !exact.is_empty() {
            return Ok(Some(DeclaringCommits {
                commits: exact,
                is_exact: true,
            }));
        }
        if since.is_none() {
            return Ok(None);
        }
        let of_file = self.log(&range, &["--show-pulls"], &[of.path])?;
        Ok((!of_file.is_empty()).then_some(DeclaringCommits {
            commits: of_file,
            is_exact: false,
        }))
    }

    fn log(
        &self,
        range: &str,
        options: &[&str],
        paths: &[&str],
    ) -> Result<Vec<CommitInfo>, GitError> {
        let mut list = local(&self.mirror.path);
        list.args(["--literal-pathspecs", "log", "-z", FORMAT]);
        list.arg(format!("--max-count={MAX_COMMITS}"));
        list.args(options).arg(range);
        list.arg("--");
        list.args(paths.iter().map(|path| self.repository_path(path)));
        let ran = run_checked(list, self.place)?;
        Ok(commits_of(&ran.stdout).collect())
    }

    /// A path below the folder of the source, from the root of the repository.
    fn repository_path(&self, path: &str) -> String {
        match self.place.path.trim_matches('/') {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        }
    }

    /// The first and the last line of a resource, if the file still has it.
    fn lines(&mut self, of: DeclaredResourcePlace<'_>) -> Option<(usize, usize)> {
        let position = of.position?;
        let path = self.repository_path(of.path);
        if !self.files.contains_key(of.path) {
            let text = self.text(&path);
            self.files.insert(of.path.to_owned(), text);
        }
        let lines = self.files.get(of.path)?.as_ref()?;
        let first = usize::try_from(position.line).ok()?.checked_sub(1)?;
        let indent = usize::try_from(position.column).ok()?.checked_sub(1)?;
        let rest = lines.get(first + 1..)?;
        let within = rest.iter().take_while(|line| is_within(line, indent));
        let last = first + within.count();
        let text = lines.get(first..=last)?;
        text.iter()
            .any(|line| line.contains(of.id))
            .then_some((first + 1, last + 1))
    }

    fn text(&self, path: &str) -> Option<Vec<String>> {
        let mut show = local(&self.mirror.path);
        show.args(["show", "--no-textconv"]);
        show.arg(format!("{}:{path}", self.revision));
        let shown = run_checked(show, self.place).ok()?;
        let text = (shown.stdout.len() <= MAX_BYTES).then_some(shown.stdout)?;
        let text = String::from_utf8(text).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }
}

/// Whether a line belongs to a mapping that begins in a column.
fn is_within(line: &str, indent: usize) -> bool {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    line.trim().is_empty() || !line.starts_with("---") && spaces >= indent
}

/// A regular expression for an id that is not part of a longer one.
fn whole_word(id: &str) -> String {
    let mut pattern = String::from("(^|[^[:alnum:]_.-])");
    for letter in id.chars() {
        match letter {
            '^' | '\\' => pattern.extend(['\\', letter]),
            _ if letter.is_ascii_punctuation() => pattern.extend(['[', letter, ']']),
            _ => pattern.push(letter),
        }
    }
    pattern + "($|[^[:alnum:]_.-])"
}

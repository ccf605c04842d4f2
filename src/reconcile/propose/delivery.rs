//! Delivers a proposal: as a patch, or as a commit on a new branch. A remote gets the branch by a
//! push; in a directory it is created in the repository that the directory is in.

use super::patch::patch;
use super::{ChangedFile, ManifestProposal};
use crate::config::{Config, Source, SourceLocation};
use crate::git::{self, BranchError, CommitText, FileChange};

/// A branch with a proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposedBranch {
    pub name: String,
    pub commit: String,
    /// What the remote said to the push, line by line, such as where to open a pull request.
    pub said: Vec<String>,
}

impl ManifestProposal {
    /// The change to the files, for `git apply`.
    #[must_use]
    pub fn patch(&self, into: &Source) -> String {
        patch(into, &self.files)
    }

    /// Commits the change to a new branch. No existing branch, file or index is touched.
    pub fn commit(
        &self,
        config: &Config,
        into: &Source,
        branch: &str,
        text: CommitText<'_>,
    ) -> Result<ProposedBranch, BranchError> {
        let changes: Vec<FileChange<'_>> = self.files.iter().map(ChangedFile::change).collect();
        let (commit, said) = match &into.place {
            SourceLocation::Git(place) => {
                let base = self.revision.as_deref().unwrap_or_default();
                let pushed = git::push_branch(place, &config.cache, base, branch, text, &changes)?;
                (pushed.commit, pushed.said)
            }
            SourceLocation::Directory(root) => {
                let commit = git::commit_on_branch(root, branch, text, &changes)?;
                (commit, Vec::new())
            }
            SourceLocation::Export(_) => return Err(BranchError::NoRepository),
        };
        Ok(ProposedBranch {
            name: branch.to_owned(),
            commit,
            said,
        })
    }
}

impl ChangedFile {
    fn change(&self) -> FileChange<'_> {
        FileChange {
            path: &self.path,
            before: self.before.as_deref(),
            after: &self.after,
        }
    }
}

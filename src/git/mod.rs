//! Git repositories as sources: one bare mirror per repository, maintained with git's command line,
//! from which the tree of a commit is read without a checkout.
//!
//! [`fetch()`] uses the network and records the commit that it found; [`tree()`] reads that commit
//! from the mirror alone. So what is read does not change while it is read, and a remote that
//! cannot be reached removes nothing.

mod blobs;
mod branch;
mod command;
mod commit;
mod commit_history;
mod committer;
mod declaring_commits;
mod error;
mod fetch;
mod history;
mod local_tree;
mod location;
mod mirror;
mod trailers;

pub use branch::{
    BranchError, CommitText, FileChange, PushedBranch, commit_on_branch, push_branch, uncommitted,
};
pub use commit::{last_fetched, revision, tree};
pub use commit_history::CommitHistory;
pub use committer::committer;
pub use declaring_commits::{DeclaredResourcePlace, DeclaringCommitSearch, DeclaringCommits};
pub use error::GitError;
pub use fetch::{CommitMovement, FetchedCommit, fetch};
pub use history::{CommitInfo, commits_since};
pub use local_tree::local_tree;
pub use location::{GitAuth, GitLocation, TIMEOUT};
pub use trailers::{CommitSignature, SigningKey, TrailerCommit, commits_with_trailer};

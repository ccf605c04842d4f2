//! Git repositories as sources: a bare mirror a repository, kept by git's own command line, and the
//! tree of a commit without a checkout.
//!
//! [`fetch()`] goes to the network and writes down which commit it found; [`tree()`] reads that commit,
//! from the mirror alone. So what is read does not move while it is read, and a remote that cannot
//! be reached takes nothing away.

mod blobs;
mod branch;
mod command;
mod commit;
mod committer;
mod error;
mod fetch;
mod history;
mod location;
mod mirror;

pub use branch::{BranchError, FileChange, commit_on_branch, uncommitted};
pub use commit::{last_fetched, revision, tree};
pub use committer::committer;
pub use error::GitError;
pub use fetch::{CommitMovement, FetchedCommit, fetch};
pub use history::{CommitInfo, commits_since};
pub use location::{GitAuth, GitLocation, TIMEOUT};

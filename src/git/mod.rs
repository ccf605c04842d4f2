//! Git repositories as sources: a bare mirror a repository, kept by git's own command line, and the
//! tree of a commit without a checkout.
//!
//! [`fetch`] goes to the network and writes down which commit it found; [`tree`] reads that commit,
//! from the mirror alone. So what is read does not move while it is read, and a remote that cannot
//! be reached takes nothing away.

mod blobs;
mod branch;
mod command;
mod commit;
mod error;
mod fetch;
mod log;
mod mirror;
mod place;
mod user;

pub use branch::{BranchError, Change, commit_on_branch, uncommitted};
pub use commit::{fetched, revision, tree};
pub use error::GitError;
pub use fetch::{Fetched, Moved, fetch};
pub use log::{Commit, since};
pub use place::{Auth, GitPlace, TIMEOUT};
pub use user::user;

//! A source: where its manifests or exports come from, and what it may do.

use super::feed::FeedConfig;
use super::schedule::SourceTiming;
use crate::git::GitLocation;
use crate::plan::SourceAuthority;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a source is read from.
#[derive(Clone, Debug)]
pub enum SourceLocation {
    /// The root of a directory.
    Directory(PathBuf),
    /// A folder of a commit.
    Git(GitLocation),
    /// An export of another system.
    Export(FeedConfig),
}

/// A source as configured.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub place: SourceLocation,
    /// The root as written, before it was resolved; of a repository its url, without secrets.
    pub written: String,
    /// The secret that its webhooks are signed with.
    pub webhook_secret: Option<SecretString>,
    /// Whether a resource that disappears is deactivated.
    pub prune: bool,
    /// Whether errors hold their unit instead of refusing the plan.
    pub hold_errors: bool,
    /// Whether `onError` was not written: then the daemon holds and the command line refuses.
    pub on_error_unset: bool,
    /// Whether drift is only reported.
    pub report_drift: bool,
    /// Whether deletes may be applied.
    pub allow_delete: bool,
    /// Whether applies are allowed, or only plans.
    pub apply: bool,
    /// Which fields it decides.
    pub authority: SourceAuthority,
    /// When passes run, and when they may apply.
    pub timing: SourceTiming,
    /// Whether the source was given as a path, without a configuration: then another path is not
    /// taken for the same source.
    pub unnamed: bool,
}

impl Source {
    /// The root, if it is a directory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            SourceLocation::Directory(root) => Some(root),
            SourceLocation::Git(_) | SourceLocation::Export(_) => None,
        }
    }

    /// The export, if it is one.
    #[must_use]
    pub fn feed(&self) -> Option<&FeedConfig> {
        match &self.place {
            SourceLocation::Export(feed) => Some(feed),
            SourceLocation::Directory(_) | SourceLocation::Git(_) => None,
        }
    }

    /// The place in a repository, if it is one.
    #[must_use]
    pub fn git(&self) -> Option<&GitLocation> {
        match &self.place {
            SourceLocation::Git(place) => Some(place),
            SourceLocation::Directory(_) | SourceLocation::Export(_) => None,
        }
    }

    /// A source for a path that was given without a configuration.
    #[must_use]
    pub fn unnamed(name: &str, path: &Path) -> Self {
        Self {
            name: name.into(),
            place: SourceLocation::Directory(path.to_owned()),
            written: path.to_string_lossy().into_owned(),
            webhook_secret: None,
            prune: true,
            hold_errors: false,
            on_error_unset: true,
            report_drift: false,
            allow_delete: false,
            apply: true,
            authority: SourceAuthority::default(),
            timing: SourceTiming::default(),
            unnamed: true,
        }
    }
}

//! `roster.yaml`: what the operator decides. Guards, authority and deletes come only from here,
//! never from the reviewed tree.

mod cron;
mod export;
mod feed;
mod file;
mod git;
mod network;
mod notices;
mod references;
mod rules;
mod schedule;
mod serve;

pub use cron::Cron;
pub use export::{Export, Shape, export, readable};
pub use feed::{Body, Complete, Feed, RELEASED_AFTER};
pub use file::{File, duration};
pub use network::Network;
pub use notices::{Event, Format, NoticesFile, Post, Receiver, Target, is_loopback};
pub use schedule::{Effect, Timing, Trigger, Window};
pub use serve::{Limits, Serve, Tls};

use crate::diagnostic::none_called;
use crate::git::GitPlace;
use crate::plan::{Accept, Authority, Guards};
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The name of the configuration file.
pub const FILE_NAME: &str = "roster.yaml";

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what a configuration looks like.
    #[error("{path}: {message}")]
    Invalid {
        /// Which file.
        path: String,
        /// What is wrong, with line and column where they are known.
        message: String,
    },
}

/// The configuration as it holds for one run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from; `None` when there is none.
    pub path: Option<PathBuf>,
    /// The database URL, environment variables expanded.
    pub database: String,
    /// The chosen environment.
    pub environment: Option<String>,
    /// The sources, in their order.
    pub sources: Vec<Source>,
    /// The names of sources, the first wins where two enforce.
    pub order: Vec<Arc<str>>,
    /// The fields that other programs write.
    pub shop: Authority,
    /// How much may change at once.
    pub guards: Guards,
    /// The window in which the guards count.
    pub window: Duration,
    /// Who may approve; everybody with the right to when it is empty.
    pub approvers: Vec<String>,
    /// How long an approval lasts.
    pub approval_ttl: Duration,
    /// Where password files are looked for.
    pub secrets: Option<PathBuf>,
    /// How the daemon is reached.
    pub serve: Serve,
    /// Who is told what; addresses and secrets are put in where notices are sent.
    pub notices: NoticesFile,
    /// Where the mirrors of git repositories are kept.
    pub cache: PathBuf,
    /// The overrides given for this run.
    pub accepts: Vec<Accept>,
    /// Whether deletes are allowed for this run, whatever the source says.
    pub allow_delete: bool,
}

/// Where manifests are read from.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory: its root.
    Directory(PathBuf),
    /// A folder of a commit.
    Git(GitPlace),
    /// An export of another system.
    Export(Feed),
}

/// A directory or repository of manifests.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is.
    pub place: Place,
    /// The root as written, before it was resolved; of a repository its url, without secrets.
    pub written: String,
    /// What the webhooks of its host are signed with.
    pub webhook_secret: Option<SecretString>,
    /// Whether disappearing deactivates.
    pub prune: bool,
    /// Whether errors hold their unit instead of refusing the plan.
    pub hold_errors: bool,
    /// Whether `onError` was not written: then the daemon holds and the command line refuses.
    pub hold_errors_unsaid: bool,
    /// Whether drift is only reported.
    pub report_drift: bool,
    /// Whether deletes may be applied.
    pub allow_delete: bool,
    /// Whether applies are allowed, or only plans.
    pub apply: bool,
    /// What it may say.
    pub authority: Authority,
    /// When the daemon looks at it, and when what it says may be applied.
    pub timing: Timing,
    /// Whether the source was given as a path, without a configuration: then another path is not
    /// taken for the same source.
    pub unnamed: bool,
}

impl Source {
    /// The folder it is, if it is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(root) => Some(root),
            Place::Git(_) | Place::Export(_) => None,
        }
    }

    /// The export it is, if it is one.
    #[must_use]
    pub fn feed(&self) -> Option<&Feed> {
        match &self.place {
            Place::Export(feed) => Some(feed),
            Place::Directory(_) | Place::Git(_) => None,
        }
    }

    /// The place in a repository it is, if it is one.
    #[must_use]
    pub fn git(&self) -> Option<&GitPlace> {
        match &self.place {
            Place::Git(place) => Some(place),
            Place::Directory(_) | Place::Export(_) => None,
        }
    }

    /// A path that was given without a configuration.
    #[must_use]
    pub fn unnamed(name: &str, path: &Path) -> Self {
        Self {
            name: name.into(),
            place: Place::Directory(path.to_owned()),
            written: path.to_string_lossy().into_owned(),
            webhook_secret: None,
            prune: true,
            hold_errors: false,
            hold_errors_unsaid: true,
            report_drift: false,
            allow_delete: false,
            apply: true,
            authority: Authority::default(),
            timing: Timing::default(),
            unnamed: true,
        }
    }
}

/// What the command line says beside the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--database`.
    pub database: Option<String>,
    /// `--cache`.
    pub cache: Option<PathBuf>,
    /// `-e`.
    pub environment: Option<String>,
    /// `--accept`.
    pub accepts: Vec<Accept>,
    /// `--allow-delete`.
    pub allow_delete: bool,
    /// Whether this is the daemon: only it needs the variables of `serve:` and of webhooks.
    pub serves: bool,
}

impl Config {
    /// The source of a name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| *source.name == *name)
    }

    /// That no source has this name, with those that there are.
    #[must_use]
    pub fn no_source(&self, name: &str) -> String {
        let known = self.sources.iter().map(|source| &*source.name);
        none_called("source", name, known)
    }

    /// The configuration for a run in `directory`: the file named, or the one found upward to the
    /// git root, or, with none, the defaults around `path`.
    ///
    /// # Errors
    /// When a file is named or found and is not valid, or there is none and no path either.
    pub fn load(
        overrides: &Overrides,
        directory: &Path,
        path: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let found = match &overrides.config {
            Some(file) => Some(file.clone()),
            None => find(directory),
        };
        let mut config = match found {
            Some(file) => Self::read(&file, overrides)?,
            None => Self::around(path),
        };
        if let Some(database) = &overrides.database {
            config.database.clone_from(database);
        }
        if let Some(cache) = &overrides.cache {
            config.cache.clone_from(cache);
        }
        for source in &config.sources {
            if let Some(what) = source.git().and_then(git::readable) {
                tracing::warn!("source {}: {what}", source.name);
            }
        }
        config.accepts.clone_from(&overrides.accepts);
        config.allow_delete = overrides.allow_delete;
        Ok(config)
    }

    /// Whether somebody may approve what is held.
    ///
    /// # Errors
    /// Who may instead.
    pub fn may_approve(&self, name: &str) -> Result<(), String> {
        if self.approvers.is_empty() || self.approvers.iter().any(|known| known == name) {
            return Ok(());
        }
        let known = self.approvers.join(", ");
        Err(format!("{name} is none of the `approvers`: {known}"))
    }

    fn read(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: shown.clone(),
            source,
        })?;
        let base = path.parent().unwrap_or(Path::new("."));
        File::parse(&text, overrides.environment.as_deref())
            .and_then(|file| {
                let file = if overrides.serves {
                    file
                } else {
                    file.unserved()
                };
                file.resolve(
                    base,
                    overrides.environment.as_deref(),
                    overrides.database.is_some(),
                )
            })
            .map(|config| Self {
                path: Some(path.to_owned()),
                ..config
            })
            .map_err(|message| ConfigError::Invalid {
                path: shown,
                message,
            })
    }

    /// Without a file there is one path, and the source is called `directory`.
    fn around(path: Option<&Path>) -> Self {
        let source = path.map(|path| Source::unnamed("directory", path));
        Self {
            path: None,
            database: file::DEFAULT_DATABASE.to_owned(),
            environment: None,
            sources: source.into_iter().collect(),
            order: Vec::new(),
            shop: Authority::default(),
            guards: Guards::default(),
            window: file::DAY,
            approvers: Vec::new(),
            approval_ttl: file::DAY,
            secrets: None,
            serve: Serve::default(),
            notices: NoticesFile::default(),
            cache: PathBuf::from(file::DEFAULT_CACHE),
            accepts: Vec::new(),
            allow_delete: false,
        }
    }
}

/// The file in `directory` or above it, not further than the root of its git checkout.
fn find(directory: &Path) -> Option<PathBuf> {
    for folder in directory.ancestors() {
        let file = folder.join(FILE_NAME);
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

//! `roster.yaml`: what the operator decides. Guards, authority and deletes come only from here,
//! never from the reviewed tree.

mod cron;
mod export;
mod feed;
mod file;
mod git;
mod git_ref;
mod network;
mod notices;
mod rules;
mod schedule;
mod serve;

pub use cron::CronSchedule;
pub use export::{ExportConfig, MappingReference, export, readable};
pub use feed::{CompletenessRule, FeedConfig, FeedLocation, RELEASED_AFTER};
pub use file::{ConfigFile, parse_duration};
pub use network::IpNetwork;
pub use notices::{
    MailServer, NoticeChannel, NoticeEvent, NoticeFormat, NoticeTarget, NoticesSpec, is_loopback,
};
pub use schedule::{ApplyWindow, PassTimer, SourceTiming, WindowEffect};
pub use serve::{ServeConfig, ServeLimits, TlsFiles};

use crate::diagnostic::none_called;
use crate::git::GitLocation;
use crate::plan::{AcceptOverride, GuardLimits, SourceAuthority};
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
    pub shop: SourceAuthority,
    /// How much may change at once.
    pub guards: GuardLimits,
    /// The window in which the guards count.
    pub window: Duration,
    /// Who may approve; everybody with the right to when it is empty.
    pub approvers: Vec<String>,
    /// How long an approval lasts.
    pub approval_ttl: Duration,
    /// Where password files are looked for.
    pub secrets: Option<PathBuf>,
    /// How the daemon is reached.
    pub serve: ServeConfig,
    /// Who is told what; addresses and secrets are put in where notices are sent.
    pub notices: NoticesSpec,
    /// Where the mirrors of git repositories are kept.
    pub cache: PathBuf,
    /// The overrides given for this run.
    pub accepts: Vec<AcceptOverride>,
    /// Whether deletes are allowed for this run, whatever the source says.
    pub allow_delete: bool,
}

/// Where manifests are read from.
#[derive(Clone, Debug)]
pub enum SourceLocation {
    /// A directory: its root.
    Directory(PathBuf),
    /// A folder of a commit.
    Git(GitLocation),
    /// An export of another system.
    Export(FeedConfig),
}

/// A directory or repository of manifests.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    /// Where it is.
    pub place: SourceLocation,
    /// The root as written, before it was resolved; of a repository its url, without secrets.
    pub written: String,
    /// What the webhooks of its host are signed with.
    pub webhook_secret: Option<SecretString>,
    /// Whether disappearing deactivates.
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
    /// What it may say.
    pub authority: SourceAuthority,
    /// When the daemon looks at it, and when what it says may be applied.
    pub timing: SourceTiming,
    /// Whether the source was given as a path, without a configuration: then another path is not
    /// taken for the same source.
    pub unnamed: bool,
}

impl Source {
    /// The folder it is, if it is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            SourceLocation::Directory(root) => Some(root),
            SourceLocation::Git(_) | SourceLocation::Export(_) => None,
        }
    }

    /// The export it is, if it is one.
    #[must_use]
    pub fn feed(&self) -> Option<&FeedConfig> {
        match &self.place {
            SourceLocation::Export(feed) => Some(feed),
            SourceLocation::Directory(_) | SourceLocation::Git(_) => None,
        }
    }

    /// The place in a repository it is, if it is one.
    #[must_use]
    pub fn git(&self) -> Option<&GitLocation> {
        match &self.place {
            SourceLocation::Git(place) => Some(place),
            SourceLocation::Directory(_) | SourceLocation::Export(_) => None,
        }
    }

    /// A path that was given without a configuration.
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

/// What the command line says beside the file.
#[derive(Clone, Debug, Default)]
pub struct ConfigOverrides {
    pub config: Option<PathBuf>,
    pub database: Option<String>,
    pub cache: Option<PathBuf>,
    /// `-e`.
    pub environment: Option<String>,
    pub accepts: Vec<AcceptOverride>,
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
    pub fn load(
        overrides: &ConfigOverrides,
        directory: &Path,
        path: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let found = match &overrides.config {
            Some(file) => Some(file.clone()),
            None => find(directory),
        };
        let mut config = match found {
            Some(file) => Self::read(&file, overrides)?,
            None => Self::with_defaults(path),
        };
        if let Some(database) = &overrides.database {
            config.database.clone_from(database);
        }
        if let Some(cache) = &overrides.cache {
            config.cache.clone_from(cache);
        }
        for source in &config.sources {
            if let Some(what) = source.git().and_then(git::cleartext_secret) {
                tracing::warn!("source {}: {what}", source.name);
            }
        }
        config.accepts.clone_from(&overrides.accepts);
        config.allow_delete = overrides.allow_delete;
        Ok(config)
    }

    /// Whether somebody may approve what is held.
    pub fn may_approve(&self, name: &str) -> Result<(), String> {
        if self.approvers.is_empty() || self.approvers.iter().any(|known| known == name) {
            return Ok(());
        }
        let known = self.approvers.join(", ");
        Err(format!("{name} is not one of the `approvers`: {known}"))
    }

    fn read(path: &Path, overrides: &ConfigOverrides) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: shown.clone(),
            source,
        })?;
        let base = path.parent().unwrap_or(Path::new("."));
        ConfigFile::parse(&text, overrides.environment.as_deref())
            .and_then(|file| {
                let file = if overrides.serves {
                    file
                } else {
                    file.without_serve_secrets()
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
    fn with_defaults(path: Option<&Path>) -> Self {
        let source = path.map(|path| Source::unnamed("directory", path));
        Self {
            path: None,
            database: file::DEFAULT_DATABASE.to_owned(),
            environment: None,
            sources: source.into_iter().collect(),
            order: Vec::new(),
            shop: SourceAuthority::default(),
            guards: GuardLimits::default(),
            window: file::DAY,
            approvers: Vec::new(),
            approval_ttl: file::DAY,
            secrets: None,
            serve: ServeConfig::default(),
            notices: NoticesSpec::default(),
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

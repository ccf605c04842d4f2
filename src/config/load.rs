//! Finds and reads the configuration, and applies what the command line overrides. Start at
//! `Config::load`.

use super::effective::Config;
use super::file::{self, ConfigFile};
use super::git;
use super::invitations::InvitationsConfig;
use super::notices::NoticesSpec;
use super::serve::ServeConfig;
use super::source::Source;
use super::values::DAY;
use crate::plan::{AcceptOverride, GuardLimits, SourceAuthority};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The name of the configuration file.
pub const FILE_NAME: &str = "roster.yaml";

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    /// The file is invalid.
    #[error("{path}: {message}")]
    Invalid {
        path: String,
        /// What is wrong, with line and column where they are known.
        message: String,
    },
}

/// What the command line overrides.
#[derive(Clone, Debug, Default)]
pub struct ConfigOverrides {
    pub config: Option<PathBuf>,
    pub database: Option<String>,
    pub cache: Option<PathBuf>,
    pub environment: Option<String>,
    pub accepts: Vec<AcceptOverride>,
    pub allow_delete: bool,
    /// Whether this is the daemon: only it needs the variables of `serve:` and of webhooks.
    pub serves: bool,
}

impl Config {
    /// The configuration for a run in `directory`: the file given, or the one found upwards to the
    /// git root. Without any, the defaults for `path`.
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

    fn read(path: &Path, overrides: &ConfigOverrides) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: shown.clone(),
            source,
        })?;
        // Paths in the file are relative to it, so that it means the same from every directory.
        let base = path.parent().unwrap_or(Path::new("."));
        ConfigFile::parse(&text, overrides.environment.as_deref())
            .and_then(|file| {
                // Jobs that only plan run without the daemon's secrets in their environment.
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

    /// The defaults without a file: one source, called `directory`.
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
            effect_fields: BTreeSet::new(),
            approvals: BTreeMap::new(),
            severities: BTreeMap::new(),
            scopes: Vec::new(),
            impact: Vec::new(),
            window: DAY,
            approvers: Vec::new(),
            approval_keys: Vec::new(),
            approval_ttl: DAY,
            secrets: None,
            files: PathBuf::from(file::DEFAULT_FILES),
            serve: ServeConfig::default(),
            notices: NoticesSpec::default(),
            invitations: InvitationsConfig::default(),
            cache: PathBuf::from(file::DEFAULT_CACHE),
            accepts: Vec::new(),
            allow_delete: false,
            as_of: None,
        }
    }
}

/// Looks for the file in `directory` and above, up to the root of its git checkout, so that a file
/// outside of the repository never applies to it.
fn find(directory: &Path) -> Option<PathBuf> {
    for folder in directory.ancestors() {
        let file = folder.join(FILE_NAME);
        if file.is_file() {
            return Some(file);
        }
        // A worktree has a file of this name and not a folder.
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

//! Finds and loads the configuration, and lays over it what the command line says.

use super::effective::Config;
use super::file::{self, ConfigFile};
use super::git;
use super::notices::NoticesSpec;
use super::serve::ServeConfig;
use super::source::Source;
use super::values::DAY;
use crate::plan::{AcceptOverride, GuardLimits, SourceAuthority};
use std::path::{Path, PathBuf};

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
            window: DAY,
            approvers: Vec::new(),
            approval_ttl: DAY,
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

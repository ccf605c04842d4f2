//! Opens the database of a configuration for reading or for writing. A wrong path must not quietly
//! become a new, empty database, because a plan against that would create every customer anew.
//! Every function also checks that the database belongs to the configured environment.

use super::PassError;
use crate::config::Config;
use crate::store::{MissingDirectory, SchemaState, Store, StoreAccess, StoreError};
use std::path::Path;

/// An open database. A plan may run against one that does not exist yet, which then counts as
/// empty.
pub struct OpenedStore {
    pub store: Store,
    /// Why it counts as empty, if it does.
    pub absent: Option<MissingDirectory>,
}

/// Opens the database for reading; one without a directory in it is an error.
pub async fn reader(config: &Config) -> Result<Store, PassError> {
    require_directory(reader_or_none(config).await?)
}

/// Opens the database for a plan; one that does not exist yet counts as empty.
pub async fn reader_or_none(config: &Config) -> Result<OpenedStore, PassError> {
    let store = Store::open(&config.database, StoreAccess::Read).await?;
    let absent = store.missing_directory().await?;
    check_environment(&store, config).await?;
    Ok(OpenedStore { store, absent })
}

/// Opens the database for writing; one without a directory in it is an error.
pub async fn writer(config: &Config) -> Result<Store, PassError> {
    // Looked at with a reader first: opening SQLite for writing would create the file.
    let found = Store::open(&config.database, StoreAccess::Read).await?;
    let absent = found.missing_directory().await?;
    found.close().await;
    require_directory(OpenedStore {
        store: found,
        absent,
    })?;
    Ok(writer_or_new(config).await?.store)
}

/// Opens the database for writing. An empty database gets its schema, and an old SQLite file is
/// migrated.
pub async fn writer_or_new(config: &Config) -> Result<OpenedStore, PassError> {
    let file = config.database.strip_prefix("sqlite:").map(Path::new);
    let new = match file {
        Some(path) => {
            // Asked before the file is created, since afterwards nobody can tell that it was
            // missing.
            ignore_folder(path);
            let found = Store::open(&config.database, StoreAccess::Read).await?;
            let absent = found.missing_directory().await?;
            found.close().await;
            absent
        }
        None => None,
    };
    let store = Store::open(&config.database, StoreAccess::Write).await?;
    let absent = match new {
        Some(absent) => Some(absent),
        None => store.missing_directory().await?,
    };
    let due = match store.schema().await? {
        SchemaState::None => true,
        // A shared database is migrated when its team decides to; a file has one user.
        SchemaState::Old { .. } => store.embedded(),
        SchemaState::Current | SchemaState::Newer { .. } => false,
    };
    if due {
        // A wrong choice must not upgrade the database of another environment either.
        check_environment(&store, config).await?;
        store.migrate(config.environment.as_deref()).await?;
    }
    check_environment(&store, config).await?;
    Ok(OpenedStore { store, absent })
}

fn require_directory(opened: OpenedStore) -> Result<Store, PassError> {
    match opened.absent {
        Some(absent) => Err(StoreError::Absent(absent).into()),
        None => Ok(opened.store),
    }
}

/// Fails if the database belongs to another environment. One without a schema belongs to none yet.
pub async fn check_environment(store: &Store, config: &Config) -> Result<(), PassError> {
    // Without a schema there is no environment to compare yet; `migrate` writes it.
    if matches!(store.schema().await?, SchemaState::None) {
        return Ok(());
    }
    let found = store.environment().await?;
    if found == config.environment {
        return Ok(());
    }
    Err(PassError::Environment {
        database: environment_name(found.as_deref()),
        run: environment_name(config.environment.as_deref()),
    })
}

/// An environment in words.
pub(super) fn environment_name(name: Option<&str>) -> String {
    name.map_or("no environment".to_owned(), |name| {
        format!("environment {name}")
    })
}

/// Keeps a database that is created inside a checkout out of git.
fn ignore_folder(path: &Path) {
    let Some(folder) = path.parent().filter(|folder| folder.ends_with(".roster")) else {
        return;
    };
    if !folder.exists() && std::fs::create_dir_all(folder).is_ok() {
        // A failure is ignored: without the file, git only shows the database as untracked.
        let _ = std::fs::write(folder.join(".gitignore"), "*\n");
    }
}

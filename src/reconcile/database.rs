//! The database of a configuration.

use super::PassError;
use crate::config::Config;
use crate::store::{MissingDirectory, SchemaState, Store, StoreAccess, StoreError};
use std::path::Path;

/// A database for a plan, and why there is no directory in it yet: then it is empty.
pub struct OpenedStore {
    /// The database.
    pub store: Store,
    /// What is not there yet.
    pub absent: Option<MissingDirectory>,
}

/// The database, opened for reading.
pub async fn reader(config: &Config) -> Result<Store, PassError> {
    require_directory(reader_or_none(config).await?)
}

/// The database, opened for a plan; one that is not there yet is empty.
pub async fn reader_or_none(config: &Config) -> Result<OpenedStore, PassError> {
    let store = Store::open(&config.database, StoreAccess::Read).await?;
    let absent = store.missing_directory().await?;
    check_environment(&store, config).await?;
    Ok(OpenedStore { store, absent })
}

/// The database, opened for writing.
pub async fn writer(config: &Config) -> Result<Store, PassError> {
    // A writer would make the file.
    let found = Store::open(&config.database, StoreAccess::Read).await?;
    let absent = found.missing_directory().await?;
    found.close().await;
    require_directory(OpenedStore {
        store: found,
        absent,
    })?;
    Ok(writer_or_new(config).await?.store)
}

/// The database, opened for writing; an empty one, or SQLite, gets its schema.
pub async fn writer_or_new(config: &Config) -> Result<OpenedStore, PassError> {
    let file = config.database.strip_prefix("sqlite:").map(Path::new);
    let new = match file {
        Some(path) => {
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
        // A team decides when; a file has one user.
        SchemaState::Old { .. } => store.embedded(),
        SchemaState::Current | SchemaState::Newer { .. } => false,
    };
    if due {
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

async fn check_environment(store: &Store, config: &Config) -> Result<(), PassError> {
    if matches!(store.schema().await?, SchemaState::None) {
        return Ok(());
    }
    let found = store.environment().await?;
    if found == config.environment {
        return Ok(());
    }
    let name = |name: &Option<String>| {
        name.as_ref().map_or("no environment".to_owned(), |name| {
            format!("environment {name}")
        })
    };
    Err(PassError::Environment {
        database: name(&found),
        run: name(&config.environment),
    })
}

/// A database that is made inside a checkout does not belong into it.
fn ignore_folder(path: &Path) {
    let Some(folder) = path.parent().filter(|folder| folder.ends_with(".roster")) else {
        return;
    };
    if !folder.exists() && std::fs::create_dir_all(folder).is_ok() {
        // Without it the database would only be seen by git, nothing breaks.
        let _ = std::fs::write(folder.join(".gitignore"), "*\n");
    }
}

//! The database of a configuration.

use super::PassError;
use crate::config::Config;
use crate::store::{Access, Schema, Store};
use std::path::Path;

/// The database, opened for reading; one that is not there is empty.
///
/// # Errors
/// When it cannot be opened, its schema is another release's, or it is another environment's.
pub async fn reader(config: &Config) -> Result<Store, PassError> {
    let store = Store::open(&config.database, Access::Read).await?;
    check(&store, config).await?;
    Ok(store)
}

/// The database, opened for writing; an empty one, or SQLite, gets its schema.
///
/// # Errors
/// As [`reader`], and when an empty schema cannot be made.
pub async fn writer(config: &Config) -> Result<Store, PassError> {
    if let Some(path) = config.database.strip_prefix("sqlite:") {
        ignore_folder(Path::new(path));
    }
    let store = Store::open(&config.database, Access::Write).await?;
    let due = match store.schema().await? {
        Schema::None => true,
        // A team decides when; a file has one user.
        Schema::Old { .. } => store.embedded(),
        Schema::Current | Schema::Newer { .. } => false,
    };
    if due {
        store.migrate(config.environment.as_deref()).await?;
    }
    check(&store, config).await?;
    Ok(store)
}

async fn check(store: &Store, config: &Config) -> Result<(), PassError> {
    if matches!(store.schema().await?, Schema::None) {
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

//! `roster migrate`: creates or upgrades the schema of the database.

use super::{CommandFailure, CommandResult, GlobalOptions, session};
use crate::config::Config;
use crate::reconcile;
use crate::store::{SchemaState, Store, StoreAccess, StoreError};
use clap::Args;

/// Options of `roster migrate`.
#[derive(Debug, Args)]
pub struct Options {
    /// Only show what would be done.
    #[arg(long)]
    plan: bool,
    /// Give the database, which belongs to the environment OLD, to the one chosen with `-e`. `none` is
    /// a database of no environment.
    #[arg(long, value_name = "OLD", conflicts_with = "plan")]
    from_environment: Option<String>,
}

/// Upgrades the schema to that of this release.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let config = session::config(global, None)?;
    if let Some(old) = &options.from_environment {
        return change_environment(&config, old).await;
    }
    // Opened for reading first: `--plan`, and a database that is current, must not create or lock
    // anything.
    let store = Store::open(&config.database, StoreAccess::Read).await?;
    let absent = store.missing_directory().await?;
    reconcile::check_environment(&store, &config).await?;
    if let Some(absent) = &absent {
        let when = if options.plan {
            "on `roster migrate`"
        } else {
            "now"
        };
        session::say_absent(global, absent, when);
    }
    match (store.schema().await?, options.plan) {
        (SchemaState::Current, _) => anstream::println!("The schema is current."),
        (SchemaState::None, true) => anstream::println!("The schema would be created."),
        (_, true) => anstream::println!("The schema would be upgraded."),
        (_, false) => {
            store.close().await;
            let store = Store::open(&config.database, StoreAccess::Write).await?;
            let migrated = store.migrate(config.environment.as_deref()).await?;
            store.close().await;
            anstream::println!(
                "The schema is now current; the database is {}.",
                migrated.identity
            );
        }
    }
    Ok(0)
}

/// Gives the database to the chosen environment.
async fn change_environment(config: &Config, old: &str) -> CommandResult {
    let old = (old != "none").then_some(old);
    let name = |name: Option<&str>| match name {
        Some(name) => format!("environment {name}"),
        None => "no environment".to_owned(),
    };
    let new = config.environment.as_deref();
    // As a reader first: opening SQLite for writing would create the file.
    let found = Store::open(&config.database, StoreAccess::Read).await?;
    let absent = found.missing_directory().await?;
    found.close().await;
    if let Some(absent) = absent {
        return Err(StoreError::Absent(absent).into());
    }
    let store = Store::open(&config.database, StoreAccess::Write).await?;
    // Named by whoever runs the command, so that nobody takes over a database by mistake.
    let other = store.change_environment(old, new).await?;
    store.close().await;
    if let Some(found) = other {
        return Err(CommandFailure::error(format!(
            "the database belongs to {}, not to {}; nothing was changed",
            name(found.as_deref()),
            name(old)
        )));
    }
    anstream::println!(
        "The database belonged to {} and now belongs to {}.",
        name(old),
        name(new)
    );
    Ok(0)
}

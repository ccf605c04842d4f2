//! `roster migrate`: creates or upgrades the schema of the database.

use super::{CommandResult, GlobalOptions, session};
use crate::reconcile;
use crate::store::{SchemaState, Store, StoreAccess};
use clap::Args;

/// Options of `roster migrate`.
#[derive(Debug, Args)]
pub struct Options {
    /// Only show what would be done.
    #[arg(long)]
    plan: bool,
}

/// Upgrades the schema to that of this release.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let config = session::config(global, None)?;
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

//! `roster migrate`: the schema of the database.

use super::{Global, Outcome, session};
use crate::store::{Access, Schema, Store};
use clap::Args;

/// Options of `roster migrate`.
#[derive(Debug, Args)]
pub struct Options {
    /// Only says what would be done.
    #[arg(long)]
    plan: bool,
}

/// Brings the schema to what this release writes.
pub async fn run(global: &Global, options: &Options) -> Outcome {
    let config = session::config(global, None)?;
    let access = if options.plan {
        Access::Read
    } else {
        Access::Write
    };
    let store = Store::open(&config.database, access).await?;
    match (store.schema().await?, options.plan) {
        (Schema::Current, _) => anstream::println!("The schema is current; nothing to do."),
        (Schema::None, true) => anstream::println!("The schema would be created."),
        (_, true) => anstream::println!("The schema would be upgraded."),
        (_, false) => {
            let migrated = store.migrate(config.environment.as_deref()).await?;
            anstream::println!(
                "The schema is current now; the database is {}.",
                migrated.identity
            );
        }
    }
    Ok(0)
}

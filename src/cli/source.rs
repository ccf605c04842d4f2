//! `roster source`: what happens to the claims of a source that was renamed or removed.

use super::{CommandFailure, CommandResult, GlobalOptions, session};
use crate::config::Config;
use crate::reconcile::LeaseGuard;
use crate::store::Store;
use clap::{Args, Subcommand};
use std::time::Duration;

/// Options of `roster source`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: SourceCommand,
}

#[derive(Debug, Subcommand)]
enum SourceCommand {
    /// Move the claims of a source to its new name in `roster.yaml`.
    Rename {
        /// The old name of the source.
        old: String,
        /// The new name of the source.
        new: String,
    },
    /// Drop the claims of a removed source. Its resources stay as they are.
    Forget {
        /// The old name of the source.
        name: String,
    },
}

/// Renames or forgets a source.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    match &options.what {
        SourceCommand::Rename { old, new } => rename(global, old, new).await,
        SourceCommand::Forget { name } => forget(global, name).await,
    }
}

async fn rename(global: &GlobalOptions, old: &str, new: &str) -> CommandResult {
    let config = session::config(global, None)?;
    require_unconfigured(&config, old)?;
    if config.path.is_some() && !is_configured(&config, new) {
        return Err(CommandFailure::usage(format!(
            "{}\nAdd the new name to roster.yaml first.",
            config.no_source(new)
        )));
    }
    let store = session::writer(&config).await?;
    require_claims(&store, old).await?;
    let held = lease_both(&store, old, new).await?;
    // Under the leases: a pass of the new source could have claimed something since.
    let given = if require_claims(&store, new).await.is_ok() {
        Err(CommandFailure::error(format!(
            "source {new} already claims resources; to hand over those of {old} that it declares, run `roster adopt --from {old} --to {new}`"
        )))
    } else {
        let given = store.give_claims(old, new, &session::actor()).await;
        given.map_err(CommandFailure::from)
    };
    release(&store, held).await;
    let given = given?;
    anstream::println!(
        "{} of source {old} {} now claimed by source {new}.",
        resources(given),
        is_or_are(given)
    );
    Ok(0)
}

async fn forget(global: &GlobalOptions, name: &str) -> CommandResult {
    let config = session::config(global, None)?;
    require_unconfigured(&config, name)?;
    let store = session::writer(&config).await?;
    require_claims(&store, name).await?;
    let held = vec![LeaseGuard::take(&store, name, WAIT).await?];
    let dropped = store.drop_claims(name, &session::actor()).await;
    release(&store, held).await;
    let dropped = dropped?;
    anstream::println!(
        "Forgot source {name}. {} it claimed {} still stored. The next source that declares one adopts it.",
        resources(dropped),
        is_or_are(dropped)
    );
    Ok(0)
}

/// How long to wait for a pass of the source in progress.
const WAIT: Duration = Duration::from_secs(30);

/// Takes the leases of both sources, ordered by name so that two commands never wait for each
/// other.
pub(super) async fn lease_both(
    store: &Store,
    one: &str,
    other: &str,
) -> Result<Vec<LeaseGuard>, CommandFailure> {
    let mut names = [one, other];
    names.sort_unstable();
    let mut held = Vec::new();
    for name in names {
        match LeaseGuard::take(store, name, WAIT).await {
            Ok(lease) => held.push(lease),
            // Without the second lease, the first one must not block its source until it expires.
            Err(error) => {
                release(store, held).await;
                return Err(error.into());
            }
        }
    }
    Ok(held)
}

pub(super) async fn release(store: &Store, held: Vec<LeaseGuard>) {
    for lease in held {
        lease.release(store).await;
    }
}

pub(super) fn is_configured(config: &Config, name: &str) -> bool {
    config.sources.iter().any(|source| *source.name == *name)
}

/// The claims of a configured source follow from what it declares; only it may change them.
fn require_unconfigured(config: &Config, name: &str) -> Result<(), CommandFailure> {
    if is_configured(config, name) {
        return Err(CommandFailure::usage(format!(
            "source {name} is still configured; remove it from roster.yaml first"
        )));
    }
    Ok(())
}

/// Fails unless the source has claims.
pub(super) async fn require_claims(store: &Store, name: &str) -> Result<(), CommandFailure> {
    // With no name excluded, these are all sources that claim something.
    let all = store.unconfigured_claims(&[]).await?;
    if all.iter().any(|(source, _)| source == name) {
        return Ok(());
    }
    let names: Vec<&str> = all.iter().map(|(source, _)| source.as_str()).collect();
    let message = match names.as_slice() {
        [] => format!("source {name} has no claims, and no other source has any"),
        names => format!(
            "source {name} has no claims; these sources have: {}",
            names.join(", ")
        ),
    };
    Err(CommandFailure::error(message))
}

fn resources(count: u64) -> String {
    match count {
        1 => "The 1 resource".to_owned(),
        _ => format!("The {count} resources"),
    }
}

fn is_or_are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

//! `roster source`: what becomes of the claims of a source that has another name now, or is gone.

use super::{Failure, Global, Outcome, session};
use crate::config::Config;
use crate::reconcile::Kept;
use crate::store::Store;
use clap::{Args, Subcommand};
use std::time::Duration;

/// Options of `roster source`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
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

/// Renames or forgets.
pub async fn run(global: &Global, options: &Options) -> Outcome {
    match &options.what {
        What::Rename { old, new } => rename(global, old, new).await,
        What::Forget { name } => forget(global, name).await,
    }
}

async fn rename(global: &Global, old: &str, new: &str) -> Outcome {
    let config = session::config(global, None)?;
    unconfigured(&config, old)?;
    if config.path.is_some() && !is_configured(&config, new) {
        return Err(Failure::usage(format!(
            "{}\nA new name has to be in roster.yaml first.",
            config.no_source(new)
        )));
    }
    let store = session::writer(&config).await?;
    claims(&store, old).await?;
    let held = both(&store, old, new).await?;
    let given = if claims(&store, new).await.is_ok() {
        Err(Failure::error(format!(
            "source {new} claims resources of its own; to give it those of {old} that it declares: `roster adopt --from {old} --to {new}`"
        )))
    } else {
        let given = store.give_claims(old, new, &session::actor()).await;
        given.map_err(Failure::from)
    };
    release(&store, held).await;
    let given = given?;
    anstream::println!(
        "{} of source {old} {} with source {new} now.",
        resources(given),
        are(given)
    );
    Ok(0)
}

async fn forget(global: &Global, name: &str) -> Outcome {
    let config = session::config(global, None)?;
    unconfigured(&config, name)?;
    let store = session::writer(&config).await?;
    claims(&store, name).await?;
    let held = vec![Kept::take(&store, name, WAIT).await?];
    let dropped = store.drop_claims(name, &session::actor()).await;
    release(&store, held).await;
    let dropped = dropped?;
    anstream::println!(
        "Source {name} is forgotten. {} it claimed {} stored as before; the next source that declares one adopts it.",
        resources(dropped),
        are(dropped)
    );
    Ok(0)
}

/// How long to wait for a pass of the source that is under way.
const WAIT: Duration = Duration::from_secs(30);

/// The leases of both sources, in the order of their names so that nobody waits in a circle.
pub(super) async fn both(store: &Store, one: &str, other: &str) -> Result<Vec<Kept>, Failure> {
    let mut names = [one, other];
    names.sort_unstable();
    let mut held = Vec::new();
    for name in names {
        match Kept::take(store, name, WAIT).await {
            Ok(lease) => held.push(lease),
            Err(error) => {
                release(store, held).await;
                return Err(error.into());
            }
        }
    }
    Ok(held)
}

pub(super) async fn release(store: &Store, held: Vec<Kept>) {
    for lease in held {
        lease.release(store).await;
    }
}

pub(super) fn is_configured(config: &Config, name: &str) -> bool {
    config.sources.iter().any(|source| *source.name == *name)
}

/// What a configured source claims is for its own manifests to say.
fn unconfigured(config: &Config, name: &str) -> Result<(), Failure> {
    if is_configured(config, name) {
        return Err(Failure::usage(format!(
            "source {name} is still configured; take it out of roster.yaml first"
        )));
    }
    Ok(())
}

/// That a source claims something.
pub(super) async fn claims(store: &Store, name: &str) -> Result<(), Failure> {
    let all = store.claims_beside(&[]).await?;
    if all.iter().any(|(source, _)| source == name) {
        return Ok(());
    }
    let names: Vec<&str> = all.iter().map(|(source, _)| source.as_str()).collect();
    let message = match names.as_slice() {
        [] => format!("source {name} claims nothing, and no other source does"),
        names => format!(
            "source {name} claims nothing; these do: {}",
            names.join(", ")
        ),
    };
    Err(Failure::error(message))
}

fn resources(count: u64) -> String {
    match count {
        1 => "The 1 resource".to_owned(),
        _ => format!("The {count} resources"),
    }
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

//! What did not change is not read again: when every file of every source is as it was when it was
//! last applied, and nobody else changed a claimed row, there is nothing to plan.

use super::{PassError, Reading, Request, claimants};
use crate::config::{Config, Source};
use crate::kinds;
use crate::manifest::{self, Tree};
use crate::model::{Digest, Text};
use crate::plan::{Plan, SourceRef, Summary};
use crate::store::{Remembered, Store};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The plans of all sources when nothing changed; `None` when something may have, so that
/// everything has to be looked at.
///
/// # Errors
/// When the database cannot be read.
pub async fn unchanged(
    config: &Config,
    request: &Request,
    store: &Store,
) -> Result<Option<Vec<Plan>>, PassError> {
    let partial = !request.paths.is_empty() || !request.targets.is_empty();
    if partial || request.exact || request.scrub {
        return Ok(None);
    }
    let mut plans = Vec::new();
    for source in &config.sources {
        let Some(plan) = unchanged_source(config, source, store).await? else {
            return Ok(None);
        };
        let wanted = request
            .source
            .as_ref()
            .is_none_or(|name| **name == *source.name);
        plans.extend(wanted.then_some(plan));
    }
    if let Some(first) = plans.first_mut() {
        claimants::say(config, store, first).await?;
    }
    Ok((!plans.is_empty()).then_some(plans))
}

async fn unchanged_source(
    config: &Config,
    source: &Source,
    store: &Store,
) -> Result<Option<Plan>, PassError> {
    let Some(remembered) = store.remembered(&source.name).await? else {
        return Ok(None);
    };
    let same_place = !source.unnamed || remembered.path == source.written;
    if remembered.files.is_empty()
        || !same_place
        || remembered.fingerprint != fingerprint(config, source)
        || !same_files(source, &remembered.files)
    {
        return Ok(None);
    }
    let standing = store.standing(&source.name).await?;
    tracing::debug!(source = %source.name, ?standing, "compared claims and rows");
    if standing.foreign > 0 || standing.claimed != remembered.resources {
        return Ok(None);
    }
    tracing::info!(
        "source {}: nothing changed since run of revision {}",
        source.name,
        remembered.revision
    );
    Ok(Some(Plan {
        source: SourceRef {
            name: source.name.clone(),
            revision: remembered.revision.into(),
        },
        database: Some(standing.database),
        environment: standing.environment,
        summary: Summary {
            unchanged: standing.claimed,
            unclaimed: standing.unclaimed,
            ..Summary::default()
        },
        ..Plan::default()
    }))
}

fn same_files(source: &Source, known: &BTreeMap<Text, Digest>) -> bool {
    let tree = Tree::read(&source.root);
    let (contents, manifests): (Vec<_>, Vec<_>) =
        known.iter().partition(|(path, _)| path.starts_with('='));
    let same_content = |(path, digest): &(&Text, &Digest)| {
        let bytes = std::fs::read(source.root.join(&path[1..]));
        bytes.is_ok_and(|bytes| Sha256::digest(bytes).starts_with(&digest.0))
    };
    tree.diagnostics.is_empty()
        && tree.files.len() == manifests.len()
        && contents.iter().all(same_content)
        && manifest::digests(&tree).is_some_and(|files| {
            let same = |(path, digest): &(_, Digest)| {
                let path: &std::sync::Arc<str> = path;
                known.get(&**path) == Some(digest)
            };
            files.iter().all(same)
        })
}

/// What an apply of a whole source leaves to be remembered.
pub(super) fn remember(config: &Config, reading: &Reading, plan: &Plan) -> Remembered {
    let mut files: BTreeMap<Text, Digest> = reading
        .files
        .iter()
        .map(|(path, digest)| (Text::new(path), *digest))
        .collect();
    // A password may change while its reference stays: it is looked at each time.
    let secret = reading.desired.secrets.keys();
    for key in plan.unsettled.iter().chain(secret) {
        if let Some(declared) = reading.desired.resources.get(key) {
            files.remove(&*declared.path);
        }
    }
    Remembered {
        path: reading.source.written.clone(),
        revision: reading.desired.revision.to_string(),
        fingerprint: fingerprint(config, &reading.source),
        resources: reading.desired.resources.len() as u64,
        files,
    }
}

/// Whatever decides, besides the files, what a source comes to: the table of kinds, the release
/// and the configuration.
fn fingerprint(config: &Config, source: &Source) -> Digest {
    let peers: Vec<_> = config
        .sources
        .iter()
        .map(|peer| (&peer.name, &peer.authority))
        .collect();
    let decided = (
        kinds::fingerprint(),
        env!("CARGO_PKG_VERSION"),
        (source.prune, source.report_drift, &source.authority),
        (&config.order, &config.shop),
        peers,
    );
    Digest::of(format!("{decided:?}").as_bytes())
}

//! Finds sources that still claim resources but are no longer configured.

use crate::config::Config;
use crate::diagnostic::{self, Diagnostic, codes};
use crate::plan::Plan;
use crate::store::{Store, StoreError};

/// Warns of claims by sources that are no longer configured, in the first plan of a pass only.
pub(super) async fn note_unconfigured(
    config: &Config,
    store: &Store,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    let configured: Vec<&str> = config.sources.iter().map(|source| &*source.name).collect();
    for (source, claims) in store.unconfigured_claims(&configured).await? {
        let found = unconfigured(config, &source, claims);
        plan.diagnostics.push(found);
    }
    diagnostic::sort(&mut plan.diagnostics);
    Ok(())
}

fn unconfigured(config: &Config, source: &str, claims: u64) -> Diagnostic {
    let resources = if claims == 1 { "resource" } else { "resources" };
    let (message, before) = match &config.path {
        Some(_) => (
            format!(
                "source {source} is no longer configured but still claims {claims} {resources}, which no source changes or removes"
            ),
            "Configure it again",
        ),
        None => (
            format!(
                "source {source} claims {claims} {resources}, but without a roster.yaml its location is unknown"
            ),
            "Run in the folder of its roster.yaml, or pass `--config FILE`",
        ),
    };
    let help = format!(
        "{before}. If it was renamed, run `roster source rename {source} NEW`. If it is gone for good, run `roster source forget {source}`"
    );
    Diagnostic::new(codes::CLAIM_UNCONFIGURED, message).help(help)
}

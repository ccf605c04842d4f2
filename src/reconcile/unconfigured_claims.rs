//! Sources that still claim something and are not configured any more.

use crate::config::Config;
use crate::diagnostic::{self, Diagnostic, codes};
use crate::plan::Plan;
use crate::store::{Store, StoreError};

/// Says in a plan which sources claim something that no configured source is called like. It
/// stands in the first plan of a pass only.
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
                "source {source} is no longer configured and still claims {claims} {resources}: nobody changes or removes what it declared"
            ),
            "configure it again",
        ),
        None => (
            format!(
                "source {source} claims {claims} {resources}, and without a roster.yaml nobody knows where to read it"
            ),
            "run where its roster.yaml is found, or give `--config FILE`",
        ),
    };
    let help = format!(
        "{before}; if it has another name now, `roster source rename {source} NEW`; if it is gone for good, `roster source forget {source}`"
    );
    Diagnostic::new(codes::CLAIM_UNCONFIGURED, message).help(help)
}

//! Who reads a plan that somebody made of what they sent. What is stored about people is left out
//! where the reader may not see it.

use crate::diagnostic::Diagnostic;
use crate::model::Key;
use crate::plan::{self, Plan};
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The rights of who reads a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanReader {
    /// Whether stored resources may be seen at all.
    pub reads: bool,
    /// The sources that may be seen; `None` for all.
    pub sources: Option<BTreeSet<Arc<str>>>,
}

impl PlanReader {
    /// Returns the plan as this reader may see it. What was sent stays.
    pub async fn view(&self, plan: Plan, store: &Store) -> Result<Plan, StoreError> {
        let plan = if self.reads { plan } else { plan.masked() };
        let Some(sources) = &self.sources else {
            return Ok(plan);
        };
        let held = plan.held.iter().map(|held| &held.key);
        let undeclared = plan.undeclared.iter().map(|(key, _)| key);
        let keys = plan.steps.iter().map(|step| &step.key).chain(held);
        let covered = covered(sources, keys.chain(undeclared), store).await?;
        Ok(plan
            .masked_where(|key| !covered.contains(key))
            .without_others())
    }

    /// Leaves out of other diagnostics what this reader may not see.
    pub fn conceal(&self, found: &mut [Diagnostic]) {
        if self.sources.is_some() {
            found.iter_mut().for_each(plan::conceal_others);
        }
    }
}

/// The stored resources that these sources claim.
async fn covered<'k>(
    sources: &BTreeSet<Arc<str>>,
    keys: impl Iterator<Item = &'k Key>,
    store: &Store,
) -> Result<BTreeSet<Key>, StoreError> {
    let Some(mut transaction) = store.read_transaction().await? else {
        return Ok(BTreeSet::new());
    };
    let claims = transaction.claims_on(keys).await?.into_iter();
    let own = claims.filter(|claim| claim.active && sources.contains(claim.source.as_str()));
    Ok(own.map(|claim| claim.key).collect())
}

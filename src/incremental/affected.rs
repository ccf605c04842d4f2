//! What the changed files of a source declare otherwise than before, and the rows that this affects.

use super::files::{IncrementalRead, ReadFiles};
use super::partial_snapshot::PartialSnapshot;
use crate::check;
use crate::kinds;
use crate::model::{
    CompactText, DeclaredResource, Desired, Key, KeyedList, Snapshot, SnapshotLookup,
};
use crate::plan::{self, PlanRules};
use crate::secrets;
use crate::store::{ClaimSummary, ReadTransaction, SnapshotQuery, StoreError};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What has to be planned of a source of which only the changed files were read.
pub struct AffectedResources {
    /// What is declared otherwise than it was applied.
    pub changed: Arc<Desired>,
    /// How many resources these files declare that they did not declare before.
    pub new: u64,
    /// What they declared before, and others too.
    pub repeated: BTreeSet<Key>,
    /// The rows of what changed.
    pub partial: PartialSnapshot,
}

impl AffectedResources {
    /// Reads what is stored of all that the changed files declare, or says why everything has to be
    /// read: they no longer declare something, or something that is declared elsewhere too.
    pub async fn read(
        moment: &mut ReadTransaction,
        query: &SnapshotQuery<'_>,
        files: &ReadFiles,
        unread: &IncrementalRead,
        rules: impl Fn(&Snapshot) -> PlanRules,
    ) -> Result<Result<Self, &'static str>, StoreError> {
        let (source, desired) = (query.source, &unread.declared);
        let paths = files.digests.iter().map(|(path, _)| &**path);
        let paths = paths.chain(unread.gone.iter().map(CompactText::as_str));
        let before = moment.declared_in(source, paths).await?;
        if before.keys().any(|key| !desired.resources.contains(key)) {
            return Ok(Err("a resource is no longer declared"));
        }
        let mut partial = PartialSnapshot::read(moment, query).await?;
        let keys = desired.resources.iter().map(|declared| &declared.key);
        let claims = moment.claims_on(keys).await?;
        let elsewhere =
            |claim: &ClaimSummary| claim.source != *source || !before.contains_key(&claim.key);
        if claims.iter().any(elsewhere) {
            return Ok(Err("a resource is declared in several places"));
        }
        let rules = rules(partial.stored());
        let Some(resources) = changed_resources(desired, partial.stored(), &claims, &rules) else {
            return Ok(Err("a custom value does not fit its field"));
        };
        let rows = resources.iter();
        let rows = rows.map(|it| SnapshotLookup::Row(it.key.clone()));
        if !partial.extend(moment, rows.collect()).await? {
            return Ok(Err("much changed"));
        }
        let new = desired.resources.len() - before.len();
        let repeated = before.into_iter().filter(|(_, repeated)| *repeated);
        Ok(Ok(Self {
            changed: Arc::new(Desired {
                resources,
                ..(**desired).clone()
            }),
            new: new as u64,
            repeated: repeated.map(|(key, _)| key).collect(),
            partial,
        }))
    }
}

/// What is declared otherwise than it was when the source was applied, and passwords, which may
/// change while their reference stays; `None` when something is wrong with a custom value, whether
/// or not what is left of its resource is as it was.
fn changed_resources(
    desired: &Arc<Desired>,
    stored: &Snapshot,
    claims: &[ClaimSummary],
    rules: &PlanRules,
) -> Option<KeyedList<Arc<DeclaredResource>>> {
    let mut wrong = Vec::new();
    let definitions = check::definitions(desired, stored);
    let typed = check::type_custom(desired, &definitions, &mut wrong);
    if !wrong.is_empty() {
        return None;
    }
    let known: HashMap<&Key, &ClaimSummary> = claims
        .iter()
        .filter(|claim| claim.active)
        .map(|claim| (&claim.key, claim))
        .collect();
    let pairs = desired.resources.iter().zip(&typed.resources);
    let differ = pairs.filter(|(declared, typed)| {
        let known = known.get(&declared.key);
        let status = kinds::get(declared.key.kind).status_index();
        // Without a status, what it says of an inactive row depends on the other sources.
        let undecided = known.is_some_and(|it| it.row_inactive) && declared.cell(status).is_none();
        let same = known.is_some_and(|it| it.digest == plan::current_digest(typed, rules));
        !same || undecided || secrets::has_password(declared)
    });
    Some(differ.map(|(declared, _)| declared.clone()).collect())
}

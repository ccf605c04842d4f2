//! What the changed files of a source declare differently than before, and the rows that this
//! affects. Start reading at [`AffectedResources::read`], which gives up with a reason as soon as a
//! file that was not read could matter.

use super::files::{IncrementalRead, ReadFiles};
use super::partial_snapshot::PartialSnapshot;
use crate::check;
use crate::kinds::{self, ACCOUNT};
use crate::model::{
    CompactText, DeclaredResource, Desired, Key, KeyedList, Snapshot, SnapshotLookup, Value,
};
use crate::plan::{self, PlanRules};
use crate::secrets;
use crate::store::{ClaimSummary, ReadTransaction, SnapshotQuery, StoreError};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What has to be planned when only the changed files of a source were read.
pub struct AffectedResources {
    /// The resources that are declared differently than they were applied.
    pub changed: Arc<Desired>,
    /// How many resources the files declare that they did not declare before.
    pub new: u64,
    /// The resources that they declared before, and that other files declare too.
    pub repeated: BTreeSet<Key>,
    /// The rows of the changed resources.
    pub partial: PartialSnapshot,
}

impl AffectedResources {
    /// Reads what is stored of the resources in the changed files and of those in `foreign`, which
    /// somebody else changed. Or says why everything has to be read: a resource is no longer
    /// declared there, or is declared somewhere else too.
    pub async fn read(
        transaction: &mut ReadTransaction,
        query: &SnapshotQuery<'_>,
        files: &ReadFiles,
        unread: &IncrementalRead,
        foreign: &BTreeSet<Key>,
        rules: impl Fn(&Snapshot) -> PlanRules,
    ) -> Result<Result<Self, &'static str>, StoreError> {
        let (source, desired) = (query.source, &unread.declared);
        let paths = files.digests.iter().map(|(path, _)| &**path);
        let paths = paths.chain(unread.gone.iter().map(CompactText::as_str));
        let before = transaction.declared_in(source, paths).await?;
        // A resource may have moved to another file or to another source. Only a full pass can tell
        // a move from a removal.
        if before.keys().any(|key| !desired.resources.contains(key)) {
            return Ok(Err("a resource is no longer declared"));
        }
        // Changed after the files were chosen, declared elsewhere by now, or not at all.
        if !foreign.iter().all(|key| desired.resources.contains(key)) {
            return Ok(Err(
                "a row was changed outside Roster, and the files read do not declare it",
            ));
        }
        let new = desired.resources.len() - before.len();
        let compared = compared(unread, foreign);
        let desired = &compared;
        let mut partial = PartialSnapshot::read(transaction, query).await?;
        let keys = desired.resources.iter().map(|declared| &declared.key);
        let claims = transaction.claims_on(keys).await?;
        let elsewhere =
            |claim: &ClaimSummary| claim.source != *source || !before.contains_key(&claim.key);
        // Another source's claim decides some of the fields, and its files were not read.
        if claims.iter().any(elsewhere) {
            return Ok(Err("a resource is declared in several places"));
        }
        // Types need the custom field definitions, so the base snapshot is read before the digests
        // are compared.
        let rules = rules(partial.stored());
        let Some(resources) =
            changed_resources(desired, foreign, partial.stored(), &claims, &rules)
        else {
            return Ok(Err("a custom value does not fit its field"));
        };
        let rows = resources.iter();
        let rows = rows.map(|it| SnapshotLookup::Row(it.key.clone()));
        if !partial.extend(transaction, rows.collect()).await? {
            return Ok(Err("much changed"));
        }
        // What goes with the account may be declared in files that were not read. One that is gone
        // already may stay declared as deleted.
        let stored = &partial.stored().rows;
        let mut accounts = resources.iter().filter(|it| is_deleted_account(it));
        if accounts.any(|account| stored.contains(&account.key)) {
            return Ok(Err("an account is deleted"));
        }
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

/// The resources to compare: of files that did not change, only those that somebody else changed.
fn compared(unread: &IncrementalRead, foreign: &BTreeSet<Key>) -> Arc<Desired> {
    let declared = &unread.declared;
    if unread.unchanged.is_empty() {
        return Arc::clone(declared);
    }
    let resources = declared.resources.iter().filter(|it| {
        foreign.contains(&it.key) || !unread.unchanged.contains(&CompactText::new(&it.path))
    });
    Arc::new(Desired {
        resources: resources.cloned().collect(),
        ..(**declared).clone()
    })
}

/// The resources whose digest differs from the applied one, those that somebody else changed, and
/// those with a password, which may change behind the same reference. `None` when a custom value does not fit its field: the fault
/// has to be reported, even when the rest of its resource is unchanged.
fn changed_resources(
    desired: &Arc<Desired>,
    foreign: &BTreeSet<Key>,
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
        // Without a status of its own, whether an inactive row stays so depends on the other
        // sources.
        let undecided = known.is_some_and(|it| it.row_inactive) && declared.cell(status).is_none();
        let same = known.is_some_and(|it| it.digest == plan::current_digest(typed, rules));
        let is_foreign = foreign.contains(&declared.key);
        !same || undecided || is_foreign || secrets::has_password(declared)
    });
    Some(differ.map(|(declared, _)| declared.clone()).collect())
}

fn is_deleted_account(declared: &DeclaredResource) -> bool {
    let status = kinds::get(ACCOUNT).status_index();
    let stated = declared.value(status).and_then(Value::as_text);
    declared.key.kind == ACCOUNT && stated == Some("deleted")
}

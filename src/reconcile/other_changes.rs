//! What other sources change beside the source that is planned in part: those that changed too, and
//! those whose plans come first. A partial plan takes them by their claims, as they were last
//! applied. That is right as long as the plan and the other changes have no resource in common; where
//! they have, [`OtherChanges::why_they_matter`] says why everything has to be read.

use super::{Pass, SourceContent, SourceReading, TypedPlan};
use crate::incremental::{PartPlanned, why_others_matter_to_folders};
use crate::kinds;
use crate::model::{CompactText, Desired, GuardBase, Key, KindId, Snapshot, SnapshotLookup};
use crate::plan::{self, ClaimAction, ClaimUpdate, Plan, Step, StepReason};
use crate::store::{ReadTransaction, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The resources that other sources change.
#[derive(Default)]
pub(super) struct OtherChanges {
    /// The sources that changed too.
    changed: BTreeSet<Arc<str>>,
    /// What they declare differently, or no longer.
    declared: BTreeSet<Key>,
    /// What the plans of this pass write that come first.
    written: BTreeSet<Key>,
    written_kinds: BTreeSet<KindId>,
}

impl OtherChanges {
    /// Reads what the other sources of a pass change, or says why that is not known.
    pub async fn read(
        pass: &Pass<'_>,
        index: usize,
        earlier: &[Plan],
        transaction: &mut ReadTransaction,
    ) -> Result<Result<Self, &'static str>, StoreError> {
        let written = || earlier.iter().flat_map(written_keys);
        let mut changes = Self {
            written: written().cloned().collect(),
            written_kinds: written().map(|key| key.kind).collect(),
            ..Self::default()
        };
        let others = pass.readings.iter().enumerate();
        let others = others.filter(|(at, it)| *at != index && !it.is_pushed());
        for (_, reading) in others {
            if reading.is_unchanged() || is_applied(reading, transaction).await? {
                continue;
            }
            let Some(keys) = changed_keys(reading, transaction).await? else {
                return Ok(Err("another source was read whole"));
            };
            changes.changed.insert(reading.source.name.clone());
            changes.declared.extend(keys);
        }
        let is_rule = |key: &Key| kinds::RULE_KINDS.contains(&key.kind);
        if changes.declared.iter().chain(&changes.written).any(is_rule) {
            return Ok(Err("another source changed Settings or a custom field"));
        }
        let why = changes.why_folders_matter(pass, index, transaction).await?;
        Ok(why.map_or(Ok(changes), Err))
    }

    /// Why the scopes may judge files differently that were not read.
    async fn why_folders_matter(
        &self,
        pass: &Pass<'_>,
        index: usize,
        transaction: &mut ReadTransaction,
    ) -> Result<Option<&'static str>, StoreError> {
        let source = &pass.readings[index].source;
        let changed = pass.readings.iter();
        let changed = changed.filter(|it| self.changed.contains(&it.source.name));
        let changed = changed.map(|reading| &*reading.as_read);
        let folders = pass.account_folders(source);
        why_others_matter_to_folders(transaction, &source.name, &folders, changed).await
    }

    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.written.is_empty()
    }

    /// Why the plan on all sources may be another one. `missing` are the resources that the source
    /// no longer names.
    pub async fn why_they_matter(
        &self,
        part: &PartPlanned<TypedPlan>,
        declared: &Desired,
        missing: &BTreeSet<Key>,
        transaction: &mut ReadTransaction,
    ) -> Result<Option<&'static str>, StoreError> {
        if self.is_empty() {
            return Ok(None);
        }
        let plan = &part.plan.plan;
        if !self.changed.is_empty() && depends_on_acceptance(part, missing) {
            return Ok(Some(
                "another source changed too, and may keep what is taken away",
            ));
        }
        let mut lookups = part.lookups.iter();
        if lookups.any(|lookup| self.answers(lookup, &part.stored)) {
            return Ok(Some("another source changed what this one depends on"));
        }
        let own = declared.resources.iter().map(|it| &it.key);
        let own = own.chain(missing).chain(written_keys(plan));
        let own = own.chain(plan.held.iter().map(|held| &held.key));
        self.why_shared(own, &plan.source.name, transaction).await
    }

    /// Why these resources, or those that others change, concern both.
    pub async fn why_shared<'k>(
        &self,
        own: impl Iterator<Item = &'k Key>,
        source: &str,
        transaction: &mut ReadTransaction,
    ) -> Result<Option<&'static str>, StoreError> {
        if self.changed.is_empty() {
            return Ok(None);
        }
        let own: BTreeSet<&Key> = own.collect();
        let both = own.iter().copied().chain(&self.declared);
        let claims = transaction.claims_on(both).await?;
        let is_shared = claims.iter().any(|claim| {
            let theirs = self.changed.iter().any(|it| **it == *claim.source);
            claim.active
                && (theirs && own.contains(&claim.key)
                    || *claim.source == *source && self.declared.contains(&claim.key))
        });
        Ok(is_shared.then_some("another source that claims the same changed too"))
    }

    /// Whether the answer to a look-up is another one with the other changes. What is only declared
    /// changes no row yet, but a plan names the source that declares what is not stored.
    fn answers(&self, lookup: &SnapshotLookup, stored: &Snapshot) -> bool {
        let writes = |kind: &KindId| self.written_kinds.contains(kind);
        match lookup {
            SnapshotLookup::Row(key) | SnapshotLookup::Declared(key) => {
                let is_new = || self.declared.contains(key) && !stored.rows.has_read(key);
                self.written.contains(key) || is_new()
            }
            SnapshotLookup::Referrers(kind, ..)
            | SnapshotLookup::IgnoringCase(kind, ..)
            | SnapshotLookup::AllOf(kind)
            | SnapshotLookup::SimilarIds(kind, _)
            | SnapshotLookup::Base(GuardBase::Live(_, kind) | GuardBase::Filled(_, kind, _)) => {
                writes(kind)
            }
            SnapshotLookup::Base(GuardBase::Users(_)) => writes(&kinds::USER),
            SnapshotLookup::CustomerNumber(_) => writes(&kinds::ACCOUNT),
            // These count users by their own rows and by those of accounts and policies.
            SnapshotLookup::Base(_) | SnapshotLookup::Everything => !self.written.is_empty(),
        }
    }
}

/// Whether it matters to a plan which of the other sources accept what they declare.
fn depends_on_acceptance(part: &PartPlanned<TypedPlan>, missing: &BTreeSet<Key>) -> bool {
    let plan = &part.plan.plan;
    let is_removed = |step: &Step| step.reason == StepReason::Removed;
    let gives_up = |update: &ClaimUpdate| !matches!(update.claim, ClaimAction::Write(_));
    plan.steps.iter().any(is_removed)
        || plan.claim_updates.iter().any(gives_up)
        || !plan.released.is_empty()
        || plan.held.iter().any(|held| missing.contains(&held.key))
        || !plan::losing_administrators(plan, &part.stored).is_empty()
}

fn written_keys(plan: &Plan) -> impl Iterator<Item = &Key> {
    let steps = plan.steps.iter().map(|step| &step.key);
    steps.chain(plan.claim_updates.iter().map(|update| &update.key))
}

/// Whether a source that was read in part has been applied since, so that its claims say what it
/// declares.
async fn is_applied(
    reading: &SourceReading,
    transaction: &mut ReadTransaction,
) -> Result<bool, StoreError> {
    let Some(unread) = reading.incremental() else {
        return Ok(false);
    };
    let applied = transaction.source_checkpoint(&reading.source.name).await?;
    Ok(applied.is_some_and(|applied| {
        *applied.revision == *reading.as_read.revision && applied.fingerprint == unread.fingerprint
    }))
}

/// What a source that was read in part declares differently, or no longer; `None` if that is not
/// known.
async fn changed_keys(
    reading: &SourceReading,
    transaction: &mut ReadTransaction,
) -> Result<Option<BTreeSet<Key>>, StoreError> {
    let name = &reading.source.name;
    let desired = &reading.as_read;
    let named = desired.resources.iter().map(|it| &it.key);
    let named = named
        .chain(&desired.shielded_keys)
        .chain(&desired.blank_keys);
    let mut keys: BTreeSet<Key> = named.cloned().collect();
    match &reading.content {
        SourceContent::ChangedFiles(unread) => {
            let read = reading.files.digests.iter().map(|(path, _)| &**path);
            let paths = read.chain(unread.gone.iter().map(CompactText::as_str));
            keys.extend(transaction.declared_in(name, paths).await?.into_keys());
        }
        SourceContent::ChangedRows(..) => {
            keys.extend(transaction.missed_counts(name).await?.into_keys());
            let gone = reading.rows.iter().flat_map(|rows| &rows.unnamed);
            keys.extend(gone.cloned());
        }
        _ => return Ok(None),
    }
    Ok(Some(keys))
}

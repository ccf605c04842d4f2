//! What an apply leaves for the next pass to compare with: a digest of each file, the keys it
//! declares, and a fingerprint of the configuration. [`checkpoint`] makes it from the plan and what
//! was read. A file whose digest is left out is read again next time; that is how anything still
//! open comes back.

use super::files::{IncrementalRead, ReadFiles};
use super::fingerprint::fingerprint;
use crate::config::{Config, Source};
use crate::model::{CompactText, Desired, Key};
use crate::plan::{ClaimAction, ClaimUpdate, Plan, Step, StepReason, StepVerb};
use crate::store::{
    CheckpointUpdate, ExportRowsUpdate, FileCheckpoint, IncrementalUpdate, PackedKeys,
};
use std::collections::{BTreeMap, BTreeSet};

/// What an incremental plan takes over from the previous checkpoint.
#[derive(Clone, Debug, Default)]
pub struct CheckpointBasis {
    /// How many resources the source declares, those of the files that were read included.
    pub resources: u64,
    /// How many resources it claimed before this plan.
    pub claimed: u64,
    /// The resources it claims without declaring them, of kinds that are never removed.
    pub orphans: Vec<Key>,
    /// The resources that the files read now declared before, and that other files declare too.
    pub repeated: BTreeSet<Key>,
}

/// What a pass knows of the source that it applied.
pub struct PassFacts<'a> {
    pub config: &'a Config,
    pub source: &'a Source,
    /// What was planned, with the passwords that it names.
    pub desired: &'a Desired,
    pub files: &'a ReadFiles,
    /// Set when only the changed files were read.
    pub incremental: Option<(&'a IncrementalRead, &'a CheckpointBasis)>,
}

/// The checkpoint of a source that was applied whole.
pub fn checkpoint(pass: &PassFacts<'_>, plan: &Plan) -> CheckpointUpdate {
    let unread = pass.incremental;
    let desired = unread.map_or(pass.desired, |(unread, _)| &unread.declared);
    let mut files = read_files(pass.files, desired, unread.map(|(_, basis)| basis));
    // A deleted row is gone next time, and its file has to be read to see that it is declared anew.
    // A password may change behind the same reference.
    let deleted = plan
        .steps
        .iter()
        .filter(|step| step.verb == StepVerb::Delete);
    let open = plan.unsettled.iter().chain(pass.desired.secrets.keys());
    for key in open.chain(deleted.map(|step| &step.key)) {
        let declared = desired.resources.get(key);
        if let Some(file) = declared.and_then(|declared| files.get_mut(&*declared.path)) {
            file.digest = None;
        }
    }
    // A hold on something that no file declares would be forgotten if its files were skipped, so no
    // file is remembered and the next pass reads everything.
    let undeclared = plan
        .held
        .iter()
        .any(|held| !desired.resources.contains(&held.key));
    let open = undeclared || !plan.waits_for.is_empty();
    // With removals off, something is missing that a later pass must judge: it must not be skipped.
    if open || !desired.removals_off.is_empty() {
        files.clear();
    } else {
        files.extend(pass.files.contents.iter().map(|(path, digest)| {
            let file = FileCheckpoint {
                digest: Some(*digest),
                ..FileCheckpoint::default()
            };
            (CompactText::new(path), file)
        }));
    }
    let mut orphans = PackedKeys::default();
    plan.orphans.iter().for_each(|key| orphans.push(key, false));
    CheckpointUpdate {
        path: pass.source.written.clone(),
        revision: desired.revision.to_string(),
        fingerprint: fingerprint(pass.config, pass.source),
        resources: unread.map_or(desired.resources.len() as u64, |(_, basis)| basis.resources),
        orphans,
        files,
        incremental: unread.map(|(unread, basis)| incremental_update(unread, basis, plan)),
        accepted: None,
        rows: ExportRowsUpdate::Keep,
        import_endings: Vec::new(),
    }
}

/// The checkpoint with what is kept of the rows of an export.
#[must_use]
pub fn with_rows(mut update: CheckpointUpdate, rows: ExportRowsUpdate) -> CheckpointUpdate {
    match &rows {
        // The rows know which resources they name.
        ExportRowsUpdate::Replace(_) | ExportRowsUpdate::Change(..) => {
            update
                .files
                .values_mut()
                .for_each(|file| file.keys = PackedKeys::default());
        }
        // Without them, the names of a part would be taken for all of them.
        ExportRowsUpdate::Forget if update.incremental.is_some() => update.files.clear(),
        ExportRowsUpdate::Keep | ExportRowsUpdate::Forget => {}
    }
    CheckpointUpdate { rows, ..update }
}

/// The files that were read, with the keys that each declares.
fn read_files(
    read: &ReadFiles,
    desired: &Desired,
    basis: Option<&CheckpointBasis>,
) -> BTreeMap<CompactText, FileCheckpoint> {
    let mut files: BTreeMap<CompactText, FileCheckpoint> = BTreeMap::new();
    for (path, digest) in &read.digests {
        let quiet = !read.reread_always.contains(path);
        let file = FileCheckpoint {
            digest: quiet.then_some(*digest),
            ..FileCheckpoint::default()
        };
        files.insert(CompactText::new(path), file);
    }
    // Every place is recorded, not only the one that won: when that one goes, the others still
    // declare the key.
    let again = read.repeated.iter();
    let again = again.flat_map(|(key, paths)| paths.iter().map(move |path| (key, path)));
    for (key, path) in again {
        if let Some(file) = files.get_mut(&**path) {
            file.keys.push(key, true);
        }
    }
    let repeated = |key: &Key| {
        read.repeated.contains_key(key) || basis.is_some_and(|basis| basis.repeated.contains(key))
    };
    for declared in &desired.resources {
        if let Some(file) = files.get_mut(&*declared.path) {
            file.keys.push(&declared.key, repeated(&declared.key));
        }
    }
    files
}

/// The parts of the checkpoint that an incremental pass changes; the rest stays.
fn incremental_update(
    unread: &IncrementalRead,
    basis: &CheckpointBasis,
    plan: &Plan,
) -> IncrementalUpdate {
    let count = |verbs: &[StepVerb]| {
        let steps = plan.steps.iter();
        steps.filter(|step| verbs.contains(&step.verb)).count() as u64
    };
    let gives_up = |update: &ClaimUpdate| !matches!(update.claim, ClaimAction::Write(_));
    let is_lost = |step: &Step| step.reason == StepReason::Removed;
    let loses = plan.steps.iter().any(is_lost) || plan.claim_updates.iter().any(gives_up);
    let claimed = basis.claimed + count(&[StepVerb::Create, StepVerb::Adopt]);
    IncrementalUpdate {
        gone: unread.gone.clone(),
        claimed: (!loses).then(|| claimed - count(&[StepVerb::Delete])),
    }
}

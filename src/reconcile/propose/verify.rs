//! Reads the files as proposed, before anybody writes them, to see that they mean what was
//! intended.

use super::{ChangedFile, ManifestProposal};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::manifest::Tree;
use crate::model::Key;
use crate::reconcile::{PassError, SourceReading, source_reading};
use crate::stop_flag::StopFlag;
use std::collections::{BTreeMap, BTreeSet};

/// Fails if the files do not declare what is proposed, or have an error that they did not have
/// before.
pub(super) fn verify_proposal<'k>(
    config: &Config,
    there: &SourceReading,
    proposal: &ManifestProposal,
    mut new: impl Iterator<Item = &'k Key>,
) -> Result<(), PassError> {
    if proposal.files.is_empty() {
        return Ok(());
    }
    let before = files(there, &proposal.files);
    let mut after = before.clone();
    for file in &proposal.files {
        after.insert(file.path.clone(), file.after.clone().into_bytes());
    }
    let read = |files| {
        let tree = Tree::from_files(files);
        source_reading::read_tree(config, &there.source, tree, &StopFlag::default())
    };
    let (before, after) = (read(before), read(after));
    let refused = |why: String| {
        PassError::Refused(format!(
            "the proposed changes would make the manifests invalid: {why}; nothing was written"
        ))
    };
    let known: BTreeSet<_> = before.diagnostics.iter().map(fault).collect();
    let mut wrong = after.diagnostics.iter().filter(|found| found.is_error());
    if let Some(found) = wrong.find(|found| !known.contains(&fault(found))) {
        return Err(refused(found.message.clone()));
    }
    match new.find(|key| !after.desired.resources.contains(key)) {
        Some(key) => Err(refused(format!(
            "{key} would not be read; see `.rosterignore`"
        ))),
        None => Ok(()),
    }
}

fn fault(found: &Diagnostic) -> (&'static str, Option<Key>, Option<String>, String) {
    let field = found.field.as_ref().map(ToString::to_string);
    (
        found.code.name(),
        found.key.clone(),
        field,
        found.message.clone(),
    )
}

/// The current manifests, with the `.rosterignore` files that exclude others.
fn files(there: &SourceReading, changed: &[ChangedFile]) -> BTreeMap<String, Vec<u8>> {
    let tree = &there.tree;
    let mut paths: BTreeSet<String> = tree
        .files
        .iter()
        .map(|file| file.path.to_string())
        .collect();
    for file in changed {
        let folders = file
            .path
            .match_indices('/')
            .map(|(at, _)| &file.path[..=at]);
        paths.extend(
            [""].into_iter()
                .chain(folders)
                .map(|folder| format!("{folder}.rosterignore")),
        );
    }
    let read = paths.into_iter();
    read.filter_map(|path| tree.file(&path).ok().map(|bytes| (path, bytes)))
        .collect()
}

//! What another source knows better than the manifests of a directory, as edits of its files.

mod comparison;
mod proposed_cell;
mod rules;
mod verify;

use super::export_manifests::{folders, item, laid_beside};
use super::{PassError, PassRequest, SourceReading, feeds, source_reading};
use crate::check;
use crate::config::{Config, Source, SourceLocation};
use crate::diagnostic::Diagnostic;
use crate::manifest::edit::{ManifestEdit, edit};
use crate::manifest::layout::{ManifestExport, lay_out};
use crate::model::{DeclaredResource, Desired, KeyedList, LineColumn, Snapshot};
use comparison::{DirectoryComparison, ProposedEdit};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What may be proposed beside other values of what the directory says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProposalScope {
    /// Fields that the directory says nothing of.
    pub add: bool,
    /// Resources that it does not declare.
    pub new: bool,
}

/// A file that would be another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedFile {
    /// Its path below the directory.
    pub path: String,
    /// Its text; `None`: it is new.
    pub before: Option<String>,
    /// Its text with the proposals.
    pub after: String,
}

/// One value that is proposed, or a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposedItem {
    /// What it is about: `Account/acme name`.
    pub subject: String,
    /// Where the source says so: file, line and column.
    pub from: String,
}

/// What could not be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnwrittenItem {
    /// What it is about.
    pub subject: String,
    /// Where: below the directory, or in the source.
    pub path: String,
    /// Whether the place is in the source, and not in the directory.
    pub in_source: bool,
    /// Where in that file.
    pub position: LineColumn,
    pub why: String,
}

/// What a source knows better than a directory.
#[derive(Clone, Debug, Default)]
pub struct ManifestProposal {
    /// The directory.
    pub root: PathBuf,
    /// The same as the configuration writes it.
    pub written: String,
    /// The digest of the export, or the revision of the source.
    pub digest: String,
    /// The files to change or to add, by path.
    pub files: Vec<ChangedFile>,
    /// What is in them.
    pub proposed: Vec<ProposedItem>,
    /// What could not be written.
    pub unwritten: Vec<UnwrittenItem>,
    /// How many fields more there would be with those that the directory says nothing of.
    pub needs_add: usize,
    /// How many resources more there would be with those that it does not declare.
    pub needs_new: usize,
    /// What was found in the source.
    pub diagnostics: Vec<Diagnostic>,
    /// Why nothing of the source is believed.
    pub doubt: Option<String>,
}

/// Compares what a source says with the manifests of a directory, without a database.
pub fn propose(
    config: &Config,
    source: &Source,
    into: &Source,
    more: ProposalScope,
    request: &PassRequest,
) -> Result<ManifestProposal, PassError> {
    let SourceLocation::Directory(root) = &into.place else {
        let why = format!("source {} is not a directory on this host", into.name);
        return Err(PassError::Usage(why));
    };
    let (mut from, doubt) = match source.feed() {
        Some(feed) => feeds::read_without_database(config, source, feed, request),
        None => (
            source_reading::read_tree(
                config,
                source,
                source_reading::source_tree(config, source, request),
                &request.stop,
            ),
            None,
        ),
    };
    let digest = match from.export_facts() {
        Some(facts) => facts.digest.to_string(),
        None => from.desired.revision.to_string(),
    };
    let mut proposal = ManifestProposal {
        root: root.clone(),
        written: into.written.clone(),
        digest,
        diagnostics: std::mem::take(&mut from.diagnostics),
        doubt: doubt.or_else(|| from.desired.removals_off.first().cloned()),
        ..ManifestProposal::default()
    };
    if proposal.doubt.is_some() {
        return Ok(proposal);
    }
    let tree = source_reading::source_tree(config, into, request);
    let mut there = source_reading::read_tree(config, into, tree, &request.stop);
    if let Some(why) = there.desired.removals_off.first() {
        let why = format!("cannot determine what source {} declares: {why}", into.name);
        return Err(PassError::Refused(why));
    }
    let beside = resources_of_other_directories(config, [source, into], request);
    typed(&mut proposal.diagnostics, &mut from, &mut there, &beside);
    let mut found = DirectoryComparison::between(&from, &there, &proposal.diagnostics, more);
    proposal.needs_add = found.needs_add;
    proposal.needs_new = found.needs_new;
    proposal.unwritten.append(&mut found.unwritten);
    found.settle(config, (&from, &there), &beside, &mut proposal.unwritten);
    write(&found, &there, &mut proposal);
    verify::verify_proposal(config, &there, &proposal, found.new.keys())?;
    Ok(proposal)
}

/// What other directories declare, which references may be to.
fn resources_of_other_directories(
    config: &Config,
    but: [&Source; 2],
    request: &PassRequest,
) -> Vec<Arc<DeclaredResource>> {
    let others = config
        .sources
        .iter()
        .filter(|source| source.feed().is_none() && but.iter().all(|but| but.name != source.name));
    let readings = others.map(|source| {
        let tree = source_reading::source_tree(config, source, request);
        source_reading::read_tree(config, source, tree, &request.stop)
    });
    let declared = readings.map(|reading| {
        let all = reading.desired.resources.iter().cloned();
        all.collect::<Vec<_>>()
    });
    declared.flatten().collect()
}

/// Makes the custom values of both sides comparable.
fn typed(
    found: &mut Vec<Diagnostic>,
    from: &mut SourceReading,
    there: &mut SourceReading,
    beside: &[Arc<DeclaredResource>],
) {
    let all = there.desired.resources.iter().chain(beside);
    let together = Desired {
        resources: all.cloned().collect::<KeyedList<_>>(),
        ..Desired::default()
    };
    let definitions = check::definitions(&together, &Snapshot::default());
    let mut wrong = Vec::new();
    from.desired = check::type_custom(&from.as_read, &definitions, &mut wrong);
    found.extend(wrong.into_iter().map(|finding| finding.diagnostic));
    // What is wrong with what is declared already is for `validate` to tell.
    there.desired = check::type_custom(&there.as_read, &definitions, &mut Vec::new());
}

/// Makes the edits in the files, and lays the new resources beside them.
fn write(found: &DirectoryComparison, there: &SourceReading, proposal: &mut ManifestProposal) {
    let mut by_file: BTreeMap<&str, Vec<&ProposedEdit>> = BTreeMap::new();
    for making in &found.edits {
        by_file.entry(&making.path).or_default().push(making);
    }
    for (path, makings) in by_file {
        let Some(before) = there.tree.text(path) else {
            let lost = makings
                .iter()
                .map(|making| making.unwritten("the file cannot be read"));
            proposal.unwritten.extend(lost);
            continue;
        };
        let edits: Vec<ManifestEdit> = makings.iter().map(|making| making.edit.clone()).collect();
        let edited = edit(path, &before, &edits);
        let mut dropped = BTreeSet::new();
        for lost in edited.dropped {
            dropped.insert(lost.index);
            proposal.unwritten.push(UnwrittenItem {
                position: lost.at,
                ..makings[lost.index].unwritten(&lost.why)
            });
        }
        let made = makings.iter().enumerate();
        let made = made.filter(|(index, _)| !dropped.contains(index));
        proposal
            .proposed
            .extend(made.map(|(_, making)| ProposedItem {
                subject: making.edit.subject(),
                from: making.from.clone(),
            }));
        if edited.text != before {
            proposal.files.push(ChangedFile {
                path: path.to_owned(),
                before: Some(before),
                after: edited.text,
            });
        }
    }
    let ManifestExport { manifests, .. } = laid_out(found, there, &proposal.root);
    proposal
        .proposed
        .extend(found.new.values().map(|declared| ProposedItem {
            subject: declared.key.to_string(),
            from: format!(
                "{}:{}:{}",
                declared.path, declared.position.line, declared.position.column
            ),
        }));
    proposal
        .files
        .extend(manifests.into_iter().map(|(path, after)| ChangedFile {
            path,
            before: None,
            after,
        }));
    proposal.files.sort_by(|a, b| a.path.cmp(&b.path));
}

fn laid_out(
    found: &DirectoryComparison,
    there: &SourceReading,
    root: &std::path::Path,
) -> ManifestExport {
    if found.new.is_empty() {
        return ManifestExport::default();
    }
    let mut beside = laid_beside(root, folders(there.desired.resources.iter()));
    beside.owning_accounts.clone_from(&found.account_of);
    lay_out(
        found.new.values().map(|declared| item(declared)).collect(),
        &beside,
    )
}

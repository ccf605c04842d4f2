//! Proposes edits of a directory's manifests where another source knows better. Start reading at
//! [`propose`].

mod comparison;
mod delivery;
mod gone_people;
mod patch;
mod proposed_cell;
mod rules;
mod upload;
mod verify;

use super::export_manifests::{folders, item, laid_beside};
use super::{PassError, PassRequest, SourceReading, feeds, source_reading};
use crate::check::{self, CustomFieldDefinitions};
use crate::config::{Config, Source};
use crate::diagnostic::Diagnostic;
use crate::manifest::edit::{ManifestEdit, edit};
use crate::manifest::layout::{ManifestExport, lay_out};
use crate::model::{DeclaredResource, Desired, KeyedList, LineColumn, Snapshot};
use crate::store::Store;
use comparison::{DirectoryComparison, ProposedEdit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use delivery::ProposedBranch;
pub use upload::{UploadProposal, UploadedContent, propose_upload};

/// What may be proposed besides other values for fields that the directory declares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProposalScope {
    /// Fields that the directory does not state.
    pub add: bool,
    /// Resources that the directory does not declare.
    pub new: bool,
}

/// A file to be changed or added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedFile {
    /// Its path below the directory.
    pub path: String,
    /// Its text, or `None` for a new file.
    pub before: Option<String>,
    /// Its text with the proposals.
    pub after: String,
}

/// One proposed value or resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposedItem {
    /// Its subject, such as `Account/acme name`.
    pub subject: String,
    /// The place in the source: file, line and column.
    pub from: String,
}

/// A proposal that could not be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnwrittenItem {
    pub subject: String,
    /// The file, below the directory or in the source.
    pub path: String,
    /// Whether the file is in the source.
    pub in_source: bool,
    /// The place in that file.
    pub position: LineColumn,
    pub why: String,
}

/// The edits by which a directory would follow a source.
#[derive(Clone, Debug, Default)]
pub struct ManifestProposal {
    /// The directory or repository as the configuration writes it.
    pub written: String,
    /// The commit that the files were read from. `None` for a directory.
    pub revision: Option<String>,
    /// The digest of the export, or the revision of the source.
    pub digest: String,
    /// The files to change or to add, by path.
    pub files: Vec<ChangedFile>,
    /// The values and resources in these files.
    pub proposed: Vec<ProposedItem>,
    pub unwritten: Vec<UnwrittenItem>,
    /// How many more fields `add` would propose.
    pub needs_add: usize,
    /// How many more resources `new` would propose.
    pub needs_new: usize,
    pub diagnostics: Vec<Diagnostic>,
    /// The files of diagnostics that are only in the proposal, also where it is refused.
    pub proposed_paths: BTreeSet<Arc<str>>,
    /// Why nothing was proposed, if the source is in doubt.
    pub doubt: Option<String>,
}

impl ManifestProposal {
    /// Whether a diagnostic is about a place in what is proposed, and in no file yet.
    #[must_use]
    pub fn is_proposed(&self, found: &Diagnostic) -> bool {
        let origin = found.origin.as_ref();
        origin.is_some_and(|origin| self.proposed_paths.contains(&origin.path))
    }
}

/// Compares what a source says with the manifests of a directory or repository. The database is only
/// asked who was erased.
pub async fn propose(
    config: &Config,
    source: &Source,
    into: &Source,
    more: ProposalScope,
    request: &PassRequest,
    store: &Store,
) -> Result<ManifestProposal, PassError> {
    let mut read = match source.feed() {
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
    gone_people::leave_out_erased(&mut read.0, store).await?;
    let stored = Snapshot::default();
    let mut draft = ProposalDraft::compare(config, read, into, more, request, &stored)?;
    if draft.proposal.doubt.is_none() {
        draft.settle(config);
        draft.write_files();
        draft.verify(config)?;
    }
    Ok(draft.proposal)
}

/// A proposal on its way, with what it was made of.
struct ProposalDraft {
    from: SourceReading,
    there: SourceReading,
    /// The resources of other directories, which may be the targets of references.
    beside: Vec<Arc<DeclaredResource>>,
    found: DirectoryComparison,
    proposal: ManifestProposal,
}

impl ProposalDraft {
    /// Compares what was read with the manifests of a source. With a doubt, nothing is compared.
    /// `stored` has the definitions of custom fields that no directory declares.
    fn compare(
        config: &Config,
        (mut from, doubt): (SourceReading, Option<String>),
        into: &Source,
        more: ProposalScope,
        request: &PassRequest,
        stored: &Snapshot,
    ) -> Result<Self, PassError> {
        if into.feed().is_some() {
            let why = format!("source {} is an export and has no manifests", into.name);
            return Err(PassError::Usage(why));
        }
        let digest = match from.export_facts() {
            Some(facts) => facts.digest.to_string(),
            None => from.desired.revision.to_string(),
        };
        let tree = source_reading::source_tree(config, into, request);
        let mut there = source_reading::read_tree(config, into, tree, &request.stop);
        let mut proposal = ManifestProposal {
            written: into.written.clone(),
            revision: there.tree.revision.as_deref().map(str::to_owned),
            digest,
            diagnostics: std::mem::take(&mut from.diagnostics),
            doubt: doubt.or_else(|| from.desired.removals_off.first().cloned()),
            ..ManifestProposal::default()
        };
        let (mut beside, mut found) = (Vec::new(), DirectoryComparison::default());
        // From half an export, half of the directory would be rewritten.
        if proposal.doubt.is_none() {
            // With a file unread, a resource could be proposed as new beside its hidden
            // declaration.
            if let Some(why) = there.desired.removals_off.first() {
                let why = format!("cannot determine what source {} declares: {why}", into.name);
                return Err(PassError::Refused(why));
            }
            beside = resources_of_other_directories(config, [&from.source, into], request);
            let definitions = definitions(&there, &beside, stored);
            typed(
                &mut proposal.diagnostics,
                &mut from,
                &mut there,
                &definitions,
            );
            found = DirectoryComparison::between(&from, &there, &proposal.diagnostics, more);
            proposal.needs_add = found.needs_add;
            proposal.needs_new = found.needs_new;
            proposal.unwritten.append(&mut found.unwritten);
            let erased = gone_people::unwritten(&proposal.diagnostics);
            proposal.unwritten.extend(erased);
        }
        Ok(Self {
            from,
            there,
            beside,
            found,
            proposal,
        })
    }

    /// Drops what would break a rule that can be checked without a database.
    fn settle(&mut self, config: &Config) {
        let readings = (&self.from, &self.there);
        let unwritten = &mut self.proposal.unwritten;
        self.found.settle(config, readings, &self.beside, unwritten);
    }

    /// Reads the finished files: an edit that means something else than intended must not be
    /// written.
    fn verify(&self, config: &Config) -> Result<(), PassError> {
        verify::verify_proposal(config, &self.there, &self.proposal, self.found.new.keys())
    }

    /// Makes the edits in the files and adds files for new resources.
    fn write_files(&mut self) {
        let proposal = &mut self.proposal;
        let mut by_file: BTreeMap<&str, Vec<&ProposedEdit>> = BTreeMap::new();
        for making in &self.found.edits {
            by_file.entry(&making.path).or_default().push(making);
        }
        for (path, makings) in by_file {
            let Some(before) = self.there.tree.text(path) else {
                let lost = makings
                    .iter()
                    .map(|making| making.unwritten("the file cannot be read"));
                proposal.unwritten.extend(lost);
                continue;
            };
            // All edits of a file at once, since each one moves the places of those after it.
            let edits: Vec<ManifestEdit> =
                makings.iter().map(|making| making.edit.clone()).collect();
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
        let ManifestExport { manifests, .. } = laid_out(&self.found, &self.there);
        proposal
            .proposed
            .extend(self.found.new.values().map(|declared| ProposedItem {
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
}

/// The resources of other directories, which may be the targets of references.
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

/// The custom fields that the directory may use.
fn definitions(
    there: &SourceReading,
    beside: &[Arc<DeclaredResource>],
    stored: &Snapshot,
) -> CustomFieldDefinitions {
    let all = there.desired.resources.iter().chain(beside);
    let mut all: Vec<Arc<DeclaredResource>> = all.cloned().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let together = Desired {
        resources: all.into_iter().collect::<KeyedList<_>>(),
        ..Desired::default()
    };
    check::definitions(&together, stored)
}

/// Gives the custom values of both sides their types, so that they can be compared.
fn typed(
    found: &mut Vec<Diagnostic>,
    from: &mut SourceReading,
    there: &mut SourceReading,
    definitions: &CustomFieldDefinitions,
) {
    let mut wrong = Vec::new();
    from.desired = check::type_custom(&from.as_read, definitions, &mut wrong);
    found.extend(wrong.into_iter().map(|finding| finding.diagnostic));
    // Faults in the directory's own manifests are for `validate` to report.
    there.desired = check::type_custom(&there.as_read, definitions, &mut Vec::new());
}

fn laid_out(found: &DirectoryComparison, there: &SourceReading) -> ManifestExport {
    if found.new.is_empty() {
        return ManifestExport::default();
    }
    let mut beside = laid_beside(&there.tree, folders(there.desired.resources.iter()));
    beside.owning_accounts.clone_from(&found.account_of);
    lay_out(
        found.new.values().map(|declared| item(declared)).collect(),
        &beside,
    )
}

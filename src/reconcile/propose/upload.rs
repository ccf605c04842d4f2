//! Proposes what somebody sent, such as the form of the page or a file from the ERP, as edits of the
//! manifests of a source, and plans them against the database. Nothing is written: the proposal goes
//! to a branch or a patch. Start reading at [`propose_upload`].

use super::{ManifestProposal, ProposalDraft, ProposalScope, UnwrittenItem, gone_people};
use crate::config::{
    CompletenessRule, Config, FeedConfig, FeedLocation, RELEASED_AFTER, Source, SourceLocation,
};
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::feed::{self, mapping::Mapping};
use crate::kinds::{self, CUSTOM_FIELD};
use crate::manifest::{SentFile, Tree};
use crate::model::{RowMatches, Snapshot};
use crate::plan::Plan;
use crate::reconcile::export_manifests::is_deleted;
use crate::reconcile::push_reading::{PushedBody, SourcePushes};
use crate::reconcile::{
    PassError, PassRequest, PlanReader, SourceReading, feeds, plan_submitted_tree, source_reading,
};
use crate::stop_flag::StopFlag;
use crate::store::Store;
use std::collections::{BTreeSet, HashSet};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

/// The path of a manifest that was sent, until the proposal has files of its own.
const SENT_MANIFEST: &str = "proposal.yaml";

/// What was sent.
#[derive(Clone, Debug)]
pub enum UploadedContent {
    /// New resources as a manifest. Either all of them are proposed or none.
    Manifest(String),
    /// An export. Rows with errors are left out, and the others are proposed.
    Export {
        mapping: Arc<Mapping>,
        /// Its name in diagnostics.
        name: Arc<str>,
        bytes: Arc<[u8]>,
    },
}

/// A proposal, with the plan that it would lead to. Without a change there is no plan.
pub struct UploadProposal {
    pub proposal: ManifestProposal,
    pub plan: Option<Plan>,
}

/// Proposes what was sent for the manifests of source `index`, as this reader may see it.
pub async fn propose_upload(
    config: &Config,
    index: usize,
    content: UploadedContent,
    reader: &PlanReader,
    stop: &StopFlag,
    store: &Store,
) -> Result<UploadProposal, PassError> {
    let into = &config.sources[index];
    let all_or_nothing = matches!(content, UploadedContent::Manifest(_));
    let request = PassRequest {
        stop: stop.clone(),
        row_matches: Some(Arc::new(row_matches(&content, store).await?)),
        ..PassRequest::default()
    };
    let mut read = read(config, into, content, &request);
    gone_people::leave_out_erased(&mut read.0, store).await?;
    reader.conceal(&mut read.0.diagnostics);
    let more = ProposalScope {
        add: true,
        new: true,
    };
    let stored = stored_definitions(store).await?;
    let mut draft = ProposalDraft::compare(config, read, into, more, &request, &stored)?;
    if all_or_nothing {
        let again = already_declared(&draft);
        draft.proposal.diagnostics.extend(again);
        let absent = already_gone(&draft);
        draft.proposal.unwritten.extend(absent);
    }
    let is_refused = |draft: &ProposalDraft| {
        let proposal = &draft.proposal;
        let is_wrong = |found: &Diagnostic| found.is_error() || gone_people::is_about_erased(found);
        let wrong = proposal.diagnostics.iter().any(is_wrong);
        proposal.doubt.is_some() || all_or_nothing && (wrong || !proposal.unwritten.is_empty())
    };
    let mut plan = None;
    while !is_refused(&draft) {
        draft.proposal.files.clear();
        draft.proposal.proposed.clear();
        draft.write_files();
        if draft.proposal.files.is_empty() {
            // What was dropped last must not be shown by its plan.
            plan = None;
            break;
        }
        draft.verify(config)?;
        let files = draft.proposal.files.iter();
        let edits = files.map(|file| (file.path.clone(), file.after.clone()));
        let tree = draft.there.tree.with_edits(edits);
        let (made, _) = plan_submitted_tree(config, index, tree, stop.clone(), store).await?;
        let made = reader.view(made, store).await?;
        let mut wrong: Vec<Diagnostic> = draft.errors_of(&made).collect();
        wrong.extend(draft.deleted_ids(&made));
        plan = Some(made);
        if all_or_nothing {
            draft.proposal.diagnostics.extend(wrong);
            break;
        }
        let readings = (&draft.from, &draft.there);
        let unwritten = &mut draft.proposal.unwritten;
        if draft.found.drop_faulty(&wrong, readings, unwritten) == 0 {
            break;
        }
    }
    let is_refused = is_refused(&draft);
    if let Some(plan) = &plan {
        draft.show_findings(plan);
    }
    let mut proposal = draft.proposal_of_new(is_refused);
    // Edits that cannot be written are found again in every round.
    let mut seen = HashSet::new();
    proposal
        .unwritten
        .retain(|item| seen.insert((item.subject.clone(), item.why.clone())));
    Ok(UploadProposal { proposal, plan })
}

/// The stored users whom rows without an id mean.
async fn row_matches(content: &UploadedContent, store: &Store) -> Result<RowMatches, PassError> {
    match content {
        UploadedContent::Manifest(_) => Ok(RowMatches::default()),
        UploadedContent::Export { mapping, bytes, .. } => {
            let terms = feed::match_terms(Cursor::new(&**bytes), mapping);
            Ok(store.row_matches(&terms).await?)
        }
    }
}

fn read(
    config: &Config,
    into: &Source,
    content: UploadedContent,
    request: &PassRequest,
) -> (SourceReading, Option<String>) {
    match content {
        UploadedContent::Manifest(text) => {
            let sent = SentFile::Bytes(text.into_bytes());
            let tree = Tree::of_sent([(SENT_MANIFEST.to_owned(), sent)]);
            (
                source_reading::read_tree(config, into, tree, &request.stop),
                None,
            )
        }
        UploadedContent::Export {
            mapping,
            name,
            bytes,
        } => {
            let feed = FeedConfig {
                body: FeedLocation::Pushed,
                mapping,
                complete: CompletenessRule::default(),
                max_age: None,
                absence: None,
                released_after: RELEASED_AFTER,
            };
            let source = Source {
                place: SourceLocation::Export(feed.clone()),
                prune: false,
                ..Source::unnamed(&feed.mapping.name, Path::new(&*name))
            };
            let body = PushedBody {
                name,
                bytes,
                only_keys: None,
            };
            let pushed = SourcePushes {
                source: Arc::clone(&source.name),
                bodies: vec![body],
            };
            let request = PassRequest {
                pushed: Some(Arc::new(pushed)),
                ..request.clone()
            };
            feeds::read_without_database(config, &source, &feed, &request)
        }
    }
}

/// The stored custom fields, which a source that is not a directory may have defined.
async fn stored_definitions(store: &Store) -> Result<Snapshot, PassError> {
    let records = store.records(CUSTOM_FIELD).await?;
    Ok(Snapshot {
        rows: records.into_iter().map(|record| record.row).collect(),
        ..Snapshot::default()
    })
}

/// The new resources that the manifests declare already.
fn already_declared(draft: &ProposalDraft) -> Vec<Diagnostic> {
    let sent = draft.from.desired.resources.iter();
    let both = sent.filter_map(|sent| draft.there.desired.resources.get(&sent.key));
    let found = both.map(|declared| {
        let kind = kinds::get(declared.key.kind);
        let place = Origin {
            path: Arc::clone(&declared.path),
            at: declared.position,
        };
        Diagnostic::new(codes::DUPLICATE_RESOURCE, "it is already declared")
            .for_resource(&declared.key)
            .at(place)
            .help(format!(
                "Choose another id, or change the {} where it is declared",
                kind.singular
            ))
    });
    found.collect()
}

/// The new resources that are to be deleted, which no manifest declares.
fn already_gone(draft: &ProposalDraft) -> Vec<UnwrittenItem> {
    let sent = draft.from.desired.resources.iter();
    let gone = sent.filter(|sent| is_deleted(sent));
    let gone = gone.filter(|sent| !draft.there.desired.resources.contains(&sent.key));
    let why = "the manifests do not declare it, so there is nothing to delete";
    gone.map(|sent| UnwrittenItem::new_one(sent, why.to_owned()))
        .collect()
}

impl ProposalDraft {
    /// The errors of a plan about what is proposed.
    fn errors_of<'p>(&'p self, plan: &'p Plan) -> impl Iterator<Item = Diagnostic> + 'p {
        let found = plan.diagnostics.iter();
        let found = found.filter(|found| {
            let key = found.key.as_ref();
            found.is_error() && key.is_some_and(|key| self.is_proposed(key))
        });
        found.cloned()
    }

    /// Adds all diagnostics of a plan, as a plan shows them all: a change also has consequences for
    /// resources that it does not name. Those about what is proposed come first.
    fn show_findings(&mut self, plan: &Plan) {
        let is_own = |found: &&Diagnostic| {
            let key = found.key.as_ref();
            key.is_some_and(|key| self.is_proposed(key))
        };
        let (own, others): (Vec<_>, Vec<_>) = plan.diagnostics.iter().partition(is_own);
        let mut all = std::mem::take(&mut self.proposal.diagnostics);
        // The same fault has another place in what was sent than in the file that it becomes.
        let signature = |found: &Diagnostic| (found.code, found.key.clone(), found.message.clone());
        let mut known: HashSet<_> = all.iter().map(signature).collect();
        let found = own.into_iter().chain(others);
        all.extend(
            found
                .filter(|found| known.insert(signature(found)))
                .cloned(),
        );
        self.proposal.diagnostics = all;
    }

    /// The files of diagnostics that are only in the proposal.
    fn proposed_paths(&self) -> BTreeSet<Arc<str>> {
        let is_new = |path: &str| {
            let mut files = self.proposal.files.iter();
            files.any(|file| file.before.is_none() && file.path == path)
        };
        let is_there = |path: &str| self.there.tree.files.iter().any(|file| *file.path == *path);
        let origins = self.proposal.diagnostics.iter();
        let paths = origins.filter_map(|found| Some(&found.origin.as_ref()?.path));
        paths
            .filter(|path| is_new(path) || ***path == *SENT_MANIFEST && !is_there(path))
            .cloned()
            .collect()
    }

    /// The finished proposal: without files where it is refused as a whole.
    fn proposal_of_new(self, is_refused: bool) -> ManifestProposal {
        let proposed_paths = self.proposed_paths();
        let mut proposal = ManifestProposal {
            proposed_paths,
            ..self.proposal
        };
        if is_refused {
            proposal.files.clear();
            proposal.proposed.clear();
        }
        proposal
    }
}

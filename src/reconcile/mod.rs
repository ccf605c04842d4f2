//! One pass: read the sources, check, plan, apply, record. The command line, the daemon and the API
//! all call this module, so a plan is the same through every door.
//!
//! [`Pass::read`] reads the sources, `Pass::plan` plans one of them, and [`apply()`] writes the plan
//! and remembers what was read. Start reading at [`Pass`].

mod actor;
mod apply;
mod approval_progress;
mod backup;
mod base_plan;
mod changed_rows;
mod columns;
mod coming_ends;
mod commit_trailers;
mod compare;
mod completeness;
mod database;
mod declared_by;
mod declared_value;
mod directory_export;
mod dossier;
mod drop_folder;
mod emptied_files;
mod erased_users;
mod error;
mod export_manifests;
mod feeds;
mod fetch;
mod hold_listing;
mod impact;
mod incremental_plan;
mod incremental_read;
mod job_files;
mod other_changes;
mod pass_verdict;
mod past_state;
mod person_quotes;
mod phase;
mod plan_accounts;
mod plan_reader;
mod plan_visibility;
mod propose;
mod provenance;
mod push_reading;
mod recorded_changes;
mod revert;
mod revert_holds;
mod reverted_removals;
mod row_reading;
mod run;
mod run_cause;
mod runtime_facts;
mod source_plan;
mod source_reading;
mod submitted_tree;
mod targets;
mod typing;
mod unconfigured_claims;
mod undone_changes;
mod validate;
mod value_setter;

pub use crate::document::PassOutcome;
pub use actor::actor;
pub use apply::{
    ApplySummary, LeaseGuard, apply, apply_saved, check_same_database, check_same_environment,
    check_source_located, rehearse, this_process,
};
pub use approval_progress::{approvals_so_far, approved_before, has_approved, needs_others};
pub use backup::{archive_names, backup_name, write_backup};
pub use base_plan::{PlanBaseRevision, mark_base};
pub use compare::{CompareError, RevisionComparison, compare};
pub use database::{OpenedStore, check_environment, reader, reader_or_none, writer, writer_or_new};
pub use declared_by::find_hold_commits;
pub use declared_value::DeclaredValue;
pub use directory_export::{DirectoryExport, UndeclarableSummary, directory_manifests};
pub use dossier::dossier;
pub use erased_users::{NamingPlace, places_naming};
pub use error::PassError;
pub use export_manifests::{ConvertedExport, manifests};
pub use fetch::{FetchError, FetchResults, UnreachedSource, fetch};
pub use hold_listing::{find_hold_accounts, hold_states, hold_views, record_holds};
pub use job_files::{ArrivingFile, JobFiles, ReceiveError};
pub use pass_verdict::PassVerdict;
pub use past_state::{PastMoment, PastResource, past_state};
pub use plan_accounts::find_plan_accounts;
pub use plan_reader::PlanReader;
pub use plan_visibility::plan_visibility;
pub use propose::{
    ChangedFile, ManifestProposal, ProposalScope, ProposedBranch, ProposedItem, UnwrittenItem,
    UploadProposal, UploadedContent, propose, propose_upload,
};
pub use provenance::{
    FieldProvenance, FieldStatement, ResourceProvenance, SourceStatement, provenance,
};
pub use push_reading::{PushedBody, SourcePushes};
pub use revert::{RevertError, RevertableRun, apply_revert, plan_revert, run_to_revert};
pub use revert_holds::{refresh_revert_holds, remember_revert_holds, revert_hold_states};
pub use run::{PassDone, PassResult, PlanConsent, PlanDecision, run};
pub use run_cause::used_approvals;
pub use source_plan::TypedPlan;
pub use source_reading::{SourceContent, SourceJudgement, SourceReading, read_sources};
pub use submitted_tree::plan_submitted_tree;
pub use value_setter::ValueSetter;

use phase::PhaseTimer;

use crate::config::Config;
use crate::diagnostic::{Diagnostic, none_called};
use crate::model::{Key, RowMatches};
use crate::plan::CommitAccept;
use crate::stop_flag::StopFlag;

use crate::store::{ImportEnding, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a pass is asked for.
#[derive(Clone, Debug, Default)]
pub struct PassRequest {
    /// Only this source.
    pub source: Option<String>,
    /// Only what these paths contain.
    pub paths: Vec<PathBuf>,
    /// Only these resources, and what they need.
    pub targets: Vec<Key>,
    /// List every stored field that nothing declares.
    pub exact: bool,
    /// Compare every stored column, whatever the versions say.
    pub scrub: bool,
    /// Reads the source with this name at another branch, tag or commit, to be planned but not
    /// applied.
    pub at_revision: Option<(String, String)>,
    /// Whether trailers of signed commits may approve what is held. Only for a plan of the source as
    /// it is, which is applied at once or not saved.
    pub takes_trailers: bool,
    /// The overrides in such trailers.
    pub commit_accepts: Vec<CommitAccept>,
    /// Reads no password: whoever sent the tree must not learn what is where.
    pub ignores_passwords: bool,
    /// The sources that could not be fetched and count as unreadable.
    pub unreached: BTreeMap<Arc<str>, UnreachedSource>,
    /// The records that were sent to a pushed source.
    pub pushed: Option<Arc<SourcePushes>>,
    /// The stored users that rows without an external id mean, for pushes and imports by hand.
    pub row_matches: Option<Arc<RowMatches>>,
    /// How the imports end if the plan is applied.
    pub push_endings: Vec<ImportEnding>,
    /// Ends the pass at the next possible place.
    pub stop: StopFlag,
}

/// Whether a person supplies the export by hand, in which case it needs no approval to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ManualExport {
    /// The export is fetched.
    #[default]
    NotManual,
    /// It may be a part: it is compared with nothing, and its absences do not count.
    Part,
    /// It is whole, as if it had been fetched.
    Whole,
}

/// The sources of a pass as they were read, with the configuration.
pub struct Pass<'a> {
    pub config: &'a Config,
    /// Every configured source, in order.
    pub readings: Vec<SourceReading>,
    pub request: PassRequest,
    pub by_hand: ManualExport,
}

impl<'a> Pass<'a> {
    /// Reads every configured source; of a source that was applied before, only the files that
    /// changed since.
    pub async fn read(
        config: &'a Config,
        request: PassRequest,
        store: &Store,
    ) -> Result<Self, PassError> {
        let _phase = PhaseTimer::begin("reading the sources");
        let pass = match incremental_read::read(config, &request, store).await? {
            Some(readings) => {
                Self::check_source_exists(config, &request)?;
                Self {
                    config,
                    readings,
                    request,
                    by_hand: ManualExport::NotManual,
                }
            }
            None => Self::read_in_full(config, request)?,
        };
        targets::check_targets_exist(&pass, store).await?;
        pass.without_erased(store).await
    }

    /// Reads the requested source again and takes over what another pass read of the others; `None`
    /// when everything has to be read.
    pub async fn reread(
        config: &'a Config,
        request: PassRequest,
        store: &Store,
        readings: Vec<SourceReading>,
    ) -> Result<Option<Self>, PassError> {
        let _phase = PhaseTimer::begin("reading one source");
        let readings = incremental_read::reread(config, &request, store, readings).await?;
        let Some(readings) = readings else {
            return Ok(None);
        };
        let pass = Self {
            config,
            readings,
            request,
            by_hand: ManualExport::NotManual,
        };
        pass.without_erased(store).await.map(Some)
    }

    /// The pass without anything about users who were erased.
    async fn without_erased(mut self, store: &Store) -> Result<Self, PassError> {
        erased_users::leave_out_erased(&mut self.readings, store).await?;
        Ok(self)
    }

    /// Reads every configured source in full, even for a plan of one, because removals are judged
    /// by all of them.
    pub fn read_in_full(config: &'a Config, request: PassRequest) -> Result<Self, PassError> {
        Self::check_source_exists(config, &request)?;
        Ok(Self {
            config,
            readings: read_sources(config, &request),
            request,
            by_hand: ManualExport::NotManual,
        })
    }

    fn check_source_exists(config: &Config, request: &PassRequest) -> Result<(), PassError> {
        if let Some(name) = &request.source
            && !config.sources.iter().any(|source| *source.name == **name)
        {
            return Err(PassError::Usage(config.no_source(name)));
        }
        if let Some((name, _)) = &request.at_revision {
            let sources = config.sources.iter();
            let git = sources.filter(|source| source.git().is_some());
            let git: Vec<&str> = git.map(|source| &*source.name).collect();
            if !git.contains(&name.as_str()) {
                let why = none_called("git source", name, git);
                return Err(PassError::Usage(why));
            }
        }
        Ok(())
    }

    /// The indices of the requested sources, in order.
    pub fn selected_sources(&self) -> Result<Vec<usize>, PassError> {
        let by_path = self.by_path()?;
        let wanted = |(index, reading): (usize, &SourceReading)| {
            let named = self
                .request
                .source
                .as_ref()
                .is_none_or(|name| **name == *reading.source.name);
            let held = by_path
                .as_ref()
                .is_none_or(|sources| sources.contains(&index));
            (named && held).then_some(index)
        };
        Ok(self
            .readings
            .iter()
            .enumerate()
            .filter_map(wanted)
            .collect())
    }

    fn by_path(&self) -> Result<Option<BTreeSet<usize>>, PassError> {
        let Some(config) = &self.config.path else {
            return Ok(None);
        };
        if self.request.paths.is_empty() {
            return Ok(None);
        }
        let mut sources = BTreeSet::new();
        for path in &self.request.paths {
            let index = self
                .readings
                .iter()
                .position(|reading| reading.relative_path(path).is_some());
            let Some(index) = index else {
                let sources = self.config.sources.iter();
                let sources: Vec<_> = sources
                    .map(|source| format!("{} ({})", source.name, source.written))
                    .collect();
                return Err(PassError::Usage(format!(
                    "{} is in no source of {}: {}",
                    path.display(),
                    config.display(),
                    sources.join(", ")
                )));
            };
            sources.insert(index);
        }
        Ok(Some(sources))
    }

    /// The diagnostics from reading the sources.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.readings
            .iter()
            .flat_map(|reading| &reading.diagnostics)
    }
}

/// The time this long ago, in milliseconds since 1970.
fn millis_before_now(duration: Duration) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.saturating_sub(duration).as_millis()).unwrap_or(i64::MAX)
}

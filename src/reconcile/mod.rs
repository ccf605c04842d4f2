//! One pass: load, read, check, plan, guard, apply, record. Written once; every door only knocks.

mod actor;
mod apply;
mod columns;
mod completeness;
mod database;
mod drop_folder;
mod emptied_files;
mod error;
mod export_manifests;
mod feeds;
mod fetch;
mod incremental;
pub mod json;
mod partial_plan;
mod pass_verdict;
mod phase;
mod propose;
mod provenance;
mod push_reading;
mod run;
mod source_reading;
mod submitted_tree;
mod targets;
mod typing;
mod unconfigured_claims;
mod validate;
mod value_setter;

pub use actor::actor;
pub use apply::{
    ApplySummary, LeaseGuard, apply, apply_saved, check_same_database, check_source_located,
    this_process,
};
pub use database::{OpenedStore, reader, reader_or_none, writer, writer_or_new};
pub use error::PassError;
pub use export_manifests::{ConvertedExport, manifests};
pub use fetch::{FetchError, FetchResults, UnreachedSource, fetch};
pub use pass_verdict::PassVerdict;
pub use propose::{
    ChangedFile, ManifestProposal, ProposalScope, ProposedItem, UnwrittenItem, propose,
};
pub use provenance::{
    FieldProvenance, FieldStatement, ResourceProvenance, SourceStatement, provenance,
};
pub use push_reading::{PushedBody, SourcePushes};
pub use run::{PassDone, PassOutcome, PassResult, PlanConsent, PlanDecision, run};
pub use source_reading::{IncrementalRead, SourceReading, read_sources};
pub use submitted_tree::plan_submitted_tree;
pub use value_setter::ValueSetter;

use phase::PhaseTimer;

use crate::config::{Config, Source};
use crate::diagnostic::{Diagnostic, none_called};
use crate::manifest;
use crate::model::{Key, Snapshot, StopFlag};
use crate::plan::{self, PeerSource, Plan, PlanRules};
use crate::secrets::SecretReader;

use crate::store::{ImportEnding, SnapshotQuery, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a pass is asked for.
#[derive(Clone, Debug, Default)]
pub struct PassRequest {
    /// Only this source.
    pub source: Option<String>,
    /// Only what these paths hold.
    pub paths: Vec<PathBuf>,
    /// Only these resources, and what they need.
    pub targets: Vec<Key>,
    /// List every stored field that nothing declares.
    pub exact: bool,
    /// Compare every stored column, whatever the versions say.
    pub scrub: bool,
    /// The source with this name as it is at another branch, tag or commit of its repository: to be
    /// planned, not to be applied.
    pub at_revision: Option<(String, String)>,
    /// Looks at no password: whoever sent the tree must not find out what is where.
    pub ignores_passwords: bool,
    /// The sources that could not be fetched: they count as unreadable.
    pub unreached: BTreeMap<Arc<str>, UnreachedSource>,
    /// What was sent to a source that is pushed to.
    pub pushed: Option<Arc<SourcePushes>>,
    /// How what was sent comes to its end, if the plan is applied.
    pub push_endings: Vec<ImportEnding>,
    /// Ends the pass at the next place where it can end.
    pub stop: StopFlag,
}

/// Whether a person gives an export by hand: then it begins without being let.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ManualExport {
    /// It is fetched.
    #[default]
    NotManual,
    /// What is given may be a part: it is measured against nothing and counts for nothing.
    Part,
    /// What is given is whole, as if it had been fetched.
    Whole,
}

/// The sources of a pass as they were read, and what the configuration says of each.
pub struct Pass<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Every configured source, in order.
    pub readings: Vec<SourceReading>,
    /// What was asked for.
    pub request: PassRequest,
    /// Whether a person gives an export by hand.
    pub by_hand: ManualExport,
}

impl<'a> Pass<'a> {
    /// Reads every configured source, of those that were applied from the same files only what
    /// changed since.
    pub async fn read(
        config: &'a Config,
        request: PassRequest,
        store: &Store,
    ) -> Result<Self, PassError> {
        let _phase = PhaseTimer::begin("reading the sources");
        let pass = match incremental::read(config, &request, store).await? {
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
        Ok(pass)
    }

    /// Reads the source that is asked for beside what a pass has just read of the others; `None`
    /// when everything has to be read.
    pub async fn reread(
        config: &'a Config,
        request: PassRequest,
        store: &Store,
        readings: Vec<SourceReading>,
    ) -> Result<Option<Self>, PassError> {
        let _phase = PhaseTimer::begin("reading one source");
        let readings = incremental::reread(config, &request, store, readings).await?;
        Ok(readings.map(|readings| Self {
            config,
            readings,
            request,
            by_hand: ManualExport::NotManual,
        }))
    }

    /// Reads every configured source, all of it: removals are judged by all of them.
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

    /// The sources that are asked for, in order.
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

    /// Plans one source on what the database holds once `earlier` is applied.
    pub async fn plan(
        &mut self,
        index: usize,
        store: &Store,
        earlier: &[Plan],
    ) -> Result<Plan, PassError> {
        let mut plan = match partial_plan::plan(self, index, store, earlier).await? {
            Some(plan) => plan,
            None => self.plan_whole(index, store, earlier).await?,
        };
        self.readings[index].verdict = Some(PassVerdict::of(&plan));
        if self.selected_sources()?.first() == Some(&index) {
            unconfigured_claims::note_unconfigured(self.config, store, &mut plan).await?;
        }
        Ok(plan)
    }

    async fn plan_whole(
        &mut self,
        index: usize,
        store: &Store,
        earlier: &[Plan],
    ) -> Result<Plan, PassError> {
        if self.readings[index].incremental.is_some() {
            let _phase = PhaseTimer::begin("reading all of the sources");
            self.readings = source_reading::read_again(
                self.config,
                std::mem::take(&mut self.readings),
                &self.request.stop,
            );
        }
        self.go_on()?;
        let mut stored = self.snapshot(index, store).await?;
        for plan in earlier {
            plan::advance(&mut stored, plan);
        }
        self.disable_removals_if_moved(index, store).await?;
        self.judge_exports(index, &stored, store).await?;
        self.go_on()?;
        let mut plan = self.plan_on(index, &stored);
        self.go_on()?;
        if self
            .judge_others(index, &stored, store, earlier, &plan)
            .await?
        {
            plan = self.plan_on(index, &stored);
            self.go_on()?;
        }
        Ok(plan)
    }

    /// Whether somebody still waits for it: what was stopped came to nothing that may be used.
    fn go_on(&self) -> Result<(), PassError> {
        if self.request.stop.is_set() {
            return Err(PassError::Stopped);
        }
        Ok(())
    }

    /// Reads what the database holds.
    async fn snapshot(&self, index: usize, store: &Store) -> Result<Snapshot, PassError> {
        let _phase = PhaseTimer::begin("reading the database");
        Ok(store.read(&self.query(index)).await?)
    }

    /// What has to be known of a source to plan it.
    fn query(&self, index: usize) -> SnapshotQuery<'_> {
        let reading = &self.readings[index];
        SnapshotQuery {
            source: &reading.source.name,
            declared: reading
                .desired
                .resources
                .iter()
                .map(|declared| &declared.key)
                .collect(),
            spent_since: millis_before_now(self.config.window),
            approved_since: millis_before_now(self.config.approval_ttl),
        }
    }

    /// Without a configuration another path may be another directory: nothing is removed then.
    async fn disable_removals_if_moved(
        &mut self,
        index: usize,
        store: &Store,
    ) -> Result<(), PassError> {
        let reading = &self.readings[index];
        if !reading.source.unnamed {
            return Ok(());
        }
        let before = store.path_of(&reading.source.name).await?;
        let now = reading.source.written.clone();
        if let Some(before) = before.filter(|before| *before != now) {
            let reason = format!(
                "the source `{}` was read from {before} before, but from {now} now; to move it, name it in a `roster.yaml`",
                reading.source.name
            );
            Arc::make_mut(&mut self.readings[index].as_read)
                .removals_off
                .push(reason);
        }
        Ok(())
    }

    /// Plans one source on a state.
    pub fn plan_on(&mut self, index: usize, stored: &Snapshot) -> Plan {
        let _phase = PhaseTimer::begin("checking and comparing");
        let mut found = self.readings[index].relevant_diagnostics(stored);
        found.extend(columns::unmapped(&self.readings[index], stored));
        self.type_custom(index, stored, &mut found);
        let secrets = SecretReader {
            dir: self.config.secrets.clone(),
            sealed: self.request.ignores_passwords,
        };
        let desired = &mut self.readings[index].desired;
        if desired
            .resources
            .iter()
            .any(|it| source_reading::has_password(it))
        {
            found.extend(secrets.compare(Arc::make_mut(desired), stored));
        }
        let rules = self.rules(index, stored);
        let reading = &self.readings[index];
        let mut plan = plan::plan(&reading.desired, stored, &rules, &found);
        manifest::locate(&reading.tree, &mut plan.diagnostics);
        plan
    }

    fn rules(&self, index: usize, stored: &Snapshot) -> PlanRules {
        let reading = &self.readings[index];
        let (source, judged): (&Source, _) = (&reading.source, reading.export_verdict.as_ref());
        PlanRules {
            prune: source.prune,
            hold_errors: source.hold_errors,
            report_drift: source.report_drift,
            allow_delete: source.allow_delete || self.config.allow_delete,
            authority: source.authority.clone(),
            shop: self.config.shop.clone(),
            peers: self.peers(index),
            witnesses: Vec::new(),
            pruning_peers: self.pruning(index),
            order: self.config.order.clone(),
            guards: self.config.guards.clone(),
            accepts: self.config.accepts.clone(),
            only: self.selected_keys(index, stored),
            absent_after: source.feed().and_then(|export| export.absence),
            is_new_export: judged.is_some_and(|judged| judged.is_new),
            doubt: judged.and_then(|judged| judged.doubt.clone()),
            doubt_holds: judged.is_some_and(|judged| judged.is_new) && !reading.is_pushed(),
            doubtful_fields: judged.map_or_else(Vec::new, |judged| judged.doubtful_fields.clone()),
            exact: self.request.exact,
            scrub: self.request.scrub,
            salt: stored.database.clone().unwrap_or_default(),
            stop: self.request.stop.clone(),
        }
    }

    fn peers(&self, index: usize) -> Vec<PeerSource> {
        let others = self
            .readings
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        others.map(|(_, reading)| reading.peer()).collect()
    }

    /// The other sources that deactivate what disappears from them.
    fn pruning(&self, index: usize) -> BTreeSet<Arc<str>> {
        let others = self.readings.iter().enumerate();
        let others = others.filter(|(other, reading)| *other != index && reading.source.prune);
        others
            .map(|(_, reading)| reading.source.name.clone())
            .collect()
    }

    /// The resources that a partial request is about.
    fn selected_keys(&self, index: usize, stored: &Snapshot) -> Option<BTreeSet<Key>> {
        let reading = &self.readings[index];
        let by_path = self.config.path.is_some() && !self.request.paths.is_empty();
        if !by_path && self.request.targets.is_empty() {
            return None;
        }
        let mut targets: BTreeSet<Key> = self.request.targets.iter().cloned().collect();
        if by_path {
            let folders: Vec<String> = self
                .request
                .paths
                .iter()
                .filter_map(|path| reading.relative_path(path))
                .collect();
            let held = |path: &str| {
                folders
                    .iter()
                    .any(|folder| source_reading::contains_path(folder, path))
            };
            let declared = reading
                .desired
                .resources
                .iter()
                .filter(|declared| held(&declared.path));
            targets.extend(declared.map(|declared| declared.key.clone()));
        }
        Some(plan::closure(&reading.desired, stored, targets))
    }

    /// What reading a source came upon.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.readings
            .iter()
            .flat_map(|reading| &reading.diagnostics)
    }
}

/// Milliseconds since 1970, so long ago.
fn millis_before_now(duration: Duration) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.saturating_sub(duration).as_millis()).unwrap_or(i64::MAX)
}

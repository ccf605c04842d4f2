//! Plans one source: what it declares, next to the other sources, against what the database holds.
//! [`Pass::plan`] tries the incremental plan first and falls back to a plan on everything. Out
//! comes the plan, and the pass keeps what it was made of.

use super::phase::PhaseTimer;
use super::plan_visibility::plan_visibility;
use super::runtime_facts::{self, PlanInPass};
use super::{
    Pass, PassError, PassVerdict, SourceContent, columns, coming_ends, commit_trailers,
    erased_users, impact, incremental_plan, millis_before_now, reverted_removals, source_reading,
    unconfigured_claims, undone_changes,
};
use crate::config::Source;
use crate::diagnostic;
use crate::manifest;
use crate::model::{Desired, Key, Snapshot};
use crate::plan::{
    self, AccountFolders, ImpactAnswer, PeerSource, Plan, PlanRules, UndeclaredKeys,
    declared_deletions, undeclared_references,
};
use crate::secrets::{self, SecretReader};
use crate::store::{SnapshotQuery, Store};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A plan, with what every source declared for it after custom values were typed.
pub struct TypedPlan {
    pub plan: Plan,
    pub desired: Vec<Arc<Desired>>,
}

impl Pass<'_> {
    /// Plans one source on the database as it is after `earlier` is applied.
    pub async fn plan(
        &mut self,
        index: usize,
        store: &Store,
        earlier: &[Plan],
    ) -> Result<Plan, PassError> {
        let incremental = incremental_plan::plan(self, index, store, earlier).await?;
        let incremental = match incremental {
            Some(plan) => Box::pin(impact::without_hold(self.config, store, plan)).await,
            None => None,
        };
        let mut plan = if let Some(plan) = incremental {
            plan
        } else {
            Box::pin(self.plan_whole(index, store, earlier)).await?
        };
        if self.request.takes_trailers {
            plan = Box::pin(self.plan_with_trailers(index, store, earlier, plan)).await?;
        }
        self.readings[index].judged.plan = Some(PassVerdict::of(&plan));
        self.add_facts(index, store, earlier, &mut plan).await?;
        Ok(plan)
    }

    /// Adds what the planner does not know, and what is said once in a run.
    pub(super) async fn add_facts(
        &self,
        index: usize,
        store: &Store,
        earlier: &[Plan],
        plan: &mut Plan,
    ) -> Result<(), PassError> {
        self.add_stored_facts(index, store, earlier, plan).await?;
        if self.is_first(index)? {
            unconfigured_claims::note_unconfigured(self.config, store, plan).await?;
        }
        Ok(())
    }

    /// Plans again with what signed commits approve of a plan, if they do.
    async fn plan_with_trailers(
        &mut self,
        index: usize,
        store: &Store,
        earlier: &[Plan],
        mut plan: Plan,
    ) -> Result<Plan, PassError> {
        let source = &self.readings[index].source;
        let trailers = commit_trailers::read(self.config, source, store, &plan).await?;
        if !trailers.accepts.is_empty() {
            self.request.commit_accepts.clone_from(&trailers.accepts);
            let planned = self.plan_whole(index, store, earlier).await;
            // They are for this plan of this source.
            self.request.commit_accepts.clear();
            plan = planned?;
        }
        plan.diagnostics.extend(trailers.diagnostics(&plan));
        diagnostic::sort(&mut plan.diagnostics);
        Ok(plan)
    }

    /// Adds what the planner does not know, because no source declares it.
    pub(super) async fn add_stored_facts(
        &self,
        index: usize,
        store: &Store,
        earlier: &[Plan],
        plan: &mut Plan,
    ) -> Result<(), PassError> {
        let mut of = PlanInPass {
            earlier,
            is_first: self.is_first(index)?,
            plan,
        };
        runtime_facts::add_runtime_facts(store, &mut of).await?;
        plan.visibility = plan_visibility(store, earlier, &plan.steps).await?;
        let reading = &self.readings[index];
        if let Some(note) = coming_ends::note_coming_ends(&reading.as_read) {
            let mut notes = vec![note];
            manifest::locate(&reading.tree, &mut notes);
            plan.diagnostics.append(&mut notes);
            diagnostic::sort(&mut plan.diagnostics);
        }
        let source = &reading.source;
        undone_changes::find_undone_changes(self.config, source, store, plan).await?;
        reverted_removals::note_reverted_removals(store, &reading.desired, plan).await?;
        Ok(())
    }

    /// Whether it is the first source of the run, whose plan says what is said once.
    fn is_first(&self, index: usize) -> Result<bool, PassError> {
        Ok(self.selected_sources()?.first() == Some(&index))
    }

    /// Reads what a whole plan of a source needs and the reading of the pass left out.
    fn read_what_was_skipped(&mut self, index: usize) {
        let _phase = PhaseTimer::begin("reading what was skipped");
        // If files of the source itself were left out, a partial plan did not suffice. Beside one that was
        // read whole, whose plan removes what it lost, another export must be read that names more
        // than it has claimed: it may keep what is lost here.
        let own = &self.readings[index];
        let is_export = matches!(own.content, SourceContent::ChangedRows(..));
        let all = own.is_incremental() && !is_export;
        let readings = std::mem::take(&mut self.readings);
        self.readings = source_reading::read_again(self.config, readings, all, &self.request.stop);
    }

    pub(super) async fn plan_whole(
        &mut self,
        index: usize,
        store: &Store,
        earlier: &[Plan],
    ) -> Result<Plan, PassError> {
        self.read_what_was_skipped(index);
        // Of a plan of a part that did not stand.
        self.readings[index].judged.basis = None;
        // Read in full by now, whatever the pass began with.
        erased_users::leave_out_erased(&mut self.readings, store).await?;
        self.go_on()?;
        let mut stored = self.snapshot(index, store).await?;
        for plan in earlier {
            plan::advance(&mut stored, plan);
        }
        let declared = self.declared(index, store).await?;
        // Before planning: a doubtful export must not count as the absence of anything.
        self.judge_exports(index, &stored, store).await?;
        self.go_on()?;
        let all = UndeclaredKeys::All;
        let planned = self.plan_declared(index, &declared, &stored, all.clone());
        let mut plan = self.keep_desired(planned);
        self.go_on()?;
        // The other sources are only planned once it is known that this plan depends on them. If
        // one accepts less, this one is planned again on that.
        if self
            .judge_others(index, &stored, store, earlier, &plan)
            .await?
        {
            let planned = self.plan_declared(index, &declared, &stored, all);
            plan = self.keep_desired(planned);
            self.go_on()?;
        }
        let config = self.config;
        let again = |answers: &[ImpactAnswer]| {
            self.readings[index].judged.impact = answers.to_vec();
            let planned = self.plan_declared(index, &declared, &stored, UndeclaredKeys::All);
            let plan = self.keep_desired(planned);
            self.go_on().map(|()| plan)
        };
        impact::judged(config, store, plan, |plan| plan, again).await
    }

    /// Fails when the pass was stopped, because a half-made result must not be used.
    pub(super) fn go_on(&self) -> Result<(), PassError> {
        if self.request.stop.is_set() {
            return Err(PassError::Stopped);
        }
        Ok(())
    }

    pub(super) async fn snapshot(
        &self,
        index: usize,
        store: &Store,
    ) -> Result<Snapshot, PassError> {
        let _phase = PhaseTimer::begin("reading the database");
        let mut stored = store.read(&self.query(index)).await?;
        // A database that does not exist yet will be of the environment of this run.
        if stored.environment.is_none() {
            stored.environment.clone_from(&self.config.environment);
        }
        Ok(stored)
    }

    /// What has to be read of the database to plan a source.
    pub(super) fn query(&self, index: usize) -> SnapshotQuery<'_> {
        let reading = &self.readings[index];
        SnapshotQuery {
            source: &reading.source.name,
            declared: reading
                .desired
                .resources
                .iter()
                .map(|declared| &declared.key)
                .collect(),
            referenced: undeclared_references(&reading.desired),
            deletions: declared_deletions(&reading.desired),
            logins: &reading.desired.logins,
            spent_since: millis_before_now(self.config.window),
            approved_since: millis_before_now(self.config.approval_ttl),
        }
    }

    /// What a source declares. Without a configuration, another path may be another directory with
    /// other customers, so nothing is removed then.
    async fn declared(&self, index: usize, store: &Store) -> Result<Arc<Desired>, PassError> {
        let reading = &self.readings[index];
        let mut declared = Arc::clone(&reading.as_read);
        if !reading.source.unnamed {
            return Ok(declared);
        }
        let before = store.path_of(&reading.source.name).await?;
        let now = &reading.source.written;
        if let Some(before) = before.filter(|before| before != now) {
            let reason = format!(
                "the source `{}` was read from {before} before, but from {now} now; to move it, name it in a `roster.yaml`",
                reading.source.name
            );
            Arc::make_mut(&mut declared).removals_off.push(reason);
        }
        Ok(declared)
    }

    /// What every source declared when it was last planned.
    pub(super) fn desired(&self) -> Vec<Arc<Desired>> {
        let readings = self.readings.iter();
        readings.map(|reading| reading.desired.clone()).collect()
    }

    /// Keeps what a plan was made of.
    pub(super) fn keep_desired(&mut self, planned: TypedPlan) -> Plan {
        for (reading, desired) in self.readings.iter_mut().zip(planned.desired) {
            reading.desired = desired;
        }
        planned.plan
    }

    /// Plans one source on a given state.
    pub fn plan_on(&self, index: usize, stored: &Snapshot) -> TypedPlan {
        let declared = &self.readings[index].as_read;
        self.plan_declared(index, declared, stored, UndeclaredKeys::All)
    }

    /// Plans the changed resources of a source, and those that it lost, on the rows that they affect.
    pub(super) fn plan_affected(
        &self,
        index: usize,
        declared: &Arc<Desired>,
        stored: &Snapshot,
        undeclared: UndeclaredKeys,
    ) -> TypedPlan {
        self.plan_declared(index, declared, stored, undeclared)
    }

    fn plan_declared(
        &self,
        index: usize,
        declared: &Arc<Desired>,
        stored: &Snapshot,
        undeclared: UndeclaredKeys,
    ) -> TypedPlan {
        let _phase = PhaseTimer::begin("checking and comparing");
        let reading = &self.readings[index];
        let mut found = reading.relevant_diagnostics(stored);
        found.extend(columns::unmapped(reading, stored));
        let mut desired = self.type_custom(index, declared, stored, &mut found);
        let secrets = SecretReader {
            dir: self.config.secrets.clone(),
            sealed: self.request.ignores_passwords,
        };
        let own = &mut desired[index];
        if own.resources.iter().any(|it| secrets::has_password(it)) {
            found.extend(secrets.compare(Arc::make_mut(own), stored));
        }
        let rules = PlanRules {
            undeclared,
            ..self.rules(index, stored, &desired)
        };
        let mut plan = plan::plan(&desired[index], stored, &rules, &found);
        manifest::locate(&reading.tree, &mut plan.diagnostics);
        TypedPlan { plan, desired }
    }

    /// The rules of a plan for which every source declares this.
    pub(super) fn rules(
        &self,
        index: usize,
        stored: &Snapshot,
        desired: &[Arc<Desired>],
    ) -> PlanRules {
        let reading = &self.readings[index];
        let (source, judged): (&Source, _) = (&reading.source, reading.judged.export.as_ref());
        PlanRules {
            prune: source.prune,
            hold_errors: source.hold_errors,
            severities: self.config.severities.clone(),
            folders: AccountFolders {
                read: reading
                    .incremental()
                    .map(|unread| Arc::clone(&unread.declared)),
                ..self.account_folders(source)
            },
            report_drift: source.report_drift,
            allow_delete: source.allow_delete || self.config.allow_delete,
            authority: source.authority.clone(),
            shop: self.config.shop.clone(),
            peers: self.peers(index, desired),
            witnesses: Vec::new(),
            pruning_peers: self.pruning(index),
            order: self.config.order.clone(),
            guards: self.config.guards.clone(),
            effect_fields: self.config.effect_fields.clone(),
            approvals: self.config.approvals.clone(),
            accepts: self.config.accepts.clone(),
            impact: reading.judged.impact.clone(),
            commit_accepts: self.request.commit_accepts.clone(),
            only: self.selected_keys(index, stored, &desired[index]),
            undeclared: UndeclaredKeys::All,
            absent_after: source.feed().and_then(|export| export.absence),
            is_new_export: judged.is_some_and(|judged| judged.is_new),
            doubt: judged.and_then(|judged| judged.doubt.clone()),
            doubt_holds: judged.is_some_and(|judged| judged.is_new) && !reading.is_pushed(),
            doubtful_fields: judged.map_or_else(Vec::new, |judged| judged.doubtful_fields.clone()),
            exact: self.request.exact,
            scrub: self.request.scrub,
            // Hold ids are salted with the identity of the database, so an approval is valid in one
            // database only.
            salt: stored.database.clone().unwrap_or_default(),
            stop: self.request.stop.clone(),
        }
    }

    /// The folders of accounts in a source. An export has no folders that people review.
    pub(super) fn account_folders(&self, source: &Source) -> AccountFolders {
        let of_manifests = source.feed().is_none();
        let patterns = of_manifests.then(|| self.config.account_folders());
        AccountFolders {
            patterns: patterns.unwrap_or_default(),
            ..AccountFolders::default()
        }
    }

    fn peers(&self, index: usize, desired: &[Arc<Desired>]) -> Vec<PeerSource> {
        let all = self.readings.iter().zip(desired).enumerate();
        let others = all.filter(|(other, _)| *other != index);
        others
            .map(|(_, (reading, desired))| reading.standing_with(desired).peer())
            .collect()
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
    pub(super) fn selected_keys(
        &self,
        index: usize,
        stored: &Snapshot,
        desired: &Desired,
    ) -> Option<BTreeSet<Key>> {
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
            let declared = desired.resources.iter();
            let declared = declared.filter(|declared| held(&declared.path));
            targets.extend(declared.map(|declared| declared.key.clone()));
        }
        Some(plan::closure(desired, stored, targets))
    }
}

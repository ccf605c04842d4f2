//! `roster revert`: plans the undoing of a run, shows the plan, asks and applies it.

use super::apply::{self, ApplyOptions};
use super::output::{self, PlanOutput};
use super::progress::ProgressGuard;
use super::remote::RemoteOptions;
use super::{CommandFailure, CommandResult, GlobalOptions, HoldOverrides, session};
use crate::config::Config;
use crate::diagnostic::visible;
use crate::document::{
    self, ApplyDocument, OutputFormat, RevertReply, RevertRequest, SavedPlanError,
};
use crate::model::timestamp;
use crate::plan::{AcceptOverride, RevertPlan};
use crate::reconcile::{self, ApplySummary, LeaseGuard, PassOutcome, RevertError, RevertableRun};
use crate::store::Store;
use clap::Args;
use std::io::Write;

/// Options of `roster revert`.
#[derive(Debug, Args)]
pub struct RevertOptions {
    /// The number of the run, as `roster history` prints it.
    #[arg(value_name = "RUN")]
    run: i64,
    /// Accept exactly this many steps of a guard: `User.deactivate=104`.
    #[arg(long, value_name = "WHAT=N", value_parser = AcceptOverride::parse)]
    accept: Vec<AcceptOverride>,
    /// The reason, for the audit log of a daemon. Required with `--remote`.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    ways: ApplyOptions,
}

/// Plans, shows and applies the undoing of a run.
pub async fn run(global: &GlobalOptions, options: &RevertOptions) -> CommandResult {
    if options.remote.url.is_some() {
        return Box::pin(revert_remotely(global, options)).await;
    }
    if options.reason.is_some() {
        let why =
            "`--reason` is for the audit log of a daemon; pass `--remote` too, or leave it out";
        return Err(CommandFailure::usage(why));
    }
    let consent = HoldOverrides {
        accept: options.accept.clone(),
        allow_delete: false,
    };
    let config = session::config_with(global, &consent)?;
    apply::check_files(global)?;
    let store = session::writer(&config).await?;
    let run = reconcile::run_to_revert(&store, options.run).await?;
    options.ways.require_confirmation(global, &[])?;
    let source = run.record.source.clone();
    let lease = LeaseGuard::take(&store, &source, options.ways.lock_timeout).await?;
    let reverting = RevertCommand {
        global,
        options,
        store: &store,
        run: &run,
        lease: &lease,
    };
    let ended = Box::pin(reverting.perform(&config)).await;
    lease.release(&store).await;
    store.close().await;
    ended
}

/// Has a daemon revert the run, after showing what it would do.
async fn revert_remotely(global: &GlobalOptions, options: &RevertOptions) -> CommandResult {
    if !options.accept.is_empty() {
        return Err(CommandFailure::usage(
            "a daemon keeps to its guards; leave out `--accept`, and approve what is held by its id",
        ));
    }
    let Some(reason) = options.reason.clone() else {
        return Err(CommandFailure::usage(
            "a daemon records why; pass `--reason TEXT`",
        ));
    };
    apply::check_files(global)?;
    options.ways.require_confirmation(global, &[])?;
    let daemon = options.remote.daemon(global)?;
    let path = format!("api/v1/runs/{}/revert", options.run);
    let preview: RevertReply = daemon.get(&path).await?;
    let (plan, id) = preview.parse_plan().map_err(|error| unreadable(&error))?;
    let output = options.ways.output(global, &[], None);
    let is_document = global.output().is_one_document();
    if !is_document {
        output.print(&[&plan])?;
    }
    let confirmed = options.ways.yes || apply::confirm(&format!("Revert run {}?", options.run))?;
    if !confirmed {
        return Err(CommandFailure::error("declined; nothing was reverted"));
    }
    let request = RevertRequest { plan: id, reason };
    let reply: RevertReply = daemon.post(&path, &request).await?;
    let (plan, _) = reply.parse_plan().map_err(|error| unreadable(&error))?;
    let outcome = match reply.run {
        Some(_) => PassOutcome::Applied,
        None => PassOutcome::Unchanged,
    };
    let document = ApplyDocument::new(&plan, reply.run, outcome.name());
    let document = document.with_skipped(&reply.skipped);
    if global.output() == OutputFormat::Json {
        let mut out = output::stdout();
        document::write(&document, &mut out)?;
        out.flush()?;
    } else if is_document {
        output.print(&[&plan])?;
    }
    output.write_files(&[&plan], |out| document::write(&document, out))?;
    if !global.quiet {
        apply::print_applied(global, &plan, reply.run);
        if reply.run.is_some() {
            print_kept(visible(&plan.source.name).as_ref());
        }
    }
    Ok(plan.exit_code(false))
}

/// Says how long a source leaves alone what was reverted.
fn print_kept(source: &str) {
    anstream::eprintln!(
        "Passes keep it so until source {source} is at another revision. Correct its files too."
    );
}

fn unreadable(error: &SavedPlanError) -> CommandFailure {
    CommandFailure::error(format!("the daemon sent no plan that can be read: {error}"))
}

impl From<RevertError> for CommandFailure {
    fn from(error: RevertError) -> Self {
        match error {
            RevertError::Store(error) => error.into(),
            other => Self::error(other.to_string()),
        }
    }
}

/// A revert under the lease of its source.
struct RevertCommand<'a> {
    global: &'a GlobalOptions,
    options: &'a RevertOptions,
    store: &'a Store,
    run: &'a RevertableRun,
    lease: &'a LeaseGuard,
}

impl RevertCommand<'_> {
    async fn perform(&self, config: &Config) -> CommandResult {
        let working = ProgressGuard::begin(self.global, "planning");
        let revert = reconcile::plan_revert(config, self.store, self.run).await?;
        drop(working);
        let pseudonyms = self.store.pseudonym_key().await.ok().flatten();
        let output = self.options.ways.output(self.global, &[], pseudonyms);
        reconcile::remember_revert_holds(self.store, self.run, &revert).await?;
        let is_document = self.global.output().is_one_document();
        if !is_document {
            self.print_head();
            output.print(&[&revert.plan])?;
        }
        let is_empty = revert.plan.steps.is_empty();
        let confirmed = is_empty
            || self.options.ways.yes
            || apply::confirm(&format!("Revert run {}?", self.run.record.id))?;
        if !confirmed {
            return Err(CommandFailure::error("declined; nothing was reverted"));
        }
        let done = if is_empty {
            Ok(None)
        } else {
            self.apply(config, &revert).await
        };
        self.report(&revert, &output, done)
    }

    async fn apply(
        &self,
        config: &Config,
        revert: &RevertPlan,
    ) -> Result<Option<ApplySummary>, CommandFailure> {
        let _working = ProgressGuard::begin(self.global, "applying");
        let (run, actor) = (self.run.record.id, session::actor());
        let applied =
            reconcile::apply_revert(config, self.store, run, revert, self.lease, &actor).await?;
        // What an approval of a part leaves is another hold.
        if !revert.plan.held.is_empty() {
            reconcile::refresh_revert_holds(config, self.store, run).await?;
        }
        Ok(Some(applied))
    }

    /// Reports the result, also when the apply failed.
    fn report(
        &self,
        revert: &RevertPlan,
        output: &PlanOutput<'_>,
        done: Result<Option<ApplySummary>, CommandFailure>,
    ) -> CommandResult {
        let (run, outcome) = match &done {
            Ok(Some(applied)) => (applied.run, PassOutcome::Applied),
            Ok(None) => (None, PassOutcome::Unchanged),
            Err(_) => (None, PassOutcome::Failed),
        };
        let document = || {
            let document = ApplyDocument::new(&revert.plan, run, outcome.name());
            document.with_skipped(&revert.skipped)
        };
        match self.global.output() {
            OutputFormat::Json => {
                let mut out = output::stdout();
                document::write(&document(), &mut out)?;
                out.flush()?;
            }
            format if format.is_one_document() => output.print(&[&revert.plan])?,
            _ => {}
        }
        let written = output.write_files(&[&revert.plan], |out| document::write(&document(), out));
        self.print_end(revert, done?);
        written?;
        Ok(revert.plan.exit_code(false))
    }

    /// Says which run it is about, before its plan.
    fn print_head(&self) {
        if self.global.quiet {
            return;
        }
        let run = &self.run.record;
        anstream::eprintln!(
            "Reverting run {}, which {} applied at {}.",
            run.id,
            visible(&run.actor),
            timestamp::format_utc(run.finished_at)
        );
    }

    fn print_end(&self, revert: &RevertPlan, applied: Option<ApplySummary>) {
        if self.global.quiet {
            return;
        }
        let (reverted, source) = (self.run.record.id, visible(&self.run.record.source));
        let Some(applied) = applied else {
            if revert.plan.held.is_empty() {
                anstream::eprintln!("Nothing of run {reverted} is left to revert.");
            }
            return;
        };
        apply::print_applied(self.global, &revert.plan, applied.run);
        if applied.reverted > 0 {
            print_kept(&source);
        }
    }
}

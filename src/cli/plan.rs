//! `roster plan`: shows what apply would do.

use super::output::{DisplayOptions, PlanOutput};
use super::output_target::real_file;
use super::pager::PagerOptions;
use super::progress::ProgressGuard;
use super::remote::RemoteOptions;
use super::{
    CommandFailure, CommandResult, GlobalOptions, PlanScope, atomic_file, failure, plan_remote,
    session, show,
};
use crate::config::{Config, SourceLocation};
use crate::diagnostic::{none_called, plural};
use crate::document::{self, OutputFormat};
use crate::kinds::FieldType;
use crate::plan::render::{NextStep, PseudonymKey};
use crate::plan::{Plan, PlanPreview};
use crate::reconcile::{self, FetchResults, Pass, PassRequest, PlanBaseRevision, SourceReading};
use crate::store::Store;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `roster plan`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    scope: PlanScope,
    #[command(flatten)]
    shown: DisplayOptions,
    /// Save the plan to this file. `roster apply FILE` applies it exactly.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Plan a git source at this branch, tag or commit. You cannot apply such a plan.
    #[arg(long, value_name = "REV", conflicts_with = "out")]
    revision: Option<String>,
    /// Show what this plan adds to the plan of another revision first: a branch, tag or commit of the
    /// repository, such as the target of a pull request. With `--revision`, the default is the
    /// configured branch.
    #[arg(long, value_name = "REV", conflicts_with_all = ["as_of", "rehearse"])]
    base: Option<String>,
    /// Judge dates as of this day (00:00 UTC) or moment, to see what they will change. You cannot
    /// apply such a plan.
    #[arg(long, value_name = "DATE", value_parser = moment_of, conflicts_with = "out")]
    as_of: Option<Arc<str>>,
    /// Also do everything that an apply would do, and take it back. Needs the right to write.
    #[arg(long, conflicts_with_all = ["as_of", "revision"])]
    rehearse: bool,
    #[command(flatten)]
    remote: RemoteOptions,
    /// List every stored field that no source declares.
    #[arg(long)]
    exact: bool,
    /// Read and compare every stored column instead of trusting versions.
    #[arg(long)]
    scrub: bool,
    /// Exit with 2 if the plan has steps.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    pager: PagerOptions,
}

impl Options {
    /// Fails if the saved plan would be overwritten by another format, or would overwrite one.
    fn check_out(&self, global: &GlobalOptions) -> Result<(), CommandFailure> {
        let Some(out) = self.out.as_deref().map(real_file) else {
            return Ok(());
        };
        let mut files = global.output_files();
        // JSON is the saved plan.
        let same =
            files.find(|(format, file)| *format != OutputFormat::Json && real_file(file) == out);
        same.map_or(Ok(()), |(format, file)| {
            Err(CommandFailure::usage(format!(
                "`--out` and `--output {}` both go to {}; name one file for each",
                format.word(),
                file.display()
            )))
        })
    }

    /// How the plan is applied: as saved, or with the same paths.
    fn next_step(&self) -> NextStep {
        if let Some(file) = &self.out {
            return NextStep::Command(show::apply_command(file));
        }
        let paths = self.scope.paths.iter();
        let paths: Vec<String> = paths.map(|path| show::quoted(path)).collect();
        if paths.is_empty() {
            NextStep::OfSource
        } else {
            NextStep::Command(format!("roster apply {}", paths.join(" ")))
        }
    }
}

/// Prints the plan of every selected source.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    if options.remote.url.is_some() {
        return plan_remotely(global, options).await;
    }
    options.check_out(global)?;
    let mut config = session::config(global, Some(&options.scope))?;
    config.as_of.clone_from(&options.as_of);
    let mut request = session::request(&config, &options.scope, options.exact)?;
    request.scrub = options.scrub;
    if let Some(revision) = &options.revision {
        let name = repository(&config, &options.scope)?;
        request.source = Some(name.clone());
        request.at_revision = Some((name, revision.clone()));
    }
    // A saved plan is applied later, by somebody else, and maybe never.
    let is_whole = request.paths.is_empty() && request.targets.is_empty();
    request.takes_trailers = is_whole
        && options.out.is_none()
        && options.as_of.is_none()
        && options.base.is_none()
        && options.revision.is_none();
    let preview = match (&options.as_of, &options.revision) {
        (Some(_), _) => Some(PlanPreview::AsOf),
        (None, Some(_)) => Some(PlanPreview::Revision),
        (None, None) => None,
    };
    let store = session::reader_or_none(global, &config).await?;
    let working = ProgressGuard::begin(global, "planning");
    let fetched = fetch(&config, &request);
    let request = request.with_fetch_results(&fetched);
    let mut pass = Pass::read(&config, request, &store).await?;
    let mut plans: Vec<Plan> = Vec::new();
    for index in pass.selected_sources()? {
        // Later sources see the plans of earlier ones, as an apply in this order would.
        let mut plan = pass.plan(index, &store, &plans).await?;
        plan.preview = preview;
        plans.push(plan);
    }
    if options.base.is_some() || options.revision.is_some() {
        Box::pin(mark_base(options, &pass, &store, &mut plans)).await?;
    }
    // A saved plan is shown without the files and, in a comment, without the database.
    let needs_accounts =
        |format: OutputFormat| format.is_published() || format == OutputFormat::Json;
    if options.out.is_some() || global.formats().any(needs_accounts) {
        for (plan, index) in plans.iter_mut().zip(pass.selected_sources()?) {
            let desired = &pass.readings[index].as_read;
            reconcile::find_plan_accounts(plan, desired, Some(&store)).await?;
        }
    }
    drop(working);
    let rehearsed = if options.rehearse {
        Some(rehearse(global, &pass, &plans).await)
    } else {
        None
    };
    let pseudonyms = store.pseudonym_key().await?;
    // No `?` here: on an error, freeing the pass and the plans would take long.
    let mut shown = print(global, options, &plans, &pass.readings, pseudonyms);
    if let (Ok(_), Some(Err(failure))) = (&shown, rehearsed) {
        shown = Err(failure);
    }
    session::forget_at_exit((pass, plans));
    shown
}

async fn plan_remotely(global: &GlobalOptions, options: &Options) -> CommandResult {
    // These need the database or the files of this machine.
    let local = [
        options.out.is_some(),
        options.exact,
        options.scrub,
        options.rehearse,
        options.as_of.is_some(),
    ];
    if local.contains(&true) {
        return Err(CommandFailure::usage(
            "`--out`, `--exact`, `--scrub`, `--rehearse` and `--as-of` do not work with `--remote`",
        ));
    }
    if options.base.is_some() {
        return Err(CommandFailure::usage(
            "leave out `--base`: with `--remote`, the base is the revision of the source that the daemon has",
        ));
    }
    let (revision, detailed) = (options.revision.as_deref(), options.detailed_exitcode);
    let (scope, shown) = (&options.scope, &options.shown);
    plan_remote::run(global, &options.remote, scope, shown, revision, detailed).await
}

/// Marks what waits at the base of the plans already.
async fn mark_base(
    options: &Options,
    pass: &Pass<'_>,
    store: &Store,
    plans: &mut [Plan],
) -> Result<(), CommandFailure> {
    let (config, mut request) = (pass.config, pass.request.clone());
    let base = if let Some(base) = &options.base {
        PlanBaseRevision::Named(base)
    } else {
        // The planned revision was fetched in place of the configured one.
        request = request.with_fetch_results(&reconcile::fetch(config, None));
        PlanBaseRevision::Configured
    };
    reconcile::mark_base(config, &request, base, store, plans).await?;
    Ok(())
}

/// Does what an apply of the plan would do, and takes it back. What a plan cannot know is found so: an
/// invariant that another program broke, a right that is missing, a row that changed since.
async fn rehearse(
    global: &GlobalOptions,
    pass: &Pass<'_>,
    plans: &[Plan],
) -> Result<(), CommandFailure> {
    let mut with_steps = plans.iter().filter(|plan| !plan.steps.is_empty());
    let (Some(plan), None) = (with_steps.next(), with_steps.next()) else {
        if plans.iter().all(|plan| plan.steps.is_empty()) {
            return Ok(());
        }
        // Each would have to see what the one before it wrote.
        return Err(CommandFailure::usage(
            "`--rehearse` needs 1 source with changes; choose one with `--source NAME`",
        ));
    };
    let index = pass
        .readings
        .iter()
        .position(|reading| reading.source.name == plan.source.name)
        .unwrap_or_default();
    let store = session::writer(pass.config).await?;
    let _working = ProgressGuard::begin(global, "rehearsing");
    let rehearsed = reconcile::rehearse(pass, index, &store, plan, &session::actor()).await;
    store.close().await;
    let applied = rehearsed.map_err(|error| {
        let failure = CommandFailure::from(error);
        CommandFailure::error(format!(
            "the rehearsal failed, and nothing was written: {failure}"
        ))
    })?;
    if !global.quiet {
        let rows = plural(
            usize::try_from(applied.written).unwrap_or(usize::MAX),
            "resource",
        );
        anstream::eprintln!(
            "Rehearsed: {rows} written and taken back. An apply would succeed now."
        );
    }
    Ok(())
}

/// Reads the moment of `--as-of`.
fn moment_of(text: &str) -> Result<Arc<str>, String> {
    let read = FieldType::Moment.read(text);
    let read = read.map_err(|found| match found.help {
        Some(help) => format!("{}. {help}", found.message),
        None => found.message,
    })?;
    Ok(read.value.as_text().unwrap_or_default().into())
}

/// The git source for `--revision`.
fn repository(config: &Config, scope: &PlanScope) -> Result<String, CommandFailure> {
    let wanted = |name: &str| scope.source.as_ref().is_none_or(|wanted| wanted == name);
    let sources = config.sources.iter();
    let mut sources = sources.filter(|source| source.git().is_some() && wanted(&source.name));
    match (sources.next(), sources.next()) {
        (Some(one), None) => Ok(one.name.to_string()),
        (None, _) => {
            let git = config.sources.iter().filter(|it| it.git().is_some());
            let git: Vec<&str> = git.map(|source| &*source.name).collect();
            let why = match &scope.source {
                Some(name) => none_called("git source", name, git),
                None => "no git source is configured".to_owned(),
            };
            Err(CommandFailure::usage(format!("`--revision`: {why}")))
        }
        _ => Err(CommandFailure::usage(
            "several git sources are configured; choose one with `--source NAME`",
        )),
    }
}

/// Fetches every git source, the planned one at the requested revision.
fn fetch(config: &Config, request: &PassRequest) -> FetchResults {
    let mut config = config.clone();
    if let Some((name, revision)) = &request.at_revision {
        for source in &mut config.sources {
            if let (true, SourceLocation::Git(place)) = (*source.name == **name, &mut source.place)
            {
                *place = place.at(revision);
            }
        }
    }
    reconcile::fetch(&config, None)
}

fn print(
    global: &GlobalOptions,
    options: &Options,
    plans: &[Plan],
    readings: &[SourceReading],
    pseudonyms: Option<PseudonymKey>,
) -> CommandResult {
    let output = PlanOutput {
        global,
        shown: &options.shown,
        readings,
        pseudonyms,
        next: options.next_step(),
        paged: !options.pager.no_pager,
    };
    output.write(&plans.iter().collect::<Vec<_>>())?;
    if let Some(file) = &options.out {
        save(file, plans)?;
    }
    Ok(first_code(plans.iter(), options.detailed_exitcode))
}

/// The exit code for several plans, by precedence 1, 3, 2, 0.
pub fn first_code<'p>(plans: impl Iterator<Item = &'p Plan>, detailed: bool) -> u8 {
    let codes: Vec<u8> = plans.map(|plan| plan.exit_code(detailed)).collect();
    let first = [failure::ERROR, failure::HELD, failure::CHANGES];
    first
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or(0)
}

fn save(file: &Path, plans: &[Plan]) -> Result<(), CommandFailure> {
    // A saved plan is applied as a unit under one lease, so it holds one source.
    let [plan] = plans else {
        return Err(CommandFailure::usage(
            "`--out` saves exactly 1 plan; choose a source with `--source NAME`",
        ));
    };
    if plan.errored {
        return Err(CommandFailure::error(
            "the plan has errors and was not saved; see `roster validate`",
        ));
    }
    atomic_file::write(file, |mut out| document::write_plan(plan, &mut out))
}

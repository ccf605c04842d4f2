//! `roster apply`: plans, shows, asks, applies.

use super::output::{self, DisplayOptions};
use super::plan::first_code;
use super::progress::ProgressGuard;
use super::{CommandFailure, CommandResult, GlobalOptions, OutputFormat, PlanScope, session};
use crate::config::{Config, Source};
use crate::plan::{Plan, render};
use crate::reconcile::{
    self, LeaseGuard, Pass, PassOutcome, PassRequest, PassResult, PlanConsent, PlanDecision,
};
use crate::store::Store;
use clap::Args;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of `roster apply`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    scope: PlanScope,
    #[command(flatten)]
    ways: ApplyOptions,
}

/// How something is applied.
#[derive(Debug, Args)]
pub struct ApplyOptions {
    #[command(flatten)]
    pub shown: DisplayOptions,
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub yes: bool,
    /// How long to wait for another apply of the same source.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::config::parse_duration)]
    pub lock_timeout: Duration,
}

/// What became of one source.
pub struct SourceResult {
    source: String,
    /// Its plan, unless something went wrong before there was one.
    pub plan: Option<Plan>,
    run: Option<i64>,
    outcome: PassOutcome,
    failure: Option<CommandFailure>,
}

/// Applies every source that is asked for, or a saved plan.
pub async fn run(global: &GlobalOptions, mut options: Options) -> CommandResult {
    if options
        .scope
        .paths
        .first()
        .is_some_and(|path| is_plan(path))
    {
        let file = options.scope.paths.remove(0);
        return apply_saved(global, &options, &file).await;
    }
    let config = session::config(global, Some(&options.scope))?;
    let request = session::request(&config, &options.scope, false)?;
    options
        .ways
        .require_confirmation(global, &options.scope.paths)?;
    let store = session::writer_or_new(global, &config).await?;
    let request = request.with_fetch_results(&reconcile::fetch(&config, None));
    let mut pass = Pass::read(&config, request, &store).await?;
    let wanted = pass.selected_sources()?;
    let mut ended = Vec::new();
    for index in &wanted {
        ended.push(apply_source(global, &options.ways, &mut pass, *index, &store).await);
        if ended.last().is_some_and(|ended| ended.failure.is_some()) {
            break;
        }
    }
    store.close().await;
    let code = finish(global, &mut ended, wanted.len());
    session::forget_at_exit((pass, ended));
    code
}

/// Whether a path is that of a saved plan, be it there or not; any other is of manifests.
fn is_plan(path: &Path) -> bool {
    let named = path.extension().is_some_and(|ending| ending == "json");
    if named || !path.is_file() {
        return named && !path.is_dir();
    }
    let mut begin = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(200).read_to_end(&mut begin));
    let begin = String::from_utf8_lossy(&begin);
    read.is_ok() && begin.starts_with('{') && begin.contains("\"formatVersion\"")
}

/// Writes the document of what became of `wanted` sources; the exit code, or what went wrong.
pub fn finish(global: &GlobalOptions, ended: &mut [SourceResult], wanted: usize) -> CommandResult {
    if global.output == OutputFormat::Json {
        document(ended, wanted)?;
    }
    if let Some(failure) = ended.last_mut().and_then(|ended| ended.failure.take()) {
        return Err(failure);
    }
    Ok(first_code(
        ended.iter().filter_map(|ended| ended.plan.as_ref()),
        false,
    ))
}

/// One document, of several sources with a member for each.
fn document(ended: &[SourceResult], wanted: usize) -> std::io::Result<()> {
    let mut out = output::stdout();
    match ended {
        [one] if wanted == 1 => {
            if let Some(plan) = &one.plan {
                render::json::write_applied(plan, one.run, one.outcome.name(), &mut out)?;
            }
        }
        all => {
            let plans: Vec<&Plan> = all.iter().filter_map(|one| one.plan.as_ref()).collect();
            let results = all.iter().map(SourceResult::json);
            render::json::write_all_applied(&plans, &results.collect::<Vec<_>>(), &mut out)?;
        }
    }
    out.flush()
}

impl SourceResult {
    fn json(&self) -> serde_json::Value {
        let mut result = json!({
            "source": self.source,
            "run": self.run,
            "outcome": self.outcome.name(),
        });
        if let Some(failure) = &self.failure {
            result["error"] = failure.message.as_str().into();
        }
        result
    }
}

impl ApplyOptions {
    /// That somebody said yes, or can be asked.
    pub fn require_confirmation(
        &self,
        global: &GlobalOptions,
        paths: &[PathBuf],
    ) -> Result<(), CommandFailure> {
        // JSON is printed once it is done, so there would be nothing to say yes to.
        if self.yes || global.output != OutputFormat::Json && std::io::stdin().is_terminal() {
            return Ok(());
        }
        if let Some(path) = paths.iter().find(|path| !path.exists()) {
            let message = format!("cannot read {}: no such file", path.display());
            return Err(CommandFailure::error(message));
        }
        Err(CommandFailure::usage(NO_TERMINAL))
    }
}

/// What is said where nobody can confirm.
pub const NO_TERMINAL: &str = "No terminal to confirm on. Pass `--yes`.";

/// Plans, shows and applies one source, under its lease.
pub async fn apply_source(
    global: &GlobalOptions,
    options: &ApplyOptions,
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
) -> SourceResult {
    let name = pass.readings[index].source.name.to_string();
    let mut ended = SourceResult {
        source: name.clone(),
        plan: None,
        run: None,
        outcome: PassOutcome::Failed,
        failure: None,
    };
    let lease = match LeaseGuard::take(store, &name, options.lock_timeout).await {
        Ok(lease) => lease,
        Err(error) => {
            ended.failure = Some(error.into());
            return ended;
        }
    };
    let mut terminal = TerminalConsent {
        global,
        options,
        working: Some(ProgressGuard::begin(global, "planning")),
    };
    let made = reconcile::run(pass, index, store, &lease, &mut terminal).await;
    drop(terminal);
    lease.release(store).await;
    match made {
        Ok(PassResult { plan, done }) => {
            match done {
                Ok(done) => {
                    (ended.outcome, ended.run) = (done.outcome(&plan), done.run(&plan));
                    print_applied(global, &plan, ended.run);
                }
                Err(failure) => ended.failure = Some(failure),
            }
            ended.plan = Some(plan);
        }
        Err(error) => ended.failure = Some(error.into()),
    }
    ended
}

/// A person at a terminal decides, or said yes beforehand.
struct TerminalConsent<'a> {
    global: &'a GlobalOptions,
    options: &'a ApplyOptions,
    /// What is shown while something is worked out.
    working: Option<ProgressGuard>,
}

impl PlanConsent for TerminalConsent<'_> {
    type Error = CommandFailure;

    fn actor(&self) -> String {
        session::actor()
    }

    async fn decide(
        &mut self,
        pass: &mut Pass<'_>,
        _index: usize,
        plan: &Plan,
        allowed: PlanDecision,
    ) -> Result<PlanDecision, CommandFailure> {
        self.working = None;
        if self.global.output != OutputFormat::Json {
            let plans = std::slice::from_ref(plan);
            output::plans(self.global, &self.options.shown, plans, &pass.readings)?;
        }
        if let PlanDecision::Leave { why, .. } = &allowed {
            if !why.is_empty() {
                anstream::eprintln!("Source {}: {why}.", plan.source.name);
            }
            return Ok(allowed);
        }
        if !plan.steps.is_empty() && !self.options.yes && !confirm("Apply this plan?")? {
            return Err(CommandFailure::error("declined; nothing was applied"));
        }
        self.working = Some(ProgressGuard::begin(self.global, "applying"));
        Ok(PlanDecision::Apply)
    }
}

fn print_applied(global: &GlobalOptions, plan: &Plan, run: Option<i64>) {
    if let (false, Some(run)) = (global.quiet, run) {
        let steps = plan.steps.len();
        let changes = if steps == 1 { "change" } else { "changes" };
        anstream::eprintln!("Applied {steps} {changes} as run {run}.");
    }
}

/// Asks on the terminal.
pub fn confirm(what: &str) -> std::io::Result<bool> {
    anstream::eprint!("{what} Type `yes` to confirm: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

async fn apply_saved(global: &GlobalOptions, options: &Options, file: &Path) -> CommandResult {
    let (plan, id) = super::show::read(file)?;
    if !options.scope.accept.is_empty() || !options.scope.target.is_empty() {
        return Err(CommandFailure::usage(
            "a saved plan is applied unchanged; pass `--accept` and `--target` to `roster plan --out` instead",
        ));
    }
    if plan.errored {
        return Err(CommandFailure::error(
            "the saved plan has errors and cannot be applied",
        ));
    }
    let mut config = session::config(global, None)?;
    let reader = reconcile::reader_or_none(&config).await?.store;
    reconcile::check_same_database(&reader, &plan).await?;
    find_root(&mut config, &reader, &plan, &options.scope.paths).await?;
    reconcile::check_source_located(&config, &plan)?;
    reader.close().await;
    let store = session::writer_or_new(global, &config).await?;
    let fetched = reconcile::fetch(&config, Some(&plan.source.name));
    let pass = Pass::read_in_full(&config, PassRequest::default().with_fetch_results(&fetched))?;
    let lease = LeaseGuard::take(&store, &plan.source.name, options.ways.lock_timeout).await?;
    let written = apply_and_print(global, options, &pass, &store, &plan, &id, &lease).await;
    lease.release(&store).await;
    store.close().await;
    written?;
    Ok(plan.exit_code(false))
}

/// Without a configuration, where the files and password references of a saved plan are read
/// again: the directory given after it, or the one that was last applied as this source.
async fn find_root(
    config: &mut Config,
    store: &Store,
    plan: &Plan,
    paths: &[PathBuf],
) -> Result<(), CommandFailure> {
    let given = match paths {
        [] => None,
        [path] if config.path.is_none() => Some(path.clone()),
        [_] => {
            return Err(CommandFailure::usage(
                "roster.yaml already names the sources; pass only the saved plan",
            ));
        }
        _ => {
            return Err(CommandFailure::usage(
                "pass 1 saved plan and at most 1 directory",
            ));
        }
    };
    if config.path.is_some() {
        return Ok(());
    }
    let name = &plan.source.name;
    let root = match given {
        Some(path) => Some(path),
        None => store.path_of(name).await?.map(PathBuf::from),
    };
    config.sources = root
        .iter()
        .map(|root| Source::unnamed(name, root))
        .collect();
    Ok(())
}

async fn apply_and_print(
    global: &GlobalOptions,
    options: &Options,
    pass: &Pass<'_>,
    store: &Store,
    plan: &Plan,
    id: &str,
    lease: &LeaseGuard,
) -> Result<(), CommandFailure> {
    let applied = reconcile::apply_saved(pass, store, plan, id, lease, &session::actor()).await;
    if global.output == OutputFormat::Json {
        let (run, outcome) = match &applied {
            Ok(applied) => (applied.run, PassOutcome::Applied),
            Err(_) => (None, PassOutcome::Failed),
        };
        let mut out = output::stdout();
        render::json::write_applied(plan, run, outcome.name(), &mut out)?;
        out.flush()?;
        applied?;
        return Ok(());
    }
    let applied = applied?;
    let plans = std::slice::from_ref(plan);
    output::plans(global, &options.ways.shown, plans, &pass.readings)?;
    print_applied(global, plan, applied.run);
    Ok(())
}

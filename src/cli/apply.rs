//! `roster apply`: plans, shows, asks and applies, one source after the other, or applies a saved
//! plan. Start at [`run`]; `apply_source` is also used by `roster import`.

use super::apply_result::{self, SourceResult};
use super::output::{self, DisplayOptions, PlanOutput};
use super::progress::ProgressGuard;
use super::{CommandFailure, CommandResult, GlobalOptions, PlanScope, atomic_file, session};
use crate::config::{Config, Source};
use crate::diagnostic::chain;
use crate::document::{self, ApplyDocument, OutputFormat};
use crate::plan::Plan;
use crate::plan::render::{NextStep, PseudonymKey};
use crate::reconcile::{
    self, LeaseGuard, ManualExport, Pass, PassOutcome, PassRequest, PassResult, PlanConsent,
    PlanDecision, SourceReading,
};
use crate::store::Store;
use clap::Args;
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

/// Applies every selected source, or a saved plan.
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
    let mut request = session::request(&config, &options.scope, false)?;
    request.takes_trailers = request.paths.is_empty() && request.targets.is_empty();
    // Before the database is opened or created: without a terminal and without `--yes` nothing may
    // be left behind.
    options
        .ways
        .require_confirmation(global, &options.scope.paths)?;
    check_files(global)?;
    let store = session::writer_or_new(global, &config).await?;
    let request = request.with_fetch_results(&reconcile::fetch(&config, None));
    let mut pass = Pass::read(&config, request, &store).await?;
    let wanted = pass.selected_sources()?;
    let mut ended = Vec::new();
    for index in &wanted {
        // One after the other: a later source may refer to what an earlier one creates, and its
        // plan needs the new state.
        ended.push(apply_source(global, &options.ways, &mut pass, *index, &store).await);
        // The remaining sources may depend on the one that failed.
        if ended.last().is_some_and(|ended| ended.failure.is_some()) {
            break;
        }
    }
    let pseudonyms = store.pseudonym_key().await.ok().flatten();
    store.close().await;
    let output = options.ways.output(global, &pass.readings, pseudonyms);
    let code = apply_result::finish(&output, &mut ended, wanted.len());
    session::forget_at_exit((pass, ended));
    code
}

/// Whether a path is meant as a saved plan, existing or not; any other path is one of manifests.
fn is_plan(path: &Path) -> bool {
    let named = path.extension().is_some_and(|ending| ending == "json");
    if named || !path.is_file() {
        return named && !path.is_dir();
    }
    // The beginning of the file is enough, and a manifest in JSON may be large.
    let mut begin = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(200).read_to_end(&mut begin));
    let begin = String::from_utf8_lossy(&begin);
    read.is_ok() && begin.starts_with('{') && begin.contains("\"formatVersion\"")
}

/// Fails if a requested file cannot be written. Asked before anything is applied, since afterwards it
/// would be too late to stop.
pub fn check_files(global: &GlobalOptions) -> Result<(), CommandFailure> {
    let mut files = global.output_files();
    files.try_for_each(|(_, file)| atomic_file::check_writable(file))
}

impl ApplyOptions {
    /// What the output of these plans needs.
    pub fn output<'a>(
        &'a self,
        global: &'a GlobalOptions,
        readings: &'a [SourceReading],
        pseudonyms: Option<PseudonymKey>,
    ) -> PlanOutput<'a> {
        PlanOutput {
            global,
            shown: &self.shown,
            readings,
            pseudonyms,
            next: NextStep::Omitted,
            // The question after the plan has to be on the screen with it.
            paged: false,
        }
    }

    /// Fails unless the apply was confirmed beforehand or can be confirmed on a terminal.
    pub fn require_confirmation(
        &self,
        global: &GlobalOptions,
        paths: &[PathBuf],
    ) -> Result<(), CommandFailure> {
        // One document is printed after the apply, so there would be nothing to confirm.
        let is_shown = !global.output().is_one_document();
        if self.yes || is_shown && std::io::stdin().is_terminal() {
            return Ok(());
        }
        // A mistyped path is the more likely mistake, and `--yes` would not help.
        if let Some(path) = paths.iter().find(|path| !path.exists()) {
            let message = format!("cannot read {}: no such file", path.display());
            return Err(CommandFailure::error(message));
        }
        Err(CommandFailure::usage(NO_TERMINAL))
    }
}

/// The message when nobody can confirm.
pub const NO_TERMINAL: &str = "No terminal to confirm on. Pass `--yes`.";

/// Plans, shows and applies one source under its lease.
pub async fn apply_source(
    global: &GlobalOptions,
    options: &ApplyOptions,
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
) -> SourceResult {
    let name = pass.readings[index].source.name.to_string();
    let mut ended = SourceResult::of(&name);
    // Taken before planning: a plan made without the lease could be stale by the time it is
    // confirmed.
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
        pseudonyms: store.pseudonym_key().await.ok().flatten(),
    };
    let made = reconcile::run(pass, index, store, &lease, &mut terminal).await;
    // Ends the progress display before anything else is printed.
    drop(terminal);
    if let Ok(PassResult { plan, done: Ok(_) }) = &made {
        let is_part = plan.partial || pass.by_hand == ManualExport::Part;
        record_holds(store, plan, is_part, &lease).await;
    }
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

/// Records what a plan held. If that fails, the plan is applied all the same, and the next apply
/// records it.
async fn record_holds(store: &Store, plan: &Plan, is_part: bool, lease: &LeaseGuard) {
    if plan.errored {
        return;
    }
    if let Err(error) = reconcile::record_holds(store, plan, is_part, lease).await {
        tracing::warn!(
            "`roster holds` does not list what was held: {}",
            chain(&error)
        );
    }
}

/// Consent given at the terminal or by `--yes`.
struct TerminalConsent<'a> {
    global: &'a GlobalOptions,
    options: &'a ApplyOptions,
    /// The progress display while something is computed.
    working: Option<ProgressGuard>,
    pseudonyms: Option<PseudonymKey>,
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
        // A moving spinner would overwrite the plan.
        self.working = None;
        if !self.global.output().is_one_document() {
            let key = self.pseudonyms.clone();
            let output = self.options.output(self.global, &pass.readings, key);
            output.print(&[plan])?;
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

pub fn print_applied(global: &GlobalOptions, plan: &Plan, run: Option<i64>) {
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
    // Only the whole word: a stray Enter or `y` must not deactivate anybody.
    Ok(answer.trim() == "yes")
}

async fn apply_saved(global: &GlobalOptions, options: &Options, file: &Path) -> CommandResult {
    let (plan, id) = super::show::read(file)?;
    // What was reviewed is what is applied; an option would make it another plan.
    if !options.scope.consent.accept.is_empty() || !options.scope.target.is_empty() {
        return Err(CommandFailure::usage(
            "a saved plan is applied unchanged; pass `--accept` and `--target` to `roster plan --out` instead",
        ));
    }
    if plan.errored {
        return Err(CommandFailure::error(
            "the saved plan has errors and cannot be applied",
        ));
    }
    if let Some(preview) = plan.preview {
        return Err(CommandFailure::error(format!(
            "{}: this plan cannot be applied: {preview}",
            file.display()
        )));
    }
    check_files(global)?;
    let mut config = session::config(global, None)?;
    let reader = reconcile::reader_or_none(&config).await?.store;
    // Before the source is read, which may take long: a plan for another database can never be
    // applied.
    reconcile::check_same_database(&reader, &plan).await?;
    reconcile::check_same_environment(&config, &plan)?;
    find_root(&mut config, &reader, &plan, &options.scope.paths).await?;
    reconcile::check_source_located(&config, &plan)?;
    // The reader is closed first, because SQLite folds its log into the file only without other
    // connections.
    reader.close().await;
    let store = session::writer_or_new(global, &config).await?;
    let fetched = reconcile::fetch(&config, Some(&plan.source.name));
    let pass = Pass::read_in_full(&config, PassRequest::default().with_fetch_results(&fetched))?;
    // Only now: reading a large source must not keep others from applying theirs.
    let lease = LeaseGuard::take(&store, &plan.source.name, options.ways.lock_timeout).await?;
    let written = apply_and_print(global, options, &pass, &store, &plan, &id, &lease).await;
    lease.release(&store).await;
    store.close().await;
    // Released before the errors are returned, or another process would wait for the expiry.
    written?;
    Ok(plan.exit_code(false))
}

/// Without a configuration: where the files and password references of a saved plan are read again.
/// Either the directory given after it, or the one last applied as this source.
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
    let pseudonyms = store.pseudonym_key().await.ok().flatten();
    let output = options.ways.output(global, &pass.readings, pseudonyms);
    let applied = reconcile::apply_saved(pass, store, plan, id, lease, &session::actor()).await;
    let (run, outcome) = match &applied {
        Ok(applied) => (applied.run, PassOutcome::Applied),
        Err(_) => (None, PassOutcome::Failed),
    };
    let document = ApplyDocument::new(plan, run, outcome.name());
    if global.output() == OutputFormat::Json {
        let mut out = output::stdout();
        document::write(&document, &mut out)?;
        out.flush()?;
    } else if applied.is_ok() {
        output.print(&[plan])?;
    }
    let written = output.write_files(&[plan], |out| document::write(&document, out));
    print_applied(global, plan, applied?.run);
    record_holds(store, plan, plan.partial, lease).await;
    written
}

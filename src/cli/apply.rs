//! `roster apply`: plans, shows, asks, applies.

use super::output::{self, Shown};
use super::plan::exit_code;
use super::progress::Progress;
use super::{Failure, Global, Outcome, Output, Scope, session};
use crate::config::{Config, Source};
use crate::plan::{Plan, render};
use crate::reconcile::{self, Applied, Kept, Pass, Request};
use crate::store::Store;
use clap::Args;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of `roster apply`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    ways: Ways,
}

/// How something is applied.
#[derive(Debug, Args)]
pub struct Ways {
    #[command(flatten)]
    pub shown: Shown,
    /// Applies without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// How long to wait for another apply of the same source.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = crate::config::duration)]
    pub lock_timeout: Duration,
}

/// Applies every source that is asked for, or a saved plan.
pub async fn run(global: &Global, mut options: Options) -> Outcome {
    let saved =
        options.scope.paths.first().filter(|path| {
            path.is_file() && path.extension().is_some_and(|ending| ending == "json")
        });
    if saved.is_some() {
        let file = options.scope.paths.remove(0);
        return apply_saved(global, &options, &file).await;
    }
    let config = session::config(global, Some(&options.scope))?;
    let request = session::request(&config, &options.scope, false)?;
    options.ways.ask(global)?;
    let store = session::writer(&config).await?;
    let request = request.after(&reconcile::fetch(&config, None));
    let mut pass = Pass::read(&config, request, &store).await?;
    let mut plans = Vec::new();
    for index in pass.wanted()? {
        plans.push(one(global, &options.ways, &mut pass, index, &store).await?);
    }
    let code = exit_code(&plans, false);
    session::leave((pass, plans));
    Ok(code)
}

impl Ways {
    /// That somebody said yes, or can be asked.
    pub fn ask(&self, global: &Global) -> Result<(), Failure> {
        // JSON is printed once it is done, so there would be nothing to say yes to.
        if !self.yes && (global.output == Output::Json || !std::io::stdin().is_terminal()) {
            return Err(Failure::usage(
                "nobody can be asked here: give `--yes`, or a plan saved by `roster plan --out`",
            ));
        }
        Ok(())
    }
}

/// Plans, shows and applies one source, under its lease.
pub async fn one(
    global: &Global,
    options: &Ways,
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
) -> Result<Plan, Failure> {
    let source = pass.readings[index].source.clone();
    let lease = Kept::take(store, &source.name, options.lock_timeout).await?;
    let working = Progress::begin(global, "planning");
    let plan = pass.plan(index, store, &[]).await?;
    drop(working);
    let applied = decide(global, options, pass, index, store, &plan, &lease).await;
    lease.release(store).await;
    applied.map(|()| plan)
}

async fn decide(
    global: &Global,
    options: &Ways,
    pass: &Pass<'_>,
    index: usize,
    store: &Store,
    plan: &Plan,
    lease: &Kept,
) -> Result<(), Failure> {
    let asked = !options.yes;
    if global.output != Output::Json {
        output::plans(
            global,
            &options.shown,
            std::slice::from_ref(plan),
            &pass.readings,
        )?;
    }
    let mut run = None;
    let mut outcome = if plan.errored { "refused" } else { "unchanged" };
    if let (false, Some(why)) = (plan.errored, pass.readings[index].only_planned()) {
        anstream::eprintln!("Source {}: {why}.", plan.source.name);
        outcome = "planned";
    } else if !plan.errored {
        let changes = !plan.steps.is_empty();
        if changes && asked && !confirmed("Apply this plan?")? {
            return Err(Failure::error("declined; nothing was applied"));
        }
        let working = Progress::begin(global, "applying");
        let applied = reconcile::apply(pass, index, store, plan, lease, &session::actor()).await?;
        drop(working);
        if changes {
            outcome = "applied";
            run = applied.run;
            tell(global, plan, &applied);
        }
    }
    if global.output == Output::Json {
        let mut out = output::stdout();
        render::json::write_applied(plan, run, outcome, &mut out)?;
        out.flush()?;
    }
    Ok(())
}

fn tell(global: &Global, plan: &Plan, applied: &Applied) {
    if let (false, Some(run)) = (global.quiet, applied.run) {
        let steps = plan.steps.len();
        let changes = if steps == 1 { "change" } else { "changes" };
        anstream::eprintln!("Applied {steps} {changes} as run {run}.");
    }
}

/// Asks on the terminal.
pub fn confirmed(what: &str) -> std::io::Result<bool> {
    anstream::eprint!("{what} Only `yes` is taken for yes: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

async fn apply_saved(global: &Global, options: &Options, file: &Path) -> Outcome {
    let (plan, id) = super::show::read(file)?;
    if !options.scope.accept.is_empty() || !options.scope.target.is_empty() {
        return Err(Failure::usage(
            "a saved plan is applied as it is: give `--accept` and `--target` to `roster plan --out`",
        ));
    }
    if plan.errored {
        return Err(Failure::error(
            "the saved plan is refused because of its errors",
        ));
    }
    let mut config = session::config(global, None)?;
    let reader = session::reader(&config).await?;
    reconcile::made_for(&reader, &plan).await?;
    find_root(&mut config, &reader, &plan, &options.scope.paths).await?;
    reconcile::rooted(&config, &plan)?;
    reader.close().await;
    let store = session::writer(&config).await?;
    let fetched = reconcile::fetch(&config, Some(&plan.source.name));
    let pass = Pass::whole(&config, Request::default().after(&fetched))?;
    let lease = Kept::take(&store, &plan.source.name, options.ways.lock_timeout).await?;
    let written = saved(global, options, &pass, &store, &plan, &id, &lease).await;
    lease.release(&store).await;
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
) -> Result<(), Failure> {
    let given = match paths {
        [] => None,
        [path] if config.path.is_none() => Some(path.clone()),
        [_] => {
            return Err(Failure::usage(
                "roster.yaml says where the sources are: give the saved plan alone",
            ));
        }
        _ => {
            return Err(Failure::usage(
                "give one saved plan, and one directory at most",
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

async fn saved(
    global: &Global,
    options: &Options,
    pass: &Pass<'_>,
    store: &Store,
    plan: &Plan,
    id: &str,
    lease: &Kept,
) -> Result<(), Failure> {
    let applied = reconcile::applied_plan(pass, store, plan, id, lease, &session::actor()).await?;
    if global.output == Output::Json {
        let mut out = output::stdout();
        render::json::write_applied(plan, applied.run, "applied", &mut out)?;
        out.flush()?;
    } else {
        output::plans(
            global,
            &options.ways.shown,
            std::slice::from_ref(plan),
            &pass.readings,
        )?;
        tell(global, plan, &applied);
    }
    Ok(())
}

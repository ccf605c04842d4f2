//! `roster plan`: what apply would do.

use super::output::{self, Shown};
use super::progress::Progress;
use super::{Failure, Global, Outcome, Scope, failure, session};
use crate::plan::{Plan, render};
use crate::reconcile::{Pass, Reading};
use clap::Args;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Options of `roster plan`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    shown: Shown,
    /// Saves the plan to this file, to be applied as it is.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Lists every stored field that nothing declares.
    #[arg(long)]
    exact: bool,
    /// Reads and compares every stored column instead of trusting versions.
    #[arg(long)]
    scrub: bool,
    /// Exits with 2 when there are steps.
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Prints the plan of every source that is asked for.
pub async fn run(global: &Global, options: &Options) -> Outcome {
    let config = session::config(global, Some(&options.scope))?;
    let mut request = session::request(&config, &options.scope, options.exact)?;
    request.scrub = options.scrub;
    let store = session::reader(&config).await?;
    let working = Progress::begin(global, "planning");
    let mut pass = Pass::read(&config, request, &store).await?;
    let mut plans: Vec<Plan> = Vec::new();
    for index in pass.wanted()? {
        let plan = pass.plan(index, &store, &plans).await?;
        plans.push(plan);
    }
    drop(working);
    let shown = show(global, options, &plans, &pass.readings);
    session::leave((pass, plans));
    shown
}

fn show(global: &Global, options: &Options, plans: &[Plan], readings: &[Reading]) -> Outcome {
    output::plans(global, &options.shown, plans, readings)?;
    if let Some(file) = &options.out {
        save(file, plans)?;
    }
    Ok(exit_code(plans, options.detailed_exitcode))
}

/// The exit code over several plans: by precedence 1, 3, 2, 0.
pub fn exit_code(plans: &[Plan], detailed: bool) -> u8 {
    let codes: Vec<u8> = plans.iter().map(|plan| plan.exit_code(detailed)).collect();
    let first = [failure::ERROR, failure::HELD, failure::CHANGES];
    first
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or(0)
}

fn save(file: &Path, plans: &[Plan]) -> Result<(), Failure> {
    let [plan] = plans else {
        return Err(Failure::usage(
            "`--out` saves exactly one plan: choose a source with `--source NAME`",
        ));
    };
    if plan.errored {
        return Err(Failure::error(
            "the plan is refused because of its errors, so it was not saved; see `roster validate`",
        ));
    }
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(file)?);
        render::json::write(plan, &mut out)?;
        out.flush()
    };
    write().map_err(|error| {
        Failure::error(format!(
            "cannot save the plan to {}: {error}",
            file.display()
        ))
    })
}

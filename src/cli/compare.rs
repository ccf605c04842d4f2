//! `roster compare`: what changes from one revision of the sources to another, without a database.

use super::output::{DisplayOptions, PlanOutput};
use super::pager::PagerOptions;
use super::plan::first_code;
use super::progress::ProgressGuard;
use super::{CommandResult, GlobalOptions, PlanScope, session};
use crate::diagnostic::plural;
use crate::plan::render::NextStep;
use crate::reconcile;
use clap::Args;
use std::path::PathBuf;

/// Options of `roster compare`.
#[derive(Debug, Args)]
pub struct CompareOptions {
    /// The earlier branch, tag or commit.
    #[arg(value_name = "OLD")]
    old: String,
    /// The later one.
    #[arg(value_name = "NEW", default_value = "HEAD")]
    new: String,
    /// Without a configuration: the directory of manifests.
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Use only this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    shown: DisplayOptions,
    #[command(flatten)]
    pager: PagerOptions,
    /// Exit with 2 if there are differences.
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Prints the plan from one revision to the other.
pub fn run(global: &GlobalOptions, options: &CompareOptions) -> CommandResult {
    let scope = PlanScope {
        paths: options.path.iter().cloned().collect(),
        ..PlanScope::default()
    };
    let config = session::config(global, Some(&scope))?;
    let working = ProgressGuard::begin(global, "comparing");
    let (old, new) = (&options.old, &options.new);
    let compared = reconcile::compare(&config, options.source.as_deref(), old, new);
    drop(working);
    let compared = compared?;
    if compared.errors_before > 0 && !global.quiet {
        anstream::eprintln!(
            "`{old}` has {}. What they affect counts as not declared there.",
            plural(compared.errors_before, "error")
        );
    }
    let output = PlanOutput {
        global,
        shown: &options.shown,
        readings: &compared.readings,
        pseudonyms: None,
        next: NextStep::Omitted,
        paged: !options.pager.no_pager,
    };
    output.write(&compared.plans.iter().collect::<Vec<_>>())?;
    Ok(first_code(compared.plans.iter(), options.detailed_exitcode))
}

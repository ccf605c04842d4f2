//! `roster show`: prints a saved plan in any format.

use super::output::{self, DisplayOptions};
use super::{CommandFailure, CommandResult, GlobalOptions};
use crate::document;
use crate::plan::Plan;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `roster show`.
#[derive(Debug, Args)]
pub struct Options {
    /// The file saved by `roster plan --out`.
    #[arg(value_name = "PLAN.json")]
    plan: PathBuf,
    #[command(flatten)]
    shown: DisplayOptions,
}

/// Prints the plan, whether or not it can still be applied.
pub fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let (plan, _) = read(&options.plan)?;
    output::plans(global, &options.shown, &[plan], &[])?;
    Ok(0)
}

/// Reads a saved plan and the id it was saved with.
pub fn read(file: &Path) -> Result<(Plan, String), CommandFailure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        CommandFailure::error(format!("cannot read the plan {}: {error}", file.display()))
    })?;
    document::parse_plan(&text)
        .map_err(|error| CommandFailure::error(format!("{}: {error}", file.display())))
}

//! `roster show`: prints a saved plan in any format.

use super::output::{DisplayOptions, PlanOutput};
use super::pager::PagerOptions;
use super::{CommandFailure, CommandResult, GlobalOptions, session};
use crate::document::{self, OutputFormat};
use crate::plan::Plan;
use crate::plan::render::NextStep;
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
    #[command(flatten)]
    pager: PagerOptions,
}

/// Prints the plan, whether or not it can still be applied.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let (plan, _) = read(&options.plan)?;
    let is_published = global.formats().any(OutputFormat::is_published);
    let pseudonyms = if is_published && !options.shown.show_personal {
        session::pseudonym_key_of(global, &plan).await
    } else {
        None
    };
    let output = PlanOutput {
        global,
        shown: &options.shown,
        readings: &[],
        pseudonyms,
        next: NextStep::Command(apply_command(&options.plan)),
        paged: !options.pager.no_pager,
    };
    output.write(&[&plan])?;
    Ok(0)
}

/// The command that applies a saved plan.
pub fn apply_command(file: &Path) -> String {
    format!("roster apply {}", quoted(file))
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Reads a saved plan and the id it was saved with.
pub fn read(file: &Path) -> Result<(Plan, String), CommandFailure> {
    parse(&read_text(file)?, file)
}

pub fn read_text(file: &Path) -> Result<String, CommandFailure> {
    std::fs::read_to_string(file).map_err(|error| {
        CommandFailure::error(format!("cannot read the plan {}: {error}", file.display()))
    })
}

/// Parses the text of a saved plan.
pub fn parse(text: &str, file: &Path) -> Result<(Plan, String), CommandFailure> {
    document::parse_plan(text)
        .map_err(|error| CommandFailure::error(format!("{}: {error}", file.display())))
}

//! `roster show`: prints saved plans in any format.

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
    /// The file saved by `roster plan --out`, or written by `--output json=FILE`.
    #[arg(value_name = "PLAN.json")]
    plan: PathBuf,
    #[command(flatten)]
    shown: DisplayOptions,
    #[command(flatten)]
    pager: PagerOptions,
}

/// Prints the plans, whether or not they can still be applied.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let plans = parse(&read_text(&options.plan)?, &options.plan)?;
    let plans: Vec<&Plan> = plans.iter().map(|(plan, _)| plan).collect();
    let is_published = global.formats().any(OutputFormat::is_published);
    let pseudonyms = if is_published && !options.shown.show_personal {
        session::pseudonym_key_of(global, &plans).await
    } else {
        None
    };
    let output = PlanOutput {
        global,
        shown: &options.shown,
        readings: &[],
        pseudonyms,
        next: match plans[..] {
            [_] => NextStep::Command(apply_command(&options.plan)),
            // Such a file cannot be applied.
            _ => NextStep::OfSource,
        },
        paged: !options.pager.no_pager,
    };
    output.write(&plans)?;
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

/// Reads the one plan of a file, and the id it was saved with.
pub fn read(file: &Path) -> Result<(Plan, String), CommandFailure> {
    let mut plans = parse(&read_text(file)?, file)?;
    let count = plans.len();
    match plans.pop() {
        Some(plan) if count == 1 => Ok(plan),
        _ => Err(CommandFailure::usage(format!(
            "{}: the plans of {count} sources are in it, and only one can be applied; save it with `roster plan --source NAME --out FILE`",
            file.display()
        ))),
    }
}

pub fn read_text(file: &Path) -> Result<String, CommandFailure> {
    std::fs::read_to_string(file).map_err(|error| {
        CommandFailure::error(format!("cannot read the plan {}: {error}", file.display()))
    })
}

/// Parses the text of a saved plan, or of the plans of several sources.
pub fn parse(text: &str, file: &Path) -> Result<Vec<(Plan, String)>, CommandFailure> {
    let why = |why: String| CommandFailure::error(format!("{}: {why}", file.display()));
    let plans = document::parse_plans(text).map_err(|error| why(error.to_string()))?;
    if plans.is_empty() {
        return Err(why("no plan in it".to_owned()));
    }
    Ok(plans)
}

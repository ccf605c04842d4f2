//! `roster validate`: manifests against every rule that needs no database.

use super::output::{self};
use super::{Global, Outcome, Output, Scope, failure, session};
use crate::diagnostic::{Diagnostic, Omitted, Severity, cap, plural};
use crate::plan::render::{Options as Render, github};
use crate::reconcile::{self, Pass, Reading};
use clap::Args;
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;

/// Options of `roster validate`.
#[derive(Debug, Args)]
pub struct Options {
    /// The directory of manifests. With a configuration: parts of its sources.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Check only this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// Reads, checks and tells everything found.
pub fn run(global: &Global, options: &Options) -> Outcome {
    let scope = Scope {
        paths: options.paths.clone(),
        source: options.source.clone(),
        ..Scope::default()
    };
    let config = session::config(global, Some(&scope))?;
    let request = session::request(&config, &scope, false)?;
    let request = request.after(&reconcile::fetch(&config, None));
    let mut pass = Pass::whole(&config, request)?;
    let mut found: Vec<(usize, Vec<Diagnostic>)> = Vec::new();
    for index in pass.wanted()? {
        found.push((index, pass.validate(index)));
    }
    let count = |severity| {
        found
            .iter()
            .flat_map(|(_, found)| found)
            .filter(|d| d.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let resources = found
        .iter()
        .map(|(index, _)| pass.readings[*index].desired.resources.len())
        .sum();
    let counts = Counts {
        resources,
        errors,
        warnings,
    };
    print(global, &counts, &found, &pass.readings)?;
    session::leave((pass, found));
    Ok(if errors > 0 { failure::ERROR } else { 0 })
}

struct Counts {
    resources: usize,
    errors: usize,
    warnings: usize,
}

fn print(
    global: &Global,
    counts: &Counts,
    found: &[(usize, Vec<Diagnostic>)],
    readings: &[Reading],
) -> io::Result<()> {
    let mut out = output::stdout();
    let Counts {
        resources,
        errors,
        warnings,
    } = counts;
    let all = || found.iter().flat_map(|(_, found)| found);
    match global.output {
        Output::Json => {
            let (shown, omitted) = cap(all(), |one| (*one, 1));
            let mut document = json!({
                "formatVersion": "1.0",
                "summary": {"resources": resources, "errors": errors, "warnings": warnings},
                "diagnostics": shown.into_iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
            });
            if !omitted.is_empty() {
                let omitted: Vec<_> = omitted.iter().map(Omitted::to_json).collect();
                document["truncated"] = omitted.into();
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        }
        Output::Ndjson => {
            let (shown, omitted) = cap(all(), |one| (*one, 1));
            for diagnostic in shown {
                writeln!(out, "{}", diagnostic.to_json())?;
            }
            for more in omitted {
                writeln!(out, "{}", json!({"truncated": more.to_json()}))?;
            }
        }
        Output::Github => {
            for (index, found) in found {
                let options = Render {
                    root: output::in_repository(&readings[*index]),
                    ..Render::default()
                };
                github::findings(found, &options, &mut out)?;
            }
        }
        Output::Text | Output::Markdown => {
            for (index, found) in found {
                let tree = &readings[*index].tree;
                output::write_diagnostics(found, |path| tree.text(path), &mut out)?;
            }
            writeln!(
                out,
                "{}, {}, {}.",
                plural(*resources, "resource"),
                plural(*errors, "error"),
                plural(*warnings, "warning")
            )?;
        }
    }
    out.flush()
}

//! `roster validate`: checks manifests against every rule that needs no database.

use super::output::{self};
use super::{CommandResult, GlobalOptions, OutputFormat, PlanScope, failure, session};
use crate::diagnostic::{Diagnostic, Severity, cap, plural};
use crate::document::{
    DiagnosticDocument, FORMAT_VERSION, OmittedDocument, TruncatedLine, ValidationCounts,
    ValidationDocument,
};
use crate::plan::render::{RenderOptions as Render, github};
use crate::reconcile::{self, Pass, SourceReading};
use clap::Args;
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

/// Reads and checks the manifests and prints all diagnostics.
pub fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let scope = PlanScope {
        paths: options.paths.clone(),
        source: options.source.clone(),
        ..PlanScope::default()
    };
    let config = session::config(global, Some(&scope))?;
    let request = session::request(&config, &scope, false)?;
    let request = request.with_fetch_results(&reconcile::fetch(&config, None));
    let mut pass = Pass::read_in_full(&config, request)?;
    let mut found: Vec<(usize, Vec<Diagnostic>)> = Vec::new();
    for index in pass.selected_sources()? {
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
    let counts = ValidationCounts {
        resources,
        errors,
        warnings,
    };
    print(global, &counts, &found, &pass.readings)?;
    session::forget_at_exit((pass, found));
    Ok(if errors > 0 { failure::ERROR } else { 0 })
}

fn print(
    global: &GlobalOptions,
    counts: &ValidationCounts,
    found: &[(usize, Vec<Diagnostic>)],
    readings: &[SourceReading],
) -> io::Result<()> {
    let mut out = output::stdout();
    let ValidationCounts {
        resources,
        errors,
        warnings,
    } = counts;
    let all = || found.iter().flat_map(|(_, found)| found);
    match global.output {
        OutputFormat::Json => {
            let (shown, omitted) = cap(all(), |one| (*one, 1));
            let document = ValidationDocument {
                format_version: FORMAT_VERSION,
                summary: *counts,
                diagnostics: shown.into_iter().map(DiagnosticDocument::from).collect(),
                truncated: omitted.iter().map(OmittedDocument::from).collect(),
            };
            writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        }
        OutputFormat::Ndjson => {
            let (shown, omitted) = cap(all(), |one| (*one, 1));
            for diagnostic in shown {
                let line = DiagnosticDocument::from(diagnostic);
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            for more in &omitted {
                let line = TruncatedLine {
                    truncated: OmittedDocument::from(more),
                };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
        }
        OutputFormat::Github => {
            for (index, found) in found {
                let options = Render {
                    root: output::path_in_repository(&readings[*index]),
                    ..Render::default()
                };
                github::write_diagnostics(found, &options, &mut out)?;
            }
        }
        OutputFormat::Text | OutputFormat::Markdown => {
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

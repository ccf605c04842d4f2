//! `roster validate`: checks manifests against every rule that needs no database.

use super::{CommandFailure, CommandResult, GlobalOptions, PlanScope, failure, output, session};
use crate::diagnostic::{Diagnostic, Severity};
use crate::document::{self, OutputFormat, SourceDiagnostics, ValidationCounts};
use crate::plan::render::RenderOptions;
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
    let written = write(global, &counts, &found, &pass.readings);
    session::forget_at_exit((pass, found));
    written?;
    Ok(if errors > 0 { failure::ERROR } else { 0 })
}

fn write(
    global: &GlobalOptions,
    counts: &ValidationCounts,
    found: &[(usize, Vec<Diagnostic>)],
    readings: &[SourceReading],
) -> Result<(), CommandFailure> {
    let format = |format, color, out: &mut dyn Write| match format {
        OutputFormat::Text => write_text(counts, found, readings, color, out),
        format => write_format(counts, found, readings, format, out),
    };
    let mut out = output::stdout();
    format(global.output(), output::colored(&io::stdout()), &mut out)?;
    out.flush()?;
    output::write_files(global, |requested, out| format(requested, false, out))
}

fn write_text(
    counts: &ValidationCounts,
    found: &[(usize, Vec<Diagnostic>)],
    readings: &[SourceReading],
    color: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (index, found) in found {
        let tree = &readings[*index].tree;
        output::write_diagnostics_in(found, |path| tree.text(path), color, out)?;
    }
    writeln!(out, "{}", counts.sentence())
}

fn write_format(
    counts: &ValidationCounts,
    found: &[(usize, Vec<Diagnostic>)],
    readings: &[SourceReading],
    format: OutputFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    let options: Vec<RenderOptions> = found
        .iter()
        .map(|(index, _)| RenderOptions {
            root: output::path_in_repository(&readings[*index]),
            // Every message is about a value in the files, which readers of the report have.
            ..RenderOptions::default()
        })
        .collect();
    let sources = found.iter().zip(&options);
    let sources: Vec<_> = sources
        .map(|((index, found), options)| SourceDiagnostics {
            source: &readings[*index].source.name,
            options,
            found,
        })
        .collect();
    document::render_validation(counts, &sources, format, out)
}

//! `roster validate`: checks manifests against every rule that needs no database.

use super::{
    CommandFailure, CommandResult, GlobalOptions, PlanScope, atomic_file, failure, output, session,
    show,
};
use crate::diagnostic::{Diagnostic, Severity, agreed, visible, write_grouped};
use crate::document::{
    self, DiagnosticBaseline, KnownDiagnostic, OutputFormat, SourceDiagnostics, ValidationCounts,
};
use crate::plan::render::RenderOptions;
use crate::reconcile::{self, Pass, SourceReading};
use clap::Args;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Options of `roster validate`.
#[derive(Debug, Args)]
pub struct Options {
    /// The directory of manifests. With a configuration: parts of its sources.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Check only this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Report only what this file does not know, and name what it knows and is gone.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write all errors and warnings to this file, as the baseline for later. With `--baseline`, write
    /// only those that it knows.
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

/// What was found, by the index of its source.
type FoundBySource = Vec<(usize, Vec<Diagnostic>)>;

/// What the report says beside the diagnostics.
struct ValidationSummary {
    counts: ValidationCounts,
    /// What the baseline knows and nobody found.
    gone: Vec<KnownDiagnostic>,
    /// The command that writes the baseline anew.
    renew: String,
}

/// Reads and checks the manifests and prints all diagnostics.
pub fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let scope = PlanScope {
        paths: options.paths.clone(),
        source: options.source.clone(),
        ..PlanScope::default()
    };
    // Read first: with a wrong file, nobody should wait for the check.
    let baseline = options.baseline.as_deref().map(read_baseline).transpose()?;
    let config = session::config(global, Some(&scope))?;
    let is_part = config.path.is_some() && !(options.paths.is_empty() && options.source.is_none());
    if is_part && options.write_baseline.is_some() {
        return Err(CommandFailure::usage(
            "a baseline is of all sources; leave out PATH and `--source`, or `--write-baseline`",
        ));
    }
    let request = session::request(&config, &scope, false)?;
    let request = request.with_fetch_results(&reconcile::fetch(&config, None));
    let mut pass = Pass::read_in_full(&config, request)?;
    let mut found: FoundBySource = Vec::new();
    for index in pass.selected_sources()? {
        found.push((index, pass.validate(index)));
    }
    let all = options.write_baseline.as_ref().map(|_| {
        DiagnosticBaseline::of(found.iter().flat_map(|(index, found)| {
            let source = &*pass.readings[*index].source.name;
            found.iter().map(move |found| (source, found))
        }))
    });
    let (summary, still_known) = summary(options, baseline, &mut found, &pass.readings);
    // Beside a baseline, the new one is shorter and never hides what is new.
    if let (Some(file), Some(written)) = (&options.write_baseline, still_known.or(all)) {
        atomic_file::write(file, |out| written.write(out))?;
    }
    let written = write(global, &summary, &found, &pass.readings);
    session::forget_at_exit((pass, found));
    written?;
    // What is in the first baseline was accepted by writing it.
    let is_first = options.write_baseline.is_some() && options.baseline.is_none();
    let is_faulty = summary.counts.errors > 0 && !is_first;
    Ok(if is_faulty { failure::ERROR } else { 0 })
}

fn read_baseline(file: &Path) -> Result<DiagnosticBaseline, CommandFailure> {
    let wrong = |why: String| CommandFailure::error(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    DiagnosticBaseline::parse(&text).map_err(|error| {
        wrong(format!(
            "this is no baseline of `roster validate --write-baseline`: {error}"
        ))
    })
}

/// Takes what is known out of the diagnostics, and counts the rest. Also returns what is known and
/// was found.
fn summary(
    options: &Options,
    baseline: Option<DiagnosticBaseline>,
    found: &mut [(usize, Vec<Diagnostic>)],
    readings: &[SourceReading],
) -> (ValidationSummary, Option<DiagnosticBaseline>) {
    let (mut known, mut gone, mut still_known) = (None, Vec::new(), None);
    if let Some(mut baseline) = baseline {
        let before = baseline.clone();
        let taken = found
            .iter_mut()
            .map(|(index, found)| baseline.take_known(&readings[*index].source.name, found));
        known = Some(taken.sum());
        still_known = Some(before.without(&baseline));
        // Of a part of a source, nobody knows what is gone from the rest.
        if options.paths.is_empty() || readings.iter().all(|reading| reading.source.unnamed) {
            let checked = found
                .iter()
                .map(|(index, _)| &*readings[*index].source.name);
            gone = baseline.left(&checked.collect());
        }
    }
    let count = |severity| {
        let all = found.iter().flat_map(|(_, found)| found);
        all.filter(|found| found.severity == severity).count()
    };
    let resources = found
        .iter()
        .map(|(index, _)| readings[*index].desired.resources.len());
    let file = options.baseline.as_deref().unwrap_or(Path::new("FILE"));
    let paths = options.paths.iter().map(|path| show::quoted(path) + " ");
    let summary = ValidationSummary {
        counts: ValidationCounts {
            resources: resources.sum(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            known,
        },
        gone,
        renew: format!(
            "roster validate {}--baseline {file} --write-baseline {file}",
            paths.collect::<String>(),
            file = show::quoted(file)
        ),
    };
    (summary, still_known)
}

fn write(
    global: &GlobalOptions,
    summary: &ValidationSummary,
    found: &[(usize, Vec<Diagnostic>)],
    readings: &[SourceReading],
) -> Result<(), CommandFailure> {
    let format = |format, color, out: &mut dyn Write| match format {
        OutputFormat::Text => write_text(summary, found, readings, color, out),
        format => write_format(summary, found, readings, format, out),
    };
    let mut out = output::stdout();
    format(global.output(), output::colored(&io::stdout()), &mut out)?;
    out.flush()?;
    output::write_files(global, |requested, out| format(requested, false, out))
}

fn write_text(
    summary: &ValidationSummary,
    found: &[(usize, Vec<Diagnostic>)],
    readings: &[SourceReading],
    color: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (index, found) in found {
        let tree = &readings[*index].tree;
        write_grouped(found, |path| tree.text(path), color, out)?;
    }
    if !summary.gone.is_empty() {
        let count = summary.gone.len();
        let gone = agreed(
            count,
            ("known diagnostic", "known diagnostics"),
            ("is", "are"),
        );
        writeln!(
            out,
            "{gone} gone. To shorten the baseline: {}",
            summary.renew
        )?;
        for gone in &summary.gone {
            writeln!(out, "  {}", visible(&gone.to_string()))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", summary.counts.sentence())
}

fn write_format(
    summary: &ValidationSummary,
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
    document::render_validation(&summary.counts, &sources, &summary.gone, format, out)
}

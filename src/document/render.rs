//! Writes plans and diagnostics in any format. Several sources are always one result, since a file
//! holds one.

use super::shown_plan::ShownPlan;
use super::source_diagnostics::SourceDiagnostics;
use super::{
    DiagnosticDocument, FORMAT_VERSION, KnownDiagnostic, OmittedDocument, OutputFormat,
    PlanListDocument, TruncatedLine, ValidationCounts, ValidationDocument, gitlab_report,
    html_report, junit, sarif, write_lines, write_plan,
};
use crate::diagnostic::cap;
use crate::plan::Plan;
use crate::plan::render::{RenderOptions, github, markdown, text};
use std::io::{self, Write};

/// Writes one plan.
pub fn render(
    plan: &Plan,
    format: OutputFormat,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    render_all(&[ShownPlan { plan, options }], format, out)
}

/// Writes the plans of several sources.
pub fn render_all(
    shown: &[ShownPlan<'_>],
    format: OutputFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    let out = &mut io::BufWriter::new(out);
    let reported = || -> Vec<_> { shown.iter().map(SourceDiagnostics::from).collect() };
    let one_by_one = |write: fn(&Plan, &RenderOptions, &mut dyn Write) -> io::Result<()>,
                      out: &mut dyn Write| {
        let mut shown = shown.iter();
        shown.try_for_each(|one| write(one.plan, one.options, out))
    };
    match format {
        OutputFormat::Text => one_by_one(text::write, out),
        OutputFormat::Json => match shown {
            [one] => write_plan(one.plan, out),
            all => super::write(&PlanListDocument::new(all.iter().map(|one| one.plan)), out),
        },
        OutputFormat::Ndjson => one_by_one(|plan, _, mut out| write_lines(plan, &mut out), out),
        OutputFormat::Markdown => one_by_one(markdown::write, out),
        OutputFormat::Github => one_by_one(github::write, out),
        OutputFormat::Sarif => sarif::write(&reported(), out),
        OutputFormat::Junit => junit::write(&reported(), out),
        OutputFormat::Gitlab => gitlab_report::write(&reported(), out),
        OutputFormat::Html => html_report::write_plans(shown, out),
    }?;
    out.flush()
}

/// Writes the diagnostics of a validation. Text is left to the caller, who has the lines of the files.
pub fn render_validation(
    counts: &ValidationCounts,
    sources: &[SourceDiagnostics<'_>],
    gone: &[KnownDiagnostic],
    format: OutputFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    let out = &mut io::BufWriter::new(out);
    match format {
        OutputFormat::Text => Ok(()),
        OutputFormat::Json => json(counts, sources, gone, out),
        OutputFormat::Ndjson => ndjson(sources, out),
        OutputFormat::Markdown => {
            let found: Vec<_> = sources.iter().map(|of| (of.found, of.options)).collect();
            markdown::write_validation(&counts.short_sentence(), &found, out)
        }
        OutputFormat::Github => {
            let mut sources = sources.iter();
            sources.try_for_each(|of| github::write_diagnostics(of.found, of.options, out))
        }
        OutputFormat::Sarif => sarif::write(sources, out),
        OutputFormat::Junit => junit::write(sources, out),
        OutputFormat::Gitlab => gitlab_report::write(sources, out),
        OutputFormat::Html => html_report::write_validation(&counts.short_sentence(), sources, out),
    }?;
    out.flush()
}

fn json(
    counts: &ValidationCounts,
    sources: &[SourceDiagnostics<'_>],
    gone: &[KnownDiagnostic],
    out: &mut dyn Write,
) -> io::Result<()> {
    let all = sources.iter().flat_map(|of| of.found);
    let (shown, omitted) = cap(all, |one| (*one, 1));
    let document = ValidationDocument {
        format_version: FORMAT_VERSION,
        summary: *counts,
        diagnostics: shown.into_iter().map(DiagnosticDocument::from).collect(),
        truncated: omitted.iter().map(OmittedDocument::from).collect(),
        gone,
    };
    super::write(&document, out)
}

fn ndjson(sources: &[SourceDiagnostics<'_>], out: &mut dyn Write) -> io::Result<()> {
    let all = sources.iter().flat_map(|of| of.found);
    let (shown, omitted) = cap(all, |one| (*one, 1));
    for diagnostic in shown {
        serde_json::to_writer(&mut *out, &DiagnosticDocument::from(diagnostic))?;
        writeln!(out)?;
    }
    for more in &omitted {
        let line = TruncatedLine {
            truncated: OmittedDocument::from(more),
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}

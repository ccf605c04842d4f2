//! `roster import --manifests`: converts an export into manifests. The database is only
//! asked who was erased.

use super::output::{self, write_diagnostics};
use super::{CommandFailure, GlobalOptions, new_files};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity, plural};
use crate::document::OutputFormat;
use crate::document::{
    ConversionCounts, ConversionDocument, DiagnosticDocument, FORMAT_VERSION, KeyNames,
};
use crate::kinds;
use crate::model::Key;
use crate::reconcile::{self, ConvertedExport};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// How many resources are listed by name.
const NAMED: usize = 20;

/// Writes what can be converted and reports the rest. Returns the diagnostics, and whether there
/// were no problems.
pub async fn run(
    global: &GlobalOptions,
    config: &Config,
    index: usize,
    dir: &Path,
    atomic: bool,
) -> Result<(Vec<Diagnostic>, bool), CommandFailure> {
    // A database that does not exist yet has nobody who was erased.
    let store = reconcile::reader_or_none(config).await?.store;
    let converted = reconcile::manifests(config, &config.sources[index], dir, &store).await?;
    store.close().await;
    let errors = converted.diagnostics.iter().any(Diagnostic::is_error);
    // A doubtful export, such as a truncated one, is not written even without `--atomic`.
    let refused = atomic && errors || converted.doubt.is_some();
    if !refused {
        new_files::write(dir, &converted.export.manifests)?;
    }
    print_conversion(global, &converted, dir, refused)?;
    let right = !errors && converted.doubt.is_none();
    Ok((converted.diagnostics, right))
}

fn print_conversion(
    global: &GlobalOptions,
    converted: &ConvertedExport,
    dir: &Path,
    refused: bool,
) -> io::Result<()> {
    let mut out = output::stdout();
    match global.output() {
        OutputFormat::Json | OutputFormat::Ndjson => json(converted, refused, &mut out)?,
        _ => {
            write_diagnostics(&converted.diagnostics, |_| None, &mut out)?;
            text(converted, dir, refused, &mut out)?;
        }
    }
    out.flush()
}

fn json(converted: &ConvertedExport, refused: bool, out: &mut dyn Write) -> io::Result<()> {
    let count = |severity| {
        let found = converted.diagnostics.iter();
        found.filter(|found| found.severity == severity).count()
    };
    let (files, written) = if refused {
        (Vec::new(), 0)
    } else {
        let files = converted.export.manifests.keys();
        let files = files.map(String::as_str).collect();
        (files, converted.written.len())
    };
    let document = ConversionDocument {
        format_version: FORMAT_VERSION,
        doubt: converted.doubt.as_deref(),
        outcome: if refused { "refused" } else { "written" },
        summary: ConversionCounts {
            written,
            left_out: converted.faulty.len(),
            declared: converted.declared.len(),
            deleted: converted.deleted.len(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
        },
        files,
        left_out: KeyNames(converted.faulty.iter().collect()),
        declared: KeyNames(converted.declared.iter().map(|(key, _)| key).collect()),
        deleted: KeyNames(converted.deleted.iter().collect()),
        diagnostics: converted
            .diagnostics
            .iter()
            .map(DiagnosticDocument::from)
            .collect(),
    };
    writeln!(out, "{}", serde_json::to_string_pretty(&document)?)
}

fn text(
    converted: &ConvertedExport,
    dir: &Path,
    refused: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let dir = dir.display();
    let plain = |keys: &mut dyn Iterator<Item = &Key>| keys.map(ToString::to_string).collect();
    let declared = converted.declared.iter();
    let declared = declared.map(|(key, place)| format!("{key}  {place}"));
    list(
        out,
        "Already declared, left unchanged:",
        &declared.collect::<Vec<_>>(),
    )?;
    let deleted: Vec<String> = plain(&mut converted.deleted.iter());
    list(out, "Deleted in the export, not written:", &deleted)?;
    let faulty: Vec<String> = plain(&mut converted.faulty.iter());
    list(out, "Skipped because of errors:", &faulty)?;
    match (&converted.doubt, refused) {
        (Some(why), _) => writeln!(out, "Nothing was written: {why}."),
        (None, true) => writeln!(
            out,
            "Nothing was written: `--atomic` needs an export without errors."
        ),
        (None, false) => writeln!(
            out,
            "Wrote {} to {dir}, in {}; {} skipped, {} already declared.",
            by_kind(&converted.written),
            plural(converted.export.manifests.len(), "file"),
            converted.faulty.len(),
            converted.declared.len(),
        ),
    }
}

fn list(out: &mut dyn Write, title: &str, lines: &[String]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}")?;
    for line in lines.iter().take(NAMED) {
        writeln!(out, "  {line}")?;
    }
    if lines.len() > NAMED {
        writeln!(out, "  and {} more", lines.len() - NAMED)?;
    }
    writeln!(out)
}

/// `2 accounts, 1 address`.
pub(super) fn by_kind(keys: &[Key]) -> String {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for key in keys {
        *counts.entry(key.kind).or_default() += 1;
    }
    let words = counts.into_iter().map(|(kind, count)| {
        let kind = kinds::get(kind);
        let word = if count == 1 {
            kind.singular
        } else {
            kind.collection
        };
        format!("{count} {word}")
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        return "nothing".to_owned();
    }
    words.join(", ")
}

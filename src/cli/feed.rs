//! `roster feed`: shows what is in an export, and writes a mapping to start from. Works without a
//! database or a configuration.

use super::print::print;
use super::{
    CommandFailure, CommandResult, GlobalOptions, atomic_file, failure, list_output, output,
};
use crate::diagnostic::{Diagnostic, visible};
use crate::document::{
    DiagnosticDocument, FORMAT_VERSION, InspectedCellDocument, InspectedListDocument,
    InspectedRowDocument, InspectionDocument, PresetFitDocument, RivalPresetsDocument,
};
use crate::feed::format::{ExportRecord, RawCell, SheetSelector};
use crate::feed::guess::{self, ExportProfile, PresetFit, ProfileOptions};
use clap::{Args, Subcommand};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Options of `roster feed`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: FeedCommand,
}

#[derive(Debug, Subcommand)]
enum FeedCommand {
    /// Show the format of an export, the presets that fit, and the first rows.
    Inspect(InspectOptions),
    /// Write a mapping to start from, based on a matching preset or on column names.
    Map(MapOptions),
}

/// Where in a file the table is.
#[derive(Debug, Args)]
struct TableArgs {
    /// The sheet of a workbook, by name or by number from 1.
    #[arg(long, value_name = "SHEET")]
    sheet: Option<String>,
    /// The line or sheet row of the column names. Default: guessed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    header: Option<u32>,
}

impl TableArgs {
    fn table_request(&self) -> ProfileOptions {
        let sheet = self.sheet.as_ref().map(|text| match text.parse() {
            // A sheet may be called `0`, but none has that number.
            Ok(number) if number > 0 => SheetSelector::Number(number),
            _ => SheetSelector::Name(text.clone()),
        });
        ProfileOptions {
            sheet,
            header: self.header,
        }
    }
}

/// Options of `roster feed inspect`.
#[derive(Debug, Args)]
struct InspectOptions {
    /// The export: CSV, JSON, JSON Lines or XLSX.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    table: TableArgs,
    /// How many rows to show.
    #[arg(long, value_name = "N", default_value_t = 3)]
    rows: usize,
}

/// Options of `roster feed map`.
#[derive(Debug, Args)]
struct MapOptions {
    /// The export: CSV, JSON, JSON Lines or XLSX.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    table: TableArgs,
    /// Start from this preset.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Write to this file, which must not exist yet. Default: stdout.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Inspects the export, or writes the mapping.
pub fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    match &options.what {
        FeedCommand::Inspect(options) => inspect(global, options),
        FeedCommand::Map(options) => map(global, options),
    }
}

fn inspect_file(path: &Path, table: &TableArgs) -> Result<ExportProfile, CommandFailure> {
    let failed = |error| CommandFailure::error(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    guess::inspect(file, &name.as_ref().into(), table.table_request()).map_err(failed)
}

fn inspect(global: &GlobalOptions, options: &InspectOptions) -> CommandResult {
    let look = inspect_file(&options.file, &options.table)?;
    let rows = &look.first[..look.first.len().min(options.rows)];
    let mut out = output::stdout();
    if !list_output::write_one(global, &document(&look, rows), &mut out)? {
        out.write_all(text(&look, rows).as_bytes())?;
        if !look.outcome.diagnostics.is_empty() {
            writeln!(out, "\nFound")?;
            // If the file is UTF-8, the lines of the diagnostics can be shown.
            let content = fs::read_to_string(&options.file).ok();
            output::write_diagnostics(&look.outcome.diagnostics, |_| content.clone(), &mut out)?;
        }
    }
    out.flush()?;
    // A login page instead of an export deserves an exit code, because a script may be asking.
    let mut found = look.outcome.diagnostics.iter();
    let wrong = !look.outcome.complete || found.any(Diagnostic::is_error);
    Ok(if wrong { failure::ERROR } else { 0 })
}

fn text(look: &ExportProfile, rows: &[ExportRecord]) -> String {
    let outcome = &look.outcome;
    let mut text = format!("format     {}\n", outcome.format.display_name());
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10} {}", visible(value));
    };
    if !outcome.encoding.is_empty() {
        line("encoding", outcome.encoding);
    }
    if let Some(delimiter) = outcome.delimiter {
        line("delimiter", &delimiter_name(delimiter));
    }
    if let Some(ends) = look.line_ends {
        line("line ends", ends);
    }
    if look.columns.is_empty() {
        if outcome.complete {
            line("rows", &outcome.records.to_string());
        }
        return text;
    }
    line("header", &header(look));
    if let Some(rows) = &look.rows {
        line("list", rows);
    }
    line("trailer", look.trailer.as_deref().unwrap_or("none"));
    line("rows", &outcome.records.to_string());
    let columns: Vec<&str> = look.columns.names().collect();
    line(
        "columns",
        &format!("{}: {}", columns.len(), columns.join(", ")),
    );
    text.push_str("\nPresets\n");
    if look.fits.is_empty() {
        text.push_str("  no preset matches the columns; guess a mapping with `roster feed map`\n");
    }
    for fit in &look.fits {
        text += &fit_line(fit);
    }
    for rival in guess::rivals(look) {
        let [first, second] = [rival.first, rival.second];
        let _ = writeln!(
            text,
            "  {}; give `roster import` and `roster feed map` one of them: `--preset {first}` or \
             `--preset {second}`",
            visible(&rival.difference())
        );
    }
    for record in rows {
        let _ = writeln!(text, "\nRow {}", record.at.line);
        text += &cells(look, record, "  ");
    }
    text
}

fn header(look: &ExportProfile) -> String {
    if !look.outcome.format.has_header() {
        return "none in this format".to_owned();
    }
    if !look.header {
        return "none: columns are named by their number".to_owned();
    }
    match look.first_line {
        1 => "yes".to_owned(),
        2 => "line 2; the line above is skipped".to_owned(),
        line => format!("line {line}; the {} lines above are skipped", line - 1),
    }
}

/// What is shown instead of a secret.
const NOT_SHOWN: &str = "(not shown)";

fn delimiter_name(delimiter: char) -> String {
    match delimiter {
        '\t' => "tab".to_owned(),
        other => other.to_string(),
    }
}

fn fit_line(fit: &PresetFit) -> String {
    let PresetFit {
        preset,
        found,
        total: of,
        ..
    } = fit;
    let mut text = format!(
        "  {preset:<19} {:>3} %, {found} of {of} columns",
        fit.share()
    );
    if !fit.needed.is_empty() {
        let _ = write!(text, "; cannot read it without {}", fit.needed.join(", "));
    } else if !fit.missing.is_empty() {
        let _ = write!(text, "; missing: {}", fit.missing.join(", "));
    }
    if !fit.unknown.is_empty() && fit.needed.is_empty() {
        let _ = write!(text, "; unknown: {}", visible(&fit.unknown.join(", ")));
    }
    text + "\n"
}

fn cells(look: &ExportProfile, record: &ExportRecord, indent: &str) -> String {
    let mut text = String::new();
    for (at, cell) in present_cells(record) {
        let name = look.columns.name(at);
        let place = format!("{}:{}", cell.at.line, cell.at.column);
        let shown = if cell.is_blank() {
            ""
        // Judged by the column name: an export may contain passwords, and the output ends up in
        // tickets and logs.
        } else if guess::holds_secrets(name) {
            NOT_SHOWN
        } else {
            cell.text.as_str()
        };
        // One line per cell, so that a cell with a line break does not look like two.
        let shown = shown.replace('\n', "⏎");
        let line = format!("{place:<8} {name:<28} {shown}");
        let _ = writeln!(text, "{indent}{}", visible(line.trim_end()));
    }
    for (at, members) in &record.lists {
        for (nth, member) in members.iter().enumerate() {
            let name = visible(look.columns.name(*at));
            let _ = writeln!(text, "{indent}{name}[{nth}]");
            text += &cells(look, member, &format!("{indent}  "));
        }
    }
    text
}

fn present_cells(record: &ExportRecord) -> impl Iterator<Item = (usize, &RawCell)> {
    let cells = record.cells.iter().enumerate();
    cells.filter_map(|(at, cell)| Some((at, cell.as_ref()?)))
}

fn document<'p>(look: &'p ExportProfile, rows: &'p [ExportRecord]) -> InspectionDocument<'p> {
    let outcome = &look.outcome;
    let fits = look.fits.iter().map(|fit| PresetFitDocument {
        preset: fit.preset,
        share: fit.share(),
        found: fit.found,
        of: fit.total,
        needed: &fit.needed,
        missing: &fit.missing,
        unknown: &fit.unknown,
        fits: fit.is_good(),
    });
    let rivals = guess::rivals(look).into_iter();
    let rivals = rivals.map(|rival| RivalPresetsDocument {
        presets: [rival.first, rival.second],
        why: rival.difference(),
        columns: rival.columns,
    });
    let diagnostics = outcome.diagnostics.iter();
    InspectionDocument {
        format_version: FORMAT_VERSION,
        format: outcome.format.display_name(),
        encoding: outcome.encoding,
        delimiter: outcome.delimiter,
        line_ends: look.line_ends,
        header: look.header,
        header_line: (look.header && outcome.format.has_header()).then_some(look.first_line),
        list: look.rows.as_deref(),
        trailer: look.trailer.as_deref(),
        rows: outcome.records,
        complete: outcome.complete,
        columns: look.columns.names().collect(),
        presets: fits.collect(),
        ambiguous: rivals.collect(),
        first: rows.iter().map(|record| row(look, record)).collect(),
        diagnostics: diagnostics.map(DiagnosticDocument::from).collect(),
    }
}

fn row<'p>(look: &'p ExportProfile, record: &'p ExportRecord) -> InspectedRowDocument<'p> {
    let cells = present_cells(record).map(|(at, cell)| {
        let name = look.columns.name(at);
        let hidden = guess::holds_secrets(name) && !cell.is_blank();
        InspectedCellDocument {
            line: cell.at.line,
            column: cell.at.column,
            name,
            text: if hidden {
                NOT_SHOWN
            } else {
                cell.text.as_str()
            },
        }
    });
    let lists = record
        .lists
        .iter()
        .map(|(at, members)| InspectedListDocument {
            name: look.columns.name(*at),
            members: members.iter().map(|member| row(look, member)).collect(),
        });
    InspectedRowDocument {
        cells: cells.collect(),
        lists: lists.collect(),
    }
}

fn map(global: &GlobalOptions, options: &MapOptions) -> CommandResult {
    let look = inspect_file(&options.file, &options.table)?;
    // A mapping drafted from a broken file would be wrong in ways that are hard to see.
    if look.columns.is_empty() || look.outcome.records == 0 && !look.outcome.complete {
        let why = look
            .outcome
            .diagnostics
            .first()
            .map(|found| match &found.help {
                Some(help) => format!("{}; {help}", found.message),
                None => found.message.clone(),
            });
        return Err(CommandFailure::error(format!(
            "{}: {}",
            options.file.display(),
            why.unwrap_or_else(|| "it has no columns".to_owned())
        )));
    }
    let name = options.out.as_deref().unwrap_or(&options.file).file_stem();
    let name = name.unwrap_or_default().to_string_lossy();
    let draft = guess::draft_mapping(&look, &name, options.preset.as_deref())
        .map_err(CommandFailure::usage)?;
    let Some(path) = &options.out else {
        return print(&draft.text);
    };
    // Never over an existing file: a mapping is edited by hand afterwards.
    atomic_file::write_new(path, |out| out.write_all(draft.text.as_bytes()))?;
    if !global.quiet {
        let from = draft.preset.map_or_else(
            || "from the column names".to_owned(),
            |preset| format!("from the preset {preset}"),
        );
        anstream::eprintln!(
            "Wrote {} {from}. Check it, then run `roster import {} --mapping {}`.",
            path.display(),
            options.file.display(),
            path.display()
        );
    }
    Ok(0)
}

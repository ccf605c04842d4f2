//! `roster export`: the database as manifests, or in the format that a preset reads.

use super::atomic_file::UnfinishedFile;
use super::paged_export::PagedExport;
use super::{
    CommandFailure, CommandResult, GlobalOptions, atomic_file, import, new_files, order_refs,
    output, session,
};
use crate::diagnostic::plural;
use crate::feed::mapping::Mapping;
use crate::feed::write::{self, DirectoryChanges, WriteFormat, WriteSummary};
use crate::manifest::layout::ManifestExport;
use crate::reconcile::{UndeclarableSummary, directory_manifests};
use crate::store::Store;
use clap::{Args, Subcommand, ValueEnum};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Options of `roster export`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    what: Option<ExportCommand>,
    /// Write manifests into this directory, which must be empty: one folder per account, and files
    /// beside them for what belongs to several accounts or none. With `--preset` or `--mapping`,
    /// write this file. Default: stdout.
    #[arg(short, long, value_name = "DIR|FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    written: ExportFormatOptions,
}

#[derive(Debug, Subcommand)]
enum ExportCommand {
    /// Write which login placed each order, as CSV.
    OrderRefs(order_refs::OrderRefOptions),
}

/// As which export something is written.
#[derive(Debug, Args)]
pub struct ExportFormatOptions {
    /// Write the format that this preset reads.
    #[arg(long, value_name = "NAME", conflicts_with = "mapping")]
    preset: Option<String>,
    /// Write the format that your own mapping reads.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The file format. Default: that of the mapping, or CSV.
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Use column names instead of labels in the CSV header.
    #[arg(long)]
    names: bool,
}

/// What an export is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FormatArg {
    /// Rows of cells.
    Csv,
    /// A list of objects.
    Json,
}

impl ExportFormatOptions {
    /// The requested mapping and file format.
    pub fn resolve(&self) -> Result<Option<(Mapping, WriteFormat)>, CommandFailure> {
        let Some(mapping) = import::mapping(self.preset.as_deref(), self.mapping.as_deref())?
        else {
            if self.format.is_some() || self.names {
                return Err(CommandFailure::usage(
                    "`--format` and `--names` need `--preset NAME` or `--mapping FILE`",
                ));
            }
            return Ok(None);
        };
        let json = match self.format {
            Some(format) => format == FormatArg::Json,
            None => mapping.format.is_some_and(|format| !format.has_header()),
        };
        let labels = !self.names;
        let form = if json {
            WriteFormat::Json
        } else {
            WriteFormat::Csv { labels }
        };
        write::check_format(&mapping, form).map_err(CommandFailure::usage)?;
        Ok(Some((mapping, form)))
    }
}

/// Writes what is stored, or of it what changed, as an export into a file or to stdout; reports what
/// the format cannot express.
pub async fn write_rows(
    global: &GlobalOptions,
    (mapping, form): &(Mapping, WriteFormat),
    store: &Store,
    changed: Option<&DirectoryChanges>,
    path: Option<&Path>,
) -> Result<WriteSummary, CommandFailure> {
    let export = |failed| PagedExport {
        mapping,
        form: *form,
        changed,
        failed,
    };
    let written = match path {
        None => {
            let export = export(&CommandFailure::from);
            export.write(store, &mut output::stdout()).await?
        }
        Some(path) => {
            let failed = |error| atomic_file::failed(path, &error);
            let mut file = UnfinishedFile::begin(path)?;
            let written = export(&failed).write(store, &mut file).await?;
            file.finish()?;
            written
        }
    };
    if !global.quiet {
        // On stderr, because stdout may carry the export itself.
        for line in written.losses.lines() {
            anstream::eprintln!("{line}");
        }
    }
    Ok(written)
}

/// Writes the export.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    if let Some(ExportCommand::OrderRefs(of)) = &options.what {
        return order_refs::run(global, of).await;
    }
    let as_export = options.written.resolve()?;
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    if let Some(as_export) = &as_export {
        let path = options.out.as_deref();
        let written = write_rows(global, as_export, &store, None, path).await?;
        if let Some(path) = path.filter(|_| !global.quiet) {
            let rows = plural(written.records, "row");
            anstream::eprintln!("Wrote {rows} to {}.", path.display());
        }
        return Ok(0);
    }
    // Before the database is read, which may take long.
    if let Some(dir) = &options.out {
        must_be_empty(dir)?;
    }
    let stored = store.rows().await?;
    let contents = store.stored_contents().await?;
    let folder = config.folder_of_accounts();
    let written = directory_manifests(&stored, &contents, &config.as_of(), folder);
    // The manifests are all that is needed from here on.
    drop(stored);
    let export = written.manifests;
    match &options.out {
        None => {
            stream(&export)?;
            report_left_out(global, &written.left_out);
        }
        Some(dir) => {
            let manifests = export.manifests.iter();
            let manifests =
                manifests.map(|(path, text)| (path.clone(), Cow::from(text.as_bytes())));
            let mut files: BTreeMap<String, Cow<'_, [u8]>> = manifests.collect();
            // All contents are read before the first file is written, so that a missing one leaves
            // no partial export.
            documents(&store, &export, &mut files).await?;
            new_files::write(dir, &files)?;
            report_left_out(global, &written.left_out);
            if !global.quiet {
                let files = export.manifests.len() + export.documents.len();
                anstream::eprintln!("Wrote {} to {}.", plural(files, "file"), dir.display());
            }
        }
    }
    Ok(0)
}

/// Says what stays as it is stored, since no manifest can declare it.
fn report_left_out(global: &GlobalOptions, left_out: &UndeclarableSummary) {
    if !global.quiet {
        // On stderr, because stdout may carry the manifests themselves.
        for line in left_out.lines() {
            anstream::eprintln!("{line}");
        }
    }
}

fn must_be_empty(dir: &Path) -> Result<(), CommandFailure> {
    let failed =
        |error| CommandFailure::error(format!("cannot write to {}: {error}", dir.display()));
    match fs::read_dir(dir) {
        // Files that an earlier export left would be read as manifests together with the new ones.
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(Err(error)) => Err(failed(error)),
            Some(Ok(_)) => Err(CommandFailure::error(format!(
                "{} is not empty, so nothing was written; name a new directory",
                dir.display()
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Writes all manifests as one stream; each starts with the path it would have.
fn stream(export: &ManifestExport) -> io::Result<()> {
    let mut out = output::stdout();
    for (at, (path, text)) in export.manifests.iter().enumerate() {
        let mark = if at == 0 { "" } else { "---\n" };
        write!(out, "{mark}# {path}\n{text}")?;
    }
    out.flush()
}

async fn documents(
    store: &Store,
    export: &ManifestExport,
    files: &mut BTreeMap<String, Cow<'_, [u8]>>,
) -> Result<(), CommandFailure> {
    for (path, sha256) in &export.documents {
        // Deleted since the manifests were made.
        let missing = || {
            CommandFailure::error(format!(
                "the content of {path} ({sha256}) is no longer in the database; export again"
            ))
        };
        let content = store.file_content(sha256).await?.ok_or_else(missing)?;
        files.insert(path.clone(), content.into());
    }
    Ok(())
}

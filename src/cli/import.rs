//! `roster import`: imports one export by hand. Shows what is wrong with its rows, then applies the
//! others, or writes them as manifests.

use super::apply::{self, ApplyOptions};
use super::apply_result;
use super::{
    CommandFailure, CommandResult, GlobalOptions, HoldOverrides, atomic_file, failure,
    import_manifests, session,
};
use crate::config::{
    CompletenessRule, Config, FeedConfig, FeedLocation, RELEASED_AFTER, Source, SourceLocation,
};
use crate::diagnostic::Diagnostic;
use crate::feed::mapping::Mapping;
use crate::feed::{self, preset, report};
use crate::model::RowMatches;
use crate::reconcile::{self, ManualExport, Pass, PassRequest};
use crate::store::Store;
use clap::Args;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `roster import`.
#[derive(Debug, Args)]
pub struct Options {
    /// The export: CSV, JSON, JSON Lines or XLSX.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The preset that reads the export.
    #[arg(long, value_name = "NAME", conflicts_with = "mapping")]
    preset: Option<String>,
    /// The file of your own mapping.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The source to import as. Default: the name of the preset or mapping.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Refuse the whole export if one row is bad, instead of skipping that row.
    #[arg(long)]
    atomic: bool,
    /// Treat the export as complete, for a configured source: resources that it lacks count as
    /// missing once more, and it is compared with earlier exports.
    #[arg(long, requires = "source", conflicts_with = "manifests")]
    complete: bool,
    /// Write the faulty rows and their errors to this CSV file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write manifests into this directory, one folder per account, and nothing into the database.
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,
    #[command(flatten)]
    consent: HoldOverrides,
    #[command(flatten)]
    ways: ApplyOptions,
}

/// Reads, shows and applies the export.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    if let Some(dir) = &options.manifests {
        return as_manifests(global, options, dir).await;
    }
    let mut config = session::config_with(global, &options.consent)?;
    let index = select_source(&mut config, options)?;
    let name = config.sources[index].name.clone();
    options
        .ways
        .require_confirmation(global, std::slice::from_ref(&options.file))?;
    let store = session::writer_or_new(global, &config).await?;
    let matches = row_matches(&config.sources[index], &options.file, &store).await?;
    let request = PassRequest {
        source: Some(name.to_string()),
        row_matches: Some(Arc::new(matches)),
        ..PassRequest::default()
    };
    let request = request.with_fetch_results(&reconcile::fetch(&config, None));
    let mut pass = Pass::read(&config, request, &store).await?;
    // By hand people often import a part, so absences only count if they say that the file is
    // complete.
    pass.by_hand = if options.complete {
        ManualExport::Whole
    } else {
        ManualExport::Part
    };
    let mut ended = [apply::apply_source(global, &options.ways, &mut pass, index, &store).await];
    if let Some(plan) = &ended[0].plan {
        let holds = plan.held.iter().map(|held| &*held.hold).collect();
        store.record_import_holds(&name, &holds).await?;
    }
    let pseudonyms = store.pseudonym_key().await.ok().flatten();
    store.close().await;
    let output = options.ways.output(global, &pass.readings, pseudonyms);
    let code = apply_result::finish(&output, &mut ended, 1);
    // After the apply and also after a failed one: the report is what the person needs to fix the
    // file.
    if let (Some(path), Some(plan)) = (&options.report, &ended[0].plan) {
        let found = &plan.diagnostics;
        write_report(&config.sources[index], &options.file, path, found)?;
    }
    session::forget_at_exit((pass, ended));
    code
}

/// The stored users that rows without an external id mean.
async fn row_matches(
    source: &Source,
    file: &Path,
    store: &Store,
) -> Result<RowMatches, CommandFailure> {
    // A file that cannot be opened is reported by the pass.
    let opened = File::open(file).ok().zip(source.feed());
    let terms = opened.map(|(file, feed)| feed::match_terms(file, &feed.mapping));
    Ok(store.row_matches(&terms.unwrap_or_default()).await?)
}

async fn as_manifests(global: &GlobalOptions, options: &Options, dir: &Path) -> CommandResult {
    let mut config = session::config(global, None)?;
    let index = select_source(&mut config, options)?;
    let (found, right) = import_manifests::run(global, &config, index, dir, options.atomic).await?;
    if let Some(path) = &options.report {
        write_report(&config.sources[index], &options.file, path, &found)?;
    }
    Ok(if right { 0 } else { failure::ERROR })
}

/// The requested mapping: that of a preset or of a file.
pub fn mapping(name: Option<&str>, path: Option<&Path>) -> Result<Option<Mapping>, CommandFailure> {
    if let Some(name) = name {
        return preset::mapping(name)
            .map(Some)
            .map_err(CommandFailure::usage);
    }
    let Some(path) = path else { return Ok(None) };
    let wrong = |why: String| CommandFailure::usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Mapping::parse(&text).map(Some).map_err(wrong)
}

/// Selects the source for the export and sets its file: the configured source, or a new one.
fn select_source(config: &mut Config, options: &Options) -> Result<usize, CommandFailure> {
    let mapping = mapping(options.preset.as_deref(), options.mapping.as_deref())?;
    let known = |name: &str| {
        config
            .sources
            .iter()
            .position(|source| *source.name == *name)
    };
    let place = options.source.as_deref().and_then(known);
    let written = options.file.to_string_lossy().into_owned();
    if let Some(index) = place {
        let source = &mut config.sources[index];
        let SourceLocation::Export(export) = &mut source.place else {
            return Err(CommandFailure::usage(format!(
                "source {} is not an export",
                source.name
            )));
        };
        export.body = FeedLocation::File(options.file.clone());
        // A file imported by hand is often only a part, so what it lacks means nothing.
        if !options.complete {
            export.absence = None;
            source.prune = false;
        }
        if let Some(mapping) = mapping {
            export.mapping = Arc::new(mapping);
        }
        source.hold_errors = !options.atomic;
        return Ok(index);
    }
    // Absences are counted per source, and a source that is not configured has no history.
    if options.complete {
        return Err(CommandFailure::usage(format!(
            "`--complete` needs a source in roster.yaml, and none is named `{}`",
            options.source.as_deref().unwrap_or_default()
        )));
    }
    let Some(mapping) = mapping else {
        let all: Vec<&str> = preset::names().collect();
        return Err(CommandFailure::usage(format!(
            "no mapping given; pass `--preset NAME` ({}), `--mapping FILE`, or `--source NAME` of a configured export",
            all.join(", ")
        )));
    };
    let name = options
        .source
        .clone()
        .unwrap_or_else(|| mapping.name.clone());
    config.sources.push(Source {
        place: SourceLocation::Export(FeedConfig {
            body: FeedLocation::File(options.file.clone()),
            mapping: Arc::new(mapping),
            complete: CompletenessRule::default(),
            max_age: None,
            absence: None,
            released_after: RELEASED_AFTER,
        }),
        prune: false,
        hold_errors: !options.atomic,
        on_error_unset: false,
        unnamed: false,
        ..Source::unnamed(&name, Path::new(&written))
    });
    Ok(config.sources.len() - 1)
}

fn write_report(
    source: &Source,
    file: &Path,
    path: &Path,
    found: &[Diagnostic],
) -> Result<(), CommandFailure> {
    let Some(feed) = source.feed() else {
        return Ok(());
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.as_ref().into();
    atomic_file::write(path, |mut out| {
        report::write(File::open(file)?, &name, &feed.mapping, found, &mut out)
    })
}

//! `roster changes`: every committed change in order, or the present values of what changed, in the
//! format of a preset.

use super::follow::ChangeWaiter;
use super::{CommandFailure, CommandResult, GlobalOptions, export, list_output, output, session};
use crate::config::Config;
use crate::document::ChangeDocument;
use crate::document::OutputFormat;
use crate::feed::mapping::Mapping;
use crate::feed::write::{DirectoryChanges, WriteFormat};
use crate::kinds;
use crate::model::{CompactText, Key};
use crate::reconcile;
use crate::store::{ChangeRecord, Store};
use clap::Args;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How many changes are read at a time.
const BATCH_SIZE: u32 = 2_000;

/// Options of `roster changes`.
#[derive(Debug, Args)]
pub struct Options {
    /// Start after this change, by its `seq`. 0 prints all changes.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
    /// Print at most this many changes.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Wait for more changes until interrupted.
    #[arg(long)]
    follow: bool,
    /// Write to this file instead of stdout.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    written: export::ExportFormatOptions,
}

/// Prints the changes; a closed pipe ends it without an error.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    // A JSON document has an end, and following has none.
    if options.follow && global.output() == OutputFormat::Json {
        return Err(CommandFailure::usage(
            "`--follow` never ends, so it cannot write one JSON document; use `--output ndjson`",
        ));
    }
    let as_export = options.written.resolve()?;
    if as_export.is_some() && (options.follow || options.limit.is_some()) {
        return Err(CommandFailure::usage(
            "`--preset` and `--mapping` write the current values of everything that changed; leave out `--follow` and `--limit`",
        ));
    }
    if as_export.is_none() && options.out.is_some() {
        return Err(CommandFailure::usage(
            "`--out` needs `--preset NAME` or `--mapping FILE`",
        ));
    }
    let config = session::config(global, None)?;
    let mut reader = ChangeReader {
        store: if options.follow {
            open_store(global, &config).await?
        } else {
            session::reader(&config).await?
        },
        config,
        seq: options.after,
        remaining: options.limit.unwrap_or(u64::MAX),
    };
    if let Some(as_export) = &as_export {
        return reader
            .export(global, as_export, options.out.as_deref())
            .await;
    }
    let printed = match (global.output(), options.follow) {
        (OutputFormat::Json, _) => reader.document(global).await,
        (_, false) => reader.lines().await,
        (_, true) => reader.follow().await,
    };
    match printed {
        // `changes --follow | head` got what it wanted.
        Err(failure) if failure.message.is_empty() => Ok(0),
        printed => printed.map(|()| 0),
    }
}

/// Opens the database for `--follow`. If it does not exist yet, says so and waits for it.
async fn open_store(global: &GlobalOptions, config: &Config) -> Result<Store, CommandFailure> {
    let opened = reconcile::reader_or_none(config).await?;
    if let Some(absent) = opened.absent.filter(|_| !global.quiet) {
        anstream::eprintln!("{absent} yet; waiting until it exists");
    }
    Ok(opened.store)
}

/// A position in the sequence of all changes.
struct ChangeReader {
    store: Store,
    config: Config,
    seq: i64,
    remaining: u64,
}

impl ChangeReader {
    /// Reads the next batch of changes.
    async fn next(&mut self) -> Result<Vec<ChangeRecord>, CommandFailure> {
        let limit = u32::try_from(self.remaining)
            .unwrap_or(BATCH_SIZE)
            .min(BATCH_SIZE);
        let found = self.store.changes_after(self.seq, limit).await?;
        self.remaining -= found.len() as u64;
        self.seq = found.last().map_or(self.seq, |change| change.seq);
        Ok(found)
    }

    /// Writes the present values of what changed, as rows of an export.
    async fn export(
        &mut self,
        global: &GlobalOptions,
        as_export: &(Mapping, WriteFormat),
        path: Option<&Path>,
    ) -> CommandResult {
        let mut changed = DirectoryChanges::default();
        loop {
            let part = self.next().await?;
            if part.is_empty() {
                break;
            }
            part.iter()
                .for_each(|change| record_change(change, &mut changed));
        }
        // Read after the changes: what changes in between is repeated next time, which is better
        // than losing it.
        export::write_rows(global, as_export, &self.store, Some(&changed), path).await?;
        if !global.quiet {
            anstream::eprintln!("To continue, pass `--after {}`.", self.seq);
        }
        Ok(0)
    }

    async fn document(&mut self, global: &GlobalOptions) -> Result<(), CommandFailure> {
        let mut all = Vec::new();
        loop {
            let part = self.next().await?;
            if part.is_empty() {
                break;
            }
            all.extend(part);
        }
        let mut out = output::stdout();
        list_output::write(global, all.into_iter().map(ChangeDocument::from), &mut out)?;
        Ok(out.flush()?)
    }

    /// Prints the existing changes.
    async fn lines(&mut self) -> Result<(), CommandFailure> {
        while self.print_batch().await? > 0 {}
        Ok(())
    }

    /// Prints a batch; returns its number of changes.
    async fn print_batch(&mut self) -> Result<usize, CommandFailure> {
        let part = self.next().await?;
        let mut out = output::stdout();
        let count = part.len();
        let mut documents = part.into_iter().map(ChangeDocument::from);
        documents.try_for_each(|change| list_output::write_line(&change, &mut out))?;
        // After every batch, so that a reader of `--follow` sees changes at once.
        out.flush()?;
        Ok(count)
    }

    /// Prints existing and new changes; interrupts take effect between two batches.
    async fn follow(&mut self) -> Result<(), CommandFailure> {
        let mut waiter = ChangeWaiter::new();
        while self.remaining > 0 {
            // The database may have been created since.
            if !self.store.exists() {
                self.store = reconcile::reader_or_none(&self.config).await?.store;
            }
            let found_some = self.print_batch().await? > 0;
            if !waiter.wait(found_some).await? {
                break;
            }
        }
        Ok(())
    }
}

/// Records what a change touches: its resource, and the addresses it removes from it. An erased id
/// cannot be named any more.
fn record_change(change: &ChangeRecord, changed: &mut DirectoryChanges) {
    let kind = kinds::by_name(&change.kind);
    let (Some(kind), Some(id)) = (kind, &change.external_id) else {
        return;
    };
    let key = Key::new(kind.id, id);
    for (index, _) in kind
        .references()
        .filter(|(_, target)| *target == kinds::ADDRESS)
    {
        let values = change
            .fields
            .get(kind.fields[index].name)
            .and_then(Value::as_array);
        // A set is recorded as its removed and its added members.
        let went = values
            .filter(|values| values.len() == 2)
            .and_then(|values| values[0].as_array());
        let ids = went.into_iter().flatten().filter_map(member);
        let ids: Vec<CompactText> = ids.collect();
        if !ids.is_empty() {
            changed.unlinked.entry(key.clone()).or_default().extend(ids);
        }
    }
    changed.keys.insert(key);
}

/// The id of a list member in the history.
fn member(value: &Value) -> Option<CompactText> {
    let text = value
        .as_str()
        .or_else(|| value.as_object()?.values().next()?.as_str());
    text.map(CompactText::from)
}

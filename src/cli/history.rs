//! `roster history`: the runs, the changes of one resource, or the verification of the whole
//! history.

use super::{CommandFailure, CommandResult, GlobalOptions, failure, list_output, output, session};
use crate::diagnostic::{plural, visible};
use crate::document::{
    ChangeDocument, FieldHistoryDocument, RunCause, RunDocument, VerificationDocument,
};
use crate::model::{Key, timestamp};
use crate::store::{HistoryVerification, RunRecord, Store};
use clap::Args;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Options of `roster history`.
#[derive(Debug, Args)]
pub struct Options {
    /// Print the changes of a resource of this kind, or of `user/u-1`. Default: print the runs.
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// The externalId of the resource.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Print at most this many, the latest.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Print only changes before this change number, or runs before this run, to page back.
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    /// Verify the hash chain of all runs and changes.
    #[arg(long, conflicts_with = "before")]
    verify: bool,
}

/// Prints the history, latest first.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let key = key(options)?;
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    let mut out = output::stdout();
    let code = match key {
        // The chain covers all resources together and cannot be verified for one.
        _ if options.verify => verify(global, &store, &mut out).await?,
        Some(key) => changes(global, &store, &key, options, &mut out).await?,
        None => runs(global, &store, options, &mut out).await?,
    };
    out.flush()?;
    Ok(code)
}

fn key(options: &Options) -> Result<Option<Key>, CommandFailure> {
    let Some(kind) = &options.kind else {
        return Ok(None);
    };
    if options.verify {
        return Err(CommandFailure::usage(
            "`--verify` checks the whole history; leave out the resource",
        ));
    }
    let (kind, key) = session::parse_resource(kind, options.id.as_deref())?;
    let wrong = || {
        CommandFailure::usage(format!(
            "the id of the {} is missing; pass `{}/ID`",
            kind.name, kind.name
        ))
    };
    key.ok_or_else(wrong).map(Some)
}

async fn runs(
    global: &GlobalOptions,
    store: &Store,
    options: &Options,
    out: &mut dyn Write,
) -> CommandResult {
    let before = options.before.unwrap_or(i64::MAX);
    let runs = store.runs_before(before, options.limit).await?;
    let causes = causes(store, &runs).await?;
    let documents = runs.iter().map(|run| RunDocument {
        cause: causes.get(&run.id).cloned(),
        ..run.clone().into()
    });
    if list_output::write(global, documents, out)? {
        return Ok(0);
    }
    if runs.is_empty() {
        writeln!(out, "No run yet.")?;
        return Ok(0);
    }
    let rows = runs.iter().map(|run| run_line(run, causes.get(&run.id)));
    let rows: Vec<[String; 6]> = rows.collect();
    list_output::write_table(
        ["RUN", "WHEN", "SOURCE", "REVISION", "BY", "CHANGES"],
        &rows,
        out,
    )?;
    Ok(0)
}

/// What runs came from, by run.
async fn causes(
    store: &Store,
    runs: &[RunRecord],
) -> Result<BTreeMap<i64, RunCause>, CommandFailure> {
    let Some((newest, oldest)) = runs.first().zip(runs.last()) else {
        return Ok(BTreeMap::new());
    };
    let causes = store.run_causes(oldest.id, newest.id).await?.into_iter();
    let causes = causes.filter_map(|(run, cause)| Some((run, serde_json::from_str(&cause).ok()?)));
    Ok(causes.collect())
}

fn run_line(run: &RunRecord, cause: Option<&RunCause>) -> [String; 6] {
    let counts = run.counts.as_object().into_iter().flatten();
    let counts = counts.filter(|(_, count)| count.as_u64() != Some(0));
    let counts = counts.map(|(verb, count)| format!("{count} {verb}"));
    let reverts = run.reverts.map(|run| format!("reverts run {run}"));
    let approved = cause.and_then(RunCause::approvers);
    let approved = approved.map(|people| format!("approved by {people}"));
    let counts: Vec<String> = counts.chain(reverts).chain(approved).collect();
    [
        run.id.to_string(),
        timestamp::format_utc(run.finished_at),
        run.source.clone(),
        short(&run.revision).to_owned(),
        run.actor.clone(),
        counts.join(", "),
    ]
}

/// A revision as people quote it: the first 12 digits of a commit, or the whole text.
pub fn short(revision: &str) -> &str {
    let hex = revision.len() >= 32 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { &revision[..12] } else { revision }
}

async fn changes(
    global: &GlobalOptions,
    store: &Store,
    key: &Key,
    options: &Options,
    out: &mut dyn Write,
) -> CommandResult {
    let before = options.before.unwrap_or(i64::MAX);
    let changes = store
        .history_before(Some(key), before, options.limit)
        .await?;
    // A deleted resource still has a history, so its absence alone is no mistake.
    if changes.is_empty() && store.row(key).await?.is_none() {
        return Err(session::unknown_resource(store, key).await?);
    }
    let changes: Vec<ChangeDocument> = changes.into_iter().map(Into::into).collect();
    if list_output::write(global, changes.iter(), out)? {
        return Ok(0);
    }
    if changes.is_empty() {
        writeln!(out, "No run changed {key}.")?;
    }
    changes
        .iter()
        .try_for_each(|change| write_change(change, out))?;
    Ok(0)
}

fn write_change(change: &ChangeDocument, out: &mut dyn Write) -> io::Result<()> {
    let origin = change.origin.as_ref();
    let origin = origin.map(|origin| {
        let (line, column) = (origin.line.unwrap_or(0), origin.column.unwrap_or(0));
        format!("  {}:{line}:{column}", visible(&origin.path))
    });
    let reason = match change.reverts {
        Some(run) => format!("reverts run {run}"),
        None => visible(&change.reason).into_owned(),
    };
    // An act has no source, and a revert is none of its doing; a person did it.
    let by = if change.source.is_empty() || change.reverts.is_some() {
        format!("by {}", visible(&change.actor))
    } else {
        format!(
            "{}@{}",
            visible(&change.source),
            visible(short(&change.revision))
        )
    };
    writeln!(
        out,
        "run {}  {}  {} ({reason})  {by}{}",
        change.run,
        change.at,
        change.verb,
        origin.unwrap_or_default()
    )?;
    let mut fields = change.fields.0.iter();
    fields.try_for_each(|(name, change)| writeln!(out, "    {}: {}", visible(name), words(change)))
}

/// A change of a field on one line.
fn words(change: &FieldHistoryDocument) -> String {
    match change {
        FieldHistoryDocument::Created { after } => shown(after).unwrap_or_default(),
        FieldHistoryDocument::Replaced { before, after } => match (shown(before), shown(after)) {
            (Some(before), Some(after)) => format!("{before} → {after}"),
            (_, after) => after.unwrap_or_default(),
        },
        FieldHistoryDocument::Joined { added } => members(&Value::Array(Vec::new()), added),
        FieldHistoryDocument::Exchanged { removed, added } => {
            members(&removed.clone().into(), &added.clone().into())
        }
        FieldHistoryDocument::Other(_) => String::new(),
    }
}

fn members(removed: &Value, added: &Value) -> String {
    let removed = shown(removed).map(|list| format!("− {list}"));
    let added = shown(added).map(|list| format!("+ {list}"));
    let changes: Vec<_> = removed.into_iter().chain(added).collect();
    changes.join("  ")
}

/// A value on one line, unless it is a list without members.
fn shown(of: &Value) -> Option<String> {
    (*of != Value::Array(Vec::new())).then(|| value(of))
}

/// A value on one line, as JSON.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Object(object) if object.contains_key("redacted") => "(secret)".to_owned(),
        value => visible(&value.to_string()).into_owned(),
    }
}

async fn verify(global: &GlobalOptions, store: &Store, out: &mut dyn Write) -> CommandResult {
    let found = store.verify().await?;
    let (document, text, code) = match &found {
        HistoryVerification::Sound { runs, changes } => (
            VerificationDocument::Sound {
                sound: true,
                runs: *runs,
                changes: *changes,
            },
            format!(
                "History verified: {}, {}.",
                plural(runs, "run"),
                plural(changes, "change")
            ),
            0,
        ),
        HistoryVerification::Broken { run, what } => (
            VerificationDocument::Broken {
                sound: false,
                run: *run,
                what,
            },
            format!("The history is broken at run {run}: {what}."),
            failure::ERROR,
        ),
    };
    if !list_output::write_one(global, &document, out)? {
        writeln!(out, "{text}")?;
    }
    Ok(code)
}

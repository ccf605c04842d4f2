//! `roster why`: shows who set a field, and what it overrode.

use super::history::{short, value};
use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::diagnostic::{did_you_mean, visible};
use crate::document::ProvenanceDocument;
use crate::model::timestamp;
use crate::reconcile::{
    self, FieldProvenance, FieldStatement, ResourceProvenance, SourceStatement, ValueSetter,
};
use crate::store::ChangeRecord;
use clap::Args;
use std::io::{self, Write};

/// Options of `roster why`.
#[derive(Debug, Args)]
pub struct Options {
    /// The resource, such as `User/u-1`.
    #[arg(value_name = "KIND/ID")]
    resource: String,
    /// One field, as in plans: `phone`, `customFields.badge`. Default: all fields.
    #[arg(value_name = "FIELD")]
    field: Option<String>,
}

/// Shows where the stored values come from.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let key = session::key(&options.resource)?;
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    let Some(mut provenance) = reconcile::provenance(Some(&config), &store, &key).await? else {
        return Err(session::unknown_resource(&store, &key).await?);
    };
    if let Some(field) = &options.field {
        let known: Vec<String> = provenance
            .fields
            .iter()
            .map(|field| field.name.clone())
            .collect();
        // The names are collected first, because a failed selection has dropped them.
        if !provenance.retain_field(field) {
            return Err(unknown_field(&provenance, field, &known));
        }
    }
    let mut out = output::stdout();
    if !list_output::write_one(global, &ProvenanceDocument::from(&provenance), &mut out)? {
        text(&provenance, &mut out)?;
    }
    out.flush()?;
    Ok(0)
}

fn unknown_field(provenance: &ResourceProvenance, field: &str, known: &[String]) -> CommandFailure {
    let kind = crate::kinds::get(provenance.key.kind);
    let message = if kind.manifest_keys().contains(&field) || kind.field_ref(field).is_some() {
        format!(
            "{} has no value for `{field}`, and no source declares one",
            provenance.key
        )
    } else {
        let names = kind.fields.iter().map(|field| field.name);
        let meant = did_you_mean(field, names.chain(known.iter().map(String::as_str)));
        let meant = meant
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        format!("{} has no field `{field}`{meant}", kind.name)
    };
    CommandFailure::error(message)
}

fn text(provenance: &ResourceProvenance, out: &mut dyn Write) -> io::Result<()> {
    match provenance.version {
        Some(_) => writeln!(out, "{}", provenance.key)?,
        None => writeln!(out, "{} (no longer stored)", provenance.key)?,
    }
    if provenance.changed_elsewhere {
        writeln!(
            out,
            "  Another program changed the row after Roster wrote it."
        )?;
    }
    provenance
        .sources
        .iter()
        .try_for_each(|voice| voice_text(provenance, voice, out))?;
    if provenance.version.is_some() && provenance.sources.is_empty() {
        writeln!(out, "  No source declares it.")?;
    }
    provenance
        .fields
        .iter()
        .try_for_each(|field| field_text(provenance, field, out))
}

fn voice_text(
    provenance: &ResourceProvenance,
    voice: &SourceStatement,
    out: &mut dyn Write,
) -> io::Result<()> {
    write!(out, "  source {}", voice.source)?;
    match &voice.claim {
        None => write!(out, " (not applied yet)")?,
        Some(claim) => {
            let seen = voice.has_seen(provenance.version);
            let seen = if seen { "" } else { ", not compared since" };
            write!(out, " ({}{seen})", claim.state.word())?;
        }
    }
    if let Some((path, at)) = voice.place() {
        write!(out, "  {}:{}:{}", visible(path), at.line, at.column)?;
    }
    match &voice.claim {
        Some(claim) => writeln!(out, "  revision {}", short(&claim.revision)),
        None => writeln!(out),
    }
}

/// What one source declares for a field, if anything.
fn claimed_value_text(
    field: &FieldProvenance,
    voice: &SourceStatement,
    statement: &FieldStatement,
    out: &mut dyn Write,
) -> io::Result<()> {
    let declared = match statement {
        FieldStatement::Nothing => return Ok(()),
        FieldStatement::Stored => return writeln!(out, "    declared by {}", voice.source),
        FieldStatement::Different(declared) => declared,
    };
    write!(out, "    {} declares ", voice.source)?;
    match (declared, voice.place()) {
        (Some((declared, at)), Some((path, _))) => {
            let path = visible(path);
            write!(
                out,
                "{} ({path}:{}:{})",
                value(declared),
                at.line,
                at.column
            )?;
        }
        _ => write!(out, "another value")?,
    }
    let fate = if field.is_declared() {
        "overridden"
    } else {
        "not applied"
    };
    writeln!(out, ": {fate}")
}

fn run_text(what: &str, change: &ChangeRecord, out: &mut dyn Write) -> io::Result<()> {
    let origin = change.origin.as_ref();
    let origin = origin.map(|(path, line, column)| format!(", {}:{line}:{column}", visible(path)));
    // An act has no source. A person, or a customer in self-service, performed it.
    let (who, revision) = if change.source.is_empty() || change.reverts.is_some() {
        (visible(&change.actor), String::new())
    } else {
        let revision = format!(", revision {}", short(&change.revision));
        (visible(&change.source), revision)
    };
    writeln!(
        out,
        "    {what} {who} in run {} at {} ({}, {}){revision}{}",
        change.run,
        timestamp::format_utc(change.at),
        change.verb,
        match change.reverts {
            Some(run) => format!("reverts run {run}"),
            None => change.reason.clone(),
        },
        origin.unwrap_or_default()
    )
}

fn field_text(
    provenance: &ResourceProvenance,
    field: &FieldProvenance,
    out: &mut dyn Write,
) -> io::Result<()> {
    let shown = field
        .value
        .as_ref()
        .map_or_else(|| "none".to_owned(), value);
    writeln!(out, "{} = {shown}", field.name)?;
    match &field.set_by {
        ValueSetter::Change(change) => run_text("set by", change, out)?,
        ValueSetter::Default(change) => {
            run_text("not declared, set to its default by", change, out)?;
        }
        ValueSetter::Adopted(change) => {
            run_text("existed before Roster, adopted by", change, out)?;
        }
        ValueSetter::Nobody => writeln!(out, "    set by no run")?,
    }
    if field.declared_instead.is_some() {
        writeln!(out, "    changed by another program since then")?;
    }
    for (voice, statement) in provenance.sources.iter().zip(&field.statements) {
        claimed_value_text(field, voice, statement, out)?;
    }
    if field
        .statements
        .iter()
        .all(|statement| *statement == FieldStatement::Nothing)
    {
        writeln!(out, "    declared by no source")?;
    }
    Ok(())
}

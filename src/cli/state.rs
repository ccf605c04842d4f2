//! `roster state`: prints what was stored at an earlier moment, rebuilt from the history.

use super::{
    CommandFailure, CommandResult, GlobalOptions, list_output, output, resource_output, session,
};
use crate::document::PastResourceDocument;
use crate::kinds;
use crate::manifest::write;
use crate::model::{Key, timestamp};
use crate::reconcile::{self, PastMoment, PastResource};
use chrono::{DateTime, Days, NaiveDate};
use clap::Args;
use std::io::{self, Write};

/// Options of `roster state`.
#[derive(Debug, Args)]
pub struct StateOptions {
    /// The kind: `User`, `user` or `users`. Or one resource: `user/u-1`. Default: everything.
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// The externalId of one resource. Default: all resources of the kind.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The moment: a time (`2026-03-31T17:55:00Z`), the end of a day in UTC (`2026-03-31`), or after
    /// a run (`42`).
    #[arg(long, value_name = "TIME|RUN", value_parser = moment)]
    at: PastMoment,
}

/// Reads a moment.
fn moment(text: &str) -> Result<PastMoment, String> {
    if let Ok(run) = text.parse() {
        return Ok(PastMoment::Run(run));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(PastMoment::Time(time.timestamp_millis()));
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let next = day.and_then(|day| day.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0));
    let end = next.map(|next| PastMoment::Time(next.and_utc().timestamp_millis() - 1));
    end.ok_or_else(|| {
        "use a time such as 2026-03-31T17:55:00Z, a day such as 2026-03-31, or the number of a run"
            .to_owned()
    })
}

/// Prints one resource, all of a kind, or everything.
pub async fn run(global: &GlobalOptions, options: &StateOptions) -> CommandResult {
    let (kind, key) = match &options.kind {
        Some(kind) => {
            let (kind, key) = session::parse_resource(kind, options.id.as_deref())?;
            (Some(kind), key)
        }
        None => (None, None),
    };
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    let found = reconcile::past_state(&store, options.at, kind, key.as_ref()).await?;
    let mut out = output::stdout();
    if let Some(key) = &key {
        let [one] = &found[..] else {
            return Err(not_there(key));
        };
        if !list_output::write_one(global, &document(one), &mut out)? {
            print_resource(one, &mut out)?;
        }
    } else if !list_output::write(global, found.iter().map(document), &mut out)? {
        print_table(&found, &mut out)?;
    }
    out.flush()?;
    Ok(0)
}

fn not_there(key: &Key) -> CommandFailure {
    CommandFailure::error(format!(
        "the history has no {key} at that moment; `roster history {key}` prints its changes"
    ))
}

fn document(past: &PastResource) -> PastResourceDocument {
    PastResourceDocument::new(&past.row, past.run, past.at)
}

/// Prints a resource as its manifest, followed by the change that it dates from.
fn print_resource(past: &PastResource, out: &mut dyn Write) -> io::Result<()> {
    let row = &past.row;
    let fields = resource_output::stored(row);
    let fields = fields.iter().map(|(field, value)| (field, *value));
    let kind = kinds::get(row.key.kind);
    out.write_all(write::document(kind, &row.key.id, fields).as_bytes())?;
    let at = timestamp::format_utc(past.at);
    writeln!(out, "# last changed by run {} at {at}", past.run)
}

fn print_table(found: &[PastResource], out: &mut dyn Write) -> io::Result<()> {
    if found.is_empty() {
        return writeln!(out, "The history has nothing at that moment.");
    }
    let rows: Vec<[String; 4]> = found
        .iter()
        .map(|past| {
            let kind = kinds::get(past.row.key.kind);
            let status = resource_output::declared_status(kind, &past.row).to_owned();
            let name = resource_output::name(kind, &past.row);
            let key = past.row.key.to_string();
            [key, status, past.run.to_string(), name]
        })
        .collect();
    list_output::write_table(["RESOURCE", "STATUS", "RUN", "NAME"], &rows, out)
}

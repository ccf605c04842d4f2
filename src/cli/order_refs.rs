//! `roster export order-refs`: which login placed each order, for the system that has the orders.

use super::{CommandFailure, CommandResult, GlobalOptions, atomic_file, output, session};
use crate::diagnostic::plural;
use crate::store::{OrderQuery, StoredOrder};
use chrono::NaiveDate;
use clap::Args;
use std::io::{self, Write};
use std::path::PathBuf;

/// Options of `roster export order-refs`.
#[derive(Debug, Args)]
pub struct OrderRefOptions {
    /// Orders placed on this day (UTC) or later: `2026-03-31`.
    #[arg(long, value_name = "DAY")]
    since: String,
    /// Write this file. Default: stdout.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const HEADER: [&str; 5] = ["order", "account", "login", "user", "placedAt"];

pub async fn run(global: &GlobalOptions, options: &OrderRefOptions) -> CommandResult {
    let since = day(&options.since)?;
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    let query = OrderQuery {
        // A quote is not in the other system yet, so it has nothing to refer to.
        kind: Some("order"),
        since: Some(since),
        ..OrderQuery::default()
    };
    let mut orders = store.orders(&query).await?;
    orders.sort_by(|a, b| (&a.placed_at, &a.external_id).cmp(&(&b.placed_at, &b.external_id)));
    match &options.out {
        None => {
            let mut out = output::stdout();
            write(&orders, &mut out)?;
            out.flush()?;
        }
        Some(path) => {
            atomic_file::write(path, |out| write(&orders, out))?;
            if !global.quiet {
                let rows = plural(orders.len(), "row");
                anstream::eprintln!("Wrote {rows} to {}.", path.display());
            }
        }
    }
    Ok(0)
}

/// The start of a day, in milliseconds since 1970.
fn day(text: &str) -> Result<i64, CommandFailure> {
    let read = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let start = read.and_then(|day| day.and_hms_opt(0, 0, 0));
    start
        .map(|start| start.and_utc().timestamp_millis())
        .ok_or_else(|| {
            CommandFailure::usage(format!(
                "`--since {text}` is not a valid date; use YYYY-MM-DD"
            ))
        })
}

fn write(orders: &[StoredOrder], out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(HEADER)?;
    for order in orders {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        csv.write_record([
            order.external_id.clone(),
            text(&order.account),
            text(&order.login),
            text(&order.user),
            order.placed_at.clone(),
        ])?;
    }
    csv.flush()
}

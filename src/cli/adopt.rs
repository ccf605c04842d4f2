//! `roster adopt`: hands over claims from one source to another, for the resources that the other
//! one declares now. What it does not declare stays with the first source, because otherwise the
//! new owner would remove it in its next pass.

use super::import_manifests::by_kind;
use super::source::{is_configured, lease_both, release, require_claims};
use super::{CommandFailure, CommandResult, GlobalOptions, apply, output, session};
use crate::config::Config;
use crate::diagnostic::plural;
use crate::document::OutputFormat;
use crate::document::{FORMAT_VERSION, HandoverCounts, HandoverDocument, KeyNames};
use crate::model::Key;
use crate::reconcile::{self, Pass, PassRequest, SourceReading};
use crate::store::Store;
use clap::Args;
use std::io::{self, IsTerminal, Write};

/// How many resources are listed by name.
const NAMED: usize = 20;

/// Options of `roster adopt`.
#[derive(Debug, Args)]
pub struct Options {
    /// The source that hands over its claims.
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// The source that receives the claims. It keeps its own.
    #[arg(long, value_name = "SOURCE")]
    to: String,
    /// Only these resources, such as `User/u-1`. Default: everything that the receiving source
    /// declares.
    #[arg(value_name = "KIND/ID")]
    only: Vec<String>,
    /// Do not ask for confirmation.
    #[arg(short, long)]
    yes: bool,
}

/// The claims to hand over, and those that stay.
#[derive(Debug, Default)]
struct ClaimHandover {
    handed_over: Vec<Key>,
    /// The receiving source does not declare it.
    undeclared: Vec<Key>,
    /// The first source still declares it.
    declared: Vec<Key>,
}

/// Sorts the claims, shows them, asks and hands them over.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let config = session::config(global, None)?;
    configured(&config, options)?;
    let store = session::writer(&config).await?;
    require_claims(&store, &options.from).await?;
    // Before anything is read: a pass of either source could change its claims in between.
    let held = lease_both(&store, &options.from, &options.to).await?;
    let done = under_leases(global, options, &config, &store).await;
    // Whatever happened; otherwise both sources would wait for the expiry.
    release(&store, held).await;
    done
}

fn configured(config: &Config, options: &Options) -> Result<(), CommandFailure> {
    if options.from == options.to {
        return Err(CommandFailure::usage("a source cannot hand over to itself"));
    }
    if is_configured(config, &options.to) {
        return Ok(());
    }
    Err(CommandFailure::usage(config.no_source(&options.to)))
}

async fn under_leases(
    global: &GlobalOptions,
    options: &Options,
    config: &Config,
    store: &Store,
) -> CommandResult {
    let request = PassRequest::default().with_fetch_results(&reconcile::fetch(config, None));
    // In full, because an incremental pass knows only a part of what a source declares.
    let pass = Pass::read_in_full(config, request)?;
    let claimed = store.claimed_by(&options.from).await?;
    let claimed = select_keys(options, claimed)?;
    let sorted = sort(options, &pass.readings, claimed)?;
    if global.output() != OutputFormat::Json {
        show(options, &sorted)?;
    }
    if !options.yes && !sorted.handed_over.is_empty() {
        // JSON is written at the end, so nobody could see what they confirm.
        if global.output() == OutputFormat::Json || !io::stdin().is_terminal() {
            return Err(CommandFailure::usage(apply::NO_TERMINAL));
        }
        if !apply::confirm("Hand over these claims?")? {
            return Err(CommandFailure::error(
                "declined; no claims were handed over",
            ));
        }
    }
    let mut given = 0;
    if !sorted.handed_over.is_empty() {
        let (from, to) = (&options.from, &options.to);
        let actor = session::actor();
        given = store
            .hand_over(from, to, &sorted.handed_over, &actor)
            .await?;
    }
    if global.output() == OutputFormat::Json {
        json(options, &sorted, given)?;
    } else if given > 0 && !global.quiet {
        anstream::eprintln!("Handed over {given}.");
    }
    Ok(0)
}

/// The requested ones among the claims of the source.
fn select_keys(options: &Options, claimed: Vec<Key>) -> Result<Vec<Key>, CommandFailure> {
    if options.only.is_empty() {
        return Ok(claimed);
    }
    let mut wanted = Vec::new();
    for text in &options.only {
        let key = session::key(text)?;
        // A mistyped key must not silently be left out of the handover.
        if claimed.binary_search(&key).is_err() {
            let message = format!("source {} does not claim {key}", options.from);
            return Err(CommandFailure::error(message));
        }
        wanted.push(key);
    }
    wanted.sort();
    wanted.dedup();
    Ok(wanted)
}

fn sort(
    options: &Options,
    readings: &[SourceReading],
    claimed: Vec<Key>,
) -> Result<ClaimHandover, CommandFailure> {
    let reading = |name: &str| {
        let mut readings = readings.iter();
        readings.find(|reading| *reading.source.name == *name)
    };
    let giver = reading(&options.from);
    // An unreadable file may declare anything, so the resource may not really be free to go.
    if let Some(why) = giver.and_then(|giver| giver.desired.removals_off.first()) {
        let message = format!(
            "cannot determine what source {} still declares: {why}",
            options.from
        );
        return Err(CommandFailure::error(message));
    }
    let Some(taker) = reading(&options.to) else {
        let message = format!("source {} was not read", options.to);
        return Err(CommandFailure::error(message));
    };
    if let Some(why) = taker.desired.removals_off.first() {
        let message = format!("source {} cannot be read completely: {why}", options.to);
        return Err(CommandFailure::error(message));
    }
    let mut sorted = ClaimHandover::default();
    for key in claimed {
        if !taker.desired.resources.contains(&key) {
            sorted.undeclared.push(key);
        } else if giver.is_some_and(|giver| declares(giver, &key)) {
            sorted.declared.push(key);
        } else {
            sorted.handed_over.push(key);
        }
    }
    Ok(sorted)
}

/// Whether a source declares a resource, or may do so in a part that cannot be read.
fn declares(reading: &SourceReading, key: &Key) -> bool {
    let desired = &reading.desired;
    desired.resources.contains(key)
        || desired.shielded_keys.contains(key)
        || desired.hidden_kinds.contains_key(&key.kind)
}

fn show(options: &Options, sorted: &ClaimHandover) -> io::Result<()> {
    let Options { from, to, .. } = options;
    let mut out = output::stdout();
    let title = format!("From source {from} to source {to}");
    list(&mut out, &title, &sorted.handed_over)?;
    let title = format!("Stays with {from}; {to} does not declare it");
    list(&mut out, &title, &sorted.undeclared)?;
    let title = format!("Stays with {from}; both {from} and {to} declare it");
    list(&mut out, &title, &sorted.declared)?;
    if sorted.handed_over.is_empty() {
        writeln!(out, "No claims to hand over.")?;
    }
    out.flush()
}

fn list(out: &mut dyn Write, title: &str, keys: &[Key]) -> io::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title} ({}):", by_kind(keys))?;
    for key in keys.iter().take(NAMED) {
        writeln!(out, "  {key}")?;
    }
    if keys.len() > NAMED {
        writeln!(out, "  and {}", plural(keys.len() - NAMED, "other"))?;
    }
    writeln!(out)
}

fn json(options: &Options, sorted: &ClaimHandover, given: u64) -> io::Result<()> {
    let document = HandoverDocument {
        format_version: FORMAT_VERSION,
        from: &options.from,
        to: &options.to,
        summary: HandoverCounts {
            given,
            undeclared: sorted.undeclared.len(),
            declared: sorted.declared.len(),
        },
        given: KeyNames(sorted.handed_over.iter().collect()),
        undeclared: KeyNames(sorted.undeclared.iter().collect()),
        declared: KeyNames(sorted.declared.iter().collect()),
    };
    let mut out = output::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    out.flush()
}

//! `roster holds`: lists what is held and waits for a decision, from the database or from a daemon.

use super::remote::RemoteOptions;
use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::diagnostic::{distance, plural, thousands, visible};
use crate::document::{HoldListDocument, HoldState, HoldView};
use crate::kinds;
use crate::model::Key;
use crate::plan::render::{counted, joined};
use crate::reconcile;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use std::io::{self, Write};

/// How many resources of a hold `-v` names.
const MAX_NAMED: usize = 10;

/// Options of `roster holds`.
#[derive(Debug, Args)]
pub struct HoldsOptions {
    /// Show this hold in full. `-v` shows all of them in full.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Only holds of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    remote: RemoteOptions,
}

/// Lists the holds, those that need a decision first.
pub async fn run(global: &GlobalOptions, options: &HoldsOptions) -> CommandResult {
    let mut listed = if options.remote.url.is_some() {
        let answer: HoldListDocument = options.remote.daemon(global)?.get("api/v1/holds").await?;
        answer.items
    } else {
        stored(global, options.source.as_deref()).await?
    };
    if let Some(source) = &options.source {
        listed.retain(|view| view.source == *source);
    }
    if let Some(id) = &options.id {
        listed.retain(|view| view.id.as_ref() == Some(id));
        if listed.is_empty() {
            return Err(CommandFailure::error(format!(
                "no hold `{id}`; it may have changed since. Run `roster holds` to see the current holds and their ids"
            )));
        }
    }
    let mut out = output::stdout();
    if !list_output::write(global, listed.iter(), &mut out)? {
        let now = Utc::now();
        if listed.is_empty() {
            writeln!(out, "Nothing is held.")?;
        } else if global.verbose > 0 || options.id.is_some() {
            let mut views = listed.iter();
            views.try_for_each(|view| print_in_full(view, now, &mut out))?;
        } else {
            print_table(&listed, now, &mut out)?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// The holds that the last passes left in the database.
async fn stored(
    global: &GlobalOptions,
    source: Option<&str>,
) -> Result<Vec<HoldView>, CommandFailure> {
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    let imported = store.import_holds().await?;
    // The holds of a source that was removed from the configuration stay in the database, but no
    // pass would ever use their approval. An import by hand and a revert need no source in the configuration.
    let is_listed = |source: &str, hold: &HoldState| {
        let is_imported = || hold.hold.as_ref().is_some_and(|id| imported.contains(id));
        let is_used = hold.reverts.is_some() || is_imported();
        config.path.is_none() || config.source(source).is_some() || is_used
    };
    let listed = reconcile::hold_views(&store, config.approval_ttl, is_listed).await?;
    if let Some(name) = source {
        let is_known = config.path.is_none()
            || config.source(name).is_some()
            || listed.iter().any(|view| view.source == name);
        if !is_known {
            return Err(CommandFailure::usage(config.no_source(name)));
        }
    }
    Ok(listed)
}

fn print_table(listed: &[HoldView], now: DateTime<Utc>, out: &mut dyn Write) -> io::Result<()> {
    let row = |view: &HoldView| {
        [
            view.hold.hold.clone().unwrap_or_else(|| "-".to_owned()),
            view.source.clone(),
            view.hold.code.clone(),
            held_steps(&view.hold),
            distance(view.hold.since - now),
            decision(view),
        ]
    };
    let rows: Vec<[String; 6]> = listed.iter().map(row).collect();
    let header = ["ID", "SOURCE", "RULE", "WHAT", "SINCE", "DECISION"];
    list_output::write_table(header, &rows, out)?;
    if listed.iter().any(is_waiting) {
        writeln!(
            out,
            "\nTo see one in full: roster holds ID\nTo approve one: roster approve hold ID --reason \"…\""
        )?;
    }
    Ok(())
}

fn is_waiting(view: &HoldView) -> bool {
    let is_approved = view.approval.as_ref().is_some_and(|it| it.only.is_none());
    view.hold.hold.is_some() && !is_approved && view.rejection.is_none()
}

/// Whether somebody has to decide, or has decided.
fn decision(view: &HoldView) -> String {
    if let Some(rejection) = &view.rejection {
        return format!("rejected by {}", rejection.by);
    }
    match (&view.hold, &view.approval) {
        (hold, _) if hold.standing => "none needed".to_owned(),
        (hold, _) if hold.hold.is_none() => "cannot be approved".to_owned(),
        (hold, None) if !view.approved_by.is_empty() => {
            let needed = hold.approvals_needed.unwrap_or(1);
            format!("{} of {needed} approvals", view.approved_by.len())
        }
        (_, None) if !view.approved_parts.is_empty() => "parts approved by some".to_owned(),
        (_, None) => "waiting".to_owned(),
        (_, Some(given)) if given.only.is_some() => format!("partly approved by {}", given.by),
        (_, Some(given)) => format!("approved by {}", given.by),
    }
}

/// The verb and the resources of a hold: `deactivate 4 users`, or `deactivate User/u-1`.
fn held_steps(hold: &HoldState) -> String {
    let keys: Vec<Key> = hold
        .resources
        .iter()
        .filter_map(|text| Key::parse(text))
        .collect();
    let more = match hold.consequence_count {
        0 => String::new(),
        count => format!(" and {} with it", thousands(count)),
    };
    let of = match hold.reverts {
        Some(run) => format!("revert run {run}: "),
        None => String::new(),
    };
    match &*hold.resources {
        [only] if hold.count == 1 => format!("{of}{} {only}{more}", hold.verb),
        _ => format!("{of}{} {}{more}", hold.verb, counts(&keys, hold.count)),
    }
}

/// Counts resources by kind: `4 users, 1 tag`. Only the first resources of a large hold are listed;
/// if they are of several kinds, nobody knows of which kind the others are.
fn counts(keys: &[Key], count: usize) -> String {
    let kinds = kinds::ALL.iter().map(|kind| {
        let of_kind = keys.iter().filter(|key| key.kind == kind.id);
        (kind, of_kind.count())
    });
    let found: Vec<_> = kinds.filter(|(_, count)| *count > 0).collect();
    match &found[..] {
        [(kind, _)] => counted(count, kind),
        several if keys.len() == count => {
            let each = several.iter().map(|(kind, count)| counted(*count, kind));
            each.collect::<Vec<_>>().join(", ")
        }
        _ => plural(count, "resource"),
    }
}

/// Prints a hold with all that is known about it.
fn print_in_full(view: &HoldView, now: DateTime<Utc>, out: &mut dyn Write) -> io::Result<()> {
    let hold = &view.hold;
    writeln!(
        out,
        "{}  {}  {}  {}",
        visible(hold.hold.as_deref().unwrap_or("-")),
        visible(&view.source),
        visible(&hold.code),
        visible(&held_steps(hold))
    )?;
    writeln!(out, "  {}", visible(&hold.message))?;
    let of_accounts = match hold.resources.len() {
        listed if listed < hold.count => format!("accounts of the first {listed}"),
        _ => "accounts".to_owned(),
    };
    let listed = [
        ("resources", &hold.resources, hold.count),
        ("with them", &hold.consequences, hold.consequence_count),
        (&*of_accounts, &hold.accounts, hold.accounts.len()),
    ];
    for (name, names, count) in listed.into_iter().filter(|(_, names, _)| !names.is_empty()) {
        let shown: Vec<_> = names.iter().take(MAX_NAMED).map(|it| visible(it)).collect();
        writeln!(out, "  {name}: {}", joined(&shown, count))?;
    }
    if let Some(run) = hold.reverts {
        writeln!(out, "  revert of run {run}")?;
    }
    if let Some(effects) = &hold.effects {
        writeln!(out, "  if approved: {}", visible(effects))?;
    }
    let since = moment(hold.since);
    writeln!(out, "  since: {since} ({})", distance(hold.since - now))?;
    if let Some(given) = &view.approval {
        let by = visible(&given.by);
        let of = given.only.as_ref().map(|only| only.join(", "));
        let of = of.map_or(String::new(), |of| format!(" for {}", visible(&of)));
        writeln!(out, "  approved{of} by {by}: {}", visible(&given.reason))?;
        let (lapses, ahead) = (moment(given.lapses), distance(given.lapses - now));
        let when = match hold.reverts {
            Some(run) => format!("applied with `roster revert {run}`"),
            None => "applied with the next pass".to_owned(),
        };
        writeln!(out, "  {when}; the approval expires at {lapses} ({ahead})")?;
    }
    if view.needs_more_people() {
        let so_far = reconcile::approvals_so_far(view);
        writeln!(out, "  {}", visible(&so_far))?;
    } else if let Some(needed) = hold.approvals_needed {
        writeln!(out, "  {needed} different people have to approve it")?;
    }
    if is_waiting(view) {
        let mut commands = hold.commands.iter();
        commands.try_for_each(|it| writeln!(out, "  to approve: {}", visible(it)))?;
    }
    if let Some(otherwise) = &hold.otherwise {
        writeln!(out, "  {}", visible(otherwise))?;
    }
    Ok(())
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

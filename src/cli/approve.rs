//! `roster approve`: approves exactly what was held, for the next plan that contains it, or the
//! first apply of an export source. Accounts are approved by the act of that name.

use super::remote::{RemoteOptions, encode_segment};
use super::{CommandFailure, CommandResult, GlobalOptions, acts, session};
use crate::config::{Config, Source};
use crate::diagnostic::plural;
use crate::document::{ExportApproval, HoldApproval, HoldListDocument, HoldState, HoldView};
use crate::kinds::act;
use crate::model::Key;
use crate::reconcile::{self, Pass, PassRequest};
use crate::store::Store;
use clap::{Args, Subcommand};
use std::collections::BTreeSet;
use std::path::Path;

/// Options of `roster approve`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: ApproveCommand,
}

#[derive(Debug, Subcommand)]
enum ApproveCommand {
    /// Approve a hold: exactly these steps with exactly these values.
    Hold {
        /// The id of the hold, as shown in the plan.
        id: String,
        /// Approve only these resources of the hold.
        #[arg(long, value_name = "KIND/ID")]
        only: Vec<String>,
        /// The reason, for the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        remote: RemoteOptions,
    },
    #[command(about = act::APPROVE.doc)]
    Account(acts::IdOptions),
    /// Approve an export source. Until then its passes only plan.
    Source {
        /// The name of the source.
        #[arg(value_name = "NAME")]
        name: String,
        /// The reason, for the audit log.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        remote: RemoteOptions,
    },
}

/// Records the approval.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    match &options.what {
        ApproveCommand::Account(of) => acts::by_id(global, &act::APPROVE, of).await,
        ApproveCommand::Hold {
            id,
            only,
            reason,
            remote,
        } => hold(global, id, only, require_reason(reason)?, remote).await,
        ApproveCommand::Source {
            name,
            reason,
            remote,
        } => source(global, name, require_reason(reason)?, remote).await,
    }
}

pub(super) fn require_reason(reason: &str) -> Result<&str, CommandFailure> {
    let is_given = !reason.trim().is_empty();
    is_given
        .then_some(reason)
        .ok_or_else(|| CommandFailure::usage("`--reason` is empty; say why"))
}

async fn source(
    global: &GlobalOptions,
    name: &str,
    reason: &str,
    remote: &RemoteOptions,
) -> CommandResult {
    if remote.url.is_some() {
        let path = format!("api/v1/sources/{}/approve", encode_segment(name));
        let body = ExportApproval {
            reason: reason.to_owned(),
        };
        remote.daemon(global)?.post::<()>(&path, &body).await?;
        anstream::println!("Approved source {name}. The daemon runs a pass.");
        return Ok(0);
    }
    let config = session::config(global, None)?;
    let Some(known) = config.source(name) else {
        return Err(CommandFailure::usage(config.no_source(name)));
    };
    // Manifests are reviewed in git before they are read; only exports start without a review.
    if known.feed().is_none() {
        return Err(CommandFailure::usage(format!(
            "source {name} is not an export; only exports need a first approval"
        )));
    }
    // The name comes from the environment and is checked against the configured approvers; on a
    // daemon, the token says who it is.
    let actor = session::actor();
    config.may_approve(&actor).map_err(CommandFailure::error)?;
    let store = session::writer(&config).await?;
    store.approve_source(name, &actor, reason).await?;
    anstream::println!("Approved source {name} as {actor}. Its next pass is applied.");
    Ok(0)
}

/// Fails unless some plan has the hold: one that an apply recorded, or one made now.
pub(super) async fn require_known_hold(
    config: &Config,
    store: &Store,
    id: &str,
) -> Result<(), CommandFailure> {
    if store.knows_hold(id).await? || !members(config, store, id).await?.is_empty() {
        return Ok(());
    }
    Err(CommandFailure::error(format!(
        "no plan has a hold `{id}`; it may have changed since. Run `roster plan` to see the current holds and their ids"
    )))
}

/// The resources in a hold, from the records of applies and from plans made now.
async fn members(
    config: &Config,
    store: &Store,
    id: &str,
) -> Result<BTreeSet<Key>, CommandFailure> {
    let recorded = recorded_hold(config, store, id).await?;
    if let Some(run) = recorded.and_then(|view| view.hold.reverts) {
        let of = reconcile::run_to_revert(store, run).await?;
        let held = reconcile::plan_revert(config, store, &of).await?.plan.held;
        let held = held.into_iter().filter(|held| held.hold == id);
        return Ok(held.map(|held| held.key).collect());
    }
    let config = &with_last_path(config, store).await?;
    let mut members = BTreeSet::new();
    for source in &config.sources {
        let held = store.held_steps(&source.name).await?.into_iter();
        members.extend(held.filter(|held| *held.hold == *id).map(|held| held.key));
    }
    // A hold that no apply has recorded exists only in a plan, so the plans are made again.
    let request = PassRequest::default().with_fetch_results(&reconcile::fetch(config, None));
    let mut pass = Pass::read(config, request, store).await?;
    for index in pass.selected_sources()? {
        let held = pass.plan(index, store, &[]).await?.held.into_iter();
        members.extend(held.filter(|held| held.hold == id).map(|held| held.key));
    }
    Ok(members)
}

/// The configuration; without one, the directory that was applied last.
async fn with_last_path(config: &Config, store: &Store) -> Result<Config, CommandFailure> {
    let mut config = config.clone();
    if config.path.is_none() && config.sources.is_empty() {
        let path = store.path_of(UNNAMED).await?;
        let source = path.map(|path| Source::unnamed(UNNAMED, Path::new(&path)));
        config.sources.extend(source);
    }
    Ok(config)
}

/// The hold as the last apply recorded it, if it did.
async fn recorded_hold(
    config: &Config,
    store: &Store,
    id: &str,
) -> Result<Option<HoldView>, CommandFailure> {
    let is_it = |_: &str, hold: &HoldState| hold.hold.as_deref() == Some(id);
    let mut found = reconcile::hold_views(store, config.approval_ttl, is_it).await?;
    Ok(found.pop())
}

/// Plans a revert again, if a hold is of one: no pass has looked at it since somebody asked for it.
/// Returns the run that would be reverted.
pub(super) async fn refresh_revert(
    config: &Config,
    store: &Store,
    id: &str,
) -> Result<Option<i64>, CommandFailure> {
    let recorded = recorded_hold(config, store, id).await?;
    let run = recorded.and_then(|view| view.hold.reverts);
    if let Some(run) = run {
        reconcile::refresh_revert_holds(config, store, run).await?;
    }
    Ok(run)
}

/// The name of a directory that no configuration names.
const UNNAMED: &str = "directory";

/// Fails unless a text can be the id of a hold. A mistyped one would be stored and never match.
pub(super) fn require_hold_id(id: &str) -> Result<(), CommandFailure> {
    if id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(CommandFailure::usage(format!(
        "`{id}` is not a hold id; see `roster plan`"
    )))
}

async fn hold(
    global: &GlobalOptions,
    id: &str,
    only: &[String],
    reason: &str,
    remote: &RemoteOptions,
) -> CommandResult {
    require_hold_id(id)?;
    if remote.url.is_some() {
        let body = HoldApproval {
            reason: reason.to_owned(),
            only: only.to_vec(),
        };
        let path = format!("api/v1/holds/{id}/approve");
        let daemon = remote.daemon(global)?;
        daemon.post::<()>(&path, &body).await?;
        // A pass may have applied it already; then it is not listed any more.
        let listed: HoldListDocument = daemon.get("api/v1/holds").await?;
        let mut listed = listed.items.into_iter();
        let waiting = listed.find(|view| view.id.as_deref() == Some(id));
        let reverts = waiting.as_ref().and_then(|view| view.hold.reverts);
        match waiting.filter(HoldView::needs_more_people) {
            Some(view) => {
                let so_far = reconcile::approvals_so_far(&view);
                anstream::println!("Approved hold {id}: {so_far}.");
            }
            None => anstream::println!("Approved hold {id}. {}", applied_with(reverts)),
        }
        return Ok(0);
    }
    let config = session::config(global, None)?;
    let actor = session::actor();
    config.may_approve(&actor).map_err(CommandFailure::error)?;
    let store = session::writer(&config).await?;
    let imported = store.is_import_hold(id).await?;
    let reverted = refresh_revert(&config, &store, id).await?;
    if !imported {
        require_known_hold(&config, &store, id).await?;
    }
    let parts = only
        .iter()
        .map(|text| session::key(text))
        .collect::<Result<Vec<_>, _>>()?;
    // The members of what an import held are known only to its file.
    if !parts.is_empty() && !imported {
        // Approving a resource that is not in the hold would be an approval of nothing.
        let members = members(&config, &store, id).await?;
        if let Some(stranger) = parts.iter().find(|key| !members.contains(key)) {
            return Err(CommandFailure::error(format!(
                "{stranger} is not part of hold {id}; see `roster plan`"
            )));
        }
    }
    require_new_approval(&config, &store, id, &parts).await?;
    if parts.is_empty() {
        store.approve_hold(id, None, &actor, reason).await?;
    }
    for key in &parts {
        store.approve_hold(id, Some(key), &actor, reason).await?;
    }
    let recorded = recorded_hold(&config, &store, id).await?;
    if let Some(view) = recorded.filter(HoldView::needs_more_people) {
        let so_far = reconcile::approvals_so_far(&view);
        anstream::println!("Approved hold {id} as {actor}: {so_far}.");
        return Ok(0);
    }
    let hours = config.approval_ttl.as_secs() / 3_600;
    anstream::println!(
        "Approved hold {id} as {actor}. {} The approval expires in {}.",
        applied_with(reverted),
        plural(hours, "hour")
    );
    Ok(0)
}

/// Fails if this person has approved the hold, or each of these parts of it, already.
async fn require_new_approval(
    config: &Config,
    store: &Store,
    id: &str,
    parts: &[Key],
) -> Result<(), CommandFailure> {
    let actor = session::actor();
    let named: Vec<String> = parts.iter().map(ToString::to_string).collect();
    let why = match recorded_hold(config, store, id).await? {
        Some(view) if reconcile::has_approved(&view, &actor, &named) => {
            reconcile::needs_others(&view)
        }
        Some(_) => return Ok(()),
        // No apply has recorded it yet, so how many people it takes is not known here.
        None => {
            let of = (id, &*named);
            let before = reconcile::approved_before(store, config.approval_ttl, of, &actor);
            if !before.await? {
                return Ok(());
            }
            "you have approved this hold already".to_owned()
        }
    };
    Err(CommandFailure::error(format!("already-decided: {why}")))
}

/// Says what applies an approved hold. No pass plans a revert.
fn applied_with(reverts: Option<i64>) -> String {
    reverts.map_or_else(
        || "It is applied with the next plan that contains it.".to_owned(),
        |run| format!("Run `roster revert {run}` again to apply it."),
    )
}

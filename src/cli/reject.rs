//! `roster reject`: records that a hold or a new account is not to be applied. A rejected hold stays
//! held, as one that nobody approves; it only no longer waits for somebody.

use super::remote::RemoteOptions;
use super::{CommandFailure, CommandResult, GlobalOptions, acts, approve, session};
use crate::document::ActReason;
use crate::kinds::act;
use clap::{Args, Subcommand};

/// Options of `roster reject`.
#[derive(Debug, Args)]
pub struct RejectOptions {
    #[command(subcommand)]
    what: RejectCommand,
}

#[derive(Debug, Subcommand)]
enum RejectCommand {
    #[command(about = act::REJECT.doc)]
    Account(acts::IdOptions),
    /// Reject a hold: it stays held, and is not listed as waiting any more.
    Hold(HoldOptions),
}

/// Options of `roster reject hold`.
#[derive(Debug, Args)]
pub struct HoldOptions {
    /// The id of the hold, as shown in the plan.
    id: String,
    /// The reason, for the audit log.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    remote: RemoteOptions,
}

pub async fn run(global: &GlobalOptions, options: &RejectOptions) -> CommandResult {
    match &options.what {
        RejectCommand::Account(of) => acts::by_id(global, &act::REJECT, of).await,
        RejectCommand::Hold(of) => hold(global, of).await,
    }
}

/// Records the rejection of a hold.
async fn hold(global: &GlobalOptions, options: &HoldOptions) -> CommandResult {
    let (id, reason) = (&*options.id, approve::require_reason(&options.reason)?);
    approve::require_hold_id(id)?;
    if options.remote.url.is_some() {
        let body = ActReason {
            reason: reason.to_owned(),
        };
        let path = format!("api/v1/holds/{id}/reject");
        options
            .remote
            .daemon(global)?
            .post::<()>(&path, &body)
            .await?;
        anstream::println!("Rejected hold {id}. It stays held; change the source.");
        return Ok(0);
    }
    let config = session::config(global, None)?;
    let actor = session::actor();
    config.may_approve(&actor).map_err(CommandFailure::error)?;
    let store = session::writer(&config).await?;
    let reverts = approve::refresh_revert(&config, &store, id).await?;
    if !store.is_import_hold(id).await? {
        approve::require_known_hold(&config, &store, id).await?;
    }
    store.reject_hold(id, &actor, reason).await?;
    match reverts {
        Some(_) => anstream::println!("Rejected hold {id} as {actor}. It is not reverted."),
        None => {
            anstream::println!("Rejected hold {id} as {actor}. It stays held; change the source.");
        }
    }
    Ok(0)
}

//! Acts of people on stored resources: `roster approve account`, `reject`, `block`, `unblock` and
//! `user`. Each is an entry of the table of acts, performed here or by a daemon.

use super::remote::RemoteOptions;
use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::daemon::api::acts::{CheckedAct, done_sentence};
use crate::document::{ResourceActReply, ResourceActRequest, TermsAcceptanceRequest};
use crate::http::problem::{HttpProblem, ProblemDetails};
use crate::kinds;
use crate::kinds::act::{self, ResourceAct};
use crate::model::Key;
use crate::store::ActError;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io::Write;

/// Why, and who performs the act.
#[derive(Debug, Args)]
pub struct ActOptions {
    /// The reason, for the history and the audit log.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `roster reject`.
#[derive(Debug, Args)]
pub struct RejectOptions {
    #[command(subcommand)]
    what: RejectCommand,
}

#[derive(Debug, Subcommand)]
enum RejectCommand {
    #[command(about = act::REJECT.doc)]
    Account(IdOptions),
}

/// Options of an act whose kind is known.
#[derive(Debug, Args)]
pub struct IdOptions {
    /// The externalIds.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    act: ActOptions,
}

/// Options of `roster user accept-terms`.
#[derive(Debug, Args)]
pub struct AcceptTermsOptions {
    /// The externalIds.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// The externalId of the Terms document.
    #[arg(long, value_name = "ID")]
    terms: String,
    /// The version that the users accept: the SHA-256 of the document.
    #[arg(long, value_name = "SHA256")]
    version: String,
    #[command(flatten)]
    act: ActOptions,
}

/// Options of `roster block` and `roster unblock`.
#[derive(Debug, Args)]
pub struct BlockOptions {
    /// The resources, all of one kind: `Account/acme`.
    #[arg(required = true, value_name = "KIND/ID")]
    resources: Vec<String>,
    #[command(flatten)]
    act: ActOptions,
}

/// Options of `roster user`.
#[derive(Debug, Args)]
pub struct UserOptions {
    #[command(subcommand)]
    what: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    #[command(about = act::ACTIVATE.doc)]
    Activate(IdOptions),
    #[command(about = act::DEACTIVATE.doc)]
    Deactivate(IdOptions),
    #[command(about = act::DELETE_IDENTITIES.doc)]
    DeleteIdentities(IdOptions),
    #[command(about = act::ACCEPT_TERMS.doc)]
    AcceptTerms(AcceptTermsOptions),
}

pub async fn reject(global: &GlobalOptions, options: &RejectOptions) -> CommandResult {
    match &options.what {
        RejectCommand::Account(of) => by_id(global, &act::REJECT, of).await,
    }
}

pub async fn user(global: &GlobalOptions, options: &UserOptions) -> CommandResult {
    match &options.what {
        UserCommand::Activate(of) => by_id(global, &act::ACTIVATE, of).await,
        UserCommand::Deactivate(of) => by_id(global, &act::DEACTIVATE, of).await,
        UserCommand::DeleteIdentities(of) => by_id(global, &act::DELETE_IDENTITIES, of).await,
        UserCommand::AcceptTerms(of) => accept_terms(global, of).await,
    }
}

/// Blocks or unblocks.
pub async fn block(
    global: &GlobalOptions,
    act: &'static ResourceAct,
    options: &BlockOptions,
) -> CommandResult {
    let keys = options.resources.iter().map(|text| session::key(text));
    let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
    let kind = keys.first().map(|key| key.kind);
    if let Some(other) = keys.iter().find(|key| Some(key.kind) != kind) {
        return Err(CommandFailure::usage(format!(
            "{other} is of another kind than {}; {} them with two commands",
            options.resources[0], act.name
        )));
    }
    let request = ResourceActRequest {
        kind: kind.map(|kind| kinds::get(kind).name.to_owned()),
        ids: keys.iter().map(|key| key.id.to_string()).collect(),
        reason: options.act.reason.clone(),
    };
    perform(global, act, request, &options.act.remote).await
}

/// Performs an act on resources of its own kind.
pub async fn by_id(
    global: &GlobalOptions,
    act: &'static ResourceAct,
    options: &IdOptions,
) -> CommandResult {
    let request = ResourceActRequest {
        kind: None,
        ids: options.ids.clone(),
        reason: options.act.reason.clone(),
    };
    perform(global, act, request, &options.act.remote).await
}

async fn accept_terms(global: &GlobalOptions, options: &AcceptTermsOptions) -> CommandResult {
    let request = TermsAcceptanceRequest {
        kind: None,
        ids: options.ids.clone(),
        reason: options.act.reason.clone(),
        terms: options.terms.clone(),
        version: options.version.clone(),
    };
    let checked = CheckedAct::of_acceptance(&act::ACCEPT_TERMS, &request);
    perform_checked(global, checked, &request, &options.act.remote).await
}

async fn perform(
    global: &GlobalOptions,
    act: &'static ResourceAct,
    request: ResourceActRequest,
    remote: &RemoteOptions,
) -> CommandResult {
    let checked = CheckedAct::new(act, &request);
    perform_checked(global, checked, &request, remote).await
}

/// Performs an act here, or sends its request to a daemon.
async fn perform_checked(
    global: &GlobalOptions,
    checked: Result<CheckedAct, HttpProblem>,
    request: &impl Serialize,
    remote: &RemoteOptions,
) -> CommandResult {
    let checked = checked.map_err(|problem| CommandFailure::usage(problem.detail))?;
    let act = checked.act;
    let reply = if remote.url.is_some() {
        let daemon = remote.daemon()?;
        let path = act.path.trim_start_matches('/');
        match daemon.try_post(path, request).await? {
            Ok(reply) => reply,
            Err(problem) => {
                print_problem(global, &problem)?;
                return Err(daemon.refused(&problem));
            }
        }
    } else {
        perform_here(global, &checked).await?
    };
    let mut out = output::stdout();
    if !list_output::write_one(global, &reply, &mut out)? {
        writeln!(out, "{}", done_sentence(act, &reply))?;
    }
    out.flush()?;
    Ok(0)
}

/// Performs an act on the configured database.
async fn perform_here(
    global: &GlobalOptions,
    checked: &CheckedAct,
) -> Result<ResourceActReply, CommandFailure> {
    let config = session::config(global, None)?;
    let actor = session::actor();
    if checked.act.is_decision {
        config.may_approve(&actor).map_err(CommandFailure::error)?;
    }
    let store = session::writer(&config).await?;
    match checked.perform(&store, &actor, None).await {
        Ok(reply) => Ok(reply),
        Err(ActError::Refused(refused)) => {
            let problem = checked.refusal(&refused);
            print_problem(global, &problem.to_details(None))?;
            let (code, detail) = (problem.kind.code, problem.detail);
            Err(CommandFailure::error(format!("{detail} ({code})")))
        }
        Err(ActError::Store(error)) => Err(error.into()),
        Err(ActError::Unknown(error)) => Err(error.into()),
    }
}

/// Prints the problem for programs; people read it in the error message.
fn print_problem(global: &GlobalOptions, problem: &ProblemDetails) -> Result<(), CommandFailure> {
    let mut out = output::stdout();
    list_output::write_one(global, problem, &mut out)?;
    out.flush()?;
    Ok(())
}

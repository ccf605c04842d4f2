//! Acts of people on stored resources: `roster approve account`, `reject`, `block` and `unblock`.
//! Each is an entry of the table of acts, performed here or by a daemon. `user` has those on users.

use super::draft_folder::DraftFolder;
use super::remote::{DaemonClient, RemoteOptions};
use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::config::Config;
use crate::daemon::api::acts::done_sentence;
use crate::daemon::api::checked_act::CheckedAct;
use crate::daemon::invitation::{InvitationKey, InvitationOrder};
use crate::diagnostic::visible;
use crate::document::{
    InvitationRequest, ResourceActReply, ResourceActRequest, TermsAcceptanceRequest,
};
use crate::http::problem::{HttpProblem, ProblemDetails};
use crate::kinds::act::{self, ResourceAct};
use crate::model::Key;
use crate::reconcile::JobFiles;
use crate::store::ActError;
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Why, and who performs the act.
#[derive(Debug, Args)]
pub struct ActOptions {
    /// The reason, for the history and the audit log.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    remote: RemoteOptions,
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

/// Options of an act that cannot be undone.
#[derive(Debug, Args)]
pub struct ConfirmedIdOptions {
    /// The externalId.
    #[arg(value_name = "ID")]
    pub id: String,
    /// The same id once more.
    #[arg(long, value_name = "ID")]
    confirm: Option<String>,
    #[command(flatten)]
    act: ActOptions,
}

impl ConfirmedIdOptions {
    /// The daemon that performs the act.
    pub fn remote(&self) -> &RemoteOptions {
        &self.act.remote
    }
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
    /// The resources, such as `Account/acme User/u-1`: all of them or none.
    #[arg(required = true, value_name = "KIND/ID")]
    resources: Vec<String>,
    #[command(flatten)]
    act: ActOptions,
}

/// Options of `roster user invite`.
#[derive(Debug, Args)]
pub struct InviteOptions {
    #[command(flatten)]
    of: IdOptions,
    /// The folder for the drafts: one file ID.eml per user.
    #[arg(short, long = "out", value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Send the invitations instead of writing drafts. A running daemon delivers them.
    #[arg(long, conflicts_with = "out")]
    send: bool,
}

/// Blocks or unblocks.
pub async fn block(
    global: &GlobalOptions,
    act: &'static ResourceAct,
    options: &BlockOptions,
) -> CommandResult {
    let keys = options.resources.iter().map(|text| session::key(text));
    let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
    let request = ResourceActRequest {
        resources: keys.iter().map(Key::to_string).collect(),
        reason: options.act.reason.clone(),
        ..ResourceActRequest::default()
    };
    perform(global, act, request, &options.act.remote).await
}

/// Deletes a resource of the act's own kind for good.
pub async fn by_confirmed_id(
    global: &GlobalOptions,
    act: &'static ResourceAct,
    options: &ConfirmedIdOptions,
) -> CommandResult {
    let request = ResourceActRequest {
        ids: vec![options.id.clone()],
        reason: options.act.reason.clone(),
        confirm: options.confirm.clone(),
        ..ResourceActRequest::default()
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
        ids: options.ids.clone(),
        reason: options.act.reason.clone(),
        ..ResourceActRequest::default()
    };
    perform(global, act, request, &options.act.remote).await
}

pub async fn accept_terms(global: &GlobalOptions, options: &AcceptTermsOptions) -> CommandResult {
    let request = TermsAcceptanceRequest {
        kind: None,
        ids: options.ids.clone(),
        reason: options.act.reason.clone(),
        terms: options.terms.clone(),
        version: options.version.clone(),
    };
    let checked = CheckedAct::of_acceptance(&act::ACCEPT_TERMS, &request).map_err(usage)?;
    perform_checked(global, &checked, &request, &options.act.remote).await
}

async fn perform(
    global: &GlobalOptions,
    act: &'static ResourceAct,
    request: ResourceActRequest,
    remote: &RemoteOptions,
) -> CommandResult {
    let checked = CheckedAct::new(act, &request).map_err(usage)?;
    perform_checked(global, &checked, &request, remote).await
}

/// Performs an act here, or sends its request to a daemon.
async fn perform_checked(
    global: &GlobalOptions,
    checked: &CheckedAct,
    request: &impl Serialize,
    remote: &RemoteOptions,
) -> CommandResult {
    let act = checked.act;
    let reply = if remote.url.is_some() {
        perform_there(global, act, request, remote).await?
    } else {
        perform_here(global, &session::config(global, None)?, checked).await?
    };
    print_reply(global, act, &reply)
}

/// Invites users, and writes the drafts.
pub async fn invite(global: &GlobalOptions, options: &InviteOptions) -> CommandResult {
    let act = &act::INVITE;
    let request = InvitationRequest {
        kind: None,
        ids: options.of.ids.clone(),
        reason: options.of.act.reason.clone(),
        send: options.send,
    };
    let remote = &options.of.act.remote;
    // Before anybody is invited: a link that can be written nowhere would be lost.
    let folder = (!options.send).then(|| DraftFolder::open(&options.out));
    let folder = folder.transpose()?;
    let mut reply = if remote.url.is_some() {
        perform_there(global, act, &request, remote).await?
    } else {
        let checked = CheckedAct::new(act, &request.into()).map_err(usage)?;
        let config = session::config(global, None)?;
        let order = invitation_order(&config, options.send);
        let order = order.map_err(|problem| refused(global, &problem))?;
        perform_here(global, &config, &checked.with_invitations(order)).await?
    };
    // The drafts hold links, so they are written to files and not printed.
    let drafts = reply.items.iter_mut().filter_map(|item| {
        let draft = item.draft.take()?;
        Some((item.external_id.as_str(), draft))
    });
    let drafts: Vec<(&str, String)> = drafts.collect();
    let written = folder.map(|folder| folder.write(&drafts)).transpose()?;
    let code = print_reply(global, act, &reply)?;
    if !global.quiet {
        for path in written.iter().flatten() {
            anstream::eprintln!("Wrote {}.", path.display());
        }
    }
    Ok(code)
}

fn invitation_order(config: &Config, send: bool) -> Result<InvitationOrder, HttpProblem> {
    // Nobody makes these links again, so their key need not be kept.
    let drafts = (!send).then(InvitationKey::ephemeral).transpose();
    InvitationOrder::new(config, drafts.map_err(HttpProblem::internal)?)
}

fn usage(problem: HttpProblem) -> CommandFailure {
    CommandFailure::usage(problem.detail)
}

/// Performs an act on the database of a daemon.
async fn perform_there(
    global: &GlobalOptions,
    act: &ResourceAct,
    request: &impl Serialize,
    remote: &RemoteOptions,
) -> Result<ResourceActReply, CommandFailure> {
    let daemon = remote.daemon(global)?;
    let path = act.path.trim_start_matches('/');
    let reply = daemon.try_post(path, request).await?;
    reply.map_err(|problem| refused_there(global, &daemon, &problem))
}

/// Prints why a daemon refused a request, and returns the failure.
pub(super) fn refused_there(
    global: &GlobalOptions,
    daemon: &DaemonClient,
    problem: &ProblemDetails,
) -> CommandFailure {
    match print_problem(global, problem) {
        Ok(()) => daemon.refused(problem),
        Err(failure) => failure,
    }
}

fn print_reply(
    global: &GlobalOptions,
    act: &ResourceAct,
    reply: &ResourceActReply,
) -> CommandResult {
    let mut out = output::stdout();
    if !list_output::write_one(global, reply, &mut out)? {
        writeln!(out, "{}", done_sentence(act, reply))?;
    }
    out.flush()?;
    if act.erases {
        print_places(reply);
    }
    for warning in &reply.warnings {
        anstream::eprintln!("warning: {} ({})", visible(&warning.message), warning.code);
    }
    Ok(0)
}

/// Prints where the sources still name the person, and what that means.
fn print_places(reply: &ResourceActReply) {
    if reply.places.is_empty() {
        anstream::eprintln!("No source names the person now.");
    } else {
        anstream::eprintln!(
            "The sources still name the person here. Nothing of it is stored again; remove it:"
        );
    }
    for place in &reply.places {
        let (source, path) = (visible(&place.source), visible(&place.origin.path));
        match (place.origin.line, place.origin.column) {
            (Some(line), Some(column)) => anstream::eprintln!("  {source}: {path}:{line}:{column}"),
            _ => anstream::eprintln!("  {source}: {path}"),
        }
    }
    anstream::eprintln!(
        "Git history, exports on other systems and backups are not touched. To remove a file from the git history: git filter-repo --invert-paths --path FILE"
    );
}

/// Performs an act on the configured database.
async fn perform_here(
    global: &GlobalOptions,
    config: &Config,
    checked: &CheckedAct,
) -> Result<ResourceActReply, CommandFailure> {
    let actor = session::actor();
    if checked.act.is_decision {
        config.may_approve(&actor).map_err(CommandFailure::error)?;
    }
    let store = session::writer(config).await?;
    match checked.perform(&store, config, (&actor, None)).await {
        Ok(reply) => {
            if checked.act.is_final {
                JobFiles::new(&config.files).remove_due_later(&store).await;
            }
            Ok(checked.with_places(reply, config))
        }
        Err(ActError::Refused(why)) => Err(refused(global, &checked.refusal(&why))),
        Err(ActError::Store(error)) => Err(error.into()),
        Err(ActError::Unknown(error)) => Err(error.into()),
    }
}

/// Prints why an act was refused, and returns the failure.
pub(super) fn refused(global: &GlobalOptions, problem: &HttpProblem) -> CommandFailure {
    match print_problem(global, &problem.to_details(None)) {
        Ok(()) => CommandFailure::error(format!("{} ({})", problem.detail, problem.kind.code)),
        Err(failure) => failure,
    }
}

/// Prints the problem for programs; people read it in the error message.
pub fn print_problem(
    global: &GlobalOptions,
    problem: &ProblemDetails,
) -> Result<(), CommandFailure> {
    let mut out = output::stdout();
    list_output::write_one(global, problem, &mut out)?;
    out.flush()?;
    Ok(())
}

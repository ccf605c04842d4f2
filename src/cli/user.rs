//! `roster user`: acts on users, and questions about them.

use super::acts::{self, AcceptTermsOptions, ConfirmedIdOptions, IdOptions, InviteOptions};
use super::backup::{self, BackupOptions};
use super::dossier::{self, DossierOptions};
use super::remote::{RemoteOptions, encode_segment};
use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::document::SubmitCheckDocument;
use crate::kinds::{USER, act};
use crate::model::Key;
use clap::{Args, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;

/// Options of `roster user`.
#[derive(Debug, Args)]
pub struct UserOptions {
    #[command(subcommand)]
    what: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    #[command(about = act::INVITE.doc)]
    Invite(InviteOptions),
    #[command(about = act::ACTIVATE.doc)]
    Activate(IdOptions),
    #[command(about = act::DEACTIVATE.doc)]
    Deactivate(IdOptions),
    #[command(about = act::DELETE_IDENTITIES.doc)]
    DeleteIdentities(IdOptions),
    #[command(about = act::ACCEPT_TERMS.doc)]
    AcceptTerms(AcceptTermsOptions),
    #[command(about = act::DELETE.doc)]
    Delete(DeleteOptions),
    #[command(about = act::ERASE.doc)]
    Erase(ConfirmedIdOptions),
    /// Write the profile of a user, the jobs and their files into a ZIP. Exits with 1 if files are
    /// missing.
    Backup(BackupOptions),
    /// Write everything that is stored about a user as JSON, also about one who was deleted.
    Dossier(DossierOptions),
    /// Check whether a user may log in, submit jobs and follow them. Exits with 1 if not.
    MaySubmit(MaySubmitOptions),
}

#[derive(Debug, Args)]
struct DeleteOptions {
    /// Write the backup of the user first: `roster user backup -o`. Deletes nothing if that fails
    /// or files are missing.
    #[arg(long, value_name = "FILE.zip|DIR/")]
    backup_first: Option<PathBuf>,
    #[command(flatten)]
    act: ConfirmedIdOptions,
}

#[derive(Debug, Args)]
struct MaySubmitOptions {
    /// The externalId of the user.
    id: String,
    #[command(flatten)]
    remote: RemoteOptions,
}

pub async fn run(global: &GlobalOptions, options: &UserOptions) -> CommandResult {
    match &options.what {
        UserCommand::Invite(of) => acts::invite(global, of).await,
        UserCommand::Activate(of) => acts::by_id(global, &act::ACTIVATE, of).await,
        UserCommand::Deactivate(of) => acts::by_id(global, &act::DEACTIVATE, of).await,
        UserCommand::DeleteIdentities(of) => acts::by_id(global, &act::DELETE_IDENTITIES, of).await,
        UserCommand::AcceptTerms(of) => acts::accept_terms(global, of).await,
        UserCommand::Delete(of) => delete(global, of).await,
        UserCommand::Erase(of) => acts::by_confirmed_id(global, &act::ERASE, of).await,
        UserCommand::Backup(of) => backup::run(global, of).await,
        UserCommand::Dossier(of) => dossier::run(global, of).await,
        UserCommand::MaySubmit(of) => may_submit(global, of).await,
    }
}

async fn delete(global: &GlobalOptions, options: &DeleteOptions) -> CommandResult {
    if let Some(out) = &options.backup_first {
        let nothing = |failure: CommandFailure| CommandFailure {
            message: format!("{}; nothing was deleted", failure.message),
            ..failure
        };
        let (id, remote) = (&options.act.id, options.act.remote());
        let written = backup::back_up(global, remote, id, out).await;
        written
            .and_then(|written| written.require_complete())
            .map_err(nothing)?;
    }
    acts::by_confirmed_id(global, &act::DELETE, &options.act).await
}

async fn may_submit(global: &GlobalOptions, options: &MaySubmitOptions) -> CommandResult {
    let answer = if options.remote.url.is_some() {
        let id = encode_segment(&options.id);
        let path = format!("api/v1/resources/User/{id}/may-submit");
        options.remote.daemon(global)?.get(&path).await?
    } else {
        submit_check_here(global, &options.id).await?
    };
    let mut out = output::stdout();
    if !list_output::write_one(global, &answer, &mut out)? {
        let word = if answer.may_submit { "Yes" } else { "No" };
        writeln!(out, "{word}: {}.", answer.why)?;
    }
    out.flush()?;
    Ok(u8::from(!answer.may_submit))
}

async fn submit_check_here(
    global: &GlobalOptions,
    id: &str,
) -> Result<SubmitCheckDocument, CommandFailure> {
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    match store.submission_facts(id).await? {
        Some(facts) => Ok(SubmitCheckDocument::from(&facts)),
        None => Err(session::unknown_resource(&store, &Key::new(USER, id)).await?),
    }
}

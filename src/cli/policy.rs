//! `roster policy check`: which buying policies review a purchase, and who can approve it. Answered
//! here or by a daemon.

use super::acts::{refused, refused_there};
use super::remote::RemoteOptions;
use super::{CommandResult, GlobalOptions, list_output, output, session};
use crate::daemon::api::policies;
use crate::diagnostic::{plural, visible};
use crate::document::{PolicyCheckReply, PolicyCheckRequest};
use clap::{Args, Subcommand};
use std::io::{self, Write};

/// Options of `roster policy`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Check whether a purchase needs an approval, and whose.
    Check(CheckOptions),
}

/// Options of `roster policy check`.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// The externalId of the buyer.
    #[arg(long, value_name = "ID")]
    user: String,
    /// The externalId of the account that the user buys for.
    #[arg(long, value_name = "ID")]
    account: String,
    #[command(flatten)]
    remote: RemoteOptions,
}

pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    match &options.what {
        PolicyCommand::Check(options) => check(global, options).await,
    }
}

async fn check(global: &GlobalOptions, options: &CheckOptions) -> CommandResult {
    let request = PolicyCheckRequest {
        user: options.user.clone(),
        account: options.account.clone(),
    };
    let reply = if options.remote.url.is_some() {
        let daemon = options.remote.daemon(global)?;
        let reply = daemon
            .try_post("api/v1/policies/evaluate", &request)
            .await?;
        reply.map_err(|problem| refused_there(global, &daemon, &problem))?
    } else {
        let config = session::config(global, None)?;
        let store = session::reader(&config).await?;
        match policies::check(&store, &request).await? {
            Ok(reply) => reply,
            Err(problem) => return Err(refused(global, &problem)),
        }
    };
    let mut out = output::stdout();
    if !list_output::write_one(global, &reply, &mut out)? {
        print_reply(&reply, &mut out)?;
    }
    out.flush()?;
    Ok(0)
}

fn print_reply(reply: &PolicyCheckReply, out: &mut dyn Write) -> io::Result<()> {
    if reply.required {
        let policies = match reply.policies.len() {
            1 => "1 policy".to_owned(),
            count => format!("{count} policies"),
        };
        writeln!(out, "An approval is required by {policies}.")?;
    } else {
        writeln!(out, "No approval is required.")?;
    }
    for applied in &reply.policies {
        writeln!(
            out,
            "Policy/{}: {}",
            visible(&applied.policy),
            visible(&applied.why)
        )?;
        if let Some(message) = &applied.message {
            writeln!(out, "  message: {}", visible(message))?;
        }
        let approvers = &applied.approvers;
        if !approvers.is_empty() {
            let count = plural(approvers.len(), "approver");
            writeln!(out, "  {count}: {}", visible(&approvers.join(", ")))?;
        }
    }
    for found in &reply.diagnostics {
        let (severity, code) = (&found.severity, &found.code);
        writeln!(out, "{severity}[{code}]: {}", visible(&found.message))?;
        if let Some(help) = &found.help {
            writeln!(out, "  {}", visible(help))?;
        }
    }
    Ok(())
}

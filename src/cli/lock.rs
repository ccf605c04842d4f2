//! `roster lock`: shows who holds which lease, and breaks one.

use super::{CommandFailure, CommandResult, GlobalOptions, list_output, output, session};
use crate::diagnostic::none_called;
use crate::document::LeaseDocument;
use crate::store::HeldLease;
use clap::{Args, Subcommand};

/// Options of `roster lock`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: LockCommand,
}

#[derive(Debug, Subcommand)]
enum LockCommand {
    /// Show who holds which lease.
    Show,
    /// Break a lease. Later writes by its holder are refused.
    Break {
        /// The lease, as shown: `source:NAME`.
        scope: String,
    },
}

/// Shows or breaks leases.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let config = session::config(global, None)?;
    match &options.what {
        LockCommand::Show => {
            let store = session::reader(&config).await?;
            let leases = store.leases().await?;
            if list_output::write(global, leases.iter().map(document), &mut output::stdout())? {
                return Ok(0);
            }
            if leases.is_empty() {
                anstream::println!("No lease is held.");
            }
            for lease in leases {
                anstream::println!("{lease}");
            }
        }
        LockCommand::Break { scope } => {
            let store = session::writer(&config).await?;
            // A mistyped scope must not look like success.
            if !store.break_lease(scope).await? {
                let leases = store.leases().await?;
                let held = leases.iter().map(|lease| lease.scope.as_str());
                let why = none_called("held lease", scope, held);
                return Err(CommandFailure::error(why));
            }
            anstream::println!(
                "Released the lease {scope}. Writes of its former holder are refused."
            );
        }
    }
    Ok(0)
}

fn document(lease: &HeldLease) -> LeaseDocument<'_> {
    LeaseDocument {
        scope: &lease.scope,
        holder: &lease.holder.name,
        host: &lease.holder.host,
        pid: lease.holder.pid,
        acquired_at: lease.acquired_at,
        expires_at: lease.expires_at,
    }
}

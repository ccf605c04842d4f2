//! `roster lock`: shows who holds which lease, and breaks one.

use super::{CommandFailure, CommandResult, GlobalOptions, OutputFormat, session};
use crate::diagnostic::none_called;
use crate::store::HeldLease;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

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
            if global.output == OutputFormat::Json {
                let items: Vec<_> = leases.iter().map(json).collect();
                anstream::println!("{}", json!({ "items": items }));
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

fn json(lease: &HeldLease) -> Value {
    json!({
        "scope": lease.scope,
        "holder": lease.holder.name,
        "host": lease.holder.host,
        "pid": lease.holder.pid,
        "acquiredAt": lease.acquired_at,
        "expiresAt": lease.expires_at,
    })
}

//! `roster serve`: runs the daemon.

use super::{CommandFailure, CommandResult, GlobalOptions, HoldOverrides};
use crate::config::{Config, ConfigOverrides};
use crate::daemon::{self, ServeError};
use crate::diagnostic::chain;
use clap::Args;
use std::net::SocketAddr;

/// Options of `roster serve`.
#[derive(Debug, Args)]
pub struct Options {
    /// The address to listen at. Overrides `serve.listen`. Port 0 takes a free port.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Allow serving without tokens, or without TLS to other machines. For private networks.
    #[arg(long)]
    insecure: bool,
}

/// Runs the daemon until it receives a signal to stop.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let Some(file) = &global.config else {
        return Err(CommandFailure::usage(
            "no configuration given; pass `roster serve --config roster.yaml`. A daemon never searches for one",
        ));
    };
    let directory = file.parent().map(ToOwned::to_owned).unwrap_or_default();
    // A closure, because the daemon loads the configuration again when it changes, with the same
    // overrides.
    let load = || {
        let overrides = ConfigOverrides {
            serves: true,
            ..global.overrides(&HoldOverrides::default())
        };
        let mut config = Config::load(&overrides, &directory, None)?;
        // One mistake must not block everybody else's changes while nobody is there to fix it.
        for source in &mut config.sources {
            source.hold_errors |= source.on_error_unset;
        }
        config.serve.insecure |= options.insecure;
        if let Some(address) = options.listen {
            config.serve.listen = address;
        }
        Ok(config)
    };
    match daemon::serve(load).await {
        Ok(()) => Ok(0),
        Err(ServeError::Database(error)) => Err(error.into()),
        Err(error) => Err(CommandFailure::error(chain(&error))),
    }
}

//! `roster visible`: what a user sees, read from the database or asked of a daemon.

use super::acts::{refused, refused_there};
use super::remote::RemoteOptions;
use super::{CommandResult, GlobalOptions, list_output, output, session};
use crate::daemon::api::visibility;
use crate::daemon::path_segment;
use crate::diagnostic::visible;
use crate::document::VisibleDocument;
use clap::Args;
use std::io::{self, Write};

/// Options of `roster visible`.
#[derive(Debug, Args)]
pub struct Options {
    /// The externalId of the user.
    #[arg(long = "as", value_name = "USER")]
    viewer: String,
    #[command(flatten)]
    remote: RemoteOptions,
}

pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let seen: VisibleDocument = if options.remote.url.is_some() {
        let daemon = options.remote.daemon(global)?;
        let viewer = path_segment::encode_id(&options.viewer);
        let seen = daemon.try_get(&format!("api/v1/visible/{viewer}")).await?;
        seen.map_err(|problem| refused_there(global, &daemon, &problem))?
    } else {
        let config = session::config(global, None)?;
        let store = session::reader(&config).await?;
        let Some(seen) = store.visible(&options.viewer).await? else {
            let problem = visibility::unknown_viewer(&options.viewer);
            return Err(refused(global, &problem));
        };
        seen.into()
    };
    let mut out = output::stdout();
    if !list_output::write_one(global, &seen, &mut out)? {
        print_seen(&seen, &mut out)?;
    }
    out.flush()?;
    Ok(0)
}

fn print_seen(seen: &VisibleDocument, out: &mut dyn Write) -> io::Result<()> {
    for (name, ids) in [
        ("Users", &seen.users),
        ("Organisations", &seen.organisations),
        ("Accounts", &seen.accounts),
    ] {
        writeln!(out, "{name}: {}", ids.len())?;
        for id in ids {
            writeln!(out, "  {}", visible(id))?;
        }
    }
    Ok(())
}

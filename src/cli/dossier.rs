//! `roster user dossier`: everything that is stored about a person, as one JSON document.

use super::remote::{RemoteOptions, encode_segment};
use super::{CommandResult, GlobalOptions, atomic_file, output, session};
use crate::kinds::USER;
use crate::model::Key;
use crate::reconcile;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// Options of `roster user dossier`.
#[derive(Debug, Args)]
pub struct DossierOptions {
    /// The externalId of the user, who may be deleted by now.
    id: String,
    /// Write this file. Default: stdout.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    remote: RemoteOptions,
}

pub async fn run(global: &GlobalOptions, options: &DossierOptions) -> CommandResult {
    if options.remote.url.is_some() {
        let id = encode_segment(&options.id);
        let path = format!("api/v1/resources/User/{id}/dossier");
        let dossier: Value = options.remote.daemon(global)?.get(&path).await?;
        return write(global, options, &dossier);
    }
    let config = session::config(global, None)?;
    let store = session::writer(&config).await?;
    let key = Key::new(USER, &options.id);
    let Some(dossier) = reconcile::dossier(&store, &options.id).await? else {
        return Err(session::unknown_resource(&store, &key).await?);
    };
    // Before anybody has the document: who reads personal data is recorded in any case.
    store
        .record_act(&session::actor(), "dossier", &key.to_string(), "")
        .await?;
    write(global, options, &dossier)
}

fn write(
    global: &GlobalOptions,
    options: &DossierOptions,
    dossier: &impl Serialize,
) -> CommandResult {
    match &options.out {
        None => {
            let mut out = output::stdout();
            write_json(dossier, &mut out)?;
            out.flush()?;
        }
        Some(path) => {
            atomic_file::write(path, |out| write_json(dossier, out))?;
            // Personal data, in whatever folder.
            if path.is_file() {
                fs::set_permissions(path, Permissions::from_mode(0o600))?;
            }
            if !global.quiet {
                anstream::eprintln!("Wrote {}.", path.display());
            }
        }
    }
    Ok(0)
}

fn write_json(dossier: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, dossier)?;
    writeln!(out)
}

//! `roster export`: the database as manifests.

use super::{Failure, Global, Outcome, output, session};
use crate::manifest::export;
use crate::manifest::layout::Export;
use crate::store::Store;
use clap::Args;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Options of `roster export`.
#[derive(Debug, Args)]
pub struct Options {
    /// Writes a tree of files into this directory, which must be empty; one stream to stdout when
    /// not given.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes it.
pub async fn run(global: &Global, options: &Options) -> Outcome {
    let config = session::config(global, None)?;
    let store = session::reader(&config).await?;
    if let Some(dir) = &options.out {
        must_be_empty(dir)?;
    }
    let export = export::export(&store.rows().await?);
    match &options.out {
        None => stream(&export)?,
        Some(dir) => {
            for (path, text) in &export.manifests {
                write(&dir.join(path), text.as_bytes())?;
            }
            documents(&store, &export, dir).await?;
            if !global.quiet {
                let files = export.manifests.len() + export.documents.len();
                anstream::eprintln!("Wrote {files} files to {}.", dir.display());
            }
        }
    }
    Ok(0)
}

fn must_be_empty(dir: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::error(format!("cannot write to {}: {error}", dir.display()));
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(Err(error)) => Err(failed(error)),
            Some(Ok(_)) => Err(Failure::error(format!(
                "{} is not empty: nothing was written; name a new directory",
                dir.display()
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// All manifests in one stream; each begins with the path it would have.
fn stream(export: &Export) -> io::Result<()> {
    let mut out = output::stdout();
    for (at, (path, text)) in export.manifests.iter().enumerate() {
        let mark = if at == 0 { "" } else { "---\n" };
        write!(out, "{mark}# {path}\n{text}")?;
    }
    out.flush()
}

async fn documents(store: &Store, export: &Export, dir: &Path) -> Result<(), Failure> {
    for (path, sha256) in &export.documents {
        let missing = || Failure::error(format!("the content of {path} ({sha256}) is not stored"));
        let content = store.file_content(sha256).await?.ok_or_else(missing)?;
        write(&dir.join(path), &content)?;
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    // Two names that the file system takes for one are a fault to see, not to overwrite.
    let written = folder.and_then(|()| File::create_new(path)?.write_all(content));
    written.map_err(|error| Failure::error(format!("cannot write {}: {error}", path.display())))
}

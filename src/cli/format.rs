//! `roster fmt`: formats manifests without changing their meaning.

use super::{CommandFailure, CommandResult, GlobalOptions, atomic_file, failure, session};
use crate::manifest::{Tree, format};
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `roster fmt`.
#[derive(Debug, Args)]
pub struct Options {
    /// Files or directories of manifests. Default: those of the configuration.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing. Exit with 1 if a file would change.
    #[arg(long)]
    check: bool,
}

/// Formats the files, or reports which ones would change.
pub fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let mut changed = 0;
    for file in files(global, &options.paths)? {
        changed += usize::from(format_file(&file, options.check)?);
    }
    if options.check && changed > 0 {
        // The names of the files are the output; a message would add nothing.
        return Err(CommandFailure {
            message: String::new(),
            exit: failure::ERROR,
        });
    }
    Ok(0)
}

fn files(global: &GlobalOptions, paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandFailure> {
    let mut roots = paths.to_vec();
    if roots.is_empty() {
        let sources = session::config(global, None)?.sources;
        let directories = sources.iter().filter_map(|source| source.directory());
        roots = directories.map(Path::to_owned).collect();
        if roots.is_empty() && !sources.is_empty() {
            return Err(CommandFailure::usage(
                "the sources are git repositories; pass the PATH of a checkout",
            ));
        }
    }
    if roots.is_empty() {
        return Err(CommandFailure::usage(
            "no roster.yaml found; pass the PATH of a file or a directory",
        ));
    }
    let mut files = Vec::new();
    for root in roots {
        if root.is_dir() {
            files.extend(yaml_files(&root));
        } else {
            files.push(root);
        }
    }
    Ok(files)
}

/// The YAML files among the manifests of a directory; JSON has its own layout.
fn yaml_files(root: &Path) -> Vec<PathBuf> {
    let tree = Tree::read(root);
    let yaml = tree
        .files
        .iter()
        .filter(|file| !file.path.ends_with(".json"));
    yaml.map(|file| root.join(&*file.path)).collect()
}

/// Formats one file; returns whether it changed or would change.
fn format_file(file: &Path, check: bool) -> Result<bool, CommandFailure> {
    let failed = |what: &str, error: std::io::Error| {
        CommandFailure::error(format!("cannot {what} {}: {error}", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| failed("read", error))?;
    let formatted = format::format(&text);
    if formatted == text {
        return Ok(false);
    }
    if !check {
        atomic_file::write(file, |out| out.write_all(formatted.as_bytes()))?;
    }
    anstream::println!("{}", file.display());
    Ok(true)
}

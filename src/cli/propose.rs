//! `roster propose`: what an export knows better, as a patch, in the files, or on a branch.

use super::output::{self, write_diagnostics};
use super::patch::patch;
use super::{Failure, Global, Outcome, Output, failure, new_files, session, whole_file};
use crate::config::{Config, Source};
use crate::diagnostic::{Diagnostic, chain, plural};
use crate::git::{self, Change};
use crate::reconcile::{self, More, Proposal, Request};
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many origins the message of a commit names.
const NAMED: usize = 1000;

/// Options of `roster propose`.
#[derive(Debug, Args)]
pub struct Options {
    /// The source of the new values: an export, usually one that only observes.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The source to write into. Needed if several directories are configured.
    #[arg(long, value_name = "SOURCE")]
    into: Option<String>,
    /// Also add fields that the manifests do not declare.
    #[arg(long)]
    add: bool,
    /// Also add resources that the manifests do not declare, as new files.
    #[arg(long)]
    new: bool,
    /// Change the files instead of printing a patch.
    #[arg(long, conflicts_with = "branch")]
    write: bool,
    /// Commit to a new branch, without changing files or index.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
}

/// Compares, and gives what there is to propose.
pub fn run(global: &Global, options: &Options) -> Outcome {
    let config = session::config(global, None)?;
    let source = named(&config, &options.source)?;
    let into = into(&config, options, source)?;
    let request = Request::default().after(&reconcile::fetch(&config, Some(&source.name)));
    let more = More {
        add: options.add,
        new: options.new,
    };
    let proposal = reconcile::propose(&config, source, into, more, &request)?;
    let mut errors = std::io::stderr();
    write_diagnostics(&proposal.diagnostics, |_| None, &mut errors)?;
    if let Some(why) = &proposal.doubt {
        let message = format!("nothing of source {} is believed: {why}", source.name);
        return Err(Failure::error(message));
    }
    let written = deliver(global, options, source, &proposal)?;
    tell(global, options, &proposal, &written);
    let wrong = proposal.diagnostics.iter().any(Diagnostic::is_error);
    let whole = proposal.unwritten.is_empty() && !wrong;
    Ok(if whole { 0 } else { failure::ERROR })
}

fn named<'c>(config: &'c Config, name: &str) -> Result<&'c Source, Failure> {
    let mut sources = config.sources.iter();
    let found = sources.find(|source| *source.name == *name);
    found.ok_or_else(|| Failure::usage(config.no_source(name)))
}

fn into<'c>(config: &'c Config, options: &Options, source: &Source) -> Result<&'c Source, Failure> {
    if let Some(name) = &options.into {
        let into = named(config, name)?;
        return match into.directory() {
            Some(_) if into.name != source.name => Ok(into),
            _ => Err(Failure::usage(format!(
                "source {name} is no directory that could be written to"
            ))),
        };
    }
    let others = config.sources.iter();
    let others = others.filter(|other| other.name != source.name && other.directory().is_some());
    let others: Vec<&Source> = others.collect();
    match others.as_slice() {
        [only] => Ok(only),
        [] => Err(Failure::usage("no directory is configured to write into")),
        several => {
            let names: Vec<&str> = several.iter().map(|source| &*source.name).collect();
            Err(Failure::usage(format!(
                "which directory? give `--into` one of {}",
                names.join(", ")
            )))
        }
    }
}

/// Prints, writes or commits it; what was done, for people.
fn deliver(
    global: &Global,
    options: &Options,
    source: &Source,
    proposal: &Proposal,
) -> Result<String, Failure> {
    let mut done = String::new();
    if let Some(branch) = options
        .branch
        .as_ref()
        .filter(|_| !proposal.files.is_empty())
    {
        let message = message(source, proposal);
        let changes = proposal.files.iter().map(|file| Change {
            path: &file.path,
            before: file.before.as_deref(),
            after: &file.after,
        });
        let changes: Vec<Change<'_>> = changes.collect();
        let commit = git::commit_on_branch(&proposal.root, branch, &message, &changes);
        let commit = commit.map_err(|error| Failure::error(chain(&error)))?;
        let short = commit.get(..12).unwrap_or(&commit);
        done = format!(", on branch {branch} as {short}");
    } else if options.write {
        in_place(&proposal.root, proposal)?;
        ", written".clone_into(&mut done);
    }
    if global.output == Output::Json {
        json(options, proposal)?;
    } else if !options.write && options.branch.is_none() {
        let mut out = output::stdout();
        out.write_all(patch(&proposal.root, &proposal.files).as_bytes())?;
        out.flush()?;
    }
    Ok(done)
}

/// Changes the files, unless one is another one by now.
fn in_place(root: &Path, proposal: &Proposal) -> Result<(), Failure> {
    let failed = |path: &Path, error: io::Error| {
        Failure::error(format!("cannot write {}: {error}", path.display()))
    };
    let changed = proposal.files.iter();
    let changed: Vec<_> = changed
        .filter_map(|file| Some((root.join(&file.path), file.before.as_ref()?, &file.after)))
        .collect();
    for (path, before, _) in &changed {
        let now = std::fs::read(path).map_err(|error| failed(path, error))?;
        if now != before.as_bytes() {
            return Err(Failure::error(format!(
                "{} was changed in the meantime; nothing was written",
                path.display()
            )));
        }
    }
    committed(root, proposal)?;
    let new = proposal.files.iter().filter(|file| file.before.is_none());
    let new = new.map(|file| (file.path.clone(), file.after.clone()));
    new_files::write(root, &new.collect())?;
    for (path, _, after) in &changed {
        whole_file::write(path, |out| out.write_all(after.as_bytes()))?;
    }
    Ok(())
}

/// That what is changed can be had back: in a repository every file is as in the last commit.
fn committed(root: &Path, proposal: &Proposal) -> Result<(), Failure> {
    let changed = proposal.files.iter().filter(|file| file.before.is_some());
    let changed: Vec<&str> = changed.map(|file| file.path.as_str()).collect();
    let dirty = git::uncommitted(root, &changed);
    let dirty = dirty.map_err(|error| Failure::error(chain(&error)))?;
    let Some(first) = dirty.first() else {
        return Ok(());
    };
    let more = match dirty.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", plural(more, "other file")),
    };
    let have = if more.is_empty() { "has" } else { "have" };
    Err(Failure::error(format!(
        "{first}{more} {have} changes that are not committed: commit or stash them first; \
         nothing was written"
    )))
}

/// What a commit says of itself: which export, and which of its rows.
fn message(source: &Source, proposal: &Proposal) -> String {
    let count = plural(proposal.proposed.len(), "value");
    let mut text = format!("{count} of {}\n\n", source.name);
    let _ = writeln!(text, "Export: {}", source.written);
    let _ = writeln!(text, "Digest: {}\n", proposal.digest);
    for proposed in proposal.proposed.iter().take(NAMED) {
        let _ = writeln!(text, "{}: {}", proposed.from, proposed.subject);
    }
    if proposal.proposed.len() > NAMED {
        let _ = writeln!(text, "and {} more", proposal.proposed.len() - NAMED);
    }
    text
}

fn tell(global: &Global, options: &Options, proposal: &Proposal, done: &str) {
    for lost in &proposal.unwritten {
        let place = if lost.in_source {
            PathBuf::from(&lost.path)
        } else {
            Path::new(&proposal.written).join(&lost.path)
        };
        let (line, column) = (lost.at.line, lost.at.column);
        anstream::eprintln!(
            "could not be written at {}:{line}:{column}: {}: {}",
            place.display(),
            lost.subject,
            lost.why
        );
    }
    if global.quiet {
        return;
    }
    let values = plural(proposal.proposed.len(), "proposal");
    let files = plural(proposal.files.len(), "file");
    anstream::eprintln!("{values} in {files}{done}.");
    if proposal.needs_add > 0 && !options.add {
        let fields = plural(proposal.needs_add, "field");
        anstream::eprintln!("{fields} more that the manifests say nothing of: `--add`.");
    }
    if proposal.needs_new > 0 && !options.new {
        let resources = plural(proposal.needs_new, "resource");
        anstream::eprintln!("{resources} more that they do not declare: `--new`.");
    }
}

fn json(options: &Options, proposal: &Proposal) -> io::Result<()> {
    let proposed = proposal.proposed.iter();
    let proposed = proposed.map(|one| json!({"subject": one.subject, "from": one.from}));
    let unwritten = proposal.unwritten.iter().map(|lost| {
        json!({
            "subject": lost.subject,
            "origin": {"path": lost.path, "line": lost.at.line, "column": lost.at.column},
            "message": lost.why,
        })
    });
    let files = proposal.files.iter();
    let files = files.map(|file| json!({"path": file.path, "new": file.before.is_none()}));
    let document = json!({
        "formatVersion": "1.0",
        "source": options.source,
        "digest": proposal.digest,
        "summary": {
            "proposed": proposal.proposed.len(),
            "unwritten": proposal.unwritten.len(),
            "needsAdd": proposal.needs_add,
            "needsNew": proposal.needs_new,
        },
        "proposed": proposed.collect::<Vec<_>>(),
        "unwritten": unwritten.collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
        "patch": patch(&proposal.root, &proposal.files),
    });
    let mut out = output::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    out.flush()
}

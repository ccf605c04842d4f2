//! `roster propose`: proposes values of an export for the manifests, as a patch, in place or on a
//! branch.

use super::output::{self, write_diagnostics};
use super::{
    CommandFailure, CommandResult, GlobalOptions, atomic_file, failure, new_files, session,
};
use crate::config::{Config, Source};
use crate::diagnostic::{Diagnostic, chain, plural};
use crate::document::OutputFormat;
use crate::document::{
    FORMAT_VERSION, OriginDocument, ProposalCounts, ProposalDocument, ProposedFileDocument,
    ProposedValueDocument, UnwrittenValueDocument,
};
use crate::git::{self, CommitText};
use crate::reconcile::{self, ManifestProposal, PassRequest, ProposalScope};
use clap::Args;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many origins a commit message lists.
const NAMED: usize = 1000;

/// Options of `roster propose`.
#[derive(Debug, Args)]
pub struct Options {
    /// The source of the new values: an export, usually one that only observes.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The source to write into: a directory or a repository. Needed unless exactly one directory
    /// is configured.
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
    /// Commit to a new branch, without changing files or index. For a repository, push it.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
}

/// Compares the export with the manifests and delivers the proposal.
pub async fn run(global: &GlobalOptions, options: &Options) -> CommandResult {
    let config = session::config(global, None)?;
    let source = find_source(&config, &options.source)?;
    let into = target_source(&config, options, source)?;
    let mut request =
        PassRequest::default().with_fetch_results(&reconcile::fetch(&config, Some(&source.name)));
    if into.git().is_some() {
        request = request.with_fetch_results(&reconcile::fetch(&config, Some(&into.name)));
    }
    let more = ProposalScope {
        add: options.add,
        new: options.new,
    };
    // A database that does not exist yet has nobody who was erased.
    let store = reconcile::reader_or_none(&config).await?.store;
    let proposal = reconcile::propose(&config, source, into, more, &request, &store).await?;
    store.close().await;
    let mut errors = std::io::stderr();
    write_diagnostics(&proposal.diagnostics, |_| None, &mut errors)?;
    // A truncated export would propose values that its missing rows contradict.
    if let Some(why) = &proposal.doubt {
        let message = format!("the export of source {} was rejected: {why}", source.name);
        return Err(CommandFailure::error(message));
    }
    let written = deliver(global, &config, options, (source, into), &proposal)?;
    print_proposal(global, options, &proposal, &written);
    let wrong = proposal.diagnostics.iter().any(Diagnostic::is_error);
    let whole = proposal.unwritten.is_empty() && !wrong;
    Ok(if whole { 0 } else { failure::ERROR })
}

fn find_source<'c>(config: &'c Config, name: &str) -> Result<&'c Source, CommandFailure> {
    let mut sources = config.sources.iter();
    let found = sources.find(|source| *source.name == *name);
    found.ok_or_else(|| CommandFailure::usage(config.no_source(name)))
}

fn target_source<'c>(
    config: &'c Config,
    options: &Options,
    source: &Source,
) -> Result<&'c Source, CommandFailure> {
    if let Some(name) = &options.into {
        let into = find_source(config, name)?;
        if into.feed().is_some() || into.name == source.name {
            return Err(CommandFailure::usage(format!(
                "source {name} has no manifests that Roster can write to"
            )));
        }
        if options.write && into.directory().is_none() {
            return Err(CommandFailure::usage(format!(
                "`--write` needs a directory, and source {name} is a repository; pass `--branch NAME`"
            )));
        }
        return Ok(into);
    }
    let others = config.sources.iter();
    let others = others.filter(|other| other.name != source.name && other.directory().is_some());
    let others: Vec<&Source> = others.collect();
    match others.as_slice() {
        [only] => Ok(only),
        [] => Err(CommandFailure::usage(
            "no directory source is configured to write into; for a repository, pass `--into SOURCE`",
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|source| &*source.name).collect();
            Err(CommandFailure::usage(format!(
                "several directories are configured; pass `--into` with one of {}",
                names.join(", ")
            )))
        }
    }
}

/// Prints, writes or commits the proposal; returns what was done, for people.
fn deliver(
    global: &GlobalOptions,
    config: &Config,
    options: &Options,
    (source, into): (&Source, &Source),
    proposal: &ManifestProposal,
) -> Result<String, CommandFailure> {
    let mut done = String::new();
    let nothing = proposal.files.is_empty();
    if let Some(branch) = options.branch.as_ref().filter(|_| !nothing) {
        let message = message(source, proposal);
        let text = CommitText {
            message: &message,
            author: None,
        };
        let made = proposal.commit(config, into, branch, text);
        let made = made.map_err(|error| CommandFailure::error(chain(&error)))?;
        let short = made.commit.get(..12).unwrap_or(&made.commit);
        let pushed = into.git().map(|place| format!(", pushed to {}", place.url));
        done = format!(
            ", on branch {branch} as {short}{}",
            pushed.unwrap_or_default()
        );
        for line in made.said.iter().filter(|_| !global.quiet) {
            anstream::eprintln!("remote: {line}");
        }
    } else if let (true, Some(root)) = (options.write, into.directory()) {
        write_in_place(root, proposal)?;
        ", written".clone_into(&mut done);
    }
    if global.output() == OutputFormat::Json {
        json(options, into, proposal)?;
    } else if !options.write && options.branch.is_none() {
        let mut out = output::stdout();
        out.write_all(proposal.patch(into).as_bytes())?;
        out.flush()?;
    }
    Ok(done)
}

/// Changes the files, unless one has changed since it was read.
fn write_in_place(root: &Path, proposal: &ManifestProposal) -> Result<(), CommandFailure> {
    let failed = |path: &Path, error: io::Error| {
        CommandFailure::error(format!("cannot write {}: {error}", path.display()))
    };
    let changed = proposal.files.iter();
    let changed: Vec<_> = changed
        .filter_map(|file| Some((root.join(&file.path), file.before.as_ref()?, &file.after)))
        .collect();
    // All files are checked before the first one is written, so that a conflict leaves none of them
    // changed.
    for (path, before, _) in &changed {
        let now = std::fs::read(path).map_err(|error| failed(path, error))?;
        // Somebody may have saved the file in an editor while the export was read.
        if now != before.as_bytes() {
            return Err(CommandFailure::error(format!(
                "{} changed in the meantime; nothing was written",
                path.display()
            )));
        }
    }
    // After the cheaper check, and still before the first write.
    require_committed(root, proposal)?;
    let new = proposal.files.iter().filter(|file| file.before.is_none());
    let new = new.map(|file| (file.path.clone(), file.after.clone()));
    new_files::write(root, &new.collect())?;
    for (path, _, after) in &changed {
        atomic_file::write(path, |out| out.write_all(after.as_bytes()))?;
    }
    Ok(())
}

/// Fails if the changes could not be undone: in a repository, every changed file must be committed.
fn require_committed(root: &Path, proposal: &ManifestProposal) -> Result<(), CommandFailure> {
    let changed = proposal.files.iter().filter(|file| file.before.is_some());
    let changed: Vec<&str> = changed.map(|file| file.path.as_str()).collect();
    let dirty = git::uncommitted(root, &changed);
    let dirty = dirty.map_err(|error| CommandFailure::error(chain(&error)))?;
    let Some(first) = dirty.first() else {
        return Ok(());
    };
    let more = match dirty.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", plural(more, "other file")),
    };
    let have = if more.is_empty() { "has" } else { "have" };
    Err(CommandFailure::error(format!(
        "{first}{more} {have} uncommitted changes; commit or stash them first. Nothing was written"
    )))
}

/// The commit message: the export, and the rows the values come from.
fn message(source: &Source, proposal: &ManifestProposal) -> String {
    let count = plural(proposal.proposed.len(), "value");
    let mut text = format!("{count} from {}\n\n", source.name);
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

fn print_proposal(
    global: &GlobalOptions,
    options: &Options,
    proposal: &ManifestProposal,
    done: &str,
) {
    for lost in &proposal.unwritten {
        let place = if lost.in_source {
            PathBuf::from(&lost.path)
        } else {
            Path::new(&proposal.written).join(&lost.path)
        };
        let (line, column) = (lost.position.line, lost.position.column);
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
        anstream::eprintln!("{fields} not in the manifests; add them with `--add`.");
    }
    if proposal.needs_new > 0 && !options.new {
        let resources = plural(proposal.needs_new, "resource");
        anstream::eprintln!("{resources} not declared; create them with `--new`.");
    }
}

fn json(options: &Options, into: &Source, proposal: &ManifestProposal) -> io::Result<()> {
    let proposed = proposal.proposed.iter().map(|item| ProposedValueDocument {
        subject: &item.subject,
        from: &item.from,
    });
    let unwritten = proposal
        .unwritten
        .iter()
        .map(|item| UnwrittenValueDocument {
            subject: &item.subject,
            origin: OriginDocument::new(&item.path, item.position),
            message: &item.why,
        });
    let files = proposal.files.iter().map(|file| ProposedFileDocument {
        path: &file.path,
        new: file.before.is_none(),
    });
    let document = ProposalDocument {
        format_version: FORMAT_VERSION,
        source: &options.source,
        digest: &proposal.digest,
        summary: ProposalCounts {
            proposed: proposal.proposed.len(),
            unwritten: proposal.unwritten.len(),
            needs_add: proposal.needs_add,
            needs_new: proposal.needs_new,
        },
        proposed: proposed.collect(),
        unwritten: unwritten.collect(),
        files: files.collect(),
        patch: proposal.patch(into),
    };
    let mut out = output::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    out.flush()
}

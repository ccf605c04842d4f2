//! `roster plan --remote`: sends the local tree to a daemon, which plans it. A CI job then needs no
//! password of the database.

use super::output::{DetailArg, DisplayOptions};
use super::remote::RemoteOptions;
use super::{CommandFailure, CommandResult, GlobalOptions, PlanScope, failure, output};
use crate::diagnostic::visible;
use crate::document::{RemotePlanDetail, RemotePlanReply, RemotePlanRequest, UploadContent};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ignore::WalkBuilder;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How large the files of a tree may be together.
const MAX_TREE_BYTES: usize = 48 << 20;

/// Requests a plan of a tree or a revision, and prints the answer.
pub async fn run(
    global: &GlobalOptions,
    remote: &RemoteOptions,
    scope: &PlanScope,
    shown: &DisplayOptions,
    revision: Option<&str>,
    detailed: bool,
) -> CommandResult {
    if !scope.target.is_empty() || !scope.consent.accept.is_empty() || scope.consent.allow_delete {
        // Guards and scope follow from the daemon's configuration.
        return Err(CommandFailure::usage(
            "a remote plan covers the whole source as the daemon configures it; leave out `--target`, `--accept` and `--allow-delete`",
        ));
    }
    let (revision, files) = match (revision, &scope.paths[..]) {
        (Some(revision), []) => (Some(revision.to_owned()), None),
        (None, [path]) => (None, Some(files(path)?)),
        _ => {
            return Err(CommandFailure::usage(
                "pass the directory to plan, or `--revision REV` of the source's repository",
            ));
        }
    };
    let request = RemotePlanRequest {
        source: scope.source.clone(),
        files,
        revision,
        format: global.output(),
        outputs: global.output_files().map(|(format, _)| format).collect(),
        detail: detail(shown.detail),
        max_bytes: shown.max_bytes,
        show_personal: shown.show_personal,
    };
    let daemon = remote.daemon(global)?;
    let reply: RemotePlanReply = daemon.post("api/v1/plan", &request).await?;
    let mut out = output::stdout();
    if let Some(text) = &reply.text {
        out.write_all(text.as_bytes())?;
    }
    if let Some(plan) = &reply.plan {
        writeln!(out, "{}", plan.text())?;
    }
    out.flush()?;
    output::write_files(global, |format, out| {
        let text = reply.outputs.get(&format).ok_or_else(|| {
            let why = format!("the daemon sent no `{}`; upgrade it", format.word());
            io::Error::new(io::ErrorKind::Unsupported, why)
        })?;
        out.write_all(text.as_bytes())
    })?;
    // The daemon computes the code, so that a job ends the same way wherever the plan was made.
    Ok(if reply.exit_code == 0 && detailed && reply.steps {
        failure::CHANGES
    } else {
        reply.exit_code
    })
}

fn detail(detail: DetailArg) -> RemotePlanDetail {
    match detail {
        DetailArg::Summary => RemotePlanDetail::Summary,
        DetailArg::Changes => RemotePlanDetail::Changes,
        DetailArg::Full => RemotePlanDetail::Full,
    }
}

/// Every file below a folder, apart from hidden ones, by path. Links are sent as links, because the
/// daemon applies the rules of a folder.
fn files(root: &Path) -> Result<BTreeMap<String, UploadContent>, CommandFailure> {
    let real = root.canonicalize();
    let real = real.map_err(|error| read_failure(root, &error))?;
    if !real.is_dir() {
        return Err(read_failure(root, &"not a directory"));
    }
    let mut sent = TreeUpload {
        root: real.clone(),
        files: BTreeMap::new(),
        size: 0,
        hidden_targets: Vec::new(),
        seen: BTreeSet::new(),
    };
    sent.walk(&real)?;
    // The targets of links are sent even if they are hidden.
    while let Some(place) = sent.hidden_targets.pop() {
        sent.walk(&place)?;
    }
    Ok(sent.files)
}

fn read_failure(path: &Path, error: &dyn std::fmt::Display) -> CommandFailure {
    let path = path.display().to_string();
    CommandFailure::error(format!("cannot read {}: {error}", visible(&path)))
}

/// A tree being collected.
struct TreeUpload {
    root: PathBuf,
    files: BTreeMap<String, UploadContent>,
    size: usize,
    /// Hidden places that links lead to.
    hidden_targets: Vec<PathBuf>,
    /// Those that have been seen.
    seen: BTreeSet<PathBuf>,
}

impl TreeUpload {
    /// Adds every file at or below a place.
    fn walk(&mut self, place: &Path) -> Result<(), CommandFailure> {
        // Roster's ignore files are left to the daemon; git's do not count.
        let mut walk = WalkBuilder::new(place);
        // The walker would otherwise skip what `.gitignore` names.
        walk.standard_filters(false);
        walk.filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() == 0 || !name.starts_with('.') || name == ".rosterignore"
        });
        for entry in walk.build() {
            match entry {
                Ok(entry) => self.entry(&entry)?,
                Err(error) => self.add_unreadable_folder(&error),
            }
        }
        Ok(())
    }

    /// Adds a folder or file that cannot be read.
    fn add_unreadable_folder(&mut self, error: &ignore::Error) {
        if let ignore::Error::WithPath { path, err } = error {
            if let Some(name) = self.name(path) {
                let lost = UploadContent::Unreadable {
                    unreadable: plain(err),
                    folder: true,
                };
                self.files.insert(name, lost);
            }
        } else if let ignore::Error::WithDepth { err, .. } = error {
            self.add_unreadable_folder(err);
        }
    }

    fn add_unreadable(&mut self, path: &Path, why: &str) {
        if let Some(name) = self.name(path) {
            let lost = UploadContent::Unreadable {
                unreadable: why.to_owned(),
                folder: false,
            };
            self.files.insert(name, lost);
        }
    }

    /// The path below the root, with `/` between folders.
    fn name(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.root).ok()?;
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    }

    fn entry(&mut self, entry: &ignore::DirEntry) -> Result<(), CommandFailure> {
        let path = entry.path();
        let (Some(kind), Some(name)) = (entry.file_type(), self.name(path)) else {
            return Ok(());
        };
        if kind.is_dir() {
            return Ok(());
        }
        if path.to_str().is_none() {
            self.add_unreadable(path, "its name is not UTF-8");
        } else if kind.is_symlink() {
            let link = self.link(path, &name);
            self.files.insert(name, UploadContent::Link { link });
        } else if !kind.is_file() {
            // Reported as unreadable instead of left out: the daemon must not take it for absent.
            self.add_unreadable(path, "it is not a regular file");
        } else {
            match std::fs::read(path) {
                Ok(bytes) => self.file(name, bytes)?,
                Err(error) => self.add_unreadable(path, &plain(&error)),
            }
        }
        Ok(())
    }

    fn file(&mut self, name: String, bytes: Vec<u8>) -> Result<(), CommandFailure> {
        self.size += bytes.len();
        if self.size > MAX_TREE_BYTES {
            return Err(CommandFailure::error(format!(
                "{} has more than {} MB; push a branch and plan it with `--revision`",
                self.root.display(),
                MAX_TREE_BYTES >> 20
            )));
        }
        // Text stays readable in the request; documents that manifests refer to are mostly binary.
        let content = match String::from_utf8(bytes) {
            Ok(text) => UploadContent::Text(text),
            Err(error) => UploadContent::Bytes {
                base64: STANDARD.encode(error.as_bytes()),
            },
        };
        self.files.insert(name, content);
        Ok(())
    }

    /// The target of a link, relative to its folder. A link that leads nowhere points to itself,
    /// one that leaves the root to `/`; the daemon reports both.
    fn link(&mut self, path: &Path, name: &str) -> String {
        let Ok(real) = path.canonicalize() else {
            return name.rsplit('/').next().unwrap_or(name).to_owned();
        };
        let Ok(below) = real.strip_prefix(&self.root) else {
            return "/".to_owned();
        };
        let hides = |part: &std::ffi::OsStr| part.to_string_lossy().starts_with('.');
        if below.iter().any(hides) && self.seen.insert(real.clone()) {
            self.hidden_targets.push(real.clone());
        }
        let parts = below.iter().map(|part| part.to_string_lossy());
        let up = std::iter::repeat_n("..".into(), name.matches('/').count());
        let to: Vec<_> = up.chain(parts).collect();
        if to.is_empty() {
            ".".to_owned()
        } else {
            to.join("/")
        }
    }
}

/// The reason without the system's error number.
fn plain(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

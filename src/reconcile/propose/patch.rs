//! Writes changed files as a patch for `git apply`.

use super::ChangedFile;
use crate::config::{Source, SourceLocation};
use similar::TextDiff;
use std::fmt::Write as _;
use std::path::Path;

/// The patch for the manifests of a source. Its paths are relative to the git repository or, for a
/// directory without one, to the current folder.
pub(super) fn patch(into: &Source, files: &[ChangedFile]) -> String {
    let below = match &into.place {
        SourceLocation::Directory(root) => below(root),
        SourceLocation::Git(place) => match place.path.trim_matches('/') {
            "" => String::new(),
            path => format!("{path}/"),
        },
        SourceLocation::Export(_) => String::new(),
    };
    let mut out = String::new();
    for file in files {
        let path = format!("{below}{}", file.path);
        let (old, new) = (name(&format!("a/{path}")), name(&format!("b/{path}")));
        let _ = writeln!(out, "diff --git {old} {new}");
        let from = if file.before.is_some() {
            old
        } else {
            out.push_str("new file mode 100644\n");
            "/dev/null".to_owned()
        };
        // After a name with spaces, git expects a tab.
        let tab = |name: &str| if name.contains(' ') { "\t" } else { "" };
        let _ = writeln!(out, "--- {from}{}\n+++ {new}{}", tab(&from), tab(&new));
        hunks(
            &mut out,
            file.before.as_deref().unwrap_or_default(),
            &file.after,
        );
    }
    out
}

/// Splits a text as git does: only `\n` ends a line, and a `\r` is part of it.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn hunks(out: &mut String, before: &str, after: &str) {
    let (old, new) = (lines(before), lines(after));
    let diff = TextDiff::configure().diff_slices(&old, &new);
    // Three lines of context, as git writes.
    for group in diff.grouped_ops(3) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let old_range = first.old_range().start..last.old_range().end;
        let new_range = first.new_range().start..last.new_range().end;
        let _ = writeln!(out, "@@ -{} +{} @@", span(&old_range), span(&new_range));
        for op in &group {
            for change in diff.iter_changes(op) {
                let sign = match change.tag() {
                    similar::ChangeTag::Equal => ' ',
                    similar::ChangeTag::Delete => '-',
                    similar::ChangeTag::Insert => '+',
                };
                let line: &str = change.value();
                let _ = write!(out, "{sign}{line}");
                // Git needs the marker, or the patch would add a line break to the file.
                if !line.ends_with('\n') {
                    out.push_str("\n\\ No newline at end of file\n");
                }
            }
        }
    }
}

/// Lines count from 1; an empty range names the line before it.
fn span(range: &std::ops::Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        length => format!("{},{length}", range.start + 1),
    }
}

/// The folder of the manifests with a trailing `/`, or empty.
fn below(root: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let root = real(root);
    let top = root.ancestors().find(|folder| folder.join(".git").exists());
    let here = std::env::current_dir().map(|here| real(&here));
    let from = top.map(Path::to_owned).or(here.ok()).unwrap_or_default();
    let below = root.strip_prefix(&from).unwrap_or(&root).to_string_lossy();
    match below.as_ref() {
        "" => String::new(),
        below => format!("{}/", below.trim_start_matches('/')),
    }
}

/// A path as git writes it, quoted if necessary.
fn name(path: &str) -> String {
    if !path.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
        return path.to_owned();
    }
    let mut out = "\"".to_owned();
    for c in path.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            c if c.is_control() => write!(out, "\\{:03o}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
    out
}

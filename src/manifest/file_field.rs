//! Fields whose value is a file below the source's root, such as the document of a Terms resource.
//! The cell holds the path and the SHA-256 of the content, so that a changed document is a changed
//! value.

use super::document::ManifestParser;
use super::tree_contents::ContentFault;
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::Field;
use crate::kinds::read::quoted;
use crate::model::{LineColumn, Value};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

impl ManifestParser<'_, '_> {
    /// Reads the value of a `file:` field: the path and the SHA-256 of the content.
    pub(super) fn file(
        &mut self,
        field: &'static Field,
        text: &str,
        at: LineColumn,
    ) -> Option<Value> {
        if let Err(fault) = field.read(text) {
            self.sink.reading(fault, at, field.name);
            return None;
        }
        let content = normalize_path(text)
            .ok_or(ContentFault::OutsideRoot)
            .and_then(|path| Ok((self.tree.content(&path)?, path)))
            .and_then(|found| {
                // An empty document is an upload that went wrong, and publishing it would reset
                // every acceptance.
                let is_empty = found.0.is_empty();
                let empty = || ContentFault::Unreadable("it is empty".to_owned());
                (!is_empty).then_some(found).ok_or_else(empty)
            });
        match content {
            Ok((bytes, path)) => Some(Value::text(format!("{path} sha256:{}", sha256(&bytes)))),
            Err(fault) => {
                let found = describe(&fault, text).field(field.name);
                match fault {
                    // The resource and its key are known, so a missing file hides nothing and
                    // removals go on.
                    ContentFault::Unreadable(_) => self.sink.report_without_blocking(at, found),
                    _ => self.sink.report(at, found),
                }
                None
            }
        }
    }
}

fn describe(fault: &ContentFault, text: &str) -> Diagnostic {
    let path = quoted(text);
    match fault {
        ContentFault::OutsideRoot => Diagnostic::new(
            codes::PATH_ESCAPE,
            format!("{path} is outside the root of the source"),
        )
        .help("Name a file below the root, with `/` between folders"),
        ContentFault::Unreadable(why) => Diagnostic::new(
            codes::SOURCE_UNREADABLE,
            format!("the file {path} cannot be read: {why}"),
        )
        .help("Write the path relative to the root of the source"),
        ContentFault::TooLarge => Diagnostic::new(
            codes::YAML_LIMIT,
            format!("the file {path} is larger than 20 MB"),
        )
        .help("Make it smaller, or publish it elsewhere and store a page with its address"),
    }
}

/// Resolves `.` and `..`. Returns `None` for a path that leaves the root.
fn normalize_path(path: &str) -> Option<String> {
    // Absolute paths, Windows paths and drive letters. A backslash is a separator on Windows only;
    // refusing it keeps a manifest portable.
    if path.starts_with('/') || path.contains(['\\', '\0']) || path.get(1..2) == Some(":") {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.trim().split('/') {
        match part {
            "" | "." => {}
            ".." => {
                // A `..` at the root would leave it.
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::normalize_path;

    #[test]
    fn paths_stay_below_the_root() {
        assert_eq!(normalize_path("a/./b.pdf").as_deref(), Some("a/b.pdf"));
        assert_eq!(normalize_path("a/../b.pdf").as_deref(), Some("b.pdf"));
        for path in [
            "../b.pdf",
            "a/../../b",
            "/etc/passwd",
            "..\\b",
            "C:/b",
            ".",
            "",
        ] {
            assert_eq!(normalize_path(path), None, "{path}");
        }
    }
}

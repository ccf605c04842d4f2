//! `.rosterignore`: the files that a source leaves out, in gitignore syntax. Every folder may have
//! one; as in git, the nearest file with a matching pattern decides.

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::collections::BTreeMap;

/// The ignore files of a tree, by folder.
#[derive(Default)]
pub(super) struct IgnoreRules {
    folders: BTreeMap<String, Gitignore>,
}

impl IgnoreRules {
    pub const FILE: &'static str = ".rosterignore";

    /// The folder of an ignore file; `None` for any other path.
    pub fn folder_of(path: &str) -> Option<&str> {
        if path == Self::FILE {
            return Some("");
        }
        path.strip_suffix(Self::FILE)?.strip_suffix('/')
    }

    /// Adds the ignore file of a folder. Invalid patterns are skipped, as git does.
    pub fn add(&mut self, folder: &str, lines: &str) {
        let mut builder = GitignoreBuilder::new("");
        for line in lines.lines() {
            let _ = builder.add_line(None, line);
        }
        if let Ok(patterns) = builder.build() {
            self.folders.insert(folder.to_owned(), patterns);
        }
    }

    /// Whether a file is ignored, by itself or with a folder above it.
    pub fn ignores(&self, path: &str) -> bool {
        // Most trees have no ignore file; then no path needs to be split.
        !self.folders.is_empty()
            && (self.names(path, false)
                || path
                    .match_indices('/')
                    .any(|(end, _)| self.names(&path[..end], true)))
    }

    /// Whether a folder is ignored. The caller has already checked the folders above it.
    pub fn ignores_folder(&self, path: &str) -> bool {
        !self.folders.is_empty() && self.names(path, true)
    }

    /// The verdict of the nearest ignore file with a pattern for this path.
    fn names(&self, path: &str, is_folder: bool) -> bool {
        let mut folder = path;
        loop {
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
            if let Some(patterns) = self.folders.get(folder) {
                let below = path[folder.len()..].trim_start_matches('/');
                match patterns.matched(below, is_folder) {
                    // No verdict: a file in a folder further up may have a pattern.
                    Match::None => {}
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                }
            }
            if folder.is_empty() {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_ignore_file_decides() {
        let mut ignored = IgnoreRules::default();
        ignored.add("", "drafts/\n*.tmp.yaml\n/top.yaml\n");
        ignored.add("a", "!keep.tmp.yaml\n");
        for (path, expected) in [
            ("drafts/x.yaml", true),
            ("a/drafts/x.yaml", true),
            ("b/x.tmp.yaml", true),
            ("a/keep.tmp.yaml", false),
            ("top.yaml", true),
            ("a/top.yaml", false),
            ("x.yaml", false),
        ] {
            assert_eq!(ignored.ignores(path), expected, "{path}");
        }
    }
}

//! Removes paths of this machine from messages for callers who may only plan. They see what is wrong
//! with their tree, but not how the server is set up.

use crate::config::{Config, SourceLocation};
use std::path::{Path, PathBuf};

/// What replaces a path.
const HIDDEN: &str = "…";

/// The paths that messages may contain.
pub(super) struct ServerPaths(Vec<String>);

impl ServerPaths {
    /// The paths of a configuration.
    pub fn from_config(config: &Config) -> Self {
        let mut paths: Vec<PathBuf> = vec![config.cache.clone()];
        paths.extend(std::env::current_dir());
        paths.extend(config.secrets.clone());
        paths.extend(
            config
                .path
                .as_deref()
                .and_then(Path::parent)
                .map(Path::to_owned),
        );
        paths.extend(config.database.strip_prefix("sqlite:").map(PathBuf::from));
        for source in &config.sources {
            match &source.place {
                SourceLocation::Directory(root) => paths.push(root.clone()),
                SourceLocation::Git(git) => {
                    let url = git.url.strip_prefix("file://").unwrap_or(&git.url);
                    paths.push(url.into());
                }
                SourceLocation::Export(_) => {}
            }
        }
        Self::from_paths(paths)
    }

    fn from_paths(paths: Vec<PathBuf>) -> Self {
        // Messages may name a path as configured or with its links resolved.
        let real = paths.iter().filter_map(|path| path.canonicalize().ok());
        let real: Vec<PathBuf> = real.collect();
        let all = paths.into_iter().chain(real);
        // The root would turn every slash into a mark, and relative paths may be words of the
        // message.
        let absolute = all.filter(|path| path.is_absolute() && path.components().count() > 1);
        let texts = absolute.map(|path| path.to_string_lossy().trim_end_matches('/').to_owned());
        let mut texts: Vec<String> = texts.collect();
        // Longer paths first: replacing a folder would leave the rest of a path below it.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self(texts)
    }

    /// Replaces the paths in a text.
    pub fn conceal(&self, text: &str) -> String {
        let places = self.0.iter();
        places.fold(text.to_owned(), |text, place| text.replace(place, HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_place_is_left_out_and_the_root_is_none() {
        let paths = ["/", "/srv/x", "/srv/x/cache/", "relative"];
        let places = ServerPaths::from_paths(paths.map(PathBuf::from).to_vec());
        let shown = places.conceal("/srv/x/cache/a.git and /srv/x/b: relative /etc");
        assert_eq!(shown, "…/a.git and …/b: relative /etc");
    }
}

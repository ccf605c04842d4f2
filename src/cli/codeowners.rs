//! `roster codeowners`: a CODEOWNERS file from the scopes with owners, for GitHub and GitLab.

use super::{CommandFailure, CommandResult, GlobalOptions, atomic_file, failure, print, session};
use crate::config::{Config, Source, SourceLocation};
use clap::Args;
use std::fmt;
use std::path::{Path, PathBuf};

/// The first line, so that nobody edits the file by hand.
const HEADER: &str =
    "# Written by `roster codeowners` from the scopes in roster.yaml. Do not edit by hand.\n";

/// Options of `roster codeowners`.
#[derive(Debug, Args)]
pub struct CodeownersOptions {
    /// Write into this file instead of printing.
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write nothing. Exit with 1 if this file differs.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    check: Option<PathBuf>,
    /// Use only this source. Needed if the sources are in several repositories. Repeatable.
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
}

/// Prints, writes or checks the file.
pub fn run(global: &GlobalOptions, options: &CodeownersOptions) -> CommandResult {
    let config = session::config(global, None)?;
    let text = code_owners(&config, &options.source)?;
    if let Some(file) = &options.check {
        return check(file, &text);
    }
    match &options.out {
        Some(file) => atomic_file::write(file, |out| out.write_all(text.as_bytes())).map(|()| 0),
        None => print::print(text),
    }
}

fn check(file: &Path, expected: &str) -> CommandResult {
    let shown = file.display();
    let why = match std::fs::read(file) {
        Ok(bytes) if bytes == expected.as_bytes() => return Ok(0),
        Ok(_) => format!("{shown} differs from the scopes in roster.yaml"),
        Err(error) => format!("cannot read {shown}: {error}"),
    };
    let how = format!("Write it with `roster codeowners --out {shown}`");
    Err(CommandFailure {
        message: format!("{why}\n{how}"),
        exit: failure::ERROR,
    })
}

/// The repository of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
enum SourceRepository {
    /// Checked out here.
    Folder(PathBuf),
    Url(String),
}

impl fmt::Display for SourceRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(root) => write!(f, "{}", root.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

fn code_owners(config: &Config, names: &[String]) -> Result<String, CommandFailure> {
    let folders = source_folders(config, names)?;
    let mut lines: Vec<String> = Vec::new();
    // The last line that matches a file decides, as in the configuration.
    for scope in config
        .scopes
        .iter()
        .filter(|scope| !scope.owners.is_empty())
    {
        for (source, folder) in &folders {
            let below = scope.path.as_code_owners_path();
            let path = match (folder.as_str(), below.as_str()) {
                ("", "") => "*".to_owned(),
                ("", below) => format!("/{below}"),
                (folder, below) => format!("/{}/{below}", escaped(source, folder)?),
            };
            // A space would end the path.
            let path = path.replace(' ', "\\ ");
            let line = format!("{path} {}\n", scope.owners.join(" "));
            // An earlier one would decide nothing.
            lines.retain(|other| *other != line);
            lines.push(line);
        }
    }
    Ok(HEADER.to_owned() + &lines.concat())
}

/// The sources of manifests, each with its folder in the repository.
fn source_folders<'c>(
    config: &'c Config,
    names: &[String],
) -> Result<Vec<(&'c Source, String)>, CommandFailure> {
    if let Some(name) = names.iter().find(|name| config.source(name).is_none()) {
        return Err(CommandFailure::usage(config.no_source(name)));
    }
    let sources = config.sources.iter();
    let asked =
        sources.filter(|it| names.is_empty() || names.iter().any(|name| **name == *it.name));
    let mut found = Vec::new();
    let mut repositories: Vec<(SourceRepository, &Source)> = Vec::new();
    for source in asked {
        let Some((repository, folder)) = place(config, source)? else {
            continue;
        };
        if repositories.iter().all(|(known, _)| *known != repository) {
            repositories.push((repository, source));
        }
        found.push((source, folder));
    }
    match repositories.as_slice() {
        [] => Err(CommandFailure::usage(
            "no source has manifests; a CODEOWNERS file names the files of a directory or a repository",
        )),
        [_] => Ok(found),
        several => {
            let shown = several.iter();
            let shown: Vec<String> = shown
                .map(|(repository, source)| format!("{} ({repository})", source.name))
                .collect();
            Err(CommandFailure::usage(format!(
                "the sources are in several repositories, and each has its own CODEOWNERS file: {}; choose with `--source NAME`",
                shown.join(", ")
            )))
        }
    }
}

/// The repository of a source, and its folder there; `None` for an export.
fn place(
    config: &Config,
    source: &Source,
) -> Result<Option<(SourceRepository, String)>, CommandFailure> {
    match &source.place {
        SourceLocation::Export(_) => Ok(None),
        SourceLocation::Git(git) => {
            let repository = SourceRepository::Url(git.url.clone());
            Ok(Some((repository, git.path.clone())))
        }
        SourceLocation::Directory(folder) => {
            let real = folder.canonicalize().map_err(|error| {
                CommandFailure::error(format!(
                    "source {}: cannot read {}: {error}",
                    source.name,
                    folder.display()
                ))
            })?;
            // A worktree has a file of this name and not a folder.
            let mut above = real.ancestors();
            let root = above.find(|folder| folder.join(".git").exists());
            // Without a repository yet, the configuration is where its root will be.
            let beside = config.path.as_deref().and_then(Path::parent);
            let beside = beside.and_then(|folder| Path::new(".").join(folder).canonicalize().ok());
            let root = root.map(Path::to_owned).or(beside);
            let Some(root) = root.filter(|root| real.starts_with(root)) else {
                return Err(CommandFailure::error(format!(
                    "source {}: {} is in no git repository and not below roster.yaml; the paths of a CODEOWNERS file begin at the root of its repository",
                    source.name,
                    folder.display()
                )));
            };
            let below = real.strip_prefix(&root).unwrap_or(&real);
            let parts = below.iter().map(|part| part.to_string_lossy());
            let parts: Vec<_> = parts.collect();
            Ok(Some((SourceRepository::Folder(root), parts.join("/"))))
        }
    }
}

/// The folder of a source, unless a CODEOWNERS file cannot name it.
fn escaped<'f>(source: &Source, folder: &'f str) -> Result<&'f str, CommandFailure> {
    let odd = |c: char| c.is_control() || "*?[]!{}\\#".contains(c);
    match folder.chars().find(|c| odd(*c)) {
        None => Ok(folder),
        Some(c) => Err(CommandFailure::error(format!(
            "source {}: the folder `{folder}` contains `{}`, which has a meaning in a CODEOWNERS file; rename the folder",
            source.name,
            c.escape_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigFile;

    fn written(sources: &str, scopes: &str, names: &[&str]) -> Result<String, CommandFailure> {
        let text = format!("apiVersion: roster/v1\nsources: {sources}\nscopes: {scopes}\n");
        let file = ConfigFile::parse(&text, None).expect("valid");
        let config = file.resolve(Path::new("/"), None, false).expect("valid");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        code_owners(&config, &names)
    }

    fn lines(sources: &str, scopes: &str) -> Vec<String> {
        let text = written(sources, scopes, &[]).expect("written");
        let rest = text.strip_prefix(HEADER).expect("the first line");
        rest.lines().map(str::to_owned).collect()
    }

    const REPOSITORY: &str =
        "[{name: a, git: {url: 'https://git.example/c', path: 'my manifests'}}]";

    #[test]
    fn every_scope_with_owners_has_a_line_and_the_last_one_decides() {
        let scopes = "[{path: '**', owners: ['@hr']}, {path: 'accounts/{account}/**', owners: ['@acme/sales', eva@example.com]}, {path: '{account}/**'}, {path: 'people/group one.yaml', owners: ['@hr']}]";
        assert_eq!(
            lines(REPOSITORY, scopes),
            [
                "/my\\ manifests/ @hr",
                "/my\\ manifests/accounts/*/ @acme/sales eva@example.com",
                "/my\\ manifests/people/group\\ one.yaml @hr",
            ]
        );
        let root = "[{name: a, git: {url: 'https://git.example/c'}}]";
        assert_eq!(
            lines(root, scopes)[..2],
            ["* @hr", "/accounts/*/ @acme/sales eva@example.com"]
        );
    }

    #[test]
    fn sources_of_one_repository_share_the_file_and_others_need_a_choice() {
        let one = "{name: a, git: {url: 'https://git.example/c', path: eu}}, {name: b, git: {url: 'https://git.example/c', path: us}}";
        let scopes = "[{path: '{account}/**', owners: ['@a']}]";
        let text = lines(&format!("[{one}]"), scopes);
        assert_eq!(text, ["/eu/*/ @a", "/us/*/ @a"]);
        let two = format!("[{one}, {{name: c, git: {{url: 'https://git.example/d'}}}}]");
        let error = written(&two, scopes, &[]).expect_err("two repositories");
        assert!(
            error.message.contains("c (https://git.example/d)"),
            "{error}"
        );
        assert_eq!(error.exit, failure::USAGE);
        let text = written(&two, scopes, &["c"]).expect("chosen");
        assert!(text.ends_with("\n/*/ @a\n"), "{text}");
        let error = written(&two, scopes, &["x"]).expect_err("unknown");
        assert!(error.message.contains("no source"), "{error}");
        let odd = "[{name: a, git: {url: 'https://git.example/c', path: 'a[b]'}}]";
        let error = written(odd, scopes, &[]).expect_err("odd");
        assert!(error.message.contains("rename the folder"), "{error}");
    }
}

//! `roster init`: writes a small setup that works at once.

use super::{CommandFailure, CommandResult, new_files, print::print};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Write a commented roster.yaml, a small example tree and a CI workflow.
#[derive(clap::Args, Debug)]
pub struct InitArgs {
    /// The directory to write into.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Write the files of this CI only. Default: those of GitHub and GitLab.
    #[arg(long, value_enum)]
    ci: Option<InitCi>,
}

/// A file to write.
struct InitFile {
    path: &'static str,
    text: &'static str,
    /// The CI that reads it; `None` for every setup.
    ci: Option<InitCi>,
}

/// The CI whose files are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum InitCi {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// None.
    None,
}

macro_rules! init_file {
    ($path:literal, $example:literal, $ci:expr) => {
        InitFile {
            path: $path,
            text: include_str!(concat!("../../examples/", $example)),
            ci: $ci,
        }
    };
}

/// The files to write. They are the files in `examples/`, where tests run them.
#[rustfmt::skip]
const FILES: [InitFile; 7] = [
    init_file!("roster.yaml", "init/roster.yaml", None),
    init_file!("manifests/settings.yaml", "init/manifests/settings.yaml", None),
    init_file!("manifests/accounts/acme/account.yaml", "init/manifests/accounts/acme/account.yaml", None),
    init_file!("manifests/accounts/acme/users.yaml", "init/manifests/accounts/acme/users.yaml", None),
    init_file!(".pre-commit-config.yaml", "ci/pre-commit-config.yaml", None),
    init_file!(".github/workflows/roster.yml", "ci/github-workflow.yml", Some(InitCi::Github)),
    init_file!(".gitlab-ci.yml", "ci/gitlab-ci.yml", Some(InitCi::Gitlab)),
];

fn files(ci: Option<InitCi>) -> impl Iterator<Item = &'static InitFile> {
    let is_wanted = move |file: &&InitFile| file.ci.is_none() || ci.is_none() || file.ci == ci;
    FILES.iter().filter(is_wanted)
}

/// Writes the files and prints what to do next.
pub fn run(args: &InitArgs) -> CommandResult {
    print(init(&args.dir, args.ci)?)
}

fn init(dir: &Path, ci: Option<InitCi>) -> Result<String, CommandFailure> {
    // All names are checked first, so that one message lists every conflict and nothing is half
    // written.
    refuse_existing(dir, ci)?;
    let contents = files(ci).map(|file| (file.path.to_owned(), file.text));
    new_files::write(dir, &contents.collect())?;
    Ok(next_steps(dir, ci))
}

fn refuse_existing(dir: &Path, ci: Option<InitCi>) -> Result<(), CommandFailure> {
    let taken = files(ci).filter(|file| dir.join(file.path).symlink_metadata().is_ok());
    let taken: Vec<String> = taken.map(|file| display_path(dir, file.path)).collect();
    if taken.is_empty() {
        return Ok(());
    }
    let (there, none) = match taken.len() {
        1 => ("already exists", "it is not overwritten"),
        _ => ("already exist", "they are not overwritten"),
    };
    Err(CommandFailure::error(format!(
        "{} {there}; {none}, and nothing was written",
        taken.join(", ")
    )))
}

fn display_path(dir: &Path, name: &str) -> String {
    let here = dir == Path::new(".");
    let path = if here { name.into() } else { dir.join(name) };
    path.display().to_string()
}

fn next_steps(dir: &Path, ci: Option<InitCi>) -> String {
    let mut text = String::from("Written:\n\n");
    for file in files(ci) {
        let _ = writeln!(text, "  {}", display_path(dir, file.path));
    }
    text.push_str("\nNext:\n\n");
    if dir != Path::new(".") {
        let _ = writeln!(text, "  cd {}", dir.display());
    }
    text.push_str(
        "  roster validate        check the manifests without a database\n  roster plan            show what an apply would do\n  roster apply           apply it\n  roster explain User    show the fields of a user\n\nThe database is in `.roster/`. Keep it out of git.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigOverrides};
    use serde_json::Value;

    #[test]
    fn writes_a_tree_and_says_what_comes_next() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("shop");
        let text = init(&inner, None).expect("written");
        for InitFile {
            path,
            text: contents,
            ..
        } in FILES
        {
            let written = std::fs::read_to_string(inner.join(path)).expect(path);
            assert_eq!(written, contents);
            assert!(text.contains(path), "{text}");
        }
        assert!(text.contains("  roster validate"), "{text}");
    }

    #[test]
    fn one_ci_can_be_chosen_and_every_file_is_yaml() {
        for (ci, there, not) in [
            (
                InitCi::Github,
                Some(".github/workflows/roster.yml"),
                ".gitlab-ci.yml",
            ),
            (InitCi::Gitlab, Some(".gitlab-ci.yml"), ".github"),
            (InitCi::None, None, ".github"),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            init(dir.path(), Some(ci)).expect("written");
            assert!(
                there.is_none_or(|path| dir.path().join(path).exists()),
                "{ci:?}"
            );
            assert!(!dir.path().join(not).exists(), "{ci:?}");
            assert!(dir.path().join(".pre-commit-config.yaml").exists());
        }
        for file in FILES {
            let read: Result<Value, _> = serde_saphyr::from_str(file.text);
            assert!(read.is_ok(), "{}: {read:?}", file.path);
        }
    }

    #[test]
    fn overwrites_nothing_and_then_writes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let mine = dir.path().join("manifests/settings.yaml");
        std::fs::create_dir_all(dir.path().join("manifests")).expect("a folder");
        std::fs::write(&mine, "mine").expect("a file");
        let failure = init(dir.path(), None).expect_err("refused");
        assert!(
            failure
                .message
                .contains("/manifests/settings.yaml already exists"),
            "{failure}"
        );
        assert_eq!(failure.exit, 1);
        assert_eq!(std::fs::read_to_string(&mine).expect("still there"), "mine");
        assert!(!dir.path().join("roster.yaml").exists());
    }

    /// Uncomments the settings on the lines for which `uncommented` returns true. A commented
    /// setting has no space after its `#`, and prose has one.
    fn switched_on(uncommented: impl Fn(usize) -> bool) -> String {
        let on = |(at, line): (usize, &str)| {
            let hash = line
                .find('#')
                .filter(|hash| line[..*hash].trim().is_empty());
            match hash.map(|hash| (hash, &line[hash + 1..])) {
                Some((_, rest)) if rest.starts_with(' ') && !rest.starts_with("  ") => {
                    String::new()
                }
                Some((hash, rest)) if uncommented(at) => format!("{}{rest}", &line[..hash]),
                Some(_) => String::new(),
                None => line.to_owned(),
            }
        };
        let lines = FILES[0].text.lines().enumerate();
        lines.map(|line| on(line) + "\n").collect()
    }

    fn everything_on() -> String {
        switched_on(|_| true)
    }

    /// The lines of each example: one that is written further in goes on with the one before.
    fn examples() -> Vec<std::ops::Range<usize>> {
        let mut all: Vec<std::ops::Range<usize>> = Vec::new();
        for (at, line) in FILES[0].text.lines().enumerate() {
            let line = line.trim_start();
            let Some(rest) = line.strip_prefix('#') else {
                continue;
            };
            match all.last_mut() {
                Some(last) if rest.starts_with("  ") && last.end == at => last.end = at + 1,
                _ if rest.starts_with(' ') || rest.is_empty() => {}
                _ => all.push(at..at + 1),
            }
        }
        all
    }

    fn load(text: &str, environment: Option<&str>) -> Result<Config, String> {
        // What the examples take from the environment is set in no test.
        let text = text.replace("${GIT_TOKEN}", "token");
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("roster.yaml");
        std::fs::write(&path, text).expect("a file");
        let overrides = ConfigOverrides {
            config: Some(path),
            environment: environment.map(str::to_owned),
            serves: true,
            ..ConfigOverrides::default()
        };
        Config::load(&overrides, dir.path(), None).map_err(|error| error.to_string())
    }

    #[test]
    fn every_example_of_the_configuration_works_once_it_is_uncommented() {
        load(FILES[0].text, None).expect("as written");
        let all = examples();
        assert!(all.len() >= 10, "{all:?}");
        for example in all {
            let text = switched_on(|at| example.contains(&at));
            // A source has one location, so the git example replaces the directory.
            let text = if text.contains("\n    git: ") {
                text.replace("    directory: manifests\n", "")
            } else {
                text
            };
            let environment = text.contains("\nenvironments:").then_some("staging");
            if let Err(why) = load(&text, environment) {
                panic!("{why}\n{text}");
            }
        }
    }

    #[test]
    fn the_configuration_is_yaml_with_and_without_what_is_commented_out() {
        let config: Value = serde_saphyr::from_str(FILES[0].text).expect("YAML");
        assert_eq!(config["sources"][0]["directory"], "manifests");
        assert_eq!(config["sources"].as_array().map(Vec::len), Some(1));
        let all: Value = serde_saphyr::from_str(&everything_on()).expect("YAML");
        let keys = [
            "apiVersion",
            "requires",
            "database",
            "sources",
            "order",
            "impact",
            "shop",
            "guards",
            "scopes",
            "approvers",
            "approvalTtl",
            "secrets",
            "environments",
            "mail",
            "invitations",
            "serve",
        ];
        let top = all.as_object().expect("a mapping");
        assert_eq!(top.keys().map(String::as_str).collect::<Vec<_>>(), keys);
        assert_eq!(all["sources"][1]["absence"]["after"], 3);
    }
}

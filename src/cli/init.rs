//! `roster init`: a start that works, with nothing to invent.

use super::{Failure, Outcome, print::print};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

/// Writes a commented roster.yaml, a small example tree and a CI workflow.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where to
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// What is written: where, and what. The same files stand in `examples/`, where they are tested.
const FILES: [(&str, &str); 5] = [
    (
        "roster.yaml",
        include_str!("../../examples/init/roster.yaml"),
    ),
    (
        "manifests/settings.yaml",
        include_str!("../../examples/init/manifests/settings.yaml"),
    ),
    (
        "manifests/accounts/acme/account.yaml",
        include_str!("../../examples/init/manifests/accounts/acme/account.yaml"),
    ),
    (
        "manifests/accounts/acme/users.yaml",
        include_str!("../../examples/init/manifests/accounts/acme/users.yaml"),
    ),
    (
        ".github/workflows/roster.yml",
        include_str!("../../examples/ci/github-workflow.yml"),
    ),
];

/// Writes the files and says what to do next.
///
/// # Errors
/// When one of them is there already (then none is written), or cannot be written.
pub fn run(args: &Args) -> Outcome {
    print(init(&args.dir)?)
}

fn init(dir: &Path) -> Result<String, Failure> {
    refuse_existing(dir)?;
    for (name, text) in FILES {
        write(&dir.join(name), text)?;
    }
    Ok(next_steps(dir))
}

fn refuse_existing(dir: &Path) -> Result<(), Failure> {
    let taken = |name: &&str| dir.join(name).symlink_metadata().is_ok();
    let names = FILES.map(|(name, _)| name).into_iter();
    let taken: Vec<String> = names.filter(taken).map(|name| shown(dir, name)).collect();
    if taken.is_empty() {
        return Ok(());
    }
    let (there, none) = match taken.len() {
        1 => ("is there already", "it is not overwritten"),
        _ => ("are there already", "they are not overwritten"),
    };
    Err(Failure::error(format!(
        "{} {there}: {none}, and nothing was written",
        taken.join(", ")
    )))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = match path.parent() {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    };
    // Never over a file that has come up meanwhile.
    let written = written.and_then(|()| std::fs::File::create_new(path));
    written
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|error| Failure::error(format!("cannot write {}: {error}", path.display())))
}

fn shown(dir: &Path, name: &str) -> String {
    let here = dir == Path::new(".");
    let path = if here { name.into() } else { dir.join(name) };
    path.display().to_string()
}

fn next_steps(dir: &Path) -> String {
    let mut text = String::from("Written:\n\n");
    for (name, _) in FILES {
        let _ = writeln!(text, "  {}", shown(dir, name));
    }
    text.push_str("\nNext:\n\n");
    if dir != Path::new(".") {
        let _ = writeln!(text, "  cd {}", dir.display());
    }
    text.push_str(
        "  roster validate        check the manifests, without a database\n  \
           roster plan            see what an apply would do\n  \
           roster apply           do it\n  \
           roster explain User    look up what a user may have\n\n\
         Keep `.roster/`, where the database is, out of git.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn writes_a_tree_and_says_what_comes_next() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("shop");
        let text = init(&inner).expect("written");
        for (name, contents) in FILES {
            let written = std::fs::read_to_string(inner.join(name)).expect(name);
            assert_eq!(written, contents);
            assert!(text.contains(name), "{text}");
        }
        assert!(text.contains("  roster validate"), "{text}");
    }

    #[test]
    fn overwrites_nothing_and_then_writes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let mine = dir.path().join("manifests/settings.yaml");
        std::fs::create_dir_all(dir.path().join("manifests")).expect("a folder");
        std::fs::write(&mine, "mine").expect("a file");
        let failure = init(dir.path()).expect_err("refused");
        assert!(
            failure
                .message
                .contains("/manifests/settings.yaml is there already"),
            "{failure}"
        );
        assert_eq!(failure.exit, 1);
        assert_eq!(std::fs::read_to_string(&mine).expect("still there"), "mine");
        assert!(!dir.path().join("roster.yaml").exists());
    }

    /// Settings that are not used stand behind `#` without a space; prose has one.
    fn everything_on() -> String {
        let on = |line: &str| {
            let at = line.find('#').filter(|at| line[..*at].trim().is_empty());
            match at.map(|at| (at, &line[at + 1..])) {
                Some((_, rest)) if rest.starts_with(' ') && !rest.starts_with("  ") => {
                    String::new()
                }
                Some((at, rest)) => format!("{}{rest}", &line[..at]),
                None => line.to_owned(),
            }
        };
        FILES[0].1.lines().map(|line| on(line) + "\n").collect()
    }

    #[test]
    fn the_configuration_is_yaml_with_and_without_what_is_commented_out() {
        let config: Value = serde_saphyr::from_str(FILES[0].1).expect("YAML");
        assert_eq!(config["sources"][0]["directory"], "manifests");
        assert_eq!(config["sources"].as_array().map(Vec::len), Some(1));
        let all: Value = serde_saphyr::from_str(&everything_on()).expect("YAML");
        let keys = [
            "apiVersion",
            "requires",
            "database",
            "sources",
            "order",
            "shop",
            "guards",
            "scopes",
            "approvers",
            "approvalTtl",
            "secrets",
            "environments",
            "mail",
            "serve",
        ];
        let top = all.as_object().expect("a mapping");
        assert_eq!(top.keys().map(String::as_str).collect::<Vec<_>>(), keys);
        assert_eq!(all["sources"][1]["absence"]["after"], 3);
    }
}

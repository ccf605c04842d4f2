//! `roster schema`: the JSON Schemas of manifests and of the configuration, for editors.

use super::{CommandFailure, CommandResult, atomic_file, print::print};
use crate::config;
use crate::diagnostic::did_you_mean;
use crate::kinds::{self, schema};
use std::path::PathBuf;

/// What stands for `roster.yaml` in place of a kind.
const CONFIG: &str = "config";

/// Print the JSON Schema of manifests, of documents of one kind, or of roster.yaml.
#[derive(clap::Args, Debug)]
pub struct SchemaArgs {
    /// Only this kind, such as `Account`. `config` is the schema of roster.yaml.
    #[arg(conflicts_with = "dir")]
    kind: Option<String>,
    /// Write all schemas into this directory: `manifest.json`, one per kind, and `config.json`.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints or writes the schemas.
pub fn run(args: &SchemaArgs) -> CommandResult {
    if let Some(dir) = &args.dir {
        return write(dir);
    }
    if args.kind.as_deref() == Some(CONFIG) {
        return print(config_text());
    }
    let kind = args.kind.as_deref().map(find).transpose()?;
    print(format!("{:#}\n", schema::schema(kind)))
}

fn config_text() -> String {
    format!("{:#}\n", config::schema())
}

fn find(name: &str) -> Result<&'static kinds::Kind, CommandFailure> {
    kinds::by_name(name).ok_or_else(|| {
        let names = kinds::ALL.map(|kind| kind.name);
        CommandFailure::usage(match did_you_mean(name, names) {
            Some(meant) => format!("no kind `{name}`; did you mean `{meant}`?"),
            None => format!(
                "no kind `{name}`; the kinds are {}, and `{CONFIG}` is roster.yaml",
                names.join(", ")
            ),
        })
    })
}

fn write(dir: &PathBuf) -> CommandResult {
    let cannot = |path: &PathBuf, error: std::io::Error| {
        CommandFailure::error(format!("cannot write {}: {error}", path.display()))
    };
    std::fs::create_dir_all(dir).map_err(|error| cannot(dir, error))?;
    let config = (format!("{CONFIG}.json"), config_text());
    for (name, text) in schema::files().into_iter().chain([config]) {
        let path = dir.join(name);
        atomic_file::write(&path, |out| out.write_all(text.as_bytes()))?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_kind_gets_the_right_one() {
        let failure = find("Acount").expect_err("misspelt");
        assert_eq!(failure.message, "no kind `Acount`; did you mean `Account`?");
        assert_eq!(failure.exit, 64);
    }

    #[test]
    fn writes_one_file_a_kind_one_of_all_and_one_of_the_configuration() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("schema");
        assert_eq!(write(&inner), Ok(0));
        assert_eq!(
            std::fs::read_dir(&inner).expect("the files").count(),
            kinds::ALL.len() + 2
        );
    }
}

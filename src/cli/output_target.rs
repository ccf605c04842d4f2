//! `--output FORMAT[=FILE]`: which formats are written, and where.

use super::CommandFailure;
use crate::document::OutputFormat;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// One `--output`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputTarget {
    pub format: OutputFormat,
    /// The form of text; only `roster get` has several.
    pub form: Option<TextForm>,
    /// `None` for stdout.
    pub file: Option<PathBuf>,
}

/// A form in which `roster get` prints resources for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextForm {
    /// Manifests.
    Yaml,
    /// One line per resource.
    Table,
}

/// The forms of text, with the word on the command line and what the help says.
const TEXT_FORMS: [(TextForm, &str, &str); 2] = [
    (TextForm::Yaml, "yaml", "Manifests, to paste into a file"),
    (TextForm::Table, "table", "One line per resource"),
];

/// Parses `FORMAT` or `FORMAT=FILE`.
#[derive(Clone, Debug)]
pub struct OutputTargetParser {
    /// Whether the help names the forms of text, which one command has.
    pub has_forms: bool,
}

impl TypedValueParser for OutputTargetParser {
    type Value = OutputTarget;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<OutputTarget, clap::Error> {
        let parse = StringValueParser::new().try_map(|text| parse(&text));
        parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let has_forms = self.has_forms;
        let values = OutputFormat::all()
            // The reports are for the commands that check or plan.
            .filter(move |format| !has_forms || !format.is_report())
            .map(|format| PossibleValue::new(format.word()).help(format.about()));
        let forms = TEXT_FORMS.iter().filter(move |_| has_forms);
        let forms = forms.map(|(_, word, about)| PossibleValue::new(*word).help(*about));
        Some(Box::new(values.chain(forms)))
    }
}

fn parse(text: &str) -> Result<OutputTarget, String> {
    let (word, file) = match text.split_once('=') {
        Some((word, file)) => (word, Some(file)),
        None => (text, None),
    };
    let form = TEXT_FORMS.iter().find(|(_, name, _)| *name == word);
    if let Some((form, ..)) = form {
        return Ok(OutputTarget {
            format: OutputFormat::Text,
            form: Some(*form),
            file: file.map(PathBuf::from),
        });
    }
    let format = OutputFormat::by_word(word).ok_or_else(|| {
        let words: Vec<&str> = OutputFormat::all().map(OutputFormat::word).collect();
        format!("no format `{word}`; use {}", words.join(", "))
    })?;
    match file {
        Some("") => Err(format!("the file is missing; write `{word}=FILE`")),
        file => Ok(OutputTarget {
            format,
            form: None,
            file: file.map(PathBuf::from),
        }),
    }
}

/// Returns the format of stdout: the one without a file, or else text.
pub fn stdout_format(targets: &[OutputTarget]) -> OutputFormat {
    let mut to_stdout = targets.iter().filter(|target| target.file.is_none());
    to_stdout
        .next()
        .map(|target| target.format)
        .unwrap_or_default()
}

/// What a command can write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandOutputs {
    /// Reports and files.
    pub reports: bool,
    /// Text in several forms.
    pub forms: bool,
}

/// The file that a path leads to: the same one however it is written.
pub fn real_file(path: &Path) -> PathBuf {
    match path.metadata() {
        // Two names of a terminal or a pipe take one result after the other.
        Ok(found) if !found.is_file() => return path.to_owned(),
        Ok(_) => return path.canonicalize().unwrap_or_else(|_| path.to_owned()),
        Err(_) => {}
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Fails if two results go to the same place, or if the command cannot write one.
pub fn check(targets: &[OutputTarget], can: CommandOutputs) -> Result<(), CommandFailure> {
    let to_stdout: Vec<&str> = targets
        .iter()
        .filter(|target| target.file.is_none())
        .map(|target| target.format.word())
        .collect();
    if let [first, second, ..] = to_stdout[..] {
        return Err(CommandFailure::usage(format!(
            "`--output {first}` and `--output {second}` both go to stdout; write one to a file: `--output {second}=FILE`"
        )));
    }
    let mut seen = BTreeSet::new();
    let files = targets.iter().filter_map(|target| target.file.as_ref());
    if let Some(twice) = files.into_iter().find(|file| !seen.insert(real_file(file))) {
        return Err(CommandFailure::usage(format!(
            "`--output`: two formats go to {}; name one file for each",
            twice.display()
        )));
    }
    let form = targets.iter().find_map(|target| target.form);
    let form = TEXT_FORMS.iter().find(|(known, ..)| form == Some(*known));
    if let Some((_, word, _)) = form.filter(|_| !can.forms) {
        return Err(CommandFailure::usage(format!(
            "`--output {word}` is only for `roster get`"
        )));
    }
    let is_report = |target: &&OutputTarget| target.format.is_report() || target.file.is_some();
    match targets.iter().find(is_report) {
        Some(target) if !can.reports => {
            let word = target.format.word();
            let file = if target.file.is_some() { "=FILE" } else { "" };
            Err(CommandFailure::usage(format!(
                "`--output {word}{file}` is only for `roster validate`, `roster plan`, `roster apply` and `roster show`"
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_may_have_a_file() {
        let target = |format, file: Option<&str>| OutputTarget {
            format,
            form: None,
            file: file.map(PathBuf::from),
        };
        assert_eq!(parse("json"), Ok(target(OutputFormat::Json, None)));
        let sarif = target(OutputFormat::Sarif, Some("a=b.sarif"));
        assert_eq!(parse("sarif=a=b.sarif"), Ok(sarif.clone()));
        assert_eq!(stdout_format(&[sarif]), OutputFormat::Text);
        assert!(parse("sarif=").is_err_and(|why| why.contains("sarif=FILE")));
        assert!(parse("pdf").is_err_and(|why| why.contains("gitlab, html")));
    }
}

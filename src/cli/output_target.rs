//! `--output FORMAT[=FILE]`: which formats are written, and where.

use super::CommandFailure;
use crate::document::OutputFormat;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

/// One `--output`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputTarget {
    pub format: OutputFormat,
    /// `None` for stdout.
    pub file: Option<PathBuf>,
}

/// Parses `FORMAT` or `FORMAT=FILE`.
#[derive(Clone, Debug)]
pub struct OutputTargetParser;

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
        let values = OutputFormat::all()
            .map(|format| PossibleValue::new(format.word()).help(format.about()));
        Some(Box::new(values))
    }
}

fn parse(text: &str) -> Result<OutputTarget, String> {
    let (word, file) = match text.split_once('=') {
        Some((word, file)) => (word, Some(file)),
        None => (text, None),
    };
    let format = OutputFormat::by_word(word).ok_or_else(|| {
        let words: Vec<&str> = OutputFormat::all().map(OutputFormat::word).collect();
        format!("no format `{word}`; use {}", words.join(", "))
    })?;
    match file {
        Some("") => Err(format!("the file is missing; write `{word}=FILE`")),
        file => Ok(OutputTarget {
            format,
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

/// Fails if two results go to the same place, or if the command writes no reports.
pub fn check(targets: &[OutputTarget], writes_reports: bool) -> Result<(), CommandFailure> {
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
    if let Some(twice) = files.into_iter().find(|file| !seen.insert(*file)) {
        return Err(CommandFailure::usage(format!(
            "`--output`: two formats go to {}; name one file for each",
            twice.display()
        )));
    }
    let is_report = |target: &&OutputTarget| target.format.is_report() || target.file.is_some();
    match targets.iter().find(is_report) {
        Some(target) if !writes_reports => {
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

//! The diagnostics of sources as reports show them: with paths of the repository, and with a
//! fingerprint by which the next report finds the same one again.

use crate::diagnostic::{Code, Diagnostic, OmittedDiagnostics, Severity, cap, visible};
use crate::model::Digest;
use crate::plan::render::RenderOptions;
use std::borrow::Cow;
use std::collections::HashMap;

/// What a report says of one source.
pub struct SourceDiagnostics<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// How paths and personal data are shown.
    pub options: &'a RenderOptions,
    pub found: &'a [Diagnostic],
}

/// A diagnostic in a report.
pub(super) struct ReportedDiagnostic<'a> {
    pub found: &'a Diagnostic,
    pub message: Cow<'a, str>,
    pub help: Option<Cow<'a, str>>,
    /// The file in the repository.
    pub path: Option<String>,
    /// Does not depend on the line or on what is wrong with the value, so that it stays when other
    /// lines are added.
    pub fingerprint: String,
    options: &'a RenderOptions,
}

/// The file that a diagnostic without a place belongs to: it names the source.
pub(super) const CONFIGURATION: &str = "roster.yaml";

impl<'a> ReportedDiagnostic<'a> {
    pub fn code(&self) -> Code {
        self.found.code
    }

    pub fn severity(&self) -> Severity {
        self.found.severity
    }

    /// The line, counted from 1; the first one for a whole file.
    pub fn line(&self) -> u32 {
        let origin = self.found.origin.as_ref();
        origin.map_or(1, |origin| origin.at.line.max(1))
    }

    /// The resource and the field: `User/u-1 email`.
    pub fn subject(&self) -> Option<String> {
        let key = visible(&self.found.key.as_ref()?.to_string()).into_owned();
        Some(match &self.found.field {
            Some(field) => format!("{key} {}", visible(field)),
            None => key,
        })
    }

    /// The message, with the help on lines of its own.
    pub fn text(&self) -> String {
        match &self.help {
            Some(help) => format!("{}\n{help}", self.message),
            None => self.message.clone().into_owned(),
        }
    }

    /// The other places, each with its file and line.
    pub fn related(&self) -> impl Iterator<Item = (String, u32)> + use<'a> {
        let options = self.options;
        let places = self.found.related.iter();
        places.map(|place| (options.path(&place.path), place.at.line.max(1)))
    }
}

/// Returns the diagnostics of a source, and how many of each file and rule are left out.
pub(super) fn reported<'a>(
    of: &SourceDiagnostics<'a>,
) -> (Vec<ReportedDiagnostic<'a>>, Vec<OmittedDiagnostics>) {
    let (shown, omitted) = cap(of.found, |one| (*one, 1));
    let mut seen: HashMap<Digest, usize> = HashMap::new();
    let options = of.options;
    let shown = shown.into_iter().map(|found| {
        let path = found.origin.as_ref();
        let path = path.map(|origin| options.path(&origin.path));
        let digest = identity(of.source, found, path.as_deref());
        let number = seen.entry(digest).or_default();
        *number += 1;
        let fingerprint = match *number {
            1 => digest.to_string(),
            number => Digest::of(format!("{digest} {number}").as_bytes()).to_string(),
        };
        let message = options.personal.message(found, &found.message);
        let help = found.help.as_deref();
        ReportedDiagnostic {
            found,
            message,
            help: help.map(|help| options.personal.message(found, help)),
            path,
            fingerprint,
            options,
        }
    });
    (shown.collect(), omitted)
}

/// The file in the repository whose diagnostics are left out.
pub(super) fn omitted_path(of: &SourceDiagnostics<'_>, more: &OmittedDiagnostics) -> String {
    let path = more.path.as_deref();
    path.map_or_else(|| CONFIGURATION.to_owned(), |path| of.options.path(path))
}

/// Does not depend on how many diagnostics are left out, so that it stays when some are fixed.
pub(super) fn omitted_fingerprint(source: &str, more: &OmittedDiagnostics, path: &str) -> String {
    let severity = more.severity.to_string();
    let parts = ["omitted", source, more.code.name(), &severity, path];
    Digest::of(parts.join("\0").as_bytes()).to_string()
}

fn identity(source: &str, found: &Diagnostic, path: Option<&str>) -> Digest {
    let key = found.key.as_ref().map(ToString::to_string);
    let parts = [
        Some(source),
        Some(found.code.name()),
        path,
        key.as_deref(),
        found.field.as_deref(),
        found.member.as_deref(),
    ];
    let parts: Vec<&str> = parts.into_iter().map(Option::unwrap_or_default).collect();
    Digest::of(parts.join("\0").as_bytes())
}

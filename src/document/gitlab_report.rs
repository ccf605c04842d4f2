//! The Code Quality report of GitLab, which a merge request compares with the one of its target.

use super::source_diagnostics::{
    CONFIGURATION, ReportedDiagnostic, SourceDiagnostics, omitted_fingerprint, omitted_path,
    reported,
};
use crate::diagnostic::{OmittedDiagnostics, Severity};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

#[derive(Serialize)]
struct QualityFinding<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: Cow<'a, str>,
    severity: &'static str,
    location: QualityLocation<'a>,
}

#[derive(Serialize)]
struct QualityLocation<'a> {
    path: Cow<'a, str>,
    lines: QualityLines,
}

#[derive(Serialize)]
struct QualityLines {
    begin: u32,
}

/// Writes the diagnostics of all sources as one list.
pub(super) fn write(sources: &[SourceDiagnostics<'_>], out: &mut dyn Write) -> io::Result<()> {
    let sources = sources.iter().map(|of| (of, reported(of)));
    let sources: Vec<_> = sources.collect();
    let shown = sources.iter().flat_map(|(_, (shown, _))| shown);
    let mut findings: Vec<_> = shown.map(finding).collect();
    // Last, since the format has no other place for it.
    for (of, (_, omitted)) in &sources {
        findings.extend(omitted.iter().map(|more| omitted_finding(of, more)));
    }
    serde_json::to_writer_pretty(&mut *out, &findings)?;
    writeln!(out)
}

fn finding<'a>(one: &'a ReportedDiagnostic<'_>) -> QualityFinding<'a> {
    QualityFinding {
        // Shown on one line.
        description: one.text().replace('\n', ". "),
        check_name: one.code().name(),
        fingerprint: Cow::Borrowed(&one.fingerprint),
        severity: severity(one.severity()),
        location: QualityLocation {
            path: one.path.as_deref().unwrap_or(CONFIGURATION).into(),
            lines: QualityLines { begin: one.line() },
        },
    }
}

/// An entry that counts the diagnostics without one.
fn omitted_finding<'a>(
    of: &SourceDiagnostics<'_>,
    more: &'a OmittedDiagnostics,
) -> QualityFinding<'a> {
    let path = omitted_path(of, more);
    QualityFinding {
        description: more.to_string(),
        check_name: more.code.name(),
        fingerprint: omitted_fingerprint(of.source, more, &path).into(),
        severity: severity(more.severity),
        location: QualityLocation {
            path: path.into(),
            lines: QualityLines { begin: 1 },
        },
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "major",
        Severity::Warning | Severity::Hold => "minor",
        Severity::Note => "info",
    }
}

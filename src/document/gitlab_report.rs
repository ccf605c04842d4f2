//! The Code Quality report of GitLab, which a merge request compares with the one of its target.

use super::source_diagnostics::{CONFIGURATION, ReportedDiagnostic, SourceDiagnostics, reported};
use crate::diagnostic::Severity;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct QualityFinding<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: &'a str,
    severity: &'static str,
    location: QualityLocation<'a>,
}

#[derive(Serialize)]
struct QualityLocation<'a> {
    path: &'a str,
    lines: QualityLines,
}

#[derive(Serialize)]
struct QualityLines {
    begin: u32,
}

/// Writes the diagnostics of all sources as one list.
pub(super) fn write(sources: &[SourceDiagnostics<'_>], out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<_> = sources.iter().flat_map(|of| reported(of).0).collect();
    let findings: Vec<_> = shown.iter().map(finding).collect();
    serde_json::to_writer_pretty(&mut *out, &findings)?;
    writeln!(out)
}

fn finding<'a>(one: &'a ReportedDiagnostic<'_>) -> QualityFinding<'a> {
    QualityFinding {
        // Shown on one line.
        description: one.text().replace('\n', ". "),
        check_name: one.code().name(),
        fingerprint: &one.fingerprint,
        severity: match one.severity() {
            Severity::Error => "major",
            Severity::Warning | Severity::Hold => "minor",
            Severity::Note => "info",
        },
        location: QualityLocation {
            path: one.path.as_deref().unwrap_or(CONFIGURATION),
            lines: QualityLines { begin: one.line() },
        },
    }
}

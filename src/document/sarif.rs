//! SARIF 2.1.0: what code scanning of GitHub, Azure DevOps and editors reads.

use super::source_diagnostics::{CONFIGURATION, ReportedDiagnostic, SourceDiagnostics, reported};
use crate::diagnostic::{Code, Severity};
use crate::transport::percent_encode;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

// One run, whatever the number of sources: GitHub refuses several of one tool in a file.
/// Writes the diagnostics of all sources as one run.
pub(super) fn write(sources: &[SourceDiagnostics<'_>], out: &mut dyn Write) -> io::Result<()> {
    let (shown, omitted): (Vec<_>, Vec<_>) = sources.iter().map(reported).unzip();
    let shown: Vec<ReportedDiagnostic<'_>> = shown.into_iter().flatten().collect();
    let codes: BTreeSet<Code> = shown.iter().map(ReportedDiagnostic::code).collect();
    let codes: Vec<Code> = codes.into_iter().collect();
    let omitted = omitted.iter().flatten();
    let notices =
        omitted.map(|more| json!({"level": "warning", "message": {"text": more.to_string()}}));
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Roster",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notices.collect::<Vec<_>>(),
            }],
            "results": shown.iter().map(|one| result(one, &codes)).collect::<Vec<_>>(),
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.name(),
        "name": pascal_case(code.name()),
        "shortDescription": {"text": code.summary()},
        "help": {
            "text": format!("Run `roster explain {code}`."),
            "markdown": code.page(),
        },
        "defaultConfiguration": {"level": level(code.severity())},
    })
}

/// The form in which viewers expect names of rules: `LastUser`.
fn pascal_case(name: &str) -> String {
    let words = name.split('-').flat_map(|word| {
        let mut chars = word.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars)
    });
    words.collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning | Severity::Hold => "warning",
        Severity::Note => "note",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Value,
    locations: [Value; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Value>,
    partial_fingerprints: Value,
}

fn result(one: &ReportedDiagnostic<'_>, codes: &[Code]) -> Value {
    let code = one.code();
    let result = SarifResult {
        rule_id: code.name(),
        rule_index: codes.binary_search(&code).unwrap_or_default(),
        level: level(one.severity()),
        message: json!({"text": one.text()}),
        locations: [location(one)],
        related_locations: one
            .related()
            .map(|(path, line)| json!({"physicalLocation": physical(&path, line, None)}))
            .collect(),
        partial_fingerprints: json!({"rosterDiagnostic/v1": one.fingerprint}),
    };
    json!(result)
}

fn location(one: &ReportedDiagnostic<'_>) -> Value {
    // GitHub refuses results without a file.
    let path = one.path.as_deref().unwrap_or(CONFIGURATION);
    let at = one.found.origin.as_ref().map(|origin| origin.at);
    let column = at.filter(|at| at.line > 0).map(|at| at.column.max(1));
    let mut location = json!({"physicalLocation": physical(path, one.line(), column)});
    if let Some(subject) = one.subject() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": subject, "kind": "resource"}]);
    }
    location
}

fn physical(path: &str, line: u32, column: Option<u32>) -> Value {
    let mut region = json!({"startLine": line});
    if let Some(column) = column {
        region["startColumn"] = json!(column);
    }
    json!({"artifactLocation": {"uri": percent_encode(path, true)}, "region": region})
}

//! What holds of any bytes: the bodies of the fuzz targets, which `tests/library/corpora.rs` runs too.

use roster::check;
use roster::diagnostic::render::DiagnosticRenderer;
use roster::diagnostic::{Code, Diagnostic};
use roster::document::{self, DiagnosticDocument, OutputFormat};
use roster::kinds;
use roster::manifest::format::format;
use roster::manifest::{self, LoadOptions, LoadedManifests, Tree};
use roster::model::{Cell, Desired, FieldRef, Key, Row, Snapshot, Value};
use roster::plan::render::{PlanDetail, RenderOptions};
use roster::plan::{self, Plan, PlanRules};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Between the files of one input of [`validate`].
const SEPARATOR: &[u8] = b"\n====\n";
/// Where the files of one input of [`validate`] are.
const PATHS: [&str; 4] = ["a.yaml", "accounts/b.yaml", "accounts/b/c.json", "d.yml"];

/// One manifest can be read, whatever it is, and its layout does not change what it means.
pub fn document(bytes: &[u8]) {
    let loaded = load([("a.yaml".to_owned(), bytes.to_vec())]);
    let text = std::str::from_utf8(bytes).ok();
    show(&loaded.diagnostics, text);
    let Some(text) = text else {
        assert_eq!(loaded.resources(), 0, "of bytes that are no text");
        return;
    };
    let formatted = format(text);
    assert_eq!(format(&formatted), formatted, "formatting once is enough");
    let again = load([("a.yaml".to_owned(), formatted.into_bytes())]);
    assert_eq!(said(&again.desired), said(&loaded.desired), "formatted");
    assert_eq!(
        codes_of(&again.diagnostics),
        codes_of(&loaded.diagnostics),
        "formatted"
    );
    assert_eq!(
        again.desired.removals_off.len(),
        loaded.desired.removals_off.len(),
        "formatted"
    );
}

/// A directory can be checked and planned, whatever is in it; once applied there is nothing to do.
pub fn validate(bytes: &[u8]) {
    let files = files(bytes);
    for hold_errors in [false, true] {
        let rules = PlanRules {
            prune: true,
            hold_errors,
            ..PlanRules::default()
        };
        settles(&files, &rules);
    }
}

fn settles(files: &[(String, Vec<u8>)], rules: &PlanRules) {
    let mut stored = Snapshot::default();
    let plan = plan_on(&stored, files, rules);
    assert!(
        !plan.errored || plan.steps.is_empty(),
        "refused, with steps"
    );
    renders(&plan);
    let read = saves(&plan);
    let mut from_file = stored.clone();
    plan::advance(&mut from_file, &read);
    plan::advance(&mut stored, &plan);
    assert_eq!(rows(&from_file), rows(&stored), "as saved, and as planned");
    refers_to_what_is_there(&stored);
    let again = plan_on(&stored, files, rules);
    renders(&again);
    assert_eq!(
        steps(&again),
        Vec::<String>::new(),
        "after {:?}",
        steps(&plan)
    );
    assert_eq!(held(&again), held(&plan), "after {:?}", steps(&plan));
}

fn load(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> LoadedManifests {
    manifest::load(&Tree::from_files(files), &LoadOptions::default())
}

/// The manifests in an input, and a text that they may name.
fn files(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("terms.txt".to_owned(), b"Terms".to_vec())];
    let mut rest = bytes;
    for (index, path) in PATHS.into_iter().enumerate() {
        let last = index + 1 == PATHS.len();
        let end = rest
            .windows(SEPARATOR.len())
            .position(|window| window == SEPARATOR)
            .filter(|_| !last);
        files.push((path.to_owned(), rest[..end.unwrap_or(rest.len())].to_vec()));
        match end {
            Some(end) => rest = &rest[end + SEPARATOR.len()..],
            None => break,
        }
    }
    files
}

fn plan_on(stored: &Snapshot, files: &[(String, Vec<u8>)], rules: &PlanRules) -> Plan {
    let LoadedManifests {
        desired,
        mut diagnostics,
        ..
    } = load(files.iter().cloned());
    let definitions = check::definitions(&desired, stored);
    let mut typed = Vec::new();
    let desired = check::type_custom(&Arc::new(desired), &definitions, &mut typed);
    diagnostics.extend(typed.into_iter().map(|finding| finding.diagnostic));
    plan::plan(&desired, stored, rules, &diagnostics)
}

/// What a source says of each resource, without the places where it says so.
fn said(desired: &Desired) -> BTreeMap<Key, Vec<(FieldRef, Cell)>> {
    let cells = |declared: &roster::model::DeclaredResource| {
        let cells = declared.cells.iter();
        cells
            .map(|stated| (stated.field.clone(), stated.cell.clone()))
            .collect()
    };
    let resources = desired.resources.iter();
    resources
        .map(|declared| (declared.key.clone(), cells(declared)))
        .collect()
}

fn codes_of(found: &[Diagnostic]) -> Vec<(Code, Option<Key>, Option<String>)> {
    let mut codes: Vec<_> = found
        .iter()
        .map(|found| (found.code, found.key.clone(), found.field.clone()))
        .collect();
    codes.sort();
    codes
}

/// Findings can be shown with their lines, and as JSON.
fn show(found: &[Diagnostic], text: Option<&str>) {
    let mut renderer = DiagnosticRenderer::new(|_| text.map(str::to_owned), true);
    for found in found {
        assert!(!renderer.render(found).is_empty());
        assert!(serde_json::to_string(&DiagnosticDocument::from(found)).is_ok());
    }
}

/// A plan can be written in every form.
fn renders(plan: &Plan) {
    for format in OutputFormat::all() {
        let word = format.word();
        for detail in [PlanDetail::Summary, PlanDetail::Changes, PlanDetail::Full] {
            let options = RenderOptions {
                detail,
                color: detail == PlanDetail::Full,
                max_bytes: (detail == PlanDetail::Changes).then_some(4096),
                ..RenderOptions::default()
            };
            let mut out = Vec::new();
            document::render(plan, format, &options, &mut out).expect("memory takes everything");
            assert!(std::str::from_utf8(&out).is_ok(), "{word} is UTF-8");
            if format == OutputFormat::Markdown && options.max_bytes.is_some() {
                assert!(out.len() <= 4096, "{word} has {} bytes", out.len());
            }
        }
    }
}

/// What is stored, but for the references of passwords, which no saved plan has.
fn rows(stored: &Snapshot) -> Vec<Row> {
    let rows = stored.rows.iter().cloned();
    rows.map(|mut row| {
        let fields = kinds::get(row.key.kind).fields.iter();
        for (value, field) in row.values.iter_mut().zip(fields) {
            if field.is_secret() {
                *value = None;
            }
        }
        row
    })
    .collect()
}

/// A saved plan is read as it was written.
fn saves(plan: &Plan) -> Plan {
    let written = |plan: &Plan| {
        let mut out = Vec::new();
        document::write_plan(plan, &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("JSON is UTF-8")
    };
    let text = written(plan);
    let (read, id) = document::parse_plan(&text).expect("a saved plan can be read");
    assert_eq!(id, document::plan_id(plan));
    assert_eq!(written(&read), text, "read and written again");
    read
}

fn refers_to_what_is_there(stored: &Snapshot) {
    for row in &stored.rows {
        for (field, target) in kinds::get(row.key.kind).references() {
            for id in members(row, field) {
                let key = Key::new(target, &id);
                assert!(stored.rows.contains(&key), "{} refers to {key}", row.key);
            }
        }
    }
}

fn members(row: &Row, field: usize) -> Vec<String> {
    match &row.values[field] {
        Some(Value::Text(id)) => vec![id.to_string()],
        Some(value) => value.members().map(ToString::to_string).collect(),
        None => Vec::new(),
    }
}

fn steps(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter();
    steps
        .map(|step| format!("{} {} {:?}", step.verb, step.key, step.changes()))
        .collect()
}

fn held(plan: &Plan) -> Vec<(Code, Key)> {
    let held = plan.held.iter();
    held.map(|held| (held.code, held.key.clone())).collect()
}

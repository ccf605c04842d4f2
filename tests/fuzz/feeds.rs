//! What holds of any bytes as an export: the bodies of the fuzz targets of feeds, which
//! `tests/library/corpora.rs` runs too.

use roster::diagnostic::{Code, Severity};
use roster::feed::format::{
    ExportColumns, ExportFormat, ExportRecord, FormatOptions, ReadOutcome, encoding_for_label, read,
};
use roster::model::Digest;
use serde::de::IgnoredAny;
use std::io::Cursor;

/// What was read from an export.
struct Seen {
    columns: ExportColumns,
    records: Vec<ExportRecord>,
    outcome: ReadOutcome,
}

/// Any bytes are CSV, more or less; the first one says what is declared.
pub fn csv(bytes: &[u8]) {
    let (first, bytes) = bytes.split_first().unwrap_or((&0, bytes));
    let said = |bit: u8| first & (1 << bit) != 0;
    let options = FormatOptions {
        format: Some(ExportFormat::Csv),
        delimiter: said(0).then_some(b';'),
        quote: (!said(1)).then_some(b'"'),
        encoding: said(2).then(|| encoding_for_label("utf-8")).flatten(),
        header: !said(3),
        trailer: said(4).then(|| "#EOF;{n}".to_owned()),
        ..FormatOptions::default()
    };
    let seen = holds(bytes, &options);
    if is_plain(&seen) {
        let again = holds(written(&seen).as_bytes(), &semicolons());
        assert_eq!(cells(&again), cells(&seen), "written and read again");
    }
}

/// Any bytes are JSON, or are said not to be; another reader is of the same opinion.
pub fn json(bytes: &[u8]) {
    for rows in [None, Some("a.b".to_owned())] {
        let options = FormatOptions {
            format: Some(ExportFormat::Json),
            list_path: rows,
            ..FormatOptions::default()
        };
        let seen = holds(bytes, &options);
        let plain = std::str::from_utf8(bytes).ok().filter(|text| {
            let bare = !text.starts_with('\u{feff}') && !text.contains('\0');
            bare && options.list_path.is_none()
        });
        if let Some(text) = plain {
            agrees(text, &seen);
        }
    }
}

/// Any bytes are JSON Lines, or are said not to be; each line alone is what it is in a list.
pub fn jsonl(bytes: &[u8]) {
    let (first, bytes) = bytes.split_first().unwrap_or((&0, bytes));
    let options = FormatOptions {
        format: (first & 1 != 0).then_some(ExportFormat::Jsonl),
        blanks: if first & 2 != 0 {
            vec!["NULL".to_owned()]
        } else {
            Vec::new()
        },
        ..FormatOptions::default()
    };
    let seen = holds(bytes, &options);
    let text = std::str::from_utf8(bytes).ok();
    let lines = text.map(|text| {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .collect::<Vec<_>>()
    });
    let objects = |lines: &Vec<&str>| {
        let object = |line: &&str| {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok()
        };
        !lines.is_empty() && lines.iter().all(object)
    };
    if let (Some(lines), Some(ExportFormat::Jsonl)) = (lines.filter(objects), options.format) {
        assert_eq!(
            seen.outcome.records,
            lines.len() as u64,
            "{:?}",
            codes(&seen)
        );
    }
}

fn agrees(text: &str, seen: &Seen) {
    let other = serde_json::from_str::<IgnoredAny>(text);
    match other {
        Ok(_) if text.trim_start().starts_with('[') => {
            assert!(seen.outcome.complete, "it is a list: {:?}", codes(seen));
        }
        Err(error) if seen.outcome.complete => {
            assert!(error.to_string().contains("recursion"), "{error}");
        }
        _ => {}
    }
}

/// Reads an export, and looks at what holds of all of them.
fn holds(bytes: &[u8], options: &FormatOptions) -> Seen {
    let (mut columns, mut records) = (ExportColumns::default(), Vec::new());
    let outcome = read(
        Cursor::new(bytes),
        &"e".into(),
        options,
        &mut columns,
        &mut |record, _| {
            records.push(record.clone());
            true
        },
    );
    let seen = Seen {
        columns,
        records,
        outcome,
    };
    assert_eq!(seen.outcome.records, seen.records.len() as u64);
    let found = &seen.outcome.diagnostics;
    let stops = |severity: Severity| matches!(severity, Severity::Error | Severity::Hold);
    let stopped = found.iter().any(|found| stops(found.severity));
    let faulty = seen.records.iter().any(|record| record.faulty);
    assert!(
        stopped || (seen.outcome.complete && !faulty),
        "said to be fine"
    );
    assert!(found.iter().all(|found| found.origin.is_some()));
    if seen.outcome.complete {
        assert_eq!(seen.outcome.digest, Digest::of(bytes));
    }
    for record in &seen.records {
        is_within(record, options);
    }
    seen
}

fn is_within(record: &ExportRecord, options: &FormatOptions) {
    for entry in record.cells.iter().flatten() {
        assert!(entry.at.line > 0 && entry.at.column > 0);
        assert!(entry.text.len() <= options.limits.record);
    }
    for member in record.lists.iter().flat_map(|(_, list)| list) {
        is_within(member, options);
    }
}

/// Whether nothing in a table is read in another way than it is written.
fn is_plain(seen: &Seen) -> bool {
    let texts = || {
        let records = seen.records.iter();
        let cells = records.flat_map(|record| record.cells.iter().flatten());
        cells.map(|cell| &*cell.text).chain(seen.columns.names())
    };
    let plain = |text: &str| {
        !text.starts_with(['\'', '=', '<', '{', '[', '%', '7', 'R', 'P', '\u{feff}'])
            && !text.contains(['\n', '\r', '\0'])
            && !text.to_lowercase().starts_with("sep=")
    };
    seen.outcome.diagnostics.is_empty() && !seen.columns.is_empty() && texts().all(plain)
}

fn semicolons() -> FormatOptions {
    FormatOptions {
        format: Some(ExportFormat::Csv),
        delimiter: Some(b';'),
        encoding: encoding_for_label("utf-8"),
        ..FormatOptions::default()
    }
}

fn written(seen: &Seen) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let header: Vec<String> = seen.columns.names().map(quoted).collect();
    let mut text = format!("{}\n", header.join(";"));
    for record in &seen.records {
        let cells = record.cells.iter().flatten();
        let cells: Vec<String> = cells.map(|cell| quoted(&cell.text)).collect();
        text.push_str(&cells.join(";"));
        text.push('\n');
    }
    text
}

/// The cells of all rows that are not the header once more.
fn cells(seen: &Seen) -> Vec<Vec<&str>> {
    let records = seen.records.iter();
    let rows = records.map(|record| {
        let cells = record.cells.iter().flatten();
        cells.map(|cell| &*cell.text).collect::<Vec<&str>>()
    });
    let names: Vec<String> = seen.columns.names().map(str::to_lowercase).collect();
    rows.filter(|row| {
        !row.iter()
            .map(|cell| cell.trim().to_lowercase())
            .eq(names.iter().cloned())
    })
    .collect()
}

fn codes(seen: &Seen) -> Vec<Code> {
    let found = seen.outcome.diagnostics.iter();
    found.map(|found| found.code).collect()
}

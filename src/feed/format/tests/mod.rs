//! Readers of all formats: which records and diagnostics an input gives. The helpers here turn both
//! into short texts for the tests of each format.

mod csv;
mod csv_encodings;
mod json;
mod properties;
mod xlsx;

use super::{CellShape, ExportColumns, ExportRecord, FormatOptions, ReadOutcome, read};
use crate::diagnostic::Diagnostic;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// The records and diagnostics of an export.
struct ReadTranscript {
    columns: ExportColumns,
    records: Vec<ExportRecord>,
    outcome: ReadOutcome,
}

impl ReadTranscript {
    fn of(bytes: impl AsRef<[u8]>, options: &FormatOptions) -> Self {
        Self::from(Cursor::new(bytes.as_ref()), options)
    }

    fn from(input: impl Read + Seek, options: &FormatOptions) -> Self {
        let (mut columns, mut records) = (ExportColumns::default(), Vec::new());
        let outcome = read(
            input,
            &"e".into(),
            options,
            &mut columns,
            &mut |record, _| {
                records.push(record.clone());
                true
            },
        );
        Self {
            columns,
            records,
            outcome,
        }
    }

    /// The codes with their places, in the order in which they were found. `cut` if the export is
    /// not complete.
    fn codes(&self) -> String {
        let code = |found: &Diagnostic| {
            let at = found.origin.as_ref().expect("a place").at;
            format!("{} {}:{}", found.code, at.line, at.column)
        };
        let mut codes: Vec<String> = self.outcome.diagnostics.iter().map(code).collect();
        if !self.outcome.complete {
            codes.push("cut".to_owned());
        }
        codes.join(", ")
    }

    /// The cells of every record by column, with `!` before faulty records.
    fn rows(&self) -> Vec<String> {
        self.records.iter().map(|record| self.row(record)).collect()
    }

    fn row(&self, record: &ExportRecord) -> String {
        let mut cells = Vec::new();
        for column in 0..self.columns.len() {
            if let Some(entry) = record.cell(column) {
                let mark = match entry.shape {
                    CellShape::Text => "",
                    CellShape::Number => "#",
                    CellShape::Bool => "?",
                    CellShape::Null => "-",
                    CellShape::List(_) => "*",
                    CellShape::Object => "{",
                    CellShape::Percent => "%",
                    CellShape::Date => "@",
                    CellShape::Covered(_) => "^",
                    CellShape::Unreadable(_) => "~",
                };
                cells.push(format!("{mark}{}", entry.text));
            } else if let Some(list) = record.list(column) {
                let list: Vec<String> = list.iter().map(|record| self.row(record)).collect();
                cells.push(format!("[{}]", list.join("; ")));
            } else {
                cells.push("_".to_owned());
            }
        }
        let mark = if record.faulty { "!" } else { "" };
        format!("{mark}{}", cells.join("|"))
    }

    fn messages(&self) -> Vec<String> {
        let all = self.outcome.diagnostics.iter();
        all.map(|found| {
            format!(
                "{} ({})",
                found.message,
                found.help.as_deref().unwrap_or("")
            )
        })
        .collect()
    }
}

/// An input that fails after its last byte.
struct FailingReader(Cursor<Vec<u8>>);

impl Read for FailingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

impl Seek for FailingReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn what_is_no_export_is_said_to_be_none() {
    for bytes in [
        "",
        "\u{feff}",
        " \r\n",
        "<!DOCTYPE html><html>",
        "\n<html lang=sv>",
        "<?xml version=\"1.0\"?>",
        "{\"error\": \"session expired\"}",
        "{\"Errors\": [], \"status\": 401}",
        "<div>Log in</div>",
        "<Envelope><Body/></Envelope>",
        "%PDF-1.7",
    ] {
        let seen = ReadTranscript::of(bytes, &FormatOptions::default());
        let codes = seen.codes();
        assert!(
            codes.starts_with("feed-not-data") && codes.ends_with("cut"),
            "{bytes:?}: {codes}"
        );
        assert_eq!(seen.outcome.records, 0);
    }
    for bytes in [
        &b"\x1f\x8b\x08\0\0\0\0\0"[..],
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    ] {
        assert_eq!(
            ReadTranscript::of(bytes, &FormatOptions::default()).codes(),
            "feed-not-data 0:0, cut"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_on_is_not_whole() {
    let input = FailingReader(Cursor::new(b"a;b\n1;2\n".to_vec()));
    let seen = ReadTranscript::from(input, &FormatOptions::default());
    assert_eq!(seen.codes(), "source-unreadable 3:1, cut");
    assert_eq!(seen.rows(), ["1|2"]);
}

#[test]
fn what_was_found_out_is_said() {
    let said =
        |bytes: &[u8], options: &FormatOptions| ReadTranscript::of(bytes, options).outcome.detected;
    assert_eq!(
        said(b"a;b\n1;M\xf6lln\n", &FormatOptions::default()),
        ["format CSV", "encoding windows-1252", "delimiter `;`"]
    );
    assert_eq!(said(b"[]", &FormatOptions::default()), ["format JSON"]);
    let declared = FormatOptions {
        format: Some(super::ExportFormat::Csv),
        delimiter: Some(b';'),
        encoding: super::encoding_for_label("windows-1252"),
        ..FormatOptions::default()
    };
    assert_eq!(said(b"a;b\n1;M\xf6lln\n", &declared), Vec::<String>::new());
    assert_eq!(
        said(b"\xff\xfea\0;\0b\0\n\0", &declared),
        ["encoding UTF-16LE"]
    );
}

#[test]
fn a_reader_that_has_enough_stops() {
    let mut columns = ExportColumns::default();
    let input = Cursor::new(b"a;b\n1;2\n3;4\n");
    let outcome = read(
        input,
        &"e".into(),
        &FormatOptions::default(),
        &mut columns,
        &mut |_, _| false,
    );
    assert_eq!((outcome.records, outcome.complete), (1, false));
}

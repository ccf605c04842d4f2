//! Property tests: what other libraries write, the readers read.

use super::ReadTranscript;
use crate::feed::format::{Encoding, ExportFormat, FormatOptions};
use encoding_rs::{UTF_8, UTF_16LE, WINDOWS_1252};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Cells of many kinds, without those that are read differently on purpose.
fn cell() -> impl Strategy<Value = String> {
    const TEXTS: [&str; 12] = [
        "",
        "Åre",
        "a b",
        "x;y",
        "1,5",
        "say \"hi\"",
        "two\nlines",
        "a\tb",
        "\"",
        "é|è",
        "\r\n",
        "00123",
    ];
    prop_oneof![
        prop::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        "[a-zåäö0-9 ]{0,40}",
    ]
}

fn rows() -> impl Strategy<Value = Vec<Vec<String>>> {
    (2usize..6)
        .prop_flat_map(|width| prop::collection::vec(prop::collection::vec(cell(), width), 1..12))
}

#[derive(Clone, Copy, Debug)]
struct CsvStyle {
    delimiter: u8,
    quote: u8,
    terminator: csv::Terminator,
    always: bool,
    encoding: &'static Encoding,
}

fn style() -> impl Strategy<Value = CsvStyle> {
    let ends = [
        csv::Terminator::CRLF,
        csv::Terminator::Any(b'\n'),
        csv::Terminator::Any(b'\r'),
    ];
    let encodings = [UTF_8, WINDOWS_1252, UTF_16LE];
    (
        prop::sample::select(&b";,\t|"[..]),
        prop::sample::select(&b"\"'"[..]),
        prop::sample::select(ends.to_vec()),
        any::<bool>(),
        prop::sample::select(encodings.to_vec()),
    )
        .prop_map(
            |(delimiter, quote, terminator, always, encoding)| CsvStyle {
                delimiter,
                quote,
                terminator,
                always,
                encoding,
            },
        )
}

fn written(rows: &[Vec<String>], style: CsvStyle) -> Vec<u8> {
    let how = if style.always {
        csv::QuoteStyle::Always
    } else {
        csv::QuoteStyle::Necessary
    };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(style.delimiter)
        .quote(style.quote)
        .terminator(style.terminator)
        .quote_style(how)
        .from_writer(Vec::new());
    let header: Vec<String> = (0..rows[0].len())
        .map(|at| format!("column {at}"))
        .collect();
    writer.write_record(&header).expect("a header");
    for row in rows {
        writer.write_record(row).expect("a row");
    }
    let bytes = writer.into_inner().expect("all rows");
    let text = String::from_utf8(bytes).expect("text");
    if style.encoding == UTF_16LE {
        let units = text.encode_utf16();
        return units.flat_map(u16::to_le_bytes).collect();
    }
    style.encoding.encode(&text).0.into_owned()
}

proptest! {
    #[test]
    fn a_table_is_read_as_it_was_written(rows in rows(), style in style()) {
        let options = FormatOptions {
            delimiter: Some(style.delimiter),
            quote: Some(style.quote),
            encoding: Some(style.encoding),
            ..FormatOptions::default()
        };
        let seen = ReadTranscript::of(written(&rows, style), &options);
        let read: Vec<Vec<String>> = seen
            .records
            .iter()
            .map(|record| record.cells.iter().flatten().map(|cell| cell.text.to_string()).collect())
            .collect();
        // A blank row is not a record.
        let kept = |row: &&Vec<String>| !row.iter().all(|cell| cell.trim().is_empty());
        let expected: Vec<Vec<String>> = rows.iter().filter(kept).cloned().collect();
        prop_assert_eq!(&read, &expected, "{:?}", seen.messages());
        prop_assert!(seen.outcome.complete);
        prop_assert_eq!(seen.codes(), "");
    }

    #[test]
    fn any_text_is_json_for_one_reader_if_it_is_for_the_other(
        text in r#"\[(\{("[ab]": ?("x\\?[nu]?"|-?[0-9]{0,2}\.?[0-9]?e?[0-9]?|null|tru?e|\[1?,?2?\]|\{\}),?){0,2}\},?){0,2}\]"#
    ) {
        let options = FormatOptions { format: Some(ExportFormat::Json), ..FormatOptions::default() };
        let seen = ReadTranscript::of(&text, &options);
        let valid = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(seen.outcome.complete, valid, "{}: {:?}", text, seen.messages());
    }

    #[test]
    fn a_list_is_read_as_it_was_written(
        objects in prop::collection::vec(prop::collection::btree_map("[a-cå]{1,2}", value(), 0..4), 0..6),
        pretty in any::<bool>(),
    ) {
        let written = if pretty {
            serde_json::to_string_pretty(&objects)
        } else {
            serde_json::to_string(&objects)
        };
        let options = FormatOptions { format: Some(ExportFormat::Json), ..FormatOptions::default() };
        let seen = ReadTranscript::of(written.expect("JSON"), &options);
        prop_assert_eq!(seen.codes(), "");
        for (record, object) in seen.records.iter().zip(&objects) {
            let mut read = Map::new();
            for (column, name) in seen.columns.names().enumerate() {
                if let Some(cell) = record.cell(column) {
                    read.insert(name.to_owned(), json!(&*cell.text));
                }
            }
            let texts = object.iter().map(|(name, value)| (name.clone(), json!(as_text(value))));
            prop_assert_eq!(Value::Object(read), Value::Object(texts.collect()));
        }
        prop_assert_eq!(seen.outcome.records, objects.len() as u64);
    }

    #[test]
    fn bytes_of_any_kind_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in [None, Some(ExportFormat::Csv), Some(ExportFormat::Json), Some(ExportFormat::Jsonl)] {
            let seen = ReadTranscript::of(&bytes, &FormatOptions { format, ..FormatOptions::default() });
            prop_assert!(seen.outcome.records >= seen.records.len() as u64);
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        cell().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        prop::collection::vec("[a-z]{1,3}", 0..3).prop_map(Value::from),
    ]
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(members) => {
            let members: Vec<String> = members.iter().map(as_text).collect();
            members.join("||")
        }
        other => other.to_string(),
    }
}

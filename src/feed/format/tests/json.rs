//! JSON as real systems write it: lists, nested objects, envelopes, errors and damage.

use super::ReadTranscript;
use crate::feed::format::{ExportFormat, FormatLimits, FormatOptions};

fn json() -> FormatOptions {
    FormatOptions {
        format: Some(ExportFormat::Json),
        ..FormatOptions::default()
    }
}

fn check(options: &FormatOptions, cases: &[(&str, &str, &[&str])]) {
    for (text, codes, rows) in cases {
        let seen = ReadTranscript::of(text, options);
        assert_eq!(seen.codes(), *codes, "{text}: {:?}", seen.messages());
        assert_eq!(seen.rows(), *rows, "{text}");
    }
}

#[test]
fn objects_are_records() {
    check(
        &json(),
        &[
            ("[]", "", &[]),
            ("\u{feff}[{}]", "", &[""]),
            (
                r#"[{"a": "x", "b": 1}, {"b": null, "c": true}]"#,
                "",
                &["x|#1|_", "_|-|?true"],
            ),
            (
                r#"[{"a": ["x", "y z", ""], "b": []}]"#,
                "",
                &["*x||y z|||*"],
            ),
            (
                r#"[{"a": [{"c": 1}, {"c": 2}], "b": 3}]"#,
                "",
                &["[_|#1|_; _|#2|_]|_|#3"],
            ),
            (
                r#"[{"a": {"city": "Åre", "at": {"x": 1}}}]"#,
                "",
                &["{|Åre|{|#1"],
            ),
            (r#"[{"a": {}}]"#, "", &["{"]),
            // Numbers keep their spelling.
            (
                r#"[{"a": 12345678901234567890, "b": 1e400, "c": -0.10}]"#,
                "",
                &["#12345678901234567890|#1E+400|#-0.10"],
            ),
            (r#"[{"a": "\u00e5\n\"\/\ud83d\ude00"}]"#, "", &["å\n\"/😀"]),
            (r#"[{"a": "'00123"}]"#, "", &["00123"]),
        ],
    );
    let seen = ReadTranscript::of(r#"[{"a": 1, "address": {"city": "x"}}]"#, &json());
    assert_eq!(seen.columns.find("ADDRESS . City"), Some(2));
}

#[test]
fn objects_that_are_wrong_are_faulty_and_the_others_are_read() {
    check(
        &json(),
        &[
            (
                r#"[{"a": 1, "a": 2}, {"a": 3}]"#,
                "duplicate-key 1:11",
                &["!#1", "#3"],
            ),
            (
                r#"[{"a": {"b": 1, "b": 2}}]"#,
                "duplicate-key 1:17",
                &["!{|#1"],
            ),
            (
                r#"[{"a": "x\ud800y"}, {"a": 1}]"#,
                "encoding 1:8",
                &["!x\u{fffd}y", "#1"],
            ),
            (r#"[{"a": "\ud83dx"}]"#, "encoding 1:8", &["!\u{fffd}x"]),
            (
                r#"[1, {"a": 1}, [{}]]"#,
                "json-shape 1:2, json-shape 1:15",
                &["!_", "#1", "!_"],
            ),
            (
                r#"[{"a": [{"b": 1}, 2]}]"#,
                "json-shape 1:19",
                &["![_|#1]|_"],
            ),
            (
                r#"[{"a": [1, {"b": 1}, [2], 3]}]"#,
                "json-shape 1:12, json-shape 1:22",
                &["!*1||3"],
            ),
            (r#"[{"a": "BjÃ¶rkens"}]"#, "mojibake 1:8", &["BjÃ¶rkens"]),
        ],
    );
}

#[test]
fn what_is_no_list_of_objects() {
    check(
        &json(),
        &[
            (r#"{"a": 1}"#, "json-not-list 1:9, cut", &[]),
            (r#"{"data": [{"a": 1}]}"#, "json-not-list 1:21, cut", &[]),
            (r#""x""#, "json-not-list 1:4, cut", &[]),
            ("null", "json-not-list 1:5, cut", &[]),
            (r#"{"a": 1, "error": "x"}"#, "feed-not-data 1:23, cut", &[]),
            (
                r#"{"message": "x", "data": {"a": 1}}"#,
                "feed-not-data 1:35, cut",
                &[],
            ),
            ("id;name", "feed-not-data 1:1, cut", &[]),
            ("[{\"a\": 1}", "feed-truncated 1:10, cut", &["#1"]),
            ("[{\"a\": \"x", "feed-truncated 1:10, cut", &[]),
            ("[{\"a\": tr", "feed-truncated 1:8, cut", &[]),
            ("[{\"a\": 1},]", "feed-not-data 1:11, cut", &["#1"]),
            ("[{\"a\": 1}] x", "feed-not-data 1:12, cut", &["#1"]),
            ("[{\"a\": NaN}]", "feed-not-data 1:8, cut", &[]),
            ("[{\"a\": 00123}]", "feed-not-data 1:8, cut", &[]),
            ("[{\"a\": .5}]", "feed-not-data 1:8, cut", &[]),
            ("[{\"a\": 'x'}]", "feed-not-data 1:8, cut", &[]),
            ("[{a: 1}]", "feed-not-data 1:3, cut", &[]),
            ("[{\"a\": \"x\ty\"}]", "feed-not-data 1:10, cut", &[]),
            ("[{\"a\": \"\\x\"}]", "feed-not-data 1:10, cut", &[]),
            ("[{\"a\" 1}]", "feed-not-data 1:7, cut", &[]),
            ("[{\"a\": }]", "feed-not-data 1:8, cut", &[]),
        ],
    );
    let help = |text: &str| ReadTranscript::of(text, &json()).messages().remove(0);
    assert!(help(r#"{"data": [{"a": 1}]}"#).ends_with("(set the path of the list: `rows: data`)"));
    assert!(help("[{\"a\": NaN}]").ends_with("(write `null`)"));
}

#[test]
fn the_list_may_be_within_objects() {
    let options = FormatOptions {
        list_path: Some("data.items".to_owned()),
        ..json()
    };
    check(
        &options,
        &[
            (
                r#"{"meta": {"x": [1, {"y": "}"}]}, "data": {"n": 1, "items": [{"a": 1}], "z": []}, "q": 1}"#,
                "",
                &["#1"],
            ),
            (r#"{"data": {"items": []}}"#, "", &[]),
            (r#"{"data": {"items": {}}}"#, "json-not-list 1:22, cut", &[]),
            (r#"{"data": {"rows": []}}"#, "json-not-list 1:22, cut", &[]),
            (r#"{"data": []}"#, "json-not-list 1:10, cut", &[]),
            (r#"{"error": "x"}"#, "feed-not-data 1:15, cut", &[]),
            (
                r#"{"data": {"items": [{"a": 1}]}"#,
                "feed-truncated 1:31, cut",
                &["#1"],
            ),
            ("[]", "json-not-list 1:1, cut", &[]),
        ],
    );
}

#[test]
fn limits_hold() {
    let deep = format!(
        "[{{\"a\": {}1{}, \"b\": 2}}]",
        "{\"x\":".repeat(90_000),
        "}".repeat(90_000)
    );
    let seen = ReadTranscript::of(&deep, &json());
    assert!(
        seen.codes().starts_with("json-shape 1:"),
        "{}",
        seen.codes()
    );
    assert!(seen.records[0].faulty && seen.outcome.complete);
    let lists = format!("[{{\"a\": {}{}}}]", "[".repeat(90_000), "]".repeat(90_000));
    assert!(
        ReadTranscript::of(&lists, &json())
            .codes()
            .starts_with("json-shape 1:")
    );
    let small = FormatOptions {
        limits: FormatLimits {
            cell: 10,
            columns: 2,
            ..FormatLimits::default()
        },
        ..json()
    };
    check(
        &small,
        &[
            (
                r#"[{"a": "0123456789ABC", "b": 1}, {"a": 1}]"#,
                "length 1:8",
                &["!0123456789|#1", "#1|_"],
            ),
            (
                r#"[{"a": 1, "b": 2, "c": 3, "a": 4}]"#,
                "json-shape 1:19, duplicate-key 1:27",
                &["!#1|#2"],
            ),
        ],
    );
    let long = format!("[{{\"a\": 1}}, {{\"a\": \"{}\"}}]", "x".repeat(3 << 20));
    let seen = ReadTranscript::of(&long, &json());
    assert_eq!(seen.codes(), "feed-not-data 1:12, cut");
    // Every member of a list uses memory for all columns before its own.
    let names: Vec<String> = (0..4000).map(|at| format!("\"n{at}\": 1")).collect();
    let members = "{\"n3999\": 1}, ".repeat(1000);
    let wide = format!("[{{{}, \"list\": [{members} {{}}]}}]", names.join(", "));
    let seen = ReadTranscript::of(&wide, &json());
    assert!(
        seen.codes().starts_with("json-shape 1:"),
        "{}",
        seen.codes()
    );
    // A value that is skipped may be of any length.
    let options = FormatOptions {
        list_path: Some("b".to_owned()),
        ..json()
    };
    let aside = "[1, \"x\"], ".repeat(300_000);
    let seen = ReadTranscript::of(
        format!("{{\"a\": [{aside} 1], \"b\": [{{\"c\": 1}}]}}"),
        &options,
    );
    assert_eq!(
        (seen.codes(), seen.rows()),
        (String::new(), vec!["#1".to_owned()])
    );
}

#[test]
fn bytes_that_fit_no_encoding_make_their_object_faulty() {
    let bytes = b"[{\"a\": \"\xc3\xb6\"}, {\"a\": \"\xf6\"}, {\"a\": 1}]";
    let options = FormatOptions {
        encoding: crate::feed::format::encoding_for_label("utf-8"),
        ..json()
    };
    let seen = ReadTranscript::of(bytes, &options);
    assert_eq!(seen.codes(), "encoding 1:21");
    assert_eq!(seen.rows(), ["ö", "!\u{fffd}", "#1"]);
}

#[test]
fn places_are_lines_and_characters() {
    let seen = ReadTranscript::of("[\n  {\"å\": \"ä\", \"b\":\n   2}\n]", &json());
    let at = |column| seen.records[0].cell(column).expect("a cell").at;
    assert_eq!((at(0).line, at(0).column), (2, 9));
    assert_eq!((at(1).line, at(1).column), (3, 4));
    assert_eq!((seen.records[0].at.line, seen.records[0].at.column), (2, 3));
}

/// JSON Lines: one object per line.
#[test]
fn each_line_of_json_lines_is_a_record_with_its_line() {
    let text = "{\"id\": \"a\", \"tags\": [1, 2]}\n\n{\"id\": \"b\", \"address\": [{\"city\": \"Åre\"}]}\r\n";
    let seen = ReadTranscript::of(text, &FormatOptions::default());
    assert_eq!((seen.codes().as_str(), seen.outcome.records), ("", 2));
    assert_eq!(seen.outcome.format, ExportFormat::Jsonl);
    assert_eq!(
        seen.outcome.detected,
        ["format JSON Lines", "encoding UTF-8"]
    );
    let lines: Vec<u32> = seen.records.iter().map(|record| record.at.line).collect();
    assert_eq!(lines, [1, 3]);
}

#[test]
fn one_object_is_json_lines_where_it_is_said_to_be() {
    let lines = FormatOptions {
        format: Some(ExportFormat::Jsonl),
        ..FormatOptions::default()
    };
    for (text, codes) in [
        ("{\"id\": 1}", ""),
        ("{\"id\": 1}\n{\"id\": 2", "feed-truncated 2:9, cut"),
        ("{\"id\": 1}\n[1]\n", "json-shape 2:1"),
        (
            "{\"id\": 1},\n{\"id\": 2}\n",
            "json-shape 1:10, feed-not-data 1:10, cut",
        ),
        (
            "{\"id\": 1}\nService unavailable\n",
            "json-shape 2:1, feed-not-data 2:1, cut",
        ),
        ("{\"error\": \"token expired\"}\n", "feed-not-data 1:1, cut"),
        (
            "{\"id\": 1}\n{\"error\": \"timeout\"}\n",
            "feed-truncated 2:1, cut",
        ),
        (
            "{\"id\": 1, \"error\": \"\"}\n{\"id\": 2, \"error\": \"x\"}\n",
            "",
        ),
        ("", "feed-not-data 0:0, cut"),
    ] {
        assert_eq!(ReadTranscript::of(text, &lines).codes(), codes, "{text}");
    }
}

#[test]
fn a_document_is_not_taken_for_json_lines() {
    let seen = ReadTranscript::of("{\"items\": [{\"id\": 1}]}\n", &FormatOptions::default());
    assert_eq!(seen.outcome.format, ExportFormat::Json);
    assert_eq!(seen.outcome.list.as_deref(), Some("items"));
}

#[test]
fn numbers_with_an_exponent_are_seen_to_be_some() {
    let seen = ReadTranscript::of(
        "[{\"a\": 1e3, \"b\": 1.5E+2, \"c\": 1e-2}]",
        &FormatOptions::default(),
    );
    assert_eq!(seen.rows(), ["#1E+3|#1.5E+2|#1e-2"]);
}

#[test]
fn texts_that_stand_for_nothing_are_blank() {
    let options = FormatOptions {
        blanks: vec!["NULL".to_owned(), "false".to_owned()],
        ..FormatOptions::default()
    };
    let seen = ReadTranscript::of(
        "[{\"a\": \"NULL\", \"b\": \" NULL \", \"c\": \"null\", \"d\": false}]",
        &options,
    );
    assert_eq!(seen.rows(), ["-|-|null|-"]);
}

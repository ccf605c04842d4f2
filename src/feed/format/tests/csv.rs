//! CSV as real systems write it: delimiters, quotes, encodings, headers, trailers and damage.

use super::ReadTranscript;
use crate::feed::format::{FormatLimits, FormatOptions};
use crate::model::LineColumn;
use encoding_rs::WINDOWS_1252;

pub(super) fn semicolons() -> FormatOptions {
    FormatOptions {
        delimiter: Some(b';'),
        ..FormatOptions::default()
    }
}

/// The bytes, the expected codes, and the expected records.
pub(super) type CsvCase = (&'static [u8], &'static str, &'static [&'static str]);

pub(super) fn check(options: &FormatOptions, cases: &[CsvCase]) {
    for (bytes, codes, rows) in cases {
        let seen = ReadTranscript::of(bytes, options);
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(seen.codes(), *codes, "{shown:?}: {:?}", seen.messages());
        assert_eq!(seen.rows(), *rows, "{shown:?}");
    }
}

#[test]
fn structure() {
    check(
        &FormatOptions::default(),
        &[
            (b"sep=;\r\na;b\r\n1;2\r\n", "", &["1|2"]),
            (b"id;credit\n1;1,5\n2;2,5\n", "", &["1|1,5", "2|2,5"]),
            (b"a;b\r1;2\r3;4", "", &["1|2", "3|4"]),
            (b"a;b\n1;2\r\n3;4\r5;6\n", "", &["1|2", "3|4", "5|6"]),
            (b"a;b\n\n1;2\n;\n  ; \n3;4\n\n", "", &["1|2", "3|4"]),
            (b"a;b\n1;\"x;\ny\"\n", "", &["1|x;\ny"]),
            (b"a;b\n1;\"say \"\"hi\"\"\"\n", "", &["1|say \"hi\""]),
            (b"a;b\n1;\"x\" \n", "", &["1|x"]),
            (b"a;b\n1;24\" screen\n", "", &["1|24\" screen"]),
            (b"a;b\n1; x \n", "", &["1| x "]),
            (b"a;b\n1;\n", "", &["1|"]),
            (b"a;b\n'00123;=\"007\"\n", "", &["00123|007"]),
            (
                b"a;b\n=cmd|' /C calc'!A0;-1\n",
                "",
                &["=cmd|' /C calc'!A0|-1"],
            ),
            // A header alone is an export without rows.
            (b"a;b\n", "", &[]),
            (b"id\n1\n2\n", "", &["1", "2"]),
        ],
    );
}

#[test]
fn rows_of_another_width_are_faulty_and_the_others_are_read() {
    check(
        &semicolons(),
        &[
            (
                b"a;b;c\n1;2\n3;4;5;6\n7;8;9\n",
                "row-width 2:1, row-width 3:1",
                &["!1|2|_", "!3|4|5", "7|8|9"],
            ),
            // Unnamed columns at the end are fine as long as they are empty.
            (b"a;b;;\n1;2;;\n3;4\n", "", &["1|2", "3|4"]),
            (b"a;b;;\n1;2;x;\n", "header-blank 2:5", &["!1|2"]),
            (b"a;b\n1;2;\n", "row-width 2:1", &["!1|2"]),
            // Cut within a row, at the end of a row, and within a quote.
            (
                b"a;b;c\n1;2;3\n4;5",
                "row-width 3:1, feed-truncated 3:1, cut",
                &["1|2|3", "!4|5|_"],
            ),
            (b"a;b;c\n1;2;3", "", &["1|2|3"]),
            (
                b"a;b\n1;2\n3;\"x",
                "row-quote 3:3, feed-truncated 3:3, cut",
                &["1|2", "!3|x"],
            ),
            (
                b"a;b\n1;2\n3;\"x\ny",
                "row-quote 3:3, row-width 4:1, feed-truncated 4:1, cut",
                &["1|2", "!3|x", "!y|_"],
            ),
        ],
    );
    let seen = ReadTranscript::of(b"a;b;c\n1;2\n", &semicolons());
    assert_eq!(
        seen.messages(),
        [
            "2 cells, but the header has 3 (quote cells that contain the delimiter, and export empty cells too)"
        ]
    );
}

#[test]
fn quotes_that_do_not_close_swallow_nothing() {
    check(
        &semicolons(),
        &[
            (
                "a;b\n1;\"8 rue”\n2;x\n3;\"y\"\n".as_bytes(),
                "row-quote 2:3",
                &["!1|8 rue”", "2|x", "3|y"],
            ),
            (
                b"a;b;c\n1;\"x;2\n3;4;5\n6;7\";8\n",
                "row-quote 2:3",
                &["!1|x|2", "3|4|5", "6|7\"|8"],
            ),
            (
                b"a;b\n1;\"Firma \"M\" KG\"\n2;x\n",
                "row-quote 2:3",
                &["!1|Firma \"M\" KG", "2|x"],
            ),
            (
                b"a;b;c\n\"1\";\"x\";\"y\"z\n",
                "row-quote 2:9",
                &["!1|x|y\"z"],
            ),
            // The row has the right width, but a cell has swallowed whole rows.
            (
                b"a;b;c;d\n1;2;3;\"x\n2;2;3;4\n3;2;3;y\"\n",
                "row-quote 2:7",
                &["!1|2|3|x", "2|2|3|4", "3|2|3|y\""],
            ),
        ],
    );
    let mut text = "a;b\n1;\"open\n".to_owned();
    for row in 0..20_000 {
        text.push_str(&format!("{row};x\n"));
    }
    let seen = ReadTranscript::of(&text, &semicolons());
    assert_eq!(seen.codes(), "row-quote 2:3");
    assert_eq!(seen.outcome.records, 20_001);
    let message = &seen.messages()[0];
    assert!(
        message.starts_with("the quote that opens here does not close"),
        "{message}"
    );
}

#[test]
fn headers() {
    check(
        &semicolons(),
        &[
            (b"a;;c\n1;2;3\n", "header-blank 1:3, cut", &[]),
            (b"a;b;a\n1;2;3\n", "header-duplicate 1:5, cut", &[]),
            (b"Name;id;NA ME\n1;2;3\n", "header-duplicate 1:9, cut", &[]),
            (
                b"a;b\n1;2\na;b\n3;4\n",
                "header-repeated 3:1",
                &["1|2", "3|4"],
            ),
            (b"a,b,c\n1,2,3\n", "row-width 1:1, cut", &[]),
            (b"a\n1\n", "", &["1"]),
        ],
    );
    let appended = "a;b\n1;2\n\u{feff}a;B\n3;4\n";
    check(
        &semicolons(),
        &[(appended.as_bytes(), "header-repeated 3:1", &["1|2", "3|4"])],
    );
    let pinned = FormatOptions {
        names: vec![String::new(), "email".to_owned()],
        ..semicolons()
    };
    check(&pinned, &[(b"a;;c\n1;2;3\n", "", &["1|2|3"])]);
    let headless = FormatOptions {
        header: false,
        names: vec!["id".to_owned(), "name".to_owned()],
        ..semicolons()
    };
    check(
        &headless,
        &[
            (b"1;x\n2;y\n", "", &["1|x", "2|y"]),
            (b"1\n2;y\n", "row-width 1:1", &["!1|_", "2|y"]),
        ],
    );
    assert_eq!(
        ReadTranscript::of(b"1;x", &headless).columns.find("name"),
        Some(1)
    );
    let numbered = FormatOptions {
        header: false,
        ..semicolons()
    };
    assert_eq!(
        ReadTranscript::of(b"1;x", &numbered).columns.find("2"),
        Some(1)
    );
}

#[test]
fn trailers() {
    let options = FormatOptions {
        trailer: Some("#EOF;{n}".to_owned()),
        ..semicolons()
    };
    let cases: &[CsvCase] = &[
        (b"a;b\n1;2\n#EOF;1\n", "", &["1|2"]),
        (
            b"a;b\n1;2\na;b\n3;4\n#EOF;2;;\n\n",
            "header-repeated 3:1",
            &["1|2", "3|4"],
        ),
        (b"a;b\n1;2\n#EOF;2\n", "feed-truncated 3:1", &["1|2"]),
        (b"a;b\n1;2\n", "feed-truncated 3:1", &["1|2"]),
        (b"a;b\n#EOF;0\n", "", &[]),
        (
            b"a;b\n1;2\n#EOF;1\n3;4\n",
            "feed-truncated 4:1, cut",
            &["1|2"],
        ),
    ];
    check(&options, cases);
    assert_eq!(
        ReadTranscript::of(cases[2].0, &options).outcome.trailer,
        Some(2)
    );
    let total = FormatOptions {
        trailer: Some("TOTAL".to_owned()),
        ..semicolons()
    };
    check(&total, &[(b"a;b\n1;2\nTOTAL;\n", "", &["1|2"])]);
    // An undeclared trailer is at least not a record.
    check(
        &semicolons(),
        &[(
            b"a;b;c;d\n1;2;3;4\n#EOF;1\n",
            "row-width 3:1",
            &["1|2|3|4", "!#EOF|1|_|_"],
        )],
    );
}

#[test]
fn limits_hold() {
    let options = FormatOptions {
        limits: FormatLimits {
            record: 100,
            cell: 10,
            columns: 4,
            ..FormatLimits::default()
        },
        ..semicolons()
    };
    check(
        &options,
        &[
            (
                b"a;b\n1;0123456789ABC\n2;x\n",
                "length 2:3",
                &["!1|0123456789", "2|x"],
            ),
            (b"a;b;c;d;e\n", "feed-not-data 1:1, cut", &[]),
        ],
    );
    // An endless line must not fill the memory.
    let line = "x".repeat(3 << 20);
    let seen = ReadTranscript::of(format!("a;b\n1;2\n{line}"), &semicolons());
    assert_eq!(seen.codes(), "feed-not-data 3:1, cut");
    assert_eq!(seen.rows(), ["1|2"]);
    // The number of diagnostics is limited, and the rest is counted.
    let rows = "1\n".repeat(10_003);
    let seen = ReadTranscript::of(format!("a;b\n{rows}"), &semicolons());
    assert_eq!(seen.outcome.diagnostics.len(), 10_001);
    assert!(seen.messages()[10_000].starts_with("3 more of these"));
}

#[test]
fn places_are_lines_and_characters() {
    let seen = ReadTranscript::of("a;b;c\n1;\"å\nä\";ö\n2;Ö;x\n", &semicolons());
    let at = |record: usize, column: usize| {
        let LineColumn { line, column } = seen.records[record].cell(column).expect("a cell").at;
        (line, column)
    };
    assert_eq!([at(0, 0), at(0, 1), at(0, 2)], [(2, 1), (2, 3), (3, 4)]);
    assert_eq!([at(1, 0), at(1, 1), at(1, 2)], [(4, 1), (4, 3), (4, 5)]);
    assert_eq!(seen.records[1].at, LineColumn { line: 4, column: 1 });
}

#[test]
fn the_sample_export_is_read_as_its_description_says() {
    let text = "KUNNR;NAME1;ORT01\n\
        0010927781;Fjällbyggen AB;Östersund\n\
        0010927795;\"Ostra-Allee 9; Hinterhaus\";Dresden\n\
        KUNNR;NAME1;ORT01\n\
        0010927814;Ekoträ; AB;Lund\n\
        0010927816;'=HYPERLINK Tools;Utrecht\n\
        0010927817;Nám?stí;Klatovy\n\
        0010927820;BjÃ¶rkens;Falun\n\
        #EOF;6\n"
        .replace('\n', "\r\n");
    let (bytes, _, misfit) = WINDOWS_1252.encode(&text);
    assert!(!misfit);
    let options = FormatOptions {
        trailer: Some("#EOF;{n}".to_owned()),
        ..FormatOptions::default()
    };
    let seen = ReadTranscript::of(bytes, &options);
    assert_eq!(
        seen.codes(),
        "header-repeated 4:1, row-width 5:1, replacement-character 7:12, mojibake 8:12"
    );
    assert_eq!(seen.rows()[3], "0010927816|=HYPERLINK Tools|Utrecht");
    assert_eq!(seen.outcome.encoding, "windows-1252");
    assert_eq!(seen.outcome.delimiter, Some(';'));
    assert_eq!((seen.outcome.records, seen.outcome.trailer), (6, Some(6)));
}

#[test]
fn the_digest_is_of_all_bytes() {
    let bytes = b"\xef\xbb\xbfa;b\r\n1;2\r\n";
    let seen = ReadTranscript::of(bytes, &FormatOptions::default());
    assert_eq!(seen.outcome.digest, crate::model::Digest::of(bytes));
}

#[test]
fn lines_above_the_header_are_skipped_whatever_they_hold() {
    for text in [
        "Customers\n\"as of 2025\n\nid;name\n1;A\n",
        "Customers\r\n;;;\r\n\r\nid;name\r\n1;A\r\n",
        "sep=;\nx\ny,z\nid;name\n1;A\n",
        "a\rb\rc\rid;name\r1;A\r",
    ] {
        let options = FormatOptions {
            first_line: 4,
            ..FormatOptions::default()
        };
        let seen = ReadTranscript::of(text, &options);
        assert_eq!(
            (seen.codes().as_str(), seen.rows()),
            ("", vec!["1|A".to_owned()]),
            "{text:?}"
        );
        assert_eq!(seen.records[0].at.line, 5, "{text:?}");
    }
    let options = FormatOptions {
        first_line: 9,
        ..FormatOptions::default()
    };
    let seen = ReadTranscript::of("id;name\n1;A\n", &options);
    assert_eq!(seen.codes(), "feed-not-data 3:1, cut");
}

#[test]
fn declared_blanks_are_blank_and_others_are_not() {
    let options = FormatOptions {
        blanks: vec!["NULL".to_owned(), "N/A".to_owned()],
        ..FormatOptions::default()
    };
    let seen = ReadTranscript::of("id;name\nNULL; N/A \nnull;N/A.\n", &options);
    assert_eq!(seen.rows(), ["|", "null|N/A."]);
}

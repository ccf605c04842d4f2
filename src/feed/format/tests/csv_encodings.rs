//! The encodings of CSV: found, declared, and wrong.

use super::ReadTranscript;
use super::csv::{check, semicolons};
use crate::feed::format::{FormatOptions, encoding_for_label};
use encoding_rs::WINDOWS_1252;

#[test]
fn encodings() {
    check(
        &FormatOptions::default(),
        &[
            (b"\xef\xbb\xbfa;b\n1;2\n", "", &["1|2"]),
            (b"\xef\xbb\xbf\xef\xbb\xbfa;b\n1;2\n", "", &["1|2"]),
            (b"\xff\xfea\0\t\0b\0\n\x001\0\t\0\xf6\0\n\0", "", &["1|ö"]),
            (b"\xfe\xff\0a\0;\0b\0\n\x001\0;\0\xf6", "", &["1|ö"]),
            (b"a\0;\0b\0\n\x001\0;\x002\0", "", &["1|2"]),
            (b"a;b\n1;Malm\xf6\n", "", &["1|Malmö"]),
            (b"a;b\n1;Malm\xc3\xb6\n", "", &["1|Malmö"]),
            (b"a;b\n1;x\0y\n2;z\n", "encoding 2:4", &["!1|x\0y", "2|z"]),
            (
                b"a;b\n1;2\n\0\0\0\0\0\0",
                "encoding 3:1, row-width 3:1, feed-truncated 3:1, cut",
                &["1|2", "!\0\0\0\0\0\0|_"],
            ),
            // Text that was damaged before it was exported.
            (
                "a;b\n1;BjÃ¶rkens\n".as_bytes(),
                "mojibake 2:3",
                &["1|BjÃ¶rkens"],
            ),
            (
                b"a;b\n1;N\xc3\xa1m?st\xc3\xad\n",
                "replacement-character 2:3",
                &["1|Nám?stí"],
            ),
            (
                "a;b\n1;G\u{fffd}teborg\n".as_bytes(),
                "replacement-character 2:3",
                &["1|G\u{fffd}teborg"],
            ),
        ],
    );
}

#[test]
fn a_byte_that_does_not_fit_is_said_with_its_offset_and_the_row_is_faulty() {
    let utf8 = FormatOptions {
        encoding: encoding_for_label("utf-8"),
        ..semicolons()
    };
    check(
        &utf8,
        &[
            ("a;b\n1;Mölln\n".as_bytes(), "", &["1|Mölln"]),
            (
                b"a;b\n1;M\xf6lln\n2;x\n",
                "encoding 2:4",
                &["!1|M\u{fffd}lln", "2|x"],
            ),
            (b"a;\xf6\n1;2\n", "encoding 1:3, cut", &[]),
            (
                b"a;b\n1;Malm\xc3",
                "feed-truncated 2:7, cut",
                &["!1|Malm\u{fffd}"],
            ),
        ],
    );
    let seen = ReadTranscript::of(b"a;b\n1;M\xf6lln\n", &utf8);
    assert!(seen.messages()[0].starts_with("byte 7 of the file is not valid in UTF-8"));
}

#[test]
fn what_is_declared_as_another_encoding_and_is_utf8_is_refused() {
    let options = FormatOptions {
        encoding: encoding_for_label("latin1"),
        ..semicolons()
    };
    let seen = ReadTranscript::of("a;b\n1;ÅÄÖåäöéè\n", &options);
    assert_eq!(seen.codes(), "encoding 0:0, cut");
    assert_eq!(seen.rows(), Vec::<String>::new());
    // One damaged text is not enough to refute the declared encoding.
    let (damaged, ..) = WINDOWS_1252.encode("a;b\n1;BjÃ¶rkens\n");
    assert_eq!(
        ReadTranscript::of(damaged, &options).codes(),
        "mojibake 2:3"
    );
}

//! Recognises what is delivered in place of an export: an empty file, a login page, a PDF, an
//! archive. Reading such a file as an export without rows would make everything look removed. Start
//! reading at `detect`.

use super::ExportFormat;
use super::text_reader::TextReader;
use crate::diagnostic::{Diagnostic, codes};

/// The first bytes of formats that are not text, and what to do about each.
const MAGIC: [(&[u8], &str, &str); 5] = [
    (
        b"\xd0\xcf\x11\xe0",
        "an old `.xls` spreadsheet, or has a password",
        "save it as `.xlsx` without a password, or as CSV",
    ),
    (&GZIP, "compressed with gzip twice", UNPACK),
    (b"%PDF", "a PDF", "export the data, not a report"),
    (b"7z\xbc\xaf", "a 7z archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
];

/// The first bytes of a gzip file, which is unpacked while it is read.
pub(super) const GZIP: [u8; 2] = *b"\x1f\x8b";
/// The advice for an archive.
pub(super) const UNPACK: &str = "unpack it before delivery; Roster unpacks only gzip";

/// Returns whether a file is a ZIP archive, as XLSX files are.
pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// Returns whether a text looks like JSON. A CSV header may also begin with a bracket.
pub(super) fn is_json(text: &str) -> bool {
    let text = text.trim();
    if let Some(first) = text.strip_prefix('[') {
        let first = first.trim_start();
        let is_value = |c: char| c.is_ascii_digit() || "{[]\"-".contains(c);
        return first.chars().next().is_none_or(is_value) || begins_word(first);
    }
    text.starts_with('{') || WORDS.contains(&text)
}

const WORDS: [&str; 3] = ["null", "true", "false"];

/// Returns whether a JSON list begins with a word such as `null`.
fn begins_word(list: &str) -> bool {
    let mut rests = WORDS.iter().filter_map(|word| list.strip_prefix(word));
    rests.any(|rest| rest.trim_start().starts_with([',', ']']))
}

/// Returns what was delivered, if it is certainly not an export.
pub(super) fn detect(
    head: &[u8],
    source: &TextReader<'_>,
    format: ExportFormat,
) -> Option<Diagnostic> {
    // A failed read explains an empty text better than "empty" would.
    if source.failure().is_some() {
        return None;
    }
    for (magic, what, help) in MAGIC {
        if head.starts_with(magic) {
            return Some(not_data(what, help));
        }
    }
    let text = source.rest().trim_start();
    match format {
        _ if text.is_empty() && source.ended() => Some(not_data(
            "empty",
            "even an export without rows has a header; check the program that wrote it",
        )),
        _ if is_page(text) => Some(not_data(
            "a web page",
            "it may be a login page or an error; check the address and the credentials",
        )),
        _ if is_markup(text) => Some(not_data(
            "XML, which Roster does not read",
            "export it as CSV, JSON or XLSX",
        )),
        ExportFormat::Xlsx => Some(not_data(
            "not a spreadsheet, although XLSX is declared",
            "declare the actual format or none",
        )),
        ExportFormat::Csv if is_json(text) => Some(not_data(
            "JSON, although CSV is declared",
            "it may be an error instead of the export; otherwise declare the actual format",
        )),
        _ => None,
    }
}

pub(super) fn not_data(what: &str, help: &str) -> Diagnostic {
    Diagnostic::new(codes::FEED_NOT_DATA, format!("the export is {what}")).help(help)
}

/// Returns whether a text begins with a tag, which no header does.
fn is_markup(text: &str) -> bool {
    let mut first = text.chars();
    first.next() == Some('<')
        && first
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || "?!".contains(c))
}

fn is_page(text: &str) -> bool {
    let tags = [
        "<!doctype",
        "<html",
        "<head",
        "<body",
        "<script",
        "<!--",
        "<title",
        "<meta",
        "<div",
        "<p>",
        "<h1",
        "<center",
        "<table",
    ];
    let starts = |tag: &str| {
        let start = text.get(..tag.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    tags.into_iter().any(starts)
}

/// Returns the diagnostic for an incomplete export.
pub(super) fn truncated_export(what: &str) -> Diagnostic {
    Diagnostic::new(codes::FEED_TRUNCATED, what)
}

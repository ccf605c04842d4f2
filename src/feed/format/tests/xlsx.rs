//! Spreadsheets as they come.

use super::Seen;
use crate::feed::format::{Format, Limits, Options};
use std::io::{Cursor, Write};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// A workbook with these sheets, each given by its rows in XML.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    let mut names = String::new();
    let mut links = String::new();
    let mut parts = vec![];
    for (at, (name, rows)) in sheets.iter().enumerate() {
        let id = at + 1;
        names.push_str(&format!(
            r#"<sheet name="{name}" sheetId="{id}" r:id="r{id}"/>"#
        ));
        links.push_str(&format!(
            r#"<Relationship Id="r{id}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet{id}.xml"/>"#
        ));
        parts.push((
            format!("xl/worksheets/sheet{id}.xml"),
            format!(r#"{HEAD}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{rows}</worksheet>"#),
        ));
    }
    links.push_str(r#"<Relationship Id="s" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="t" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>"#);
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    parts.push(("xl/workbook.xml".to_owned(), format!(r#"{HEAD}<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{names}</sheets></workbook>"#)));
    parts.push(("xl/_rels/workbook.xml.rels".to_owned(), format!(r#"{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{links}</Relationships>"#)));
    parts.push(("xl/sharedStrings.xml".to_owned(), format!(r#"{HEAD}<sst xmlns="{main}"><si><t>id</t></si><si><t>name</t></si><si><t>Åre</t></si></sst>"#)));
    parts.push(("xl/styles.xml".to_owned(), format!(r#"{HEAD}<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#)));
    parts.push(("_rels/.rels".to_owned(), format!(r#"{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#)));
    packed(&parts)
}

fn packed(parts: &[(String, String)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer
            .start_file(name.clone(), SimpleFileOptions::default())
            .expect("a part");
        writer.write_all(text.as_bytes()).expect("its bytes");
    }
    writer.finish().expect("an archive").into_inner()
}

const ROWS: &str = r#"<sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="inlineStr"><is><t>since</t></is></c></row>
<row r="2"><c r="A2"><v>10927781</v></c><c r="B2" t="s"><v>2</v></c><c r="C2" s="1"><v>45740</v></c></row>
<row r="4"><c r="A4"><v>1.09E+7</v></c><c r="B4" t="b"><v>1</v></c></row>
<row r="5"><c r="A5" t="e"><v>#N/A</v></c><c r="C5" t="inlineStr"><is><t>'007</t></is></c></row>
</sheetData>"#;

#[test]
fn cells_are_text_as_it_is_meant_and_missing_ones_are_blank() {
    let seen = Seen::of(workbook(&[("One", ROWS)]), &Options::default());
    assert_eq!(seen.codes(), "", "{:?}", seen.messages());
    assert_eq!(
        seen.rows(),
        [
            "#10927781|Åre|2025-03-24",
            "#10900000|?true|-",
            "#N/A|-|007"
        ]
    );
    assert_eq!(seen.records[1].at.line, 4);
    assert_eq!(seen.outcome.format, Format::Xlsx);
    assert_eq!(seen.outcome.detected, ["format XLSX"]);
}

#[test]
fn covered_cells_are_absent_and_those_beyond_the_header_are_too_many() {
    let rows = format!("{ROWS}<mergeCells count=\"1\"><mergeCell ref=\"A4:C5\"/></mergeCells>");
    let seen = Seen::of(workbook(&[("One", &rows)]), &Options::default());
    assert_eq!(
        seen.rows(),
        ["#10927781|Åre|2025-03-24", "#10900000|_|_", "_|_|_"]
    );
    let wide = ROWS.replace("C5", "D5");
    let seen = Seen::of(workbook(&[("One", &wide)]), &Options::default());
    assert_eq!(seen.codes(), "row-width 5:1");
    assert_eq!(seen.rows()[2], "!#N/A|-|-");
}

#[test]
fn a_sheet_is_chosen_by_name() {
    let other =
        r#"<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row></sheetData>"#;
    let book = workbook(&[("One", other), ("Two", ROWS)]);
    let sheet = |name: Option<&str>| Options {
        sheet: name.map(str::to_owned),
        ..Options::default()
    };
    assert_eq!(Seen::of(&book, &sheet(Some("Two"))).outcome.records, 3);
    let first = Seen::of(&book, &sheet(None));
    assert_eq!(first.outcome.records, 0);
    assert_eq!(first.outcome.detected, ["format XLSX", "sheet `One`"]);
    let none = Seen::of(&book, &sheet(Some("Three")));
    assert_eq!(none.codes(), "feed-not-data 0:0, cut");
    assert!(none.messages()[0].ends_with("(it has `One`, `Two`)"));
}

#[test]
fn headers_and_trailers_are_those_of_any_table() {
    let text = |row: u32, cells: &[&str]| {
        let cells: String = cells
            .iter()
            .map(|text| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>"))
            .collect();
        format!("<row r=\"{row}\">{cells}</row>")
    };
    let rows = |rows: &[&[&str]]| {
        let rows = (1..).zip(rows).map(|(at, cells)| text(at, cells));
        format!("<sheetData>{}</sheetData>", rows.collect::<String>())
    };
    let options = Options {
        trailer: Some("#EOF;{n}".to_owned()),
        ..Options::default()
    };
    for (sheet, codes) in [
        (rows(&[&["a", "b"], &["1", "2"], &["#EOF", "1"]]), ""),
        (
            rows(&[&["a", "b"], &["1", "2"], &["#EOF", "3"]]),
            "feed-truncated 3:1",
        ),
        (rows(&[&["a", "b"], &["1", "2"]]), "feed-truncated 2:1"),
        (
            rows(&[&["a", "a"], &["1", "2"]]),
            "header-duplicate 1:2, cut",
        ),
        (
            rows(&[&["a", "b"], &["a", "b"], &["#EOF", "0"]]),
            "header-repeated 2:1",
        ),
    ] {
        let seen = Seen::of(workbook(&[("One", &sheet)]), &options);
        assert_eq!(seen.codes(), codes, "{sheet}");
    }
}

#[test]
fn what_is_no_spreadsheet_is_said_to_be_none() {
    let book = workbook(&[("One", ROWS)]);
    let part = |name: &str, text: &str| packed(&[(name.to_owned(), text.to_owned())]);
    let entities = part(
        "xl/worksheets/sheet1.xml",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><x/>",
    );
    for bytes in [
        part("a.txt", "x"),
        book[..book.len() / 2].to_vec(),
        entities,
        part(
            "xl/worksheets/sheet1.xml",
            &format!("<a>{}</a>", "x".repeat(2 << 20)),
        ),
    ] {
        let seen = Seen::of(&bytes, &Options::default());
        assert_eq!(
            seen.codes(),
            "feed-not-data 0:0, cut",
            "{:?}",
            seen.messages()
        );
    }
    let small = Options {
        limits: Limits {
            unpacked: 1000,
            ..Limits::default()
        },
        ..Options::default()
    };
    assert_eq!(Seen::of(&book, &small).codes(), "feed-not-data 0:0, cut");
    let csv = Options {
        format: Some(Format::Csv),
        ..Options::default()
    };
    assert_eq!(Seen::of(&book, &csv).codes(), "feed-not-data 0:0, cut");
    let xlsx = Options {
        format: Some(Format::Xlsx),
        ..Options::default()
    };
    assert_eq!(Seen::of("a;b\n", &xlsx).codes(), "feed-not-data 0:0, cut");
}

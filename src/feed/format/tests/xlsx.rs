//! Workbooks as real systems write them: sheets, formats, formulas, merged cells and damage.

use super::ReadTranscript;
use crate::feed::format::{CellShape, ExportFormat, FormatLimits, FormatOptions, SheetSelector};
use std::io::{Cursor, Write};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// Builds a workbook with these sheets, each given as rows in XML.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    let shown: Vec<(&str, &str, &str)> = sheets
        .iter()
        .map(|(name, rows)| (*name, "visible", *rows))
        .collect();
    workbook_of(&shown)
}

/// The same, with the state of each sheet.
fn workbook_of(sheets: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut names = String::new();
    let mut links = String::new();
    let mut parts = vec![];
    for (at, (name, state, rows)) in sheets.iter().enumerate() {
        let id = at + 1;
        names.push_str(&format!(
            r#"<sheet name="{name}" sheetId="{id}" state="{state}" r:id="r{id}"/>"#
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
    parts.push(("xl/styles.xml".to_owned(), format!(r#"{HEAD}<styleSheet xmlns="{main}"><numFmts count="3"><numFmt numFmtId="164" formatCode="00000"/><numFmt numFmtId="165" formatCode="0000\-000"/><numFmt numFmtId="166" formatCode="0,000"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="49"/><xf numFmtId="9"/></cellXfs></styleSheet>"#)));
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
    let seen = ReadTranscript::of(workbook(&[("One", ROWS)]), &FormatOptions::default());
    assert_eq!(seen.codes(), "", "{:?}", seen.messages());
    assert_eq!(
        seen.rows(),
        [
            "#10927781|Åre|@2025-03-24",
            "#10900000|?true|-",
            "#N/A|-|007"
        ]
    );
    assert_eq!(seen.records[1].at.line, 4);
    assert_eq!(seen.outcome.format, ExportFormat::Xlsx);
    assert_eq!(seen.outcome.detected, ["format XLSX"]);
}

#[test]
fn covered_cells_are_absent_and_those_beyond_the_header_are_too_many() {
    let rows = format!("{ROWS}<mergeCells count=\"1\"><mergeCell ref=\"A4:C5\"/></mergeCells>");
    let seen = ReadTranscript::of(workbook(&[("One", &rows)]), &FormatOptions::default());
    assert_eq!(
        seen.rows(),
        ["#10927781|Åre|@2025-03-24", "#10900000|^|^", "^|^|^"]
    );
    let wide = ROWS.replace("C5", "D5");
    let seen = ReadTranscript::of(workbook(&[("One", &wide)]), &FormatOptions::default());
    assert_eq!(seen.codes(), "row-width 5:1");
    assert_eq!(seen.rows()[2], "!#N/A|-|-");
}

#[test]
fn a_covered_cell_knows_its_range() {
    let rows = format!("{ROWS}<mergeCells count=\"1\"><mergeCell ref=\"A4:A5\"/></mergeCells>");
    let seen = ReadTranscript::of(workbook(&[("One", &rows)]), &FormatOptions::default());
    let shape = seen.records[2].cell(0).map(|entry| entry.shape.clone());
    assert_eq!(shape, Some(CellShape::Covered("A4:A5".into())));
}

/// Builds a sheet with a header and one row, given as cells in XML.
fn one_row(cells: &str) -> String {
    format!(
        r#"<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row><row r="2">{cells}</row></sheetData>"#
    )
}

#[test]
fn a_formula_without_its_value_is_not_blank() {
    for (cell, expected) in [
        ("<c r=\"B2\"><f>A1&amp;\"x\"</f></c>", "~"),
        ("<c r=\"B2\"><f>A1</f><v></v></c>", "~"),
        ("<c r=\"B2\" t=\"str\"><f>A1</f></c>", "~"),
        ("<c r=\"B2\"><f t=\"shared\" si=\"0\"/></c>", "~"),
        // An empty text is a value, and so is a number.
        ("<c r=\"B2\" t=\"str\"><f>\"\"</f><v></v></c>", ""),
        ("<c r=\"B2\"><f>1+1</f><v>2</v></c>", "#2"),
        ("<c r=\"B2\" s=\"2\"/>", "-"),
    ] {
        let rows = one_row(&format!("<c r=\"A2\"><v>7</v></c>{cell}"));
        let seen = ReadTranscript::of(workbook(&[("One", &rows)]), &FormatOptions::default());
        assert_eq!(seen.rows(), [format!("#7|{expected}")], "{cell}");
    }
    let alone = one_row("<c r=\"A2\"><f>B1</f></c>");
    let seen = ReadTranscript::of(workbook(&[("One", &alone)]), &FormatOptions::default());
    assert_eq!(seen.rows(), ["~|-"]);
}

#[test]
fn zeros_that_a_cell_shows_are_kept_and_digits_that_it_lost_are_an_error() {
    for (cell, expected) in [
        ("<c r=\"A2\" s=\"2\"><v>42</v></c>", "#00042"),
        ("<c r=\"A2\" s=\"3\"><v>42007</v></c>", "#0042-007"),
        ("<c r=\"A2\" s=\"4\"><v>42</v></c>", "~42"),
        ("<c r=\"A2\" s=\"5\"><v>42</v></c>", "#42"),
        ("<c r=\"A2\" s=\"6\"><v>42</v></c>", "%42"),
        ("<c r=\"A2\"><v>10028.0</v></c>", "#10028"),
        (
            "<c r=\"A2\"><v>1234567890123456</v></c>",
            "~1234567890123456",
        ),
        (
            "<c r=\"A2\"><v>1.2345678901234568E+17</v></c>",
            "~123456789012345680",
        ),
        ("<c r=\"A2\"><v>0.30000000000000004</v></c>", "#0.3"),
    ] {
        let seen = ReadTranscript::of(
            workbook(&[("One", &one_row(cell))]),
            &FormatOptions::default(),
        );
        assert_eq!(seen.rows(), [format!("{expected}|-")], "{cell}");
    }
}

const OTHER: &str =
    r#"<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>x</t></is></c></row></sheetData>"#;
const NOTHING: &str = r#"<sheetData><row r="1"><c r="A1" s="2"/></row></sheetData>"#;

#[test]
fn a_sheet_is_chosen_by_name_or_number() {
    let book = workbook(&[("One", OTHER), ("Two", ROWS)]);
    let records = |sheet: SheetSelector| {
        let options = FormatOptions {
            sheet: Some(sheet),
            ..FormatOptions::default()
        };
        let seen = ReadTranscript::of(&book, &options);
        (seen.outcome.records, seen.codes(), seen.messages())
    };
    assert_eq!(records(SheetSelector::Name("Two".to_owned())).0, 3);
    assert_eq!(records(SheetSelector::Number(2)).0, 3);
    for sheet in [
        SheetSelector::Name("Three".to_owned()),
        SheetSelector::Number(3),
        SheetSelector::Number(0),
    ] {
        let (_, codes, messages) = records(sheet);
        assert_eq!(codes, "feed-not-data 0:0, cut");
        assert!(
            messages[0].ends_with("(the sheets are `One`, `Two`)"),
            "{messages:?}"
        );
    }
}

#[test]
fn without_a_choice_only_one_sheet_may_hold_data() {
    for (sheets, expected) in [
        (vec![("One", "visible", ROWS)], Ok("format XLSX")),
        (
            vec![("One", "visible", NOTHING), ("Two", "visible", ROWS)],
            Ok("sheet `Two`"),
        ),
        (
            vec![("One", "visible", ROWS), ("Codes", "hidden", OTHER)],
            Ok("sheet `One`"),
        ),
        (
            vec![("One", "visible", ROWS), ("Notes", "visible", OTHER)],
            Ok("sheet `One`"),
        ),
        (
            vec![("One", "visible", OTHER), ("Two", "visible", ROWS)],
            Err("2 sheets that hold data"),
        ),
        (
            vec![("One", "hidden", OTHER), ("Two", "visible", ROWS)],
            Err("`One`, is hidden"),
        ),
        (
            vec![("One", "veryHidden", NOTHING), ("Two", "visible", ROWS)],
            Err("`One`, is hidden"),
        ),
        (
            vec![("Instructions", "visible", OTHER), ("Two", "visible", ROWS)],
            Err("explains the other sheets"),
        ),
        (
            vec![("Läs mig", "visible", NOTHING), ("Two", "visible", ROWS)],
            Err("explains the other sheets"),
        ),
        (vec![("One", "visible", NOTHING)], Err("without a cell")),
    ] {
        let seen = ReadTranscript::of(workbook_of(&sheets), &FormatOptions::default());
        match expected {
            Ok(said) => {
                assert_eq!(seen.outcome.records, 3, "{sheets:?}");
                assert_eq!(seen.outcome.detected.last().map(String::as_str), Some(said));
            }
            Err(why) => {
                assert_eq!(seen.codes(), "feed-not-data 0:0, cut", "{sheets:?}");
                let message = &seen.messages()[0];
                assert!(message.contains(why), "{message}");
                assert!(sheets.len() == 1 || message.contains("`Two`"), "{message}");
            }
        }
    }
}

#[test]
fn rows_above_the_header_are_skipped() {
    let rows = ROWS.replace(
        "<sheetData>",
        "<sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Customers</t></is></c></row>",
    );
    let rows = rows.replacen(
        "<row r=\"1\"><c r=\"A1\" t=\"s\">",
        "<row r=\"3\"><c r=\"A3\" t=\"s\">",
        1,
    );
    let rows = rows.replace("\"B1\"", "\"B3\"").replace("\"C1\"", "\"C3\"");
    let rows = rows.replace("r=\"2\"", "r=\"4\"").replace(
        "<row r=\"4\"><c r=\"A4\"><v>1.09E+7",
        "<row r=\"6\"><c r=\"A6\"><v>1.09E+7",
    );
    let options = FormatOptions {
        first_line: 3,
        ..FormatOptions::default()
    };
    let seen = ReadTranscript::of(workbook(&[("One", &rows)]), &options);
    let names: Vec<&str> = seen.columns.names().collect();
    assert_eq!(names, ["id", "name", "since"]);
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
    let options = FormatOptions {
        trailer: Some("#EOF;{n}".to_owned()),
        ..FormatOptions::default()
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
        let seen = ReadTranscript::of(workbook(&[("One", &sheet)]), &options);
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
        let seen = ReadTranscript::of(&bytes, &FormatOptions::default());
        assert_eq!(
            seen.codes(),
            "feed-not-data 0:0, cut",
            "{:?}",
            seen.messages()
        );
    }
    let small = FormatOptions {
        limits: FormatLimits {
            unpacked: 1000,
            ..FormatLimits::default()
        },
        ..FormatOptions::default()
    };
    assert_eq!(
        ReadTranscript::of(&book, &small).codes(),
        "feed-not-data 0:0, cut"
    );
    let csv = FormatOptions {
        format: Some(ExportFormat::Csv),
        ..FormatOptions::default()
    };
    assert_eq!(
        ReadTranscript::of(&book, &csv).codes(),
        "feed-not-data 0:0, cut"
    );
    let xlsx = FormatOptions {
        format: Some(ExportFormat::Xlsx),
        ..FormatOptions::default()
    };
    assert_eq!(
        ReadTranscript::of("a;b\n", &xlsx).codes(),
        "feed-not-data 0:0, cut"
    );
}

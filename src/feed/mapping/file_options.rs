//! What a mapping says about the file as a whole: its format, header, sheet and blanks. Each
//! function checks one key and turns it into a type.

use super::CsvOptions;
use super::cell_file::MappingResult;
use crate::feed::format::{ExportFormat, FormatLimits, SheetSelector};
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns the format with this name.
pub(super) fn format(word: &str) -> MappingResult<ExportFormat> {
    match word {
        "csv" => Ok(ExportFormat::Csv),
        "json" => Ok(ExportFormat::Json),
        "jsonl" | "ndjson" => Ok(ExportFormat::Jsonl),
        "xlsx" => Ok(ExportFormat::Xlsx),
        other => Err(format!("format: `{other}`; use csv, json, jsonl or xlsx")),
    }
}

/// Checks that a header can be on that line.
pub(super) fn check_header(
    header: Option<u32>,
    format: Option<ExportFormat>,
    csv: &CsvOptions,
) -> MappingResult<()> {
    match header {
        Some(0) => Err("header: lines start at 1".to_owned()),
        Some(_) if matches!(format, Some(ExportFormat::Json | ExportFormat::Jsonl)) => {
            Err("`header:` is for CSV and XLSX; JSON has no header".to_owned())
        }
        Some(_) if !csv.names.is_empty() => Err(
            "`csv: {names: [..]}` means that there is no header; remove it or remove `header:`"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// Returns the names of columns that the header leaves blank, by position.
pub(super) fn unnamed_columns(
    numbered: BTreeMap<usize, String>,
    csv: &CsvOptions,
) -> MappingResult<Vec<String>> {
    let most = FormatLimits::default().columns;
    let mut names = Vec::new();
    for (number, name) in numbered {
        if number == 0 || number > most {
            return Err(format!(
                "unnamedColumns: {number}: columns are numbered from 1 to {most}"
            ));
        }
        names.resize(number, String::new());
        name.trim().clone_into(&mut names[number - 1]);
    }
    if names.is_empty() || csv.names.is_empty() {
        return Ok(names);
    }
    Err("`csv: {names: [..]}` means that there is no header; add the name there instead of `unnamedColumns:`".to_owned())
}

/// Returns the texts that mean a blank. A YAML null stands for all its spellings.
pub(super) fn blanks(values: &[Value]) -> MappingResult<Vec<String>> {
    let mut texts = Vec::new();
    for value in values {
        match value {
            Value::Null => texts.extend(["NULL", "null", "Null"].map(str::to_owned)),
            Value::String(text) => texts.push(text.trim().to_owned()),
            Value::Bool(_) | Value::Number(_) => texts.push(value.to_string()),
            other => return Err(format!("blanks: `{other}` is not text")),
        }
    }
    Ok(texts)
}

/// Returns a sheet by name or number.
pub(super) fn sheet(value: Value) -> MappingResult<SheetSelector> {
    let number = value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok());
    match (value, number) {
        (Value::String(name), _) if !name.is_empty() => Ok(SheetSelector::Name(name)),
        (_, Some(number)) if number > 0 => Ok(SheetSelector::Number(number)),
        (other, _) => Err(format!(
            "sheet: `{other}`; use the name of a sheet, or its number from 1"
        )),
    }
}

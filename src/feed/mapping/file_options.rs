//! What a mapping says of the file as a whole: its format, its header, its sheet, its blanks.

use super::Csv;
use super::file::Told;
use crate::feed::format::{Format, Sheet};
use serde_json::Value;

/// A format by its name.
pub(super) fn format(word: &str) -> Told<Format> {
    match word {
        "csv" => Ok(Format::Csv),
        "json" => Ok(Format::Json),
        "jsonl" | "ndjson" => Ok(Format::Jsonl),
        "xlsx" => Ok(Format::Xlsx),
        other => Err(format!(
            "format: `{other}`; there are csv, json, jsonl and xlsx"
        )),
    }
}

/// That `header` is a line that a header can be on.
pub(super) fn begins(header: Option<u32>, format: Option<Format>, csv: &Csv) -> Told<()> {
    match header {
        Some(0) => Err("header: lines are counted from 1".to_owned()),
        Some(_) if matches!(format, Some(Format::Json | Format::Jsonl)) => {
            Err("`header:` belongs to CSV and XLSX; JSON has no header".to_owned())
        }
        Some(_) if !csv.names.is_empty() => Err(
            "`csv: {names: [..]}` says that there is no header; take it out, or take `header:` out"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// The texts that stand for a blank. A word that YAML takes for null is meant in all its spellings.
pub(super) fn blanks(values: &[Value]) -> Told<Vec<String>> {
    let mut texts = Vec::new();
    for value in values {
        match value {
            Value::Null => texts.extend(["NULL", "null", "Null"].map(str::to_owned)),
            Value::String(text) => texts.push(text.trim().to_owned()),
            Value::Bool(_) | Value::Number(_) => texts.push(value.to_string()),
            other => return Err(format!("blanks: `{other}` is no text")),
        }
    }
    Ok(texts)
}

/// A sheet by its name or number.
pub(super) fn sheet(value: Value) -> Told<Sheet> {
    let number = value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok());
    match (value, number) {
        (Value::String(name), _) if !name.is_empty() => Ok(Sheet::Name(name)),
        (_, Some(number)) if number > 0 => Ok(Sheet::Number(number)),
        (other, _) => Err(format!(
            "sheet: `{other}`; write the name of a sheet, or its number from 1"
        )),
    }
}

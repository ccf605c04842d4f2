//! One cell of a mapping as written in YAML, and its conversion to a `CellMapping`. A cell is the
//! name of a column, a list of alternatives, or an object with every option spelled out.

use super::cell::{CellMapping, CellSource, ListMode, TemplatePart, TextTransform};
use super::column_reader::ColumnIndex;
use super::expression::CellExpression;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A cell in its full form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CellFile {
    column: Option<String>,
    first: Option<Vec<Value>>,
    join: Option<Vec<Value>>,
    with: Option<String>,
    template: Option<String>,
    constant: Option<Value>,
    expression: Option<String>,
    values: Option<BTreeMap<String, Value>>,
    otherwise: Option<UnknownValuePolicy>,
    #[serde(default)]
    lower: bool,
    #[serde(default)]
    upper: bool,
    without: Option<String>,
    pad: Option<usize>,
    #[serde(default)]
    unpad: bool,
    split: Option<String>,
    part: Option<usize>,
    #[serde(default)]
    number: bool,
    #[serde(default)]
    date: bool,
    list: Option<ListMode>,
}

/// What happens to a text that is not in `values`.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UnknownValuePolicy {
    Keep,
    Error,
}

/// The columns of a mapping by name, found or added.
#[derive(Default)]
pub(super) struct MappingColumns {
    pub columns: Vec<Vec<String>>,
}

impl MappingColumns {
    pub fn column(&mut self, name: &str) -> ColumnIndex {
        let found = self
            .columns
            .iter()
            .position(|names| names[0].eq_ignore_ascii_case(name));
        ColumnIndex(found.unwrap_or_else(|| {
            self.columns.push(vec![name.to_owned()]);
            self.columns.len() - 1
        }))
    }
}

/// Reads a cell: the name of a column, a list of cells of which the first that is not blank counts,
/// or the full form.
pub(super) fn cell(value: Value, names: &mut MappingColumns) -> MappingResult<CellMapping> {
    match value {
        Value::String(name) => Ok(CellMapping::column(names.column(&name))),
        Value::Array(cells) => Ok(CellMapping::from_source(CellSource::First(all(
            cells, names,
        )?))),
        value @ Value::Object(_) => {
            let file: CellFile =
                serde_json::from_value(value).map_err(|error| error.to_string())?;
            file.resolve(names)
        }
        other => Err(format!(
            "`{other}` is not a column; write a constant as `{{constant: {other}}}`"
        )),
    }
}

fn all(cells: Vec<Value>, names: &mut MappingColumns) -> MappingResult<Vec<CellMapping>> {
    cells.into_iter().map(|value| cell(value, names)).collect()
}

impl CellFile {
    fn resolve(mut self, names: &mut MappingColumns) -> MappingResult<CellMapping> {
        let take = self.take(names)?;
        let mut cell = CellMapping::from_source(take);
        cell.rejects_unknown = self.otherwise == Some(UnknownValuePolicy::Error);
        cell.list = self.list;
        let mut booleans = [None, None];
        for (word, stands) in self.values.take().unwrap_or_default() {
            // YAML reads `yes` as text here but `true` and `5` as values. All of them stand for
            // their text.
            let stands = match stands {
                Value::Null => None,
                Value::String(text) => Some(text),
                Value::Bool(value) => Some(value.to_string()),
                Value::Number(number) => Some(number.to_string()),
                _ => return Err(format!("values: {word}: expected one value")),
            };
            match word.as_str() {
                "true" => booleans[1] = Some(stands),
                "false" => booleans[0] = Some(stands),
                // Compared in lower case, as exports change the case of codes; the spelling is kept
                // for messages.
                _ => {
                    let (word, folded) = (word.trim(), word.trim().to_lowercase());
                    if folded != word {
                        cell.spelled.insert(folded.clone(), word.to_owned());
                    }
                    cell.values.insert(folded, stands);
                }
            }
        }
        cell.booleans = match booleans {
            [None, None] => None,
            [Some(off), Some(on)] => Some([off, on]),
            // With one of two meanings given, the other would silently be read as text. The two
            // must be decided together.
            _ => {
                return Err(
                    "polarity-unpinned: `values` maps only one of true and false; map both, with `null` for no value"
                        .to_owned(),
                );
            }
        };
        cell.steps = self.steps()?;
        Ok(cell)
    }

    fn take(&mut self, names: &mut MappingColumns) -> MappingResult<CellSource> {
        let mut takes = Vec::new();
        takes.extend(
            self.column
                .take()
                .map(|name| CellSource::Column(names.column(&name))),
        );
        if let Some(cells) = self.first.take() {
            takes.push(CellSource::First(all(cells, names)?));
        }
        if let Some(cells) = self.join.take() {
            let with = self.with.take().unwrap_or_else(|| " ".to_owned());
            takes.push(CellSource::Join(all(cells, names)?, with));
        }
        if let Some(text) = self.template.take() {
            takes.push(CellSource::Template(parts(&text, names)?));
        }
        takes.extend(self.constant.take().map(|value| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            CellSource::Constant(text)
        }));
        if let Some(text) = self.expression.take() {
            takes.push(CellSource::Expression(Box::new(CellExpression::new(
                &text,
            )?)));
        }
        // Several sources in one cell would need an order of precedence that nobody could guess.
        let one = takes.len() == 1;
        takes.pop().filter(|_| one).ok_or_else(|| {
            "give exactly one of `column`, `first`, `join`, `template`, `constant` and `expression`".to_owned()
        })
    }

    fn steps(&mut self) -> MappingResult<Vec<TextTransform>> {
        let part = match (self.split.take(), self.part) {
            (Some(separator), part) if !separator.is_empty() => {
                Some(TextTransform::Part(separator, part.unwrap_or(0)))
            }
            (None, None) => None,
            _ => {
                return Err(
                    "`part` is the number, from 0, of a part that `split` separates".to_owned(),
                );
            }
        };
        // The order in which the steps are applied, whatever their order in the file. It is
        // documented, so changing it changes what mappings mean.
        let steps = [
            part,
            self.without.take().map(TextTransform::Without),
            self.unpad.then_some(TextTransform::Unpad),
            self.pad.map(TextTransform::Pad),
            self.lower.then_some(TextTransform::Lower),
            self.upper.then_some(TextTransform::Upper),
            self.number.then_some(TextTransform::Number),
            self.date.then_some(TextTransform::Date),
        ];
        Ok(steps.into_iter().flatten().collect())
    }
}

/// Splits a template into text and `{column}`.
fn parts(text: &str, names: &mut MappingColumns) -> MappingResult<Vec<TemplatePart>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(format!("`{text}`: a `{{` is not closed"));
        };
        if !before.is_empty() {
            parts.push(TemplatePart::Text(before.to_owned()));
        }
        parts.push(TemplatePart::Column(names.column(name.trim())));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(TemplatePart::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// What was read, or a message about what is wrong.
pub(super) type MappingResult<T> = Result<T, String>;

/// Reads a value that may also be a list of values.
pub(super) fn one_or_many<T: for<'de> Deserialize<'de>>(
    name: &str,
    value: Option<Value>,
) -> MappingResult<Vec<T>> {
    let all = match value {
        None => Vec::new(),
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
    };
    let read = all.into_iter().map(serde_json::from_value);
    let read: Result<_, serde_json::Error> = read.collect();
    read.map_err(|error| format!("{name}: {error}"))
}

//! One cell of a mapping as written.

use super::cell::{Cell, Column, List, Part, Step, Take};
use super::expression::Expression;
use super::file::Told;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One cell, as written in full.
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
    otherwise: Option<Otherwise>,
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
    list: Option<List>,
}

/// What becomes of a text that `values` does not know.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Otherwise {
    Keep,
    Error,
}

/// Columns by name, found or added.
#[derive(Default)]
pub(super) struct Names {
    pub columns: Vec<Vec<String>>,
}

impl Names {
    pub fn column(&mut self, name: &str) -> Column {
        let found = self
            .columns
            .iter()
            .position(|names| names[0].eq_ignore_ascii_case(name));
        Column(found.unwrap_or_else(|| {
            self.columns.push(vec![name.to_owned()]);
            self.columns.len() - 1
        }))
    }
}

/// A cell: the name of a column, several of which the first that says something counts, or in full.
pub(super) fn cell(value: Value, names: &mut Names) -> Told<Cell> {
    match value {
        Value::String(name) => Ok(Cell::column(names.column(&name))),
        Value::Array(cells) => Ok(Cell::of(Take::First(all(cells, names)?))),
        value @ Value::Object(_) => {
            let file: CellFile =
                serde_json::from_value(value).map_err(|error| error.to_string())?;
            file.resolve(names)
        }
        other => Err(format!(
            "`{other}` is no column; a constant is written `{{constant: {other}}}`"
        )),
    }
}

fn all(cells: Vec<Value>, names: &mut Names) -> Told<Vec<Cell>> {
    cells.into_iter().map(|value| cell(value, names)).collect()
}

impl CellFile {
    fn resolve(mut self, names: &mut Names) -> Told<Cell> {
        let take = self.take(names)?;
        let mut cell = Cell::of(take);
        cell.closed = self.otherwise == Some(Otherwise::Error);
        cell.list = self.list;
        let mut booleans = [None, None];
        for (word, stands) in self.values.take().unwrap_or_default() {
            let stands = match stands {
                Value::Null => None,
                Value::String(text) => Some(text),
                Value::Bool(value) => Some(value.to_string()),
                Value::Number(number) => Some(number.to_string()),
                _ => return Err(format!("values: {word}: one value belongs there")),
            };
            match word.as_str() {
                "true" => booleans[1] = Some(stands),
                "false" => booleans[0] = Some(stands),
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
            _ => {
                return Err(
                    "polarity-unpinned: `values` says what one of true and false stands for; say both, `null` for nothing"
                        .to_owned(),
                );
            }
        };
        cell.steps = self.steps()?;
        Ok(cell)
    }

    fn take(&mut self, names: &mut Names) -> Told<Take> {
        let mut takes = Vec::new();
        takes.extend(
            self.column
                .take()
                .map(|name| Take::Column(names.column(&name))),
        );
        if let Some(cells) = self.first.take() {
            takes.push(Take::First(all(cells, names)?));
        }
        if let Some(cells) = self.join.take() {
            let with = self.with.take().unwrap_or_else(|| " ".to_owned());
            takes.push(Take::Join(all(cells, names)?, with));
        }
        if let Some(text) = self.template.take() {
            takes.push(Take::Template(parts(&text, names)?));
        }
        takes.extend(self.constant.take().map(|value| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            Take::Constant(text)
        }));
        if let Some(text) = self.expression.take() {
            takes.push(Take::Expression(Box::new(Expression::new(&text)?)));
        }
        let one = takes.len() == 1;
        takes.pop().filter(|_| one).ok_or_else(|| {
            "give exactly one of `column`, `first`, `join`, `template`, `constant` and `expression`".to_owned()
        })
    }

    fn steps(&mut self) -> Told<Vec<Step>> {
        let part = match (self.split.take(), self.part) {
            (Some(separator), part) if !separator.is_empty() => {
                Some(Step::Part(separator, part.unwrap_or(0)))
            }
            (None, None) => None,
            _ => {
                return Err(
                    "`part` is the number, from 0, of a part that `split` separates".to_owned(),
                );
            }
        };
        let steps = [
            part,
            self.without.take().map(Step::Without),
            self.unpad.then_some(Step::Unpad),
            self.pad.map(Step::Pad),
            self.lower.then_some(Step::Lower),
            self.upper.then_some(Step::Upper),
            self.number.then_some(Step::Number),
            self.date.then_some(Step::Date),
        ];
        Ok(steps.into_iter().flatten().collect())
    }
}

/// `{column}` within text.
fn parts(text: &str, names: &mut Names) -> Told<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(format!("`{text}`: a `{{` is not closed"));
        };
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Column(names.column(name.trim())));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

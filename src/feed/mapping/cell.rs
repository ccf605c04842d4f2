//! One mapped cell: from which columns a text comes and how it is converted. `CellMapping::read` is
//! the heart of it: source, then `values`, then the steps in order. It works on any `ColumnReader`,
//! so that formats are of no concern here.

use super::column_reader::{CellContent, ColumnIndex, ColumnReader};
use super::expression::CellExpression;
use super::locale::{ExportLocale, trimmed};
use crate::diagnostic::codes;
use crate::kinds::read::{ValueProblem, quoted};
use crate::model::{CompactText, LineColumn};
use std::collections::BTreeMap;

/// How a text is built from a record.
#[derive(Debug)]
pub struct CellMapping {
    pub take: CellSource,
    /// Replacements by text in lower case. The key `""` is for blanks.
    pub values: BTreeMap<String, Option<String>>,
    /// The keys of `values` as the mapping spells them, if not in lower case.
    pub spelled: BTreeMap<String, String>,
    /// What false and true are replaced by.
    pub booleans: Option<[Option<String>; 2]>,
    /// Whether a text that is not in `values` is an error.
    pub rejects_unknown: bool,
    /// The conversions that follow, in order.
    pub steps: Vec<TextTransform>,
    /// How the cell feeds a list, if it does.
    pub list: Option<ListMode>,
}

#[derive(Debug)]
pub enum CellSource {
    /// A column, or a path into a JSON object.
    Column(ColumnIndex),
    /// The first of several cells that is not blank.
    First(Vec<CellMapping>),
    /// Several cells, without the blank ones.
    Join(Vec<CellMapping>, String),
    /// Text with columns in it. Blank if one of them is blank.
    Template(Vec<TemplatePart>),
    /// A fixed text.
    Constant(String),
    /// A computed text.
    Expression(Box<CellExpression>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TemplatePart {
    Text(String),
    /// The text of a column.
    Column(ColumnIndex),
}

/// A conversion of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextTransform {
    Lower,
    Upper,
    /// Removes this prefix.
    Without(String),
    /// Adds zeros in front, up to this length.
    Pad(usize),
    /// Removes zeros in front.
    Unpad,
    /// Takes the part with this number, from 0, between separators. Blank if there are fewer.
    Part(String, usize),
    /// Reads a number as the export writes it.
    Number,
    /// Reads a date as the export writes it.
    Date,
}

/// How a cell feeds a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListMode {
    /// The members replace the stored ones.
    Replace,
    /// The members are added. Those that the source named before and no longer names are removed.
    Add,
    /// Every row names some members. Those of all rows of a resource together replace the stored
    /// ones.
    Rows,
}

impl CellMapping {
    /// Takes the text of a column unchanged.
    pub fn column(column: ColumnIndex) -> Self {
        Self::from_source(CellSource::Column(column))
    }

    /// Takes a text from this source, without conversions.
    pub fn from_source(take: CellSource) -> Self {
        Self {
            take,
            values: BTreeMap::new(),
            spelled: BTreeMap::new(),
            booleans: None,
            rejects_unknown: false,
            steps: Vec::new(),
            list: None,
        }
    }

    /// The columns that the cell reads. Those of an expression are unknown.
    pub fn columns(&self) -> Vec<ColumnIndex> {
        match &self.take {
            CellSource::Column(column) => vec![*column],
            CellSource::First(cells) | CellSource::Join(cells, _) => {
                cells.iter().flat_map(Self::columns).collect()
            }
            CellSource::Template(parts) => parts.iter().filter_map(TemplatePart::column).collect(),
            CellSource::Constant(_) | CellSource::Expression(_) => Vec::new(),
        }
    }

    /// Reads the cell from a record.
    pub fn read(
        &self,
        record: &dyn ColumnReader,
        words: &ExportLocale,
    ) -> Result<CellContent, (ValueProblem, LineColumn)> {
        let taken = self.read_source(record, words)?;
        let (text, at) = match taken {
            CellContent::Absent => return Ok(CellContent::Absent),
            CellContent::List(members, at) => {
                let done = members
                    .iter()
                    .map(|member| self.transform(member, at, words));
                let done: Vec<Option<CompactText>> = done.collect::<Result<_, _>>()?;
                return Ok(CellContent::List(done.into_iter().flatten().collect(), at));
            }
            // `values: {"": active}` gives blanks a meaning, which is the only way in which a blank
            // can set a field.
            CellContent::Blank(at) => match self.values.get("") {
                Some(Some(stands)) => (CompactText::new(stands), at),
                _ => return Ok(CellContent::Blank(at)),
            },
            CellContent::Text(text, at) if self.list.is_some() => {
                let members = words.members(&text).into_iter();
                let members = members.filter(|member| !member.is_empty());
                let done = members.map(|member| self.transform(&member, at, words));
                let done: Vec<Option<CompactText>> = done.collect::<Result<_, _>>()?;
                return Ok(CellContent::List(done.into_iter().flatten().collect(), at));
            }
            CellContent::Text(text, at) => {
                return Ok(match self.transform(&text, at, words)? {
                    Some(text) => CellContent::Text(text, at),
                    None => CellContent::Blank(at),
                });
            }
        };
        Ok(CellContent::Text(text, at))
    }

    /// Reads the source. `values` and the steps come after it, so that they also apply to joined and
    /// computed texts.
    fn read_source(
        &self,
        record: &dyn ColumnReader,
        words: &ExportLocale,
    ) -> Result<CellContent, (ValueProblem, LineColumn)> {
        match &self.take {
            CellSource::Column(column) => Ok(trim_content(record.content(*column)?)),
            CellSource::Constant(text) => {
                Ok(CellContent::Text(CompactText::new(text), record.at()))
            }
            CellSource::First(cells) => {
                // If none has a text, a blank wins over an absent column: it is evidence that the
                // export has the column.
                let mut first = CellContent::Absent;
                for cell in cells {
                    let said = cell.read(record, words)?;
                    match said {
                        CellContent::Text(..) | CellContent::List(..) => return Ok(said),
                        CellContent::Blank(_) => first = said,
                        CellContent::Absent => {}
                    }
                }
                Ok(first)
            }
            CellSource::Join(cells, with) => joined(cells, with, record, words),
            CellSource::Template(parts) => filled(parts, record),
            CellSource::Expression(expression) => {
                let at = record.at();
                let text = expression.evaluate(record).map_err(|fault| (fault, at))?;
                Ok(trim_content(CellContent::Text(text, at)))
            }
        }
    }

    /// Converts a text. `None` is a blank.
    fn transform(
        &self,
        text: &str,
        at: LineColumn,
        words: &ExportLocale,
    ) -> Result<Option<CompactText>, (ValueProblem, LineColumn)> {
        let Some(text) = self.map_value(text, at, words)? else {
            return Ok(None);
        };
        let mut text = text;
        for step in &self.steps {
            match step.apply(&text, words).map_err(|fault| (fault, at))? {
                // A step may leave nothing, for example a part that the text does not have.
                Some(next) if !trimmed(&next).is_empty() => text = next,
                _ => return Ok(None),
            }
        }
        Ok(Some(text))
    }

    /// Replaces a text by what the mapping says it means. `values` wins over the words for booleans, so
    /// that a mapping can give `X` its own meaning.
    fn map_value(
        &self,
        text: &str,
        at: LineColumn,
        words: &ExportLocale,
    ) -> Result<Option<CompactText>, (ValueProblem, LineColumn)> {
        if !self.values.is_empty()
            && let Some(stands) = self.values.get(&text.to_lowercase())
        {
            return Ok(stands.as_deref().map(CompactText::new));
        }
        if let Some(booleans) = &self.booleans {
            let Some(value) = words.boolean(text) else {
                let message = format!("{} is neither true nor false", quoted(text));
                let fault = ValueProblem::new(codes::BOOL, message).help(format!(
                    "use one of {}, or add the word to `booleans:` of the mapping",
                    [&*words.truths, &*words.falsehoods].concat().join(", ")
                ));
                return Err((fault, at));
            };
            return Ok(booleans[usize::from(value)]
                .as_deref()
                .map(CompactText::new));
        }
        // Without `otherwise: error` an unknown text passes unchanged, and the type of the field
        // decides.
        if self.rejects_unknown {
            let known = self.values.keys().filter(|key| !key.is_empty());
            let known = known.map(|key| self.spelled.get(key).unwrap_or(key).as_str());
            let known: Vec<&str> = known.collect();
            let message = format!("{} is not one of {}", quoted(text), known.join(", "));
            let fault = ValueProblem::new(codes::ENUM, message)
                .help("correct it in the export, or add it to `values:` of the mapping");
            return Err((fault, at));
        }
        Ok(Some(CompactText::new(text)))
    }
}

impl TemplatePart {
    pub fn column(&self) -> Option<ColumnIndex> {
        match self {
            Self::Column(column) => Some(*column),
            Self::Text(_) => None,
        }
    }
}

impl TextTransform {
    fn apply(&self, text: &str, words: &ExportLocale) -> Result<Option<CompactText>, ValueProblem> {
        Ok(Some(match self {
            Self::Lower => text.to_lowercase().into(),
            Self::Upper => text.to_uppercase().into(),
            Self::Without(before) => {
                trimmed(text.strip_prefix(before.as_str()).unwrap_or(text)).into()
            }
            Self::Pad(width) => {
                let missing = width.saturating_sub(text.chars().count());
                CompactText::from("0".repeat(missing) + text)
            }
            // An id of zeros only would become blank; `0` keeps it an id.
            Self::Unpad => match text.trim_start_matches('0') {
                "" => "0".into(),
                rest => rest.into(),
            },
            Self::Part(separator, index) => {
                let part = text.split(separator.as_str()).nth(*index);
                return Ok(part.map(trimmed).map(CompactText::new));
            }
            Self::Number => words.number(text)?.into(),
            Self::Date => return Ok(words.date(text)?.map(CompactText::from)),
        }))
    }
}

/// Trims the text. Only spaces are a blank.
fn trim_content(said: CellContent) -> CellContent {
    match said {
        CellContent::Text(text, at) => {
            let tidy = trimmed(&text);
            if tidy.is_empty() {
                CellContent::Blank(at)
            } else if tidy.len() == text.len() {
                CellContent::Text(text, at)
            } else {
                CellContent::Text(CompactText::new(tidy), at)
            }
        }
        // An empty array is blank.
        CellContent::List(members, at) if members.is_empty() => CellContent::Blank(at),
        said => said,
    }
}

fn joined(
    cells: &[CellMapping],
    with: &str,
    record: &dyn ColumnReader,
    words: &ExportLocale,
) -> Result<CellContent, (ValueProblem, LineColumn)> {
    let mut joined: Option<(String, LineColumn)> = None;
    let mut blank = CellContent::Absent;
    for cell in cells {
        match (cell.read(record, words)?, &mut joined) {
            (CellContent::Text(text, at), None) => joined = Some((text.into(), at)),
            (CellContent::Text(text, _), Some((whole, _))) => {
                whole.push_str(with);
                whole.push_str(&text);
            }
            // Remembered for the case that all are blank: the result is then blank, not absent.
            (said @ CellContent::Blank(_), _) => blank = said,
            (CellContent::Absent | CellContent::List(..), _) => {}
        }
    }
    Ok(joined.map_or(blank, |(text, at)| CellContent::Text(text.into(), at)))
}

fn filled(
    parts: &[TemplatePart],
    record: &dyn ColumnReader,
) -> Result<CellContent, (ValueProblem, LineColumn)> {
    let mut text = String::new();
    let mut at = record.at();
    for part in parts {
        match part {
            TemplatePart::Text(literal) => text.push_str(literal),
            TemplatePart::Column(column) => match trim_content(record.content(*column)?) {
                CellContent::Text(value, stands) => {
                    text.push_str(&value);
                    at = stands;
                }
                // A template with a hole, such as `-main`, would give every customer without a
                // number the same id.
                said => return Ok(said),
            },
        }
    }
    Ok(CellContent::Text(text.into(), at))
}

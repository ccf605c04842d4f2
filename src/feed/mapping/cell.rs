//! What one field is made of: columns, and what is done to them.

use super::expression::CellExpression;
use super::locale::{ExportLocale, trimmed};
use crate::diagnostic::codes;
use crate::kinds::read::{ValueProblem, quoted};
use crate::model::{CompactText, LineColumn};
use std::collections::BTreeMap;

/// A column of the mapping: its place in [`super::Mapping::columns`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ColumnIndex(pub usize);

/// How a text is made of a record.
#[derive(Debug)]
pub struct CellMapping {
    /// Where it comes from.
    pub take: CellSource,
    /// What stands for what, by text in lower case; `""` is a blank.
    pub values: BTreeMap<String, Option<String>>,
    /// How the mapping spells them, where that is not in lower case.
    pub spelled: BTreeMap<String, String>,
    /// What booleans stand for: false, true.
    pub booleans: Option<[Option<String>; 2]>,
    /// Whether a text that `values` does not know is a mistake.
    pub rejects_unknown: bool,
    /// What is done to it after that, in order.
    pub steps: Vec<TextTransform>,
    /// Whether a list is fed by it, and how.
    pub list: Option<ListMode>,
}

/// Where a text comes from.
#[derive(Debug)]
pub enum CellSource {
    /// A column, or a path into the object.
    Column(ColumnIndex),
    /// The first of several that is not blank.
    First(Vec<CellMapping>),
    /// Several, those that are blank left out.
    Join(Vec<CellMapping>, String),
    /// Text with columns in it; blank when one of them is.
    Template(Vec<TemplatePart>),
    /// Always the same.
    Constant(String),
    /// Computed.
    Expression(Box<CellExpression>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TemplatePart {
    /// As it stands.
    Text(String),
    /// What a column holds.
    Column(ColumnIndex),
}

/// What is done to a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextTransform {
    /// In small letters.
    Lower,
    /// In capitals.
    Upper,
    /// Without this before it.
    Without(String),
    /// Zeros before it, up to so many characters.
    Pad(usize),
    /// Without the zeros before it.
    Unpad,
    /// One of the parts that this separates, from 0; blank when there are fewer.
    Part(String, usize),
    /// A number in the words of the export.
    Number,
    /// A day in the words of the export.
    Date,
}

/// How a list is fed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListMode {
    /// The members take the place of what is stored.
    Replace,
    /// The members come to what is stored; those that the source named before and no longer names go.
    Add,
    /// Every row names some; those of all rows of a resource together are the whole list.
    Rows,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CellContent {
    /// Nothing: the column or key is not there.
    Absent,
    /// A blank, and where.
    Blank(LineColumn),
    /// A text that is not blank, and where.
    Text(CompactText, LineColumn),
    /// Several texts that are written as a list, and where.
    List(Vec<CompactText>, LineColumn),
}

/// What cells are made from.
pub trait ColumnReader {
    /// What a column holds.
    fn content(&self, column: ColumnIndex) -> Result<CellContent, (ValueProblem, LineColumn)>;
    /// The name of a column, as the export writes it.
    fn name(&self, column: ColumnIndex) -> &str;
    /// All columns with what they hold, for expressions.
    fn all_texts(&self) -> BTreeMap<String, String>;
    /// Where the record stands.
    fn at(&self) -> LineColumn;
}

impl CellMapping {
    /// The text of a column as it stands.
    pub fn column(column: ColumnIndex) -> Self {
        Self::from_source(CellSource::Column(column))
    }

    /// Made of this alone.
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

    /// The columns it looks at; those of an expression are not known.
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

    /// What a record says here.
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

    /// What becomes of a text; `None`: a blank.
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
                Some(next) if !trimmed(&next).is_empty() => text = next,
                _ => return Ok(None),
            }
        }
        Ok(Some(text))
    }

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

/// Without the spaces around it; what is nothing but spaces is blank.
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
                said => return Ok(said),
            },
        }
    }
    Ok(CellContent::Text(text.into(), at))
}

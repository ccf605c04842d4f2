//! What one field is made of: columns, and what is done to them.

use super::expression::Expression;
use super::words::{Words, trimmed};
use crate::diagnostic::codes;
use crate::kinds::read::{Fault, quoted};
use crate::model::{Pos, Text};
use std::collections::BTreeMap;

/// A column of the mapping: its place in [`super::Mapping::columns`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Column(pub usize);

/// How a text is made of a record.
#[derive(Debug)]
pub struct Cell {
    /// Where it comes from.
    pub take: Take,
    /// What stands for what, by text in lower case; `""` is a blank.
    pub values: BTreeMap<String, Option<String>>,
    /// How the mapping spells them, where that is not in lower case.
    pub spelled: BTreeMap<String, String>,
    /// What booleans stand for: false, true.
    pub booleans: Option<[Option<String>; 2]>,
    /// Whether a text that `values` does not know is a mistake.
    pub closed: bool,
    /// What is done to it after that, in order.
    pub steps: Vec<Step>,
    /// Whether a list is fed by it, and how.
    pub list: Option<List>,
}

/// Where a text comes from.
#[derive(Debug)]
pub enum Take {
    /// A column, or a path into the object.
    Column(Column),
    /// The first of several that is not blank.
    First(Vec<Cell>),
    /// Several, those that are blank left out.
    Join(Vec<Cell>, String),
    /// Text with columns in it; blank when one of them is.
    Template(Vec<Part>),
    /// Always the same.
    Constant(String),
    /// Computed.
    Expression(Box<Expression>),
}

/// A part of a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// What a column holds.
    Column(Column),
}

/// What is done to a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
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
pub enum List {
    /// The members take the place of what is stored.
    Replace,
    /// The members come to what is stored; those that the source named before and no longer names go.
    Add,
    /// Every row names some; those of all rows of a resource together are the whole list.
    Rows,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// Nothing: the column or key is not there.
    Absent,
    /// A blank, and where.
    Blank(Pos),
    /// A text that is not blank, and where.
    Text(Text, Pos),
    /// Several texts that are written as a list, and where.
    List(Vec<Text>, Pos),
}

/// What cells are made from.
pub trait Source {
    /// What a column holds.
    ///
    /// # Errors
    /// Why that cannot be known, and where it stands.
    fn said(&self, column: Column) -> Result<Said, (Fault, Pos)>;
    /// The name of a column, as the export writes it.
    fn name(&self, column: Column) -> &str;
    /// All columns with what they hold, for expressions.
    fn all(&self) -> BTreeMap<String, String>;
    /// Where the record stands.
    fn at(&self) -> Pos;
}

impl Cell {
    /// The text of a column as it stands.
    pub fn column(column: Column) -> Self {
        Self::of(Take::Column(column))
    }

    /// Made of this alone.
    pub fn of(take: Take) -> Self {
        Self {
            take,
            values: BTreeMap::new(),
            spelled: BTreeMap::new(),
            booleans: None,
            closed: false,
            steps: Vec::new(),
            list: None,
        }
    }

    /// The columns it looks at; those of an expression are not known.
    pub fn columns(&self) -> Vec<Column> {
        match &self.take {
            Take::Column(column) => vec![*column],
            Take::First(cells) | Take::Join(cells, _) => {
                cells.iter().flat_map(Self::columns).collect()
            }
            Take::Template(parts) => parts.iter().filter_map(Part::column).collect(),
            Take::Constant(_) | Take::Expression(_) => Vec::new(),
        }
    }

    /// What a record says here.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn said(&self, record: &dyn Source, words: &Words) -> Result<Said, (Fault, Pos)> {
        let taken = self.taken(record, words)?;
        let (text, at) = match taken {
            Said::Absent => return Ok(Said::Absent),
            Said::List(members, at) => {
                let done = members.iter().map(|member| self.done(member, at, words));
                let done: Vec<Option<Text>> = done.collect::<Result<_, _>>()?;
                return Ok(Said::List(done.into_iter().flatten().collect(), at));
            }
            Said::Blank(at) => match self.values.get("") {
                Some(Some(stands)) => (Text::new(stands), at),
                _ => return Ok(Said::Blank(at)),
            },
            Said::Text(text, at) if self.list.is_some() => {
                let members = words.members(&text).into_iter();
                let members = members.filter(|member| !member.is_empty());
                let done = members.map(|member| self.done(&member, at, words));
                let done: Vec<Option<Text>> = done.collect::<Result<_, _>>()?;
                return Ok(Said::List(done.into_iter().flatten().collect(), at));
            }
            Said::Text(text, at) => {
                return Ok(match self.done(&text, at, words)? {
                    Some(text) => Said::Text(text, at),
                    None => Said::Blank(at),
                });
            }
        };
        Ok(Said::Text(text, at))
    }

    fn taken(&self, record: &dyn Source, words: &Words) -> Result<Said, (Fault, Pos)> {
        match &self.take {
            Take::Column(column) => Ok(tidied(record.said(*column)?)),
            Take::Constant(text) => Ok(Said::Text(Text::new(text), record.at())),
            Take::First(cells) => {
                let mut first = Said::Absent;
                for cell in cells {
                    let said = cell.said(record, words)?;
                    match said {
                        Said::Text(..) | Said::List(..) => return Ok(said),
                        Said::Blank(_) => first = said,
                        Said::Absent => {}
                    }
                }
                Ok(first)
            }
            Take::Join(cells, with) => joined(cells, with, record, words),
            Take::Template(parts) => filled(parts, record),
            Take::Expression(expression) => {
                let at = record.at();
                let text = expression.evaluate(record).map_err(|fault| (fault, at))?;
                Ok(tidied(Said::Text(text, at)))
            }
        }
    }

    /// What becomes of a text; `None`: a blank.
    fn done(&self, text: &str, at: Pos, words: &Words) -> Result<Option<Text>, (Fault, Pos)> {
        let Some(text) = self.stands_for(text, at, words)? else {
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

    fn stands_for(&self, text: &str, at: Pos, words: &Words) -> Result<Option<Text>, (Fault, Pos)> {
        if !self.values.is_empty()
            && let Some(stands) = self.values.get(&text.to_lowercase())
        {
            return Ok(stands.as_deref().map(Text::new));
        }
        if let Some(booleans) = &self.booleans {
            let Some(value) = words.boolean(text) else {
                let message = format!("{} is neither true nor false", quoted(text));
                let fault = Fault::new(codes::BOOL, message).help(format!(
                    "write one of {}; other words go into the mapping's `booleans:`",
                    [&*words.truths, &*words.falsehoods].concat().join(", ")
                ));
                return Err((fault, at));
            };
            return Ok(booleans[usize::from(value)].as_deref().map(Text::new));
        }
        if self.closed {
            let known = self.values.keys().filter(|key| !key.is_empty());
            let known = known.map(|key| self.spelled.get(key).unwrap_or(key).as_str());
            let known: Vec<&str> = known.collect();
            let message = format!("{} is not one of {}", quoted(text), known.join(", "));
            let fault = Fault::new(codes::ENUM, message)
                .help("correct it there, or add it to `values:` of the mapping");
            return Err((fault, at));
        }
        Ok(Some(Text::new(text)))
    }
}

impl Part {
    /// The column that it is.
    pub fn column(&self) -> Option<Column> {
        match self {
            Self::Column(column) => Some(*column),
            Self::Text(_) => None,
        }
    }
}

impl Step {
    fn apply(&self, text: &str, words: &Words) -> Result<Option<Text>, Fault> {
        Ok(Some(match self {
            Self::Lower => text.to_lowercase().into(),
            Self::Upper => text.to_uppercase().into(),
            Self::Without(before) => {
                trimmed(text.strip_prefix(before.as_str()).unwrap_or(text)).into()
            }
            Self::Pad(width) => {
                let missing = width.saturating_sub(text.chars().count());
                Text::from("0".repeat(missing) + text)
            }
            Self::Unpad => match text.trim_start_matches('0') {
                "" => "0".into(),
                rest => rest.into(),
            },
            Self::Part(separator, index) => {
                let part = text.split(separator.as_str()).nth(*index);
                return Ok(part.map(trimmed).map(Text::new));
            }
            Self::Number => words.number(text)?.into(),
            Self::Date => return Ok(words.date(text)?.map(Text::from)),
        }))
    }
}

/// Without the spaces around it; what is nothing but spaces is blank.
fn tidied(said: Said) -> Said {
    match said {
        Said::Text(text, at) => {
            let tidy = trimmed(&text);
            if tidy.is_empty() {
                Said::Blank(at)
            } else if tidy.len() == text.len() {
                Said::Text(text, at)
            } else {
                Said::Text(Text::new(tidy), at)
            }
        }
        // An empty array is blank.
        Said::List(members, at) if members.is_empty() => Said::Blank(at),
        said => said,
    }
}

fn joined(
    cells: &[Cell],
    with: &str,
    record: &dyn Source,
    words: &Words,
) -> Result<Said, (Fault, Pos)> {
    let mut joined: Option<(String, Pos)> = None;
    let mut blank = Said::Absent;
    for cell in cells {
        match (cell.said(record, words)?, &mut joined) {
            (Said::Text(text, at), None) => joined = Some((text.into(), at)),
            (Said::Text(text, _), Some((whole, _))) => {
                whole.push_str(with);
                whole.push_str(&text);
            }
            (said @ Said::Blank(_), _) => blank = said,
            (Said::Absent | Said::List(..), _) => {}
        }
    }
    Ok(joined.map_or(blank, |(text, at)| Said::Text(text.into(), at)))
}

fn filled(parts: &[Part], record: &dyn Source) -> Result<Said, (Fault, Pos)> {
    let mut text = String::new();
    let mut at = record.at();
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Column(column) => match tidied(record.said(*column)?) {
                Said::Text(value, stands) => {
                    text.push_str(&value);
                    at = stands;
                }
                said => return Ok(said),
            },
        }
    }
    Ok(Said::Text(text.into(), at))
}

//! Rows on their way into a table: each value goes straight into the form in which the engine
//! takes it, without a copy of the row in between.

use super::copy;
use super::param::{Param, iso};
use crate::model::Text;
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use std::sync::Arc;

/// A value that is lent for as long as its row takes to be written.
#[derive(Debug)]
pub(super) enum Lent<'a> {
    /// No value.
    Null,
    /// A number.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A moment, in milliseconds since 1970.
    Time(i64),
    /// One of the program's own words, the same in many rows.
    Word(&'static str),
    /// A text that is the same in many rows.
    Shared(&'a Arc<str>),
    /// Text or an external id.
    Text(&'a str),
    /// A text that was made for this row.
    Made(String),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl From<i64> for Lent<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a Text> for Lent<'a> {
    fn from(text: &'a Text) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Param> for Lent<'a> {
    fn from(param: &'a Param) -> Self {
        match param {
            Param::Null => Self::Null,
            Param::Int(value) => Self::Int(*value),
            Param::Text(text) => Self::Text(text),
            Param::Bool(value) => Self::Bool(*value),
            Param::Bytes(bytes) => Self::Bytes(bytes),
            Param::Time(millis) => Self::Time(*millis),
        }
    }
}

impl<'a, T: Into<Lent<'a>>> From<Option<T>> for Lent<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<Lent<'_>> for Param {
    fn from(lent: Lent<'_>) -> Self {
        match lent {
            Lent::Null => Self::Null,
            Lent::Int(value) => Self::Int(value),
            Lent::Bool(value) => Self::Bool(value),
            Lent::Time(millis) => Self::Time(millis),
            Lent::Word(text) | Lent::Text(text) => Self::text(text),
            Lent::Shared(text) => Self::text(text),
            Lent::Made(text) => Self::Text(text.into()),
            Lent::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Takes the values of a row, column by column.
pub(super) enum Out<'b> {
    /// The parameters of a statement.
    Sqlite(&'b mut Bound),
    /// A part of a COPY.
    Postgres(&'b mut Vec<u8>),
}

impl Out<'_> {
    /// Takes the value of the next column.
    pub(super) fn put<'a>(&mut self, value: impl Into<Lent<'a>>) {
        match self {
            Self::Sqlite(bound) => bound.put(value.into()),
            Self::Postgres(part) => copy::put(part, value.into()),
        }
    }
}

/// The parameters of a SQLite statement for many rows; sqlx hands them to a thread of its own, so
/// they cannot be borrowed, but what repeats is shared.
pub(super) struct Bound {
    arguments: Result<SqliteArguments, BoxDynError>,
    words: Vec<(&'static str, Arc<str>)>,
    moment: Option<(i64, Arc<str>)>,
    room: usize,
}

impl Bound {
    /// None yet, with room for some.
    pub(super) fn with_room(room: usize) -> Self {
        let mut bound = Self {
            arguments: Ok(SqliteArguments::default()),
            words: Vec::new(),
            moment: None,
            room,
        };
        drop(bound.take());
        bound
    }

    /// Hands over the parameters so far.
    pub(super) fn take(&mut self) -> Result<SqliteArguments, BoxDynError> {
        let mut empty = SqliteArguments::default();
        empty.reserve(self.room, 0);
        std::mem::replace(&mut self.arguments, Ok(empty))
    }

    fn put(&mut self, value: Lent<'_>) {
        let Ok(arguments) = &mut self.arguments else {
            return;
        };
        let added = match value {
            Lent::Null => arguments.add(None::<i64>),
            Lent::Int(value) => arguments.add(value),
            Lent::Bool(value) => arguments.add(value),
            Lent::Time(millis) => arguments.add(moment(&mut self.moment, millis)),
            Lent::Word(word) => arguments.add(known(&mut self.words, word)),
            Lent::Shared(text) => arguments.add(Arc::clone(text)),
            Lent::Text(text) => arguments.add(Arc::<str>::from(text)),
            Lent::Made(text) => arguments.add(text),
            Lent::Bytes(bytes) => arguments.add(bytes),
        };
        if let Err(error) = added {
            self.arguments = Err(error);
        }
    }
}

/// The shared copy of a word; the same word is mostly the same place in the program too.
fn known(words: &mut Vec<(&'static str, Arc<str>)>, word: &'static str) -> Arc<str> {
    let found = words.iter().find(|(known, _)| std::ptr::eq(*known, word));
    if let Some((_, shared)) = found {
        return Arc::clone(shared);
    }
    let shared: Arc<str> = word.into();
    words.push((word, Arc::clone(&shared)));
    shared
}

fn moment(last: &mut Option<(i64, Arc<str>)>, millis: i64) -> Arc<str> {
    match last {
        Some((known, text)) if *known == millis => Arc::clone(text),
        _ => {
            let text: Arc<str> = iso(millis).into();
            *last = Some((millis, Arc::clone(&text)));
            text
        }
    }
}

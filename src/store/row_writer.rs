//! Rows on their way into a table: each value goes straight into the form in which the engine
//! takes it, without a copy of the row in between.

use super::postgres_copy;
use super::sql_value::{SqlValue, iso};
use crate::model::CompactText;
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use std::sync::Arc;

/// A value that is lent for as long as its row takes to be written.
#[derive(Debug)]
pub(super) enum SqlValueRef<'a> {
    /// No value.
    Null,
    /// A number.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A moment, in milliseconds since 1970.
    Time(i64),
    /// One of the program's own words, the same in many rows.
    Static(&'static str),
    /// A text that is the same in many rows.
    Shared(&'a Arc<str>),
    /// Text or an external id.
    Text(&'a str),
    /// A text that was made for this row.
    Owned(String),
    Bytes(&'a [u8]),
}

impl From<i64> for SqlValueRef<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a CompactText> for SqlValueRef<'a> {
    fn from(text: &'a CompactText) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a SqlValue> for SqlValueRef<'a> {
    fn from(param: &'a SqlValue) -> Self {
        match param {
            SqlValue::Null => Self::Null,
            SqlValue::Int(value) => Self::Int(*value),
            SqlValue::Text(text) => Self::Text(text),
            SqlValue::Bool(value) => Self::Bool(*value),
            SqlValue::Bytes(bytes) => Self::Bytes(bytes),
            SqlValue::Time(millis) => Self::Time(*millis),
        }
    }
}

impl<'a, T: Into<SqlValueRef<'a>>> From<Option<T>> for SqlValueRef<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<SqlValueRef<'_>> for SqlValue {
    fn from(lent: SqlValueRef<'_>) -> Self {
        match lent {
            SqlValueRef::Null => Self::Null,
            SqlValueRef::Int(value) => Self::Int(value),
            SqlValueRef::Bool(value) => Self::Bool(value),
            SqlValueRef::Time(millis) => Self::Time(millis),
            SqlValueRef::Static(text) | SqlValueRef::Text(text) => Self::text(text),
            SqlValueRef::Shared(text) => Self::text(text),
            SqlValueRef::Owned(text) => Self::Text(text.into()),
            SqlValueRef::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Takes the values of a row, column by column.
pub(super) enum RowWriter<'b> {
    /// The parameters of a statement.
    Sqlite(&'b mut SqliteBinder),
    /// A part of a COPY.
    Postgres(&'b mut Vec<u8>),
}

impl RowWriter<'_> {
    /// Takes the value of the next column.
    pub(super) fn put<'a>(&mut self, value: impl Into<SqlValueRef<'a>>) {
        match self {
            Self::Sqlite(bound) => bound.put(value.into()),
            Self::Postgres(part) => postgres_copy::put(part, value.into()),
        }
    }
}

/// The parameters of a SQLite statement for many rows; sqlx hands them to a thread of its own, so
/// they cannot be borrowed, but what repeats is shared.
pub(super) struct SqliteBinder {
    arguments: Result<SqliteArguments, BoxDynError>,
    words: Vec<(&'static str, Arc<str>)>,
    moment: Option<(i64, Arc<str>)>,
    room: usize,
}

impl SqliteBinder {
    /// None yet, with room for some.
    pub(super) fn with_capacity(room: usize) -> Self {
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

    fn put(&mut self, value: SqlValueRef<'_>) {
        let Ok(arguments) = &mut self.arguments else {
            return;
        };
        let added = match value {
            SqlValueRef::Null => arguments.add(None::<i64>),
            SqlValueRef::Int(value) => arguments.add(value),
            SqlValueRef::Bool(value) => arguments.add(value),
            SqlValueRef::Time(millis) => arguments.add(shared_timestamp(&mut self.moment, millis)),
            SqlValueRef::Static(word) => arguments.add(shared_word(&mut self.words, word)),
            SqlValueRef::Shared(text) => arguments.add(Arc::clone(text)),
            SqlValueRef::Text(text) => arguments.add(Arc::<str>::from(text)),
            SqlValueRef::Owned(text) => arguments.add(text),
            SqlValueRef::Bytes(bytes) => arguments.add(bytes),
        };
        if let Err(error) = added {
            self.arguments = Err(error);
        }
    }
}

/// The shared copy of a word; the same word is mostly the same place in the program too.
fn shared_word(words: &mut Vec<(&'static str, Arc<str>)>, word: &'static str) -> Arc<str> {
    let found = words.iter().find(|(known, _)| std::ptr::eq(*known, word));
    if let Some((_, shared)) = found {
        return Arc::clone(shared);
    }
    let shared: Arc<str> = word.into();
    words.push((word, Arc::clone(&shared)));
    shared
}

fn shared_timestamp(last: &mut Option<(i64, Arc<str>)>, millis: i64) -> Arc<str> {
    match last {
        Some((known, text)) if *known == millis => Arc::clone(text),
        _ => {
            let text: Arc<str> = iso(millis).into();
            *last = Some((millis, Arc::clone(&text)));
            text
        }
    }
}

//! Writes the values of a row directly in the form that the engine takes, without building the row
//! in between.

use super::postgres_binary;
use super::sql_value::{SqlValueRef, iso};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use std::sync::Arc;

/// Takes the values of a row, column by column.
pub(super) enum RowWriter<'b> {
    /// The parameters of a statement.
    Sqlite(&'b mut SqliteBinder),
    /// A part of a COPY.
    Postgres(&'b mut Vec<u8>),
}

impl RowWriter<'_> {
    pub(super) fn put<'a>(&mut self, value: impl Into<SqlValueRef<'a>>) {
        match self {
            Self::Sqlite(bound) => bound.put(value.into()),
            Self::Postgres(part) => postgres_binary::put(part, value.into()),
        }
    }
}

/// The parameters of a SQLite statement for many rows. sqlx passes them to another thread, so they
/// cannot be borrowed; repeated texts are shared instead.
pub(super) struct SqliteBinder {
    arguments: Result<SqliteArguments, BoxDynError>,
    words: Vec<(&'static str, Arc<str>)>,
    moment: Option<(i64, Arc<str>)>,
    room: usize,
}

impl SqliteBinder {
    pub(super) fn with_capacity(room: usize) -> Self {
        let mut bound = Self {
            arguments: Ok(SqliteArguments::default()),
            words: Vec::new(),
            moment: None,
            room,
        };
        // Fills `arguments` with an empty set that has room, instead of repeating how one is made.
        drop(bound.take());
        bound
    }

    pub(super) fn take(&mut self) -> Result<SqliteArguments, BoxDynError> {
        let mut empty = SqliteArguments::default();
        empty.reserve(self.room, 0);
        std::mem::replace(&mut self.arguments, Ok(empty))
    }

    fn put(&mut self, value: SqlValueRef<'_>) {
        // The first failure is kept and reported by `take`; until then the remaining values are
        // dropped.
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

/// The shared copy of a word.
fn shared_word(words: &mut Vec<(&'static str, Arc<str>)>, word: &'static str) -> Arc<str> {
    // Compared by address: a string literal is mostly one place in the program, and a duplicate
    // only costs one more copy.
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
        // All rows of a run carry the same time, so its text is made once.
        Some((known, text)) if *known == millis => Arc::clone(text),
        _ => {
            let text: Arc<str> = iso(millis).into();
            *last = Some((millis, Arc::clone(&text)));
            text
        }
    }
}

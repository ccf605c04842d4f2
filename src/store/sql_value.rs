//! SQL values and the column types that both engines share.

use crate::model::{CompactText, timestamp};
use std::sync::Arc;

/// The type of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SqlType {
    /// Text of any collation.
    Text,
    /// An external id: text sorted by bytes.
    Id,
    /// A signed 64-bit number.
    Int,
    /// A boolean; SQLite stores 0 and 1.
    Bool,
    Bytes,
    /// A timestamp; SQLite stores ISO 8601 text in UTC.
    Time,
}

/// A value on its way to or from the database.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum SqlValue {
    /// No value. As a parameter of a single statement it is bound as a text.
    #[default]
    Null,
    Int(i64),
    Text(CompactText),
    Bool(bool),
    Bytes(Vec<u8>),
    /// A timestamp, in milliseconds since 1970.
    Time(i64),
}

impl SqlValue {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(CompactText::new(text))
    }

    /// A text, or NULL.
    pub(super) fn text_or_null(text: Option<impl AsRef<str>>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// Takes the text out; empty if there is none.
    pub(super) fn take_text(&mut self) -> CompactText {
        self.take_optional_text().unwrap_or_default()
    }

    pub(super) fn take_optional_text(&mut self) -> Option<CompactText> {
        match std::mem::take(self) {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes the bytes out; empty if there are none.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        match std::mem::take(self) {
            Self::Bytes(bytes) => bytes,
            _ => Vec::new(),
        }
    }

    /// The number; 0 if there is none.
    pub(super) fn int(&self) -> i64 {
        self.as_int().unwrap_or_default()
    }

    /// The number, if there is one.
    pub(super) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Time(value) => Some(*value),
            Self::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<i64> for SqlValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<&CompactText> for SqlValue {
    fn from(text: &CompactText) -> Self {
        Self::Text(text.clone())
    }
}

/// The current time in milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// A timestamp as ISO 8601 text in UTC: `2026-01-31T23:59:59.000Z`.
pub(super) fn iso(millis: i64) -> String {
    timestamp::format_utc(millis)
}

/// Text that is known to be UTF-8 unless somebody stored bytes as text.
pub(super) fn utf8(bytes: &[u8]) -> CompactText {
    CompactText::from_utf8_lossy(bytes)
}

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

/// A text with the special characters of LIKE escaped by `!`.
pub(super) fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "!%_".contains(c) {
            escaped.push('!');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_iso_text() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999Z");
    }
}

//! SQL values and the column types that both engines share. Also turns timestamps into text without
//! a calendar library, since only one format is ever written.

use crate::model::CompactText;
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
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = date_from_days(days);
    let (seconds, millis) = (rest / 1000, rest % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant's algorithm).
fn date_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
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

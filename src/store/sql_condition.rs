//! Parts of statements together with their parameters, which must come in the same order.

use super::sql_value::SqlValue;

/// A piece of SQL and its parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct SqlCondition {
    pub(super) sql: String,
    pub(super) params: Vec<SqlValue>,
}

impl SqlCondition {
    pub(super) fn new(sql: impl Into<String>, params: impl IntoIterator<Item = SqlValue>) -> Self {
        Self {
            sql: sql.into(),
            params: params.into_iter().collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }

    /// Requires another condition too.
    pub(super) fn and(&mut self, other: Self) {
        if other.is_empty() {
            return;
        }
        if !self.is_empty() {
            self.sql.push_str(" AND ");
        }
        self.sql.push_str(&other.sql);
        self.params.extend(other.params);
    }

    /// Joins conditions or statements by a word.
    pub(super) fn joined(all: impl IntoIterator<Item = Self>, word: &str) -> Self {
        let mut joined = Self::default();
        for one in all {
            if !joined.is_empty() {
                joined.sql.push_str(word);
            }
            joined.sql.push_str(&one.sql);
            joined.params.extend(one.params);
        }
        joined
    }

    /// Puts it into a text with `{}` in its place.
    pub(super) fn within(mut self, text: &str) -> Self {
        self.sql = text.replace("{}", &self.sql);
        self
    }
}

//! The description of a scan of a whole table.

use super::sql_value::SqlType;

/// A whole table to read, in the order of its key.
pub(super) struct TableScan<'a> {
    pub(super) table: &'a str,
    /// The columns, the key's first.
    pub(super) columns: &'a [(&'a str, SqlType)],
    /// How many of the columns are the key.
    pub(super) key: usize,
}

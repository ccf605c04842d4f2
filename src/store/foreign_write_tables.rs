//! The tables of the record of foreign writes, as data; `foreign_writes` says what they mean.

use super::internal_tables::InternalTable;
use super::sql_value::SqlType;

pub(super) const FOREIGN_WRITES: &str = "foreign_writes";
pub(super) const ROW_COUNTS: &str = "row_counts";

/// The tables of the record.
pub(super) const TABLES: &[InternalTable] = &[
    InternalTable {
        name: FOREIGN_WRITES,
        columns: &[
            ("kind", SqlType::Id, "NOT NULL"),
            // Empty: any resource of the kind.
            ("external_id", SqlType::Id, "NOT NULL"),
            // 1 if the row existed before the first of the writes. With it `row_counts` stays exact
            // without a look at rows that are gone.
            ("existed", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (kind, external_id)",
    },
    // One row, or none if the rows have to be counted.
    InternalTable {
        name: ROW_COUNTS,
        columns: &[
            ("id", SqlType::Int, "PRIMARY KEY CHECK (id = 1)"),
            // How many rows no source claims, before the writes in `foreign_writes`.
            ("unclaimed", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
];

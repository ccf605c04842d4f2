//! The tables by which a pass does not have to read what did not change: what other programs wrote, as
//! `foreign_writes` says, and the rows of accepted exports, as `export_rows` says. And the tables of
//! `reverted_fields`, which a pass leaves alone, of the people who approved a hold, of what runs
//! came from, and of what is held of reverts.

use super::internal_tables::InternalTable;
use super::sql_value::SqlType;

pub(super) const FOREIGN_WRITES: &str = "foreign_writes";
pub(super) const ROW_COUNTS: &str = "row_counts";
pub(super) const APPROVERS: &str = "hold_approvers";
pub(super) const REVERTED_FIELDS: &str = "reverted_fields";

pub(super) const RUN_CAUSES: &str = "run_causes";
pub(super) const REVERT_HOLDS: &str = "revert_holds";

pub(super) const INCREMENTAL: &[InternalTable] = &[
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
    InternalTable {
        name: "export_row_sets",
        columns: &[
            ("source", SqlType::Id, "PRIMARY KEY"),
            // The digest of the export whose rows these are.
            ("export", SqlType::Bytes, "NOT NULL"),
            ("bits", SqlType::Int, "NOT NULL"),
            ("facts", SqlType::Text, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "export_rows",
        columns: &[
            ("source", SqlType::Id, "NOT NULL"),
            // The first bits of the digests of its rows.
            ("bucket", SqlType::Int, "NOT NULL"),
            ("rows", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, bucket)",
    },
    InternalTable {
        name: APPROVERS,
        columns: &[
            ("hold", SqlType::Id, "NOT NULL"),
            // Empty: the whole hold.
            ("resource", SqlType::Id, "NOT NULL"),
            ("approver", SqlType::Id, "NOT NULL"),
            ("approved_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (hold, resource, approver)",
    },
    InternalTable {
        name: REVERTED_FIELDS,
        columns: &[
            ("source", SqlType::Id, "NOT NULL"),
            ("kind", SqlType::Id, "NOT NULL"),
            ("external_id", SqlType::Id, "NOT NULL"),
            ("field", SqlType::Id, "NOT NULL"),
            // The revision of the source whose value is not written. Empty: the source had removed the
            // resource, and never removes it again by itself.
            ("revision", SqlType::Id, "NOT NULL"),
            // The run of the revert.
            ("run", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, kind, external_id, field, revision)",
    },
    InternalTable {
        name: RUN_CAUSES,
        columns: &[
            ("run", SqlType::Int, "PRIMARY KEY"),
            ("source", SqlType::Id, "NOT NULL"),
            ("at", SqlType::Int, "NOT NULL"),
            // What it came from, who approved it, and what it did to whom: a JSON document.
            ("document", SqlType::Text, "NOT NULL"),
        ],
        keys: "",
    },
    // No pass plans a revert, so nothing else knows what is held of one.
    InternalTable {
        name: REVERT_HOLDS,
        columns: &[
            // The run that would be reverted.
            ("run", SqlType::Int, "PRIMARY KEY"),
            ("source", SqlType::Id, "NOT NULL"),
            ("at", SqlType::Int, "NOT NULL"),
            // The holds as the state of a source has them: a JSON list.
            ("held", SqlType::Text, "NOT NULL"),
        ],
        keys: "",
    },
];

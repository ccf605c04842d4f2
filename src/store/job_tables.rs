//! The tables of jobs and orders, as data. Like those in `internal_tables`, but shops read and write
//! them directly too.

use super::internal_tables::InternalTable;
use super::sql_value::SqlType;

/// The offers of a shop that use a tag. Shops write this table directly too.
pub(super) const OFFERS: &[InternalTable] = &[InternalTable {
    name: "tag_offers",
    columns: &[
        // A tag cannot go while somebody records an offer at the same time.
        (
            "tag_id",
            SqlType::Id,
            "NOT NULL REFERENCES tags (external_id)",
        ),
        ("offer_id", SqlType::Id, "NOT NULL"),
    ],
    keys: "PRIMARY KEY (tag_id, offer_id)",
}];

/// What a shop records of its users. Shops write these tables directly too, so their columns are
/// documented in `specs/jobs.md`. Orders have no foreign keys: they outlive users and accounts.
pub(super) const JOBS: &[InternalTable] = &[
    InternalTable {
        name: "jobs",
        columns: &[
            ("external_id", SqlType::Id, "PRIMARY KEY"),
            // A user cannot go while somebody adds a job at the same time.
            (
                "user_id",
                SqlType::Id,
                "NOT NULL REFERENCES users (external_id)",
            ),
            ("account_id", SqlType::Id, ""),
            ("name", SqlType::Text, "NOT NULL"),
            ("status", SqlType::Text, "NOT NULL DEFAULT 'New'"),
            ("created_at", SqlType::Time, "NOT NULL DEFAULT {now}"),
        ],
        keys: "",
    },
    InternalTable {
        name: "job_files",
        columns: &[
            (
                "job_id",
                SqlType::Id,
                "NOT NULL REFERENCES jobs (external_id) ON DELETE CASCADE",
            ),
            (
                "role",
                SqlType::Id,
                "NOT NULL CHECK (role IN ('input', 'model', 'support'))",
            ),
            ("name", SqlType::Text, "NOT NULL"),
            // Relative to `files.dir`.
            ("path", SqlType::Id, "NOT NULL"),
            ("edited", SqlType::Bool, "NOT NULL DEFAULT {false}"),
        ],
        keys: "PRIMARY KEY (job_id, role)",
    },
    InternalTable {
        name: "orders",
        columns: &[
            ("external_id", SqlType::Id, "PRIMARY KEY"),
            (
                "kind",
                SqlType::Id,
                "NOT NULL DEFAULT 'order' CHECK (kind IN ('order', 'quote'))",
            ),
            ("account_id", SqlType::Id, ""),
            ("user_id", SqlType::Id, ""),
            ("login_name", SqlType::Text, ""),
            ("placed_at", SqlType::Time, "NOT NULL DEFAULT {now}"),
        ],
        keys: "",
    },
    // Files that have to be removed, from `due_at` on: those that nothing refers to any more, and
    // those that are still being received.
    InternalTable {
        name: "removed_files",
        columns: &[
            ("path", SqlType::Id, "PRIMARY KEY"),
            ("due_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
];

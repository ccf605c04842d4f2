//! The tables of what people decide and receive at run time, as data: the answers of acts, login
//! names to give, invitations, accepted terms and the sessions of customers. Like those in `internal_tables`, no source
//! declares their rows.

use super::internal_tables::InternalTable;
use super::sql_value::SqlType;

/// The answers of acts that were sent with an idempotency key.
pub(super) const ACTS: &[InternalTable] = &[InternalTable {
    name: "act_keys",
    columns: &[
        ("actor", SqlType::Id, "NOT NULL"),
        ("idem", SqlType::Id, "NOT NULL"),
        ("digest", SqlType::Bytes, "NOT NULL"),
        ("answer", SqlType::Text, "NOT NULL"),
        ("at", SqlType::Int, "NOT NULL"),
    ],
    keys: "PRIMARY KEY (actor, idem)",
}];

/// Links between users and accounts that another program made, until the next apply has given them
/// login names.
pub(super) const UNNAMED_LINKS: &str = "unnamed_links";

pub(super) const LOGINS: &[InternalTable] = &[InternalTable {
    name: UNNAMED_LINKS,
    columns: &[
        ("user_id", SqlType::Id, "NOT NULL"),
        ("account_id", SqlType::Id, "NOT NULL"),
    ],
    keys: "PRIMARY KEY (user_id, account_id)",
}];

/// Links with which people set a password.
pub(super) const INVITATIONS: &[InternalTable] = &[InternalTable {
    name: "invitations",
    columns: &[
        ("id", SqlType::Id, "PRIMARY KEY"),
        ("user_id", SqlType::Id, "NOT NULL"),
        // The SHA-256 of the token. NULL until the mail with the link is sent for the first time.
        ("token_hash", SqlType::Bytes, ""),
        // How long the link works, in milliseconds.
        ("ttl", SqlType::Int, "NOT NULL"),
        ("created_at", SqlType::Int, "NOT NULL"),
        ("expires_at", SqlType::Int, ""),
        ("voided_at", SqlType::Int, ""),
        ("used_at", SqlType::Int, ""),
    ],
    keys: "",
}];
/// Which terms users have accepted, and which accounts that wait for an approval were noticed.
pub(super) const ACCEPTANCES: &[InternalTable] = &[
    // A row is valid while `version` is the one of the stored document. `at` is for shops too, so
    // it is a time of the engine.
    InternalTable {
        name: "terms_acceptances",
        columns: &[
            ("user_id", SqlType::Id, "NOT NULL"),
            ("terms_id", SqlType::Id, "NOT NULL"),
            ("version", SqlType::Text, "NOT NULL"),
            ("at", SqlType::Time, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (user_id, terms_id)",
    },
    InternalTable {
        name: "approval_notices",
        columns: &[
            ("account_id", SqlType::Id, "PRIMARY KEY"),
            ("at", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
];

/// The sessions of customers. Any replica answers a token, so they are in the database.
pub(super) const CUSTOMER_TOKENS: &[InternalTable] = &[InternalTable {
    name: "customer_tokens",
    columns: &[
        // The SHA-256 of the token.
        ("token_hash", SqlType::Bytes, "PRIMARY KEY"),
        ("user_id", SqlType::Id, "NOT NULL"),
        // The SHA-256 of the hash of the password for which it was given.
        ("password_stamp", SqlType::Bytes, "NOT NULL"),
        ("created_at", SqlType::Int, "NOT NULL"),
        ("expires_at", SqlType::Int, "NOT NULL"),
    ],
    keys: "",
}];

/// The users who were erased, and what was left out because of them.
pub(super) const ERASURES: &[InternalTable] = &[
    // As keyed hashes, like `retired_ids`: an erased id must be recognised and not be known.
    InternalTable {
        name: "erased_ids",
        columns: &[
            ("kind", SqlType::Id, "NOT NULL"),
            ("id_hash", SqlType::Id, "NOT NULL"),
            ("erased_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (kind, id_hash)",
    },
    // The records of a push that were not stored because they name somebody who was erased.
    InternalTable {
        name: "dropped_records",
        columns: &[
            ("import_id", SqlType::Id, "NOT NULL"),
            // The index in the push, from 0.
            ("position", SqlType::Int, "NOT NULL"),
            ("line", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (import_id, position)",
    },
];

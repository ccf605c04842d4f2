//! Roster's own tables, as data: everything it keeps beside the directory itself. Each constant is
//! what one schema version added, and released ones never change. `schema` renders them,
//! `schema_versions` says in which order they came.

use super::sql_value::SqlType;

/// One of Roster's own tables: name, columns with type and constraint, and what follows the
/// columns. `{now}` and `{false}` in a constraint are the dialect's.
pub(super) struct InternalTable {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, SqlType, &'static str)],
    pub(super) keys: &'static str,
}

pub(super) const FIRST: &[InternalTable] = &[
    // One row: the identity of this database and the key of its keyed hashes.
    InternalTable {
        name: "meta",
        columns: &[
            ("id", SqlType::Int, "PRIMARY KEY CHECK (id = 1)"),
            ("identity", SqlType::Text, "NOT NULL"),
            ("environment", SqlType::Text, ""),
            ("schema_version", SqlType::Int, "NOT NULL"),
            ("secret_key", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    // One row, which every apply locks first. It also holds the end of the history.
    InternalTable {
        name: "write",
        columns: &[
            ("id", SqlType::Int, "PRIMARY KEY CHECK (id = 1)"),
            ("last_seq", SqlType::Int, "NOT NULL"),
            ("last_run", SqlType::Int, "NOT NULL"),
            ("head", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "leases",
        columns: &[
            ("scope", SqlType::Id, "PRIMARY KEY"),
            ("holder", SqlType::Text, ""),
            ("host", SqlType::Text, ""),
            ("pid", SqlType::Int, ""),
            ("token", SqlType::Int, "NOT NULL"),
            ("acquired_at", SqlType::Int, "NOT NULL"),
            ("expires_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
    // No foreign key to the resources: a claim outlives its row, which is how a deletion by
    // somebody else is noticed.
    InternalTable {
        name: "claims",
        columns: &[
            ("source", SqlType::Id, "NOT NULL"),
            ("kind", SqlType::Id, "NOT NULL"),
            ("external_id", SqlType::Id, "NOT NULL"),
            ("declared_digest", SqlType::Bytes, "NOT NULL"),
            ("fields", SqlType::Bytes, "NOT NULL"),
            ("seen_version", SqlType::Int, "NOT NULL"),
            ("state", SqlType::Text, "NOT NULL"),
            ("path", SqlType::Text, "NOT NULL"),
            ("line", SqlType::Int, "NOT NULL"),
            ("col", SqlType::Int, "NOT NULL"),
            ("revision", SqlType::Text, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, kind, external_id)",
    },
    InternalTable {
        name: "files",
        columns: &[
            ("source", SqlType::Id, "NOT NULL"),
            ("path", SqlType::Id, "NOT NULL"),
            // NULL while something in the file has to be read again.
            ("digest", SqlType::Bytes, ""),
            ("keys", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, path)",
    },
    InternalTable {
        name: "runs",
        columns: &[
            ("id", SqlType::Int, "PRIMARY KEY"),
            ("source", SqlType::Text, "NOT NULL"),
            ("revision", SqlType::Text, "NOT NULL"),
            ("plan_id", SqlType::Text, "NOT NULL"),
            ("actor", SqlType::Text, "NOT NULL"),
            ("started_at", SqlType::Int, "NOT NULL"),
            ("finished_at", SqlType::Int, "NOT NULL"),
            ("counts", SqlType::Text, "NOT NULL"),
            ("outcome", SqlType::Text, "NOT NULL"),
            ("head_before", SqlType::Bytes, "NOT NULL"),
            ("head", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "changes",
        columns: &[
            ("seq", SqlType::Int, "PRIMARY KEY"),
            ("run", SqlType::Int, "NOT NULL"),
            ("kind", SqlType::Id, "NOT NULL"),
            ("external_id", SqlType::Id, ""),
            ("id_digest", SqlType::Bytes, ""),
            ("verb", SqlType::Text, "NOT NULL"),
            ("reason", SqlType::Text, "NOT NULL"),
            ("fields", SqlType::Text, "NOT NULL"),
            ("personal_digest", SqlType::Bytes, ""),
            ("path", SqlType::Text, ""),
            ("line", SqlType::Int, ""),
            ("col", SqlType::Int, ""),
        ],
        keys: "",
    },
    // Apart from `changes`, so that personal values can be erased without touching the chain.
    InternalTable {
        name: "change_values",
        columns: &[
            ("seq", SqlType::Int, "PRIMARY KEY"),
            ("salt", SqlType::Bytes, "NOT NULL"),
            ("fields", SqlType::Text, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "retired_ids",
        columns: &[
            ("kind", SqlType::Id, "NOT NULL"),
            ("id_hash", SqlType::Id, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (kind, id_hash)",
    },
    InternalTable {
        name: "customer_numbers",
        columns: &[
            ("number", SqlType::Id, "PRIMARY KEY"),
            ("account_id", SqlType::Id, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "login_counters",
        columns: &[
            ("customer_number", SqlType::Id, "PRIMARY KEY"),
            ("next", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "user_logins",
        columns: &[
            ("user_id", SqlType::Id, "NOT NULL"),
            ("account_id", SqlType::Id, "NOT NULL"),
            ("number", SqlType::Int, "NOT NULL"),
            ("name", SqlType::Id, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (user_id, account_id)",
    },
    InternalTable {
        name: "approvals",
        columns: &[
            ("hold", SqlType::Id, "NOT NULL"),
            ("resource", SqlType::Id, "NOT NULL"),
            ("approver", SqlType::Text, "NOT NULL"),
            ("reason", SqlType::Text, "NOT NULL"),
            ("approved_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (hold, resource)",
    },
    InternalTable {
        name: "source_approvals",
        columns: &[
            ("source", SqlType::Id, "PRIMARY KEY"),
            ("approver", SqlType::Text, "NOT NULL"),
            ("reason", SqlType::Text, "NOT NULL"),
            ("approved_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "run_budgets",
        columns: &[
            ("run", SqlType::Int, "NOT NULL"),
            ("source", SqlType::Id, "NOT NULL"),
            ("budget", SqlType::Id, "NOT NULL"),
            ("count", SqlType::Int, "NOT NULL"),
            ("at", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (run, budget)",
    },
    InternalTable {
        name: "file_contents",
        columns: &[
            ("sha256", SqlType::Id, "PRIMARY KEY"),
            ("content", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "sources",
        columns: &[
            ("name", SqlType::Id, "PRIMARY KEY"),
            ("path", SqlType::Text, "NOT NULL"),
            ("revision", SqlType::Text, "NOT NULL"),
            ("fingerprint", SqlType::Bytes, "NOT NULL"),
            ("definitions", SqlType::Bytes, "NOT NULL"),
            ("resources", SqlType::Int, "NOT NULL"),
            ("claimed", SqlType::Int, "NOT NULL"),
            ("orphans", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    // The guard of SQLite's triggers: it has a row only within Roster's own transaction.
    InternalTable {
        name: "writing",
        columns: &[("id", SqlType::Int, "PRIMARY KEY")],
        keys: "",
    },
];

/// The daemon's state, shared by all replicas and kept over restarts.
pub(super) const DAEMON: &[InternalTable] = &[
    InternalTable {
        name: "watched",
        columns: &[
            ("source", SqlType::Id, "PRIMARY KEY"),
            ("state", SqlType::Text, "NOT NULL"),
            ("plan", SqlType::Bytes, ""),
            ("holder", SqlType::Text, "NOT NULL"),
            ("token", SqlType::Int, "NOT NULL"),
            ("at", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "suspensions",
        columns: &[
            ("source", SqlType::Id, "PRIMARY KEY"),
            ("actor", SqlType::Text, "NOT NULL"),
            ("reason", SqlType::Text, "NOT NULL"),
            ("at", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
    InternalTable {
        name: "passes",
        columns: &[
            ("at", SqlType::Int, "NOT NULL"),
            ("id", SqlType::Int, "NOT NULL"),
            ("source", SqlType::Id, "NOT NULL"),
            ("document", SqlType::Text, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (at, id)",
    },
    InternalTable {
        name: "acts",
        columns: &[
            ("at", SqlType::Int, "NOT NULL"),
            ("id", SqlType::Int, "NOT NULL"),
            ("actor", SqlType::Text, "NOT NULL"),
            ("act", SqlType::Text, "NOT NULL"),
            ("subject", SqlType::Text, "NOT NULL"),
            ("reason", SqlType::Text, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (at, id)",
    },
    InternalTable {
        name: "outbox",
        columns: &[
            ("id", SqlType::Id, "PRIMARY KEY"),
            ("target", SqlType::Text, "NOT NULL"),
            ("notice", SqlType::Text, "NOT NULL"),
            ("attempts", SqlType::Int, "NOT NULL"),
            ("next_at", SqlType::Int, "NOT NULL"),
            ("error", SqlType::Text, ""),
            ("created_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "",
    },
];

pub(super) const FEEDS: &[InternalTable] = &[
    InternalTable {
        name: "feeds",
        columns: &[
            ("source", SqlType::Id, "NOT NULL"),
            ("at", SqlType::Int, "NOT NULL"),
            ("digest", SqlType::Bytes, "NOT NULL"),
            ("records", SqlType::Int, "NOT NULL"),
            ("columns", SqlType::Text, "NOT NULL"),
            ("filled", SqlType::Text, "NOT NULL"),
            ("modified_at", SqlType::Int, ""),
        ],
        keys: "PRIMARY KEY (source, at)",
    },
    InternalTable {
        name: "absences",
        columns: &[
            ("source", SqlType::Id, "NOT NULL"),
            ("kind", SqlType::Id, "NOT NULL"),
            ("external_id", SqlType::Id, "NOT NULL"),
            ("missed", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, kind, external_id)",
    },
    InternalTable {
        name: "imports",
        columns: &[
            ("id", SqlType::Id, "PRIMARY KEY"),
            ("nth", SqlType::Int, "NOT NULL"),
            ("source", SqlType::Id, "NOT NULL"),
            ("kind", SqlType::Id, "NOT NULL"),
            ("actor", SqlType::Id, "NOT NULL"),
            // The sender's idempotency key.
            ("idem", SqlType::Id, ""),
            ("digest", SqlType::Text, "NOT NULL"),
            ("name", SqlType::Text, "NOT NULL"),
            ("atomic", SqlType::Int, "NOT NULL"),
            ("state", SqlType::Text, "NOT NULL"),
            ("attempts", SqlType::Int, "NOT NULL"),
            ("at", SqlType::Int, "NOT NULL"),
            ("ended_at", SqlType::Int, "NOT NULL"),
            ("run", SqlType::Int, "NOT NULL"),
            ("answer", SqlType::Text, "NOT NULL"),
            // The resources that are still held.
            ("held", SqlType::Text, "NOT NULL"),
            // NULL once nothing in it is held any more.
            ("body", SqlType::Bytes, ""),
        ],
        keys: "UNIQUE (actor, idem)",
    },
    InternalTable {
        name: "reports",
        columns: &[
            ("source", SqlType::Id, "PRIMARY KEY"),
            ("at", SqlType::Int, "NOT NULL"),
            ("report", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
];

/// Steps that guards held until somebody decides.
pub(super) const HOLDS: &[InternalTable] = &[
    InternalTable {
        name: "held_steps",
        columns: &[
            ("source", SqlType::Id, "NOT NULL"),
            ("kind", SqlType::Id, "NOT NULL"),
            ("external_id", SqlType::Id, "NOT NULL"),
            ("budget", SqlType::Id, "NOT NULL"),
            ("field", SqlType::Text, "NOT NULL"),
            ("verb", SqlType::Text, "NOT NULL"),
            ("hold", SqlType::Id, "NOT NULL"),
            // The numbers behind the hold: steps of this plan, earlier ones within the window, and
            // the total.
            ("steps", SqlType::Int, "NOT NULL"),
            ("earlier", SqlType::Int, "NOT NULL"),
            ("total", SqlType::Int, "NOT NULL"),
            ("declared", SqlType::Bytes, "NOT NULL"),
            ("step", SqlType::Bytes, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, kind, external_id, budget)",
    },
    InternalTable {
        // An approval is valid for one apply.
        name: "used_approvals",
        columns: &[
            ("hold", SqlType::Id, "NOT NULL"),
            ("resource", SqlType::Id, "NOT NULL"),
            ("approved_at", SqlType::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (hold, resource, approved_at)",
    },
];

/// What an import by hand held. Its file is not read again, so nothing else knows these holds. Only
/// their ids, which say nothing about anybody.
pub(super) const IMPORT_HOLDS: &[InternalTable] = &[InternalTable {
    name: "import_holds",
    columns: &[
        ("source", SqlType::Id, "NOT NULL"),
        ("hold", SqlType::Id, "NOT NULL"),
    ],
    keys: "PRIMARY KEY (source, hold)",
}];

/// Indexes on Roster's own tables.
pub(super) const INDEXES: &[(&str, &str, &str)] = &[
    // Other sources' claims on one resource are looked up in every pass; the primary key starts
    // with the source.
    ("claims_resource", "claims", "kind, external_id"),
    // With the number of the change, so that a page of a long history sorts nothing.
    ("changes_resource", "changes", "kind, external_id, seq"),
    ("changes_run", "changes", "run, seq"),
    ("runs_plan", "runs", "plan_id"),
    ("run_budgets_source", "run_budgets", "source, at"),
    ("user_logins_account", "user_logins", "account_id"),
    ("user_logins_name", "user_logins", "name"),
    ("passes_source", "passes", "source, at"),
    // A new version of the terms asks who accepted the old one.
    (
        "terms_acceptances_terms",
        "terms_acceptances",
        "terms_id, version",
    ),
    ("imports_source", "imports", "source, nth"),
    ("invitations_user", "invitations", "user_id"),
    ("invitations_token", "invitations", "token_hash"),
    ("customer_tokens_user", "customer_tokens", "user_id"),
    ("customer_tokens_expiry", "customer_tokens", "expires_at"),
    ("jobs_account", "jobs", "account_id"),
    ("jobs_user", "jobs", "user_id"),
    ("job_files_path", "job_files", "path"),
    ("orders_account", "orders", "account_id"),
    ("orders_user", "orders", "user_id"),
    ("orders_placed", "orders", "placed_at"),
];

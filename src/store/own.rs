//! The tables of Roster's own: what it knows beside the directory itself.

use super::param::Ty;

/// A table of Roster's own: its name, its columns with type and constraint, and what follows them.
pub(super) struct Own {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Ty, &'static str)],
    pub(super) keys: &'static str,
}

/// Every one, by the version of the schema that brought it: a new release adds a list.
pub(super) const VERSIONS: &[&[Own]] = &[FIRST, DAEMON, FEEDS, HOLDS];

const FIRST: &[Own] = &[
    Own {
        name: "meta",
        columns: &[
            ("id", Ty::Int, "PRIMARY KEY CHECK (id = 1)"),
            ("identity", Ty::Text, "NOT NULL"),
            ("environment", Ty::Text, ""),
            ("schema_version", Ty::Int, "NOT NULL"),
            ("secret_key", Ty::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "write",
        columns: &[
            ("id", Ty::Int, "PRIMARY KEY CHECK (id = 1)"),
            ("last_seq", Ty::Int, "NOT NULL"),
            ("last_run", Ty::Int, "NOT NULL"),
            ("head", Ty::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "leases",
        columns: &[
            ("scope", Ty::Id, "PRIMARY KEY"),
            ("holder", Ty::Text, ""),
            ("host", Ty::Text, ""),
            ("pid", Ty::Int, ""),
            ("token", Ty::Int, "NOT NULL"),
            ("acquired_at", Ty::Int, "NOT NULL"),
            ("expires_at", Ty::Int, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "claims",
        columns: &[
            ("source", Ty::Id, "NOT NULL"),
            ("kind", Ty::Id, "NOT NULL"),
            ("external_id", Ty::Id, "NOT NULL"),
            ("declared_digest", Ty::Bytes, "NOT NULL"),
            ("fields", Ty::Bytes, "NOT NULL"),
            ("seen_version", Ty::Int, "NOT NULL"),
            ("state", Ty::Text, "NOT NULL"),
            ("path", Ty::Text, "NOT NULL"),
            ("line", Ty::Int, "NOT NULL"),
            ("col", Ty::Int, "NOT NULL"),
            ("revision", Ty::Text, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, kind, external_id)",
    },
    Own {
        name: "files",
        columns: &[
            ("source", Ty::Id, "NOT NULL"),
            ("path", Ty::Id, "NOT NULL"),
            // None while something of the file has to be looked at again.
            ("digest", Ty::Bytes, ""),
            ("keys", Ty::Bytes, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, path)",
    },
    Own {
        name: "runs",
        columns: &[
            ("id", Ty::Int, "PRIMARY KEY"),
            ("source", Ty::Text, "NOT NULL"),
            ("revision", Ty::Text, "NOT NULL"),
            ("plan_id", Ty::Text, "NOT NULL"),
            ("actor", Ty::Text, "NOT NULL"),
            ("started_at", Ty::Int, "NOT NULL"),
            ("finished_at", Ty::Int, "NOT NULL"),
            ("counts", Ty::Text, "NOT NULL"),
            ("outcome", Ty::Text, "NOT NULL"),
            ("head_before", Ty::Bytes, "NOT NULL"),
            ("head", Ty::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "changes",
        columns: &[
            ("seq", Ty::Int, "PRIMARY KEY"),
            ("run", Ty::Int, "NOT NULL"),
            ("kind", Ty::Id, "NOT NULL"),
            ("external_id", Ty::Id, ""),
            ("id_digest", Ty::Bytes, ""),
            ("verb", Ty::Text, "NOT NULL"),
            ("reason", Ty::Text, "NOT NULL"),
            ("fields", Ty::Text, "NOT NULL"),
            ("personal_digest", Ty::Bytes, ""),
            ("path", Ty::Text, ""),
            ("line", Ty::Int, ""),
            ("col", Ty::Int, ""),
        ],
        keys: "",
    },
    Own {
        name: "change_values",
        columns: &[
            ("seq", Ty::Int, "PRIMARY KEY"),
            ("salt", Ty::Bytes, "NOT NULL"),
            ("fields", Ty::Text, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "retired_ids",
        columns: &[
            ("kind", Ty::Id, "NOT NULL"),
            ("id_hash", Ty::Id, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (kind, id_hash)",
    },
    Own {
        name: "customer_numbers",
        columns: &[
            ("number", Ty::Id, "PRIMARY KEY"),
            ("account_id", Ty::Id, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "login_counters",
        columns: &[
            ("customer_number", Ty::Id, "PRIMARY KEY"),
            ("next", Ty::Int, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "user_logins",
        columns: &[
            ("user_id", Ty::Id, "NOT NULL"),
            ("account_id", Ty::Id, "NOT NULL"),
            ("number", Ty::Int, "NOT NULL"),
            ("name", Ty::Id, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (user_id, account_id)",
    },
    Own {
        name: "approvals",
        columns: &[
            ("hold", Ty::Id, "NOT NULL"),
            ("resource", Ty::Id, "NOT NULL"),
            ("approver", Ty::Text, "NOT NULL"),
            ("reason", Ty::Text, "NOT NULL"),
            ("approved_at", Ty::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (hold, resource)",
    },
    Own {
        name: "source_approvals",
        columns: &[
            ("source", Ty::Id, "PRIMARY KEY"),
            ("approver", Ty::Text, "NOT NULL"),
            ("reason", Ty::Text, "NOT NULL"),
            ("approved_at", Ty::Int, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "run_budgets",
        columns: &[
            ("run", Ty::Int, "NOT NULL"),
            ("source", Ty::Id, "NOT NULL"),
            ("budget", Ty::Id, "NOT NULL"),
            ("count", Ty::Int, "NOT NULL"),
            ("at", Ty::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (run, budget)",
    },
    Own {
        name: "file_contents",
        columns: &[
            ("sha256", Ty::Id, "PRIMARY KEY"),
            ("content", Ty::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "sources",
        columns: &[
            ("name", Ty::Id, "PRIMARY KEY"),
            ("path", Ty::Text, "NOT NULL"),
            ("revision", Ty::Text, "NOT NULL"),
            ("fingerprint", Ty::Bytes, "NOT NULL"),
            ("definitions", Ty::Bytes, "NOT NULL"),
            ("resources", Ty::Int, "NOT NULL"),
            ("claimed", Ty::Int, "NOT NULL"),
            ("orphans", Ty::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "writing",
        columns: &[("id", Ty::Int, "PRIMARY KEY")],
        keys: "",
    },
];

/// What the daemon keeps: over restarts, and for every replica of it.
const DAEMON: &[Own] = &[
    Own {
        name: "watched",
        columns: &[
            ("source", Ty::Id, "PRIMARY KEY"),
            ("state", Ty::Text, "NOT NULL"),
            ("plan", Ty::Bytes, ""),
            ("holder", Ty::Text, "NOT NULL"),
            ("token", Ty::Int, "NOT NULL"),
            ("at", Ty::Int, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "suspensions",
        columns: &[
            ("source", Ty::Id, "PRIMARY KEY"),
            ("actor", Ty::Text, "NOT NULL"),
            ("reason", Ty::Text, "NOT NULL"),
            ("at", Ty::Int, "NOT NULL"),
        ],
        keys: "",
    },
    Own {
        name: "passes",
        columns: &[
            ("at", Ty::Int, "NOT NULL"),
            ("id", Ty::Int, "NOT NULL"),
            ("source", Ty::Id, "NOT NULL"),
            ("document", Ty::Text, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (at, id)",
    },
    Own {
        name: "acts",
        columns: &[
            ("at", Ty::Int, "NOT NULL"),
            ("id", Ty::Int, "NOT NULL"),
            ("actor", Ty::Text, "NOT NULL"),
            ("act", Ty::Text, "NOT NULL"),
            ("subject", Ty::Text, "NOT NULL"),
            ("reason", Ty::Text, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (at, id)",
    },
    Own {
        name: "outbox",
        columns: &[
            ("id", Ty::Id, "PRIMARY KEY"),
            ("target", Ty::Text, "NOT NULL"),
            ("notice", Ty::Text, "NOT NULL"),
            ("attempts", Ty::Int, "NOT NULL"),
            ("next_at", Ty::Int, "NOT NULL"),
            ("error", Ty::Text, ""),
            ("created_at", Ty::Int, "NOT NULL"),
        ],
        keys: "",
    },
];

const FEEDS: &[Own] = &[
    Own {
        name: "feeds",
        columns: &[
            ("source", Ty::Id, "NOT NULL"),
            ("at", Ty::Int, "NOT NULL"),
            ("digest", Ty::Bytes, "NOT NULL"),
            ("records", Ty::Int, "NOT NULL"),
            ("columns", Ty::Text, "NOT NULL"),
            ("filled", Ty::Text, "NOT NULL"),
            ("modified_at", Ty::Int, ""),
        ],
        keys: "PRIMARY KEY (source, at)",
    },
    Own {
        name: "absences",
        columns: &[
            ("source", Ty::Id, "NOT NULL"),
            ("kind", Ty::Id, "NOT NULL"),
            ("external_id", Ty::Id, "NOT NULL"),
            ("missed", Ty::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, kind, external_id)",
    },
    Own {
        name: "imports",
        columns: &[
            ("id", Ty::Id, "PRIMARY KEY"),
            ("nth", Ty::Int, "NOT NULL"),
            ("source", Ty::Id, "NOT NULL"),
            ("kind", Ty::Id, "NOT NULL"),
            ("actor", Ty::Id, "NOT NULL"),
            // The key of the sender's own, so that it is done once.
            ("idem", Ty::Id, ""),
            ("digest", Ty::Text, "NOT NULL"),
            ("name", Ty::Text, "NOT NULL"),
            ("atomic", Ty::Int, "NOT NULL"),
            ("state", Ty::Text, "NOT NULL"),
            ("attempts", Ty::Int, "NOT NULL"),
            ("at", Ty::Int, "NOT NULL"),
            ("ended_at", Ty::Int, "NOT NULL"),
            ("run", Ty::Int, "NOT NULL"),
            ("answer", Ty::Text, "NOT NULL"),
            // What of it is held back and may still go through.
            ("held", Ty::Text, "NOT NULL"),
            // None once nothing of it may still go through.
            ("body", Ty::Bytes, ""),
        ],
        keys: "UNIQUE (actor, idem)",
    },
    Own {
        name: "reports",
        columns: &[
            ("source", Ty::Id, "PRIMARY KEY"),
            ("at", Ty::Int, "NOT NULL"),
            ("report", Ty::Bytes, "NOT NULL"),
        ],
        keys: "",
    },
];

/// What guards held, until somebody decides.
const HOLDS: &[Own] = &[
    Own {
        name: "held_steps",
        columns: &[
            ("source", Ty::Id, "NOT NULL"),
            ("kind", Ty::Id, "NOT NULL"),
            ("external_id", Ty::Id, "NOT NULL"),
            ("budget", Ty::Id, "NOT NULL"),
            ("field", Ty::Text, "NOT NULL"),
            ("verb", Ty::Text, "NOT NULL"),
            ("hold", Ty::Id, "NOT NULL"),
            // By which numbers it was held: so many, after so many within the window, of so many.
            ("steps", Ty::Int, "NOT NULL"),
            ("earlier", Ty::Int, "NOT NULL"),
            ("total", Ty::Int, "NOT NULL"),
            ("declared", Ty::Bytes, "NOT NULL"),
            ("step", Ty::Bytes, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, kind, external_id, budget)",
    },
    Own {
        // An approval holds for one apply.
        name: "used_approvals",
        columns: &[
            ("hold", Ty::Id, "NOT NULL"),
            ("resource", Ty::Id, "NOT NULL"),
            ("approved_at", Ty::Int, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (hold, resource, approved_at)",
    },
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Own> {
    VERSIONS.iter().copied().flatten()
}

/// Indexes on Roster's own tables.
pub(super) const INDEXES: &[(&str, &str, &str)] = &[
    ("claims_resource", "claims", "kind, external_id"),
    ("changes_resource", "changes", "kind, external_id"),
    ("changes_run", "changes", "run"),
    ("runs_plan", "runs", "plan_id"),
    ("run_budgets_source", "run_budgets", "source, at"),
    ("user_logins_account", "user_logins", "account_id"),
    ("user_logins_name", "user_logins", "name"),
    ("passes_source", "passes", "source, at"),
    ("imports_source", "imports", "source, nth"),
];

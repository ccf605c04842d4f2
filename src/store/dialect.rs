//! The differences between the two engines' SQL, as data. Everything else in the store is written
//! once; a difference that is more than a piece of SQL is a bulk path in `connection`.

use super::sql_value::SqlType;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SqlEngine {
    Sqlite,
    Postgres,
}

/// The SQL of one engine.
#[derive(Debug)]
pub(super) struct SqlDialect {
    /// The name of the engine, for messages.
    pub(super) name: &'static str,
    pub(super) engine: SqlEngine,
    /// What follows the column list of a table.
    pub(super) table_options: &'static str,
    /// A random version from -1 down to -2^52, which marks a foreign write.
    pub(super) foreign_version: &'static str,
    /// The current time, as a column default.
    pub(super) now: &'static str,
    /// Milliseconds since 1970 by the clock that decides about leases.
    pub(super) clock: &'static str,
    /// Makes statements fail that wait long for a lock.
    pub(super) set_lock_timeout: &'static str,
    /// Sets how many milliseconds the transaction may be idle between two statements.
    pub(super) set_idle_timeout: &'static str,
    /// Locks the rows that a query reads.
    pub(super) for_update: &'static str,
    /// Locks the rows that a join reads from the table with the alias `t`.
    pub(super) for_update_t: &'static str,
    /// Locks the rows that a query reads, but for those that are locked already, which it leaves out.
    pub(super) for_update_skip_locked: &'static str,
    /// Keeps the rows that a query reads from being deleted until the end of the transaction.
    pub(super) for_key_share: &'static str,
    /// A parameter that is a time.
    pub(super) time_parameter: &'static str,
    /// The literals for false and true.
    pub(super) booleans: [&'static str; 2],
    /// A query for the existence of a table, with its name as the parameter.
    pub(super) table_exists: &'static str,
    /// A query for the names of all tables and views.
    pub(super) tables: &'static str,
    /// A query for the columns of a table, with its name as the parameter.
    pub(super) columns: &'static str,
    /// Goes around a JSON object in `FROM`; its members become rows `j` with a column `key`.
    pub(super) members: [&'static str; 2],
    /// Sets the guard that tells the triggers that Roster is writing.
    pub(super) guard_on: &'static str,
    /// Removes the guard.
    pub(super) guard_off: &'static str,
    /// Prepares the transaction for many writes that are scattered over the tables.
    pub(super) many_steps_begin: &'static str,
    /// Prepares the transaction for a first load.
    pub(super) load_begins: &'static str,
    /// How many rows a statement takes.
    pub(super) rows: usize,
    /// How many texts a search looks at for a page: what takes half of 100 ms.
    pub(super) searched_texts: usize,
    /// How a prefix is found in the index of a searched text: from the first text that begins with
    /// it, up to the last one.
    pub(super) text_order: [&'static str; 2],
    /// Goes around a JSON array of texts to make a query of its members.
    pub(super) json_texts: [&'static str; 2],
    /// What an index of a searched text has behind its expression.
    pub(super) text_index: &'static str,
}

/// Embedded, the default engine.
pub(super) const SQLITE: SqlDialect = SqlDialect {
    name: "SQLite",
    engine: SqlEngine::Sqlite,
    table_options: " STRICT, WITHOUT ROWID",
    foreign_version: "(-1 - (random() & 4503599627370495))",
    now: "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    clock: "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
    set_lock_timeout: "",
    set_idle_timeout: "",
    for_update: "",
    for_update_t: "",
    for_update_skip_locked: "",
    for_key_share: "",
    time_parameter: "?",
    booleans: ["0", "1"],
    table_exists: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?",
    tables: "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') \
             AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name",
    columns: "SELECT name FROM pragma_table_info(?)",
    members: ["json_each(", ") AS j"],
    guard_on: "INSERT INTO writing (id) VALUES (1)",
    guard_off: "DELETE FROM writing",
    many_steps_begin: "PRAGMA cache_size = -65536",
    // The rows of a load are sorted by key, so pages already written are not needed again.
    load_begins: "PRAGMA cache_size = -16384",
    rows: 100,
    searched_texts: 400_000,
    text_order: [">=", "<"],
    json_texts: ["SELECT value FROM json_each(", ")"],
    text_index: "",
};

/// For teams: several replicas and other programs on one database.
pub(super) const POSTGRES: SqlDialect = SqlDialect {
    name: "PostgreSQL",
    engine: SqlEngine::Postgres,
    table_options: "",
    foreign_version: "(-1 - floor(random() * 4503599627370496)::bigint)",
    now: "now()",
    clock: "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    set_lock_timeout: "SET LOCAL lock_timeout = '2s'",
    set_idle_timeout: "SET LOCAL idle_in_transaction_session_timeout = ",
    for_update: " FOR UPDATE",
    for_update_t: " FOR UPDATE OF t",
    for_update_skip_locked: " FOR UPDATE SKIP LOCKED",
    for_key_share: " FOR KEY SHARE",
    time_parameter: "CAST(? AS timestamptz)",
    booleans: ["false", "true"],
    // The information schema hides tables that the role may not read; the catalogue shows them.
    table_exists: "SELECT 1::bigint FROM pg_catalog.pg_class AS c \
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
                   WHERE n.nspname = current_schema() AND c.relname = ? \
                   AND c.relkind IN ('r', 'p')",
    tables: "SELECT c.relname::text FROM pg_catalog.pg_class AS c \
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
             ORDER BY 1",
    columns: "SELECT a.attname::text FROM pg_catalog.pg_attribute AS a \
              JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid \
              JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
              WHERE n.nspname = current_schema() AND c.relname = ? AND a.attnum > 0",
    members: ["json_object_keys(", "::json) AS j(key)"],
    guard_on: "SET LOCAL roster.writing = 'on'",
    guard_off: "SET LOCAL roster.writing = ''",
    // A full ANALYZE of the new rows takes a third of the load. Rough statistics are enough until
    // autovacuum has gathered better ones.
    many_steps_begin: "",
    load_begins: "SET LOCAL default_statistics_target = 10",
    rows: 5000,
    searched_texts: 100_000,
    // An index in the order of a language finds no prefix, unless the database has the collation C.
    text_order: ["~>=~", "~<~"],
    json_texts: ["SELECT json_array_elements_text(CAST(", " AS json))"],
    text_index: " text_pattern_ops",
};

impl SqlDialect {
    pub(super) fn is_postgres(&self) -> bool {
        self.engine == SqlEngine::Postgres
    }

    /// The column type, as in `CREATE TABLE`.
    pub(super) fn ty(&self, ty: SqlType) -> &'static str {
        let [sqlite, postgres] = match ty {
            SqlType::Text => ["TEXT", "text"],
            // Collation C sorts by bytes, as SQLite and Rust do. With a language's collation, walks
            // over two sorted lists would miss each other's rows.
            SqlType::Id => ["TEXT", "text COLLATE \"C\""],
            SqlType::Int => ["INTEGER", "bigint"],
            SqlType::Bool => ["INTEGER", "boolean"],
            SqlType::Bytes => ["BLOB", "bytea"],
            SqlType::Time => ["TEXT", "timestamptz"],
        };
        if self.is_postgres() { postgres } else { sqlite }
    }

    /// A constraint with the engine's words in place of `{now}` and `{false}`.
    pub(super) fn fill_in(&self, constraint: &str) -> String {
        let filled = constraint.replace("{now}", self.now);
        filled.replace("{false}", self.booleans[0])
    }

    /// An expression for a time as ISO 8601 text in UTC. Other programs write times too, on SQLite
    /// in any form that it knows.
    pub(super) fn iso_text(&self, column: &str) -> String {
        if self.is_postgres() {
            let form = r#"YYYY-MM-DD"T"HH24:MI:SS.MS"Z""#;
            return format!("to_char({column} AT TIME ZONE 'UTC', '{form}')");
        }
        format!("coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', {column}), {column})")
    }

    /// Numbers the `?` of a statement if the engine wants it.
    pub(super) fn number_placeholders(&self, sql: &str) -> String {
        if !self.is_postgres() {
            return sql.to_owned();
        }
        let mut placed = String::with_capacity(sql.len() + 16);
        let mut parts = sql.split('?');
        placed.push_str(parts.next().unwrap_or_default());
        for (index, part) in parts.enumerate() {
            placed.push('$');
            placed.push_str(&(index + 1).to_string());
            placed.push_str(part);
        }
        placed
    }

    /// The rows of a batch as a query: `VALUES (?, ?), …`, or `unnest` of one array per column.
    pub(super) fn batch(&self, types: &[SqlType], rows: usize) -> String {
        if !self.is_postgres() {
            let row = format!("({})", vec!["?"; types.len()].join(","));
            return format!("VALUES {}", vec![row.as_str(); rows].join(","));
        }
        let (mut read, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (index, ty) in types.iter().enumerate() {
            let (array, cast) = match ty {
                SqlType::Text | SqlType::Id => ("text", ""),
                SqlType::Int => ("bigint", ""),
                SqlType::Bool => ("boolean", ""),
                SqlType::Bytes => ("bytea", ""),
                // Times go as text, because the driver has no array type for them without another
                // dependency.
                SqlType::Time => ("text", "::timestamptz"),
            };
            read.push(format!("c{index}{cast}"));
            arrays.push(format!("${}::{array}[]", index + 1));
            names.push(format!("c{index}"));
        }
        let (read, arrays, names) = (read.join(","), arrays.join(","), names.join(","));
        format!("SELECT {read} FROM unnest({arrays}) AS batch({names})")
    }
}

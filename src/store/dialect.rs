//! What differs between the two engines' SQL, as data.

use super::sql_value::SqlType;

/// One engine's way to say things.
#[derive(Debug)]
pub(super) struct SqlDialect {
    /// Its name, for messages.
    pub(super) name: &'static str,
    /// `?` or `$1`.
    pub(super) numbered: bool,
    /// The words after a table's columns.
    pub(super) table_options: &'static str,
    /// A random number from -1 down to -2^52.
    pub(super) foreign_version: &'static str,
    /// The moment, for a column's default.
    pub(super) now: &'static str,
    /// Milliseconds since 1970 by the clock that leases are judged by.
    pub(super) clock: &'static str,
    /// Makes statements fail that wait long for a lock.
    pub(super) set_lock_timeout: &'static str,
    /// Lets the transaction stand still for so many milliseconds between two statements.
    pub(super) set_idle_timeout: &'static str,
    /// Locks the rows that a query reads.
    pub(super) for_update: &'static str,
    /// Locks the rows that a join reads of the table called `t` there.
    pub(super) for_update_t: &'static str,
    /// The two booleans.
    pub(super) booleans: [&'static str; 2],
    /// Whether a table is there: a query with its name as the parameter.
    pub(super) table_exists: &'static str,
    /// The tables and views that are there, by name.
    pub(super) tables: &'static str,
    /// The columns of a table: a query with its name as the parameter.
    pub(super) columns: &'static str,
    /// Around a JSON object in `FROM`: its members as rows `j` with a column `key`.
    pub(super) members: [&'static str; 2],
    /// Announces a write of Roster's own, which triggers then leave alone.
    pub(super) guard_on: &'static str,
    /// Takes that back.
    pub(super) guard_off: &'static str,
    /// Sets a first load up.
    pub(super) load_begins: &'static str,
    /// Takes that back, where the end of the transaction does not.
    pub(super) load_ends: &'static str,
    /// How many rows a statement takes.
    pub(super) rows: usize,
}

/// Embedded, the default.
pub(super) const SQLITE: SqlDialect = SqlDialect {
    name: "SQLite",
    numbered: false,
    table_options: " STRICT, WITHOUT ROWID",
    foreign_version: "(-1 - (random() & 4503599627370495))",
    now: "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    clock: "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
    set_lock_timeout: "",
    set_idle_timeout: "",
    for_update: "",
    for_update_t: "",
    booleans: ["0", "1"],
    table_exists: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?",
    tables: "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') \
             AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name",
    columns: "SELECT name FROM pragma_table_info(?)",
    members: ["json_each(", ") AS j"],
    guard_on: "INSERT INTO writing (id) VALUES (1)",
    guard_off: "DELETE FROM writing",
    // Rows come in the order of their keys, so pages behind them are not needed again; what `open`
    // gives a connection is for writes all over the tables.
    load_begins: "PRAGMA cache_size = -16384",
    load_ends: "PRAGMA cache_size = -65536",
    rows: 100,
};

/// For teams.
pub(super) const POSTGRES: SqlDialect = SqlDialect {
    name: "PostgreSQL",
    numbered: true,
    table_options: "",
    foreign_version: "(-1 - floor(random() * 4503599627370496)::bigint)",
    now: "now()",
    clock: "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    set_lock_timeout: "SET LOCAL lock_timeout = '2s'",
    set_idle_timeout: "SET LOCAL idle_in_transaction_session_timeout = ",
    for_update: " FOR UPDATE",
    for_update_t: " FOR UPDATE OF t",
    booleans: ["false", "true"],
    // The information schema hides what the role may not read.
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
    // Rough numbers will do for the planner until autovacuum has counted: a full ANALYZE of what was
    // just written takes a third of the load.
    load_begins: "SET LOCAL default_statistics_target = 10",
    load_ends: "SET LOCAL default_statistics_target = DEFAULT",
    rows: 5000,
};

impl SqlDialect {
    /// The type of a column, as in `CREATE TABLE`.
    pub(super) fn ty(&self, ty: SqlType) -> &'static str {
        let [sqlite, postgres] = match ty {
            SqlType::Text => ["TEXT", "text"],
            SqlType::Id => ["TEXT", "text COLLATE \"C\""],
            SqlType::Int => ["INTEGER", "bigint"],
            SqlType::Bool => ["INTEGER", "boolean"],
            SqlType::Bytes => ["BLOB", "bytea"],
            SqlType::Time => ["TEXT", "timestamptz"],
        };
        if self.numbered { postgres } else { sqlite }
    }

    /// A statement with this engine's placeholders; it is written with `?`.
    pub(super) fn number_placeholders(&self, sql: &str) -> String {
        if !self.numbered {
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

    /// The rows of a batch as a query: `VALUES (?, ?), …`, or `unnest` of an array a column.
    pub(super) fn batch(&self, types: &[SqlType], rows: usize) -> String {
        if !self.numbered {
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

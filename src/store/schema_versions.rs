//! The schema versions and what each one added. A new database is created from the table of kinds
//! and only needs the current version number; an older database is upgraded by what is listed here,
//! version by version.

use super::dialect::SqlDialect;
use super::internal_tables::{self, InternalTable};
use super::{incremental_tables, job_tables, people_tables, schema, tables, triggers, views};
use crate::kinds::{self, ACCOUNT, POLICY, SETTINGS, USER};
use crate::model::KindId;

/// The additions of one version.
pub(super) struct SchemaVersion {
    pub(super) tables: &'static [InternalTable],
    /// New kinds, each with its tables.
    pub(super) kinds: &'static [KindId],
    /// New fields of existing kinds, by their name in the table of kinds.
    pub(super) fields: &'static [(KindId, &'static str)],
    /// Whether views are new, or select something else than before.
    pub(super) views: bool,
    /// New runtime facts of existing kinds.
    pub(super) facts: &'static [NewFact],
    /// New indexes of existing tables, by name. One of the same name is replaced.
    pub(super) indexes: &'static [&'static str],
}

/// The indexes with which every page is read without its table.
const PAGE_INDEXES: &[&str] = &[
    "accounts_effective_until",
    "accounts_inactive",
    "accounts_name",
    "changes_resource",
    "changes_run",
    "jobs_account",
    "orders_account",
    "organisations_name",
    "policies_effective_until",
    "users_effective_until",
    "users_email",
    "users_inactive",
    "users_last_name",
];

/// From when until when something is in force.
const EFFECTIVE_DATES: &[(KindId, &str)] = &[
    (ACCOUNT, "effectiveFrom"),
    (ACCOUNT, "effectiveUntil"),
    (USER, "datedLinks"),
    (USER, "effectiveFrom"),
    (USER, "effectiveUntil"),
    (POLICY, "effectiveFrom"),
    (POLICY, "effectiveUntil"),
];

/// A runtime fact that a version added.
pub(super) struct NewFact {
    kind: KindId,
    column: &'static str,
    /// The column whose value it starts with.
    starts_as: &'static str,
}

/// Until then, the password that a source set last was the current one.
const PASSWORD_APPLIED: NewFact = NewFact {
    kind: USER,
    column: "password_applied",
    starts_as: "password_hash",
};

const fn own_tables(tables: &'static [InternalTable]) -> SchemaVersion {
    SchemaVersion {
        tables,
        kinds: &[],
        fields: &[],
        views: false,
        facts: &[],
        indexes: &[],
    }
}

/// Every version, oldest first. The kinds of the first one are not listed. Released entries never
/// change; a new release adds one.
pub(super) const SCHEMA_VERSIONS: &[SchemaVersion] = &[
    own_tables(internal_tables::FIRST),
    own_tables(internal_tables::DAEMON),
    own_tables(internal_tables::FEEDS),
    own_tables(internal_tables::HOLDS),
    own_tables(people_tables::ACTS),
    own_tables(people_tables::LOGINS),
    // Who sees whom.
    SchemaVersion {
        views: true,
        ..own_tables(&[])
    },
    SchemaVersion {
        facts: &[PASSWORD_APPLIED],
        ..own_tables(people_tables::INVITATIONS)
    },
    own_tables(job_tables::JOBS),
    SchemaVersion {
        views: true,
        fields: &[(SETTINGS, "initialAccess")],
        indexes: &["accounts_pending"],
        ..own_tables(people_tables::ACCEPTANCES)
    },
    own_tables(job_tables::OFFERS),
    own_tables(people_tables::CUSTOMER_TOKENS),
    own_tables(people_tables::ERASURES),
    own_tables(internal_tables::IMPORT_HOLDS),
    SchemaVersion {
        indexes: PAGE_INDEXES,
        fields: EFFECTIVE_DATES,
        ..own_tables(incremental_tables::INCREMENTAL)
    },
];

/// The version of this release.
#[allow(clippy::cast_possible_wrap)]
pub(super) const CURRENT: i64 = SCHEMA_VERSIONS.len() as i64;

/// The versions after `found`.
fn since(found: i64) -> &'static [SchemaVersion] {
    let known = usize::try_from(found).unwrap_or_default();
    SCHEMA_VERSIONS.get(known..).unwrap_or_default()
}

/// Whether the tables of the kinds have the same columns in version `found` as in this one. A newer
/// release only adds columns, which this one does not read.
pub(super) fn has_all_columns(found: i64) -> bool {
    since(found).iter().all(|version| {
        version.kinds.is_empty() && version.fields.is_empty() && version.facts.is_empty()
    })
}

/// Whether version `found` has the views of this one.
pub(super) fn has_all_views(found: i64) -> bool {
    since(found).iter().all(|version| !version.views)
}

/// Whether a version after `found` added this table.
pub(super) fn adds_table(found: i64, name: &str) -> bool {
    let mut tables = since(found).iter().flat_map(|version| version.tables);
    tables.any(|table| table.name == name)
}

/// The statements that upgrade a database from an older version.
pub(super) fn upgrade(dialect: &SqlDialect, found: i64) -> Vec<String> {
    upgrade_by(dialect, since(found))
}

fn upgrade_by(dialect: &SqlDialect, new: &[SchemaVersion]) -> Vec<String> {
    let mut created = Vec::new();
    let mut statements = Vec::new();
    for own in new.iter().flat_map(|version| version.tables) {
        created.push(own.name.to_owned());
        statements.push(schema::internal_table(dialect, own));
    }
    for kind in new.iter().flat_map(|version| version.kinds) {
        let table = tables::for_kind(*kind);
        created.push(table.kind.table.to_owned());
        created.extend(table.links.iter().map(|link| link.name.clone()));
        statements.extend(schema::kind_tables(dialect, table));
    }
    let mut added = Vec::new();
    for (kind, name) in new.iter().flat_map(|version| version.fields) {
        let table = tables::for_kind(*kind);
        let index = kinds::get(*kind).expect_index(name);
        for column in table.columns_of_field(index) {
            let definition = schema::column(dialect, table.kind, column);
            let name = table.kind.table;
            statements.push(format!("ALTER TABLE {name} ADD COLUMN {definition}"));
            added.push((name, column.name.clone()));
        }
        for link in table.links.iter().filter(|link| link.field == index) {
            created.push(link.name.clone());
            statements.push(schema::link_table(dialect, table, link));
        }
    }
    for fact in new.iter().flat_map(|version| version.facts) {
        let table = tables::for_kind(fact.kind);
        let name = table.kind.table;
        let columns = table.columns.iter();
        for column in columns.filter(|column| column.name == fact.column) {
            let definition = schema::column(dialect, table.kind, column);
            statements.push(format!("ALTER TABLE {name} ADD COLUMN {definition}"));
            added.push((name, column.name.clone()));
        }
        // Under the guard, so that no row looks changed by another program.
        statements.extend([
            dialect.guard_on.to_owned(),
            format!("UPDATE {name} SET {} = {}", fact.column, fact.starts_as),
            dialect.guard_off.to_owned(),
        ]);
    }
    if created
        .iter()
        .any(|name| name == incremental_tables::FOREIGN_WRITES)
    {
        statements.extend(triggers::drop_replaced(dialect));
    }
    // New tables get all their triggers and indexes; an old table has its own and needs only the
    // indexes on new columns.
    let of_new_table = |table: &str| created.iter().any(|new| new == table);
    let triggers = triggers::all(dialect).into_iter();
    let triggers = triggers
        .filter(|trigger| of_new_table(&trigger.table) || trigger.needs.is_some_and(&of_new_table));
    statements.extend(triggers::functions(dialect));
    statements.extend(triggers.map(|trigger| trigger.create));
    statements.extend(index_statements(dialect, new, of_new_table, &added));
    // A view keeps the columns that its table had when the view was created, so it has to be
    // created again.
    if !added.is_empty() || new.iter().any(|version| version.views) {
        // Before anything else, because SQLite checks them whenever a table is altered.
        statements.splice(0..0, views::drop_if_needed(dialect));
        statements.extend(views::create_or_replace(dialect));
    }
    statements
}

/// The statements that make the indexes of new tables and new columns, and those that the versions
/// name.
fn index_statements(
    dialect: &SqlDialect,
    new: &[SchemaVersion],
    is_new_table: impl Fn(&str) -> bool,
    added: &[(&str, String)],
) -> Vec<String> {
    let named = || new.iter().flat_map(|version| version.indexes);
    let replaced = named().map(|name| format!("DROP INDEX IF EXISTS {name}"));
    let indexes = schema::indexes(dialect).into_iter().filter(|index| {
        let mut added = added.iter();
        is_new_table(&index.table)
            || named().any(|name| index.is_called(name))
            || added.any(|(table, column)| index.covers(table, column))
    });
    replaced
        .chain(indexes.map(|index| index.create()))
        .collect()
}

/// Roster's own tables, of all versions.
pub(super) fn all() -> impl Iterator<Item = &'static InternalTable> {
    SCHEMA_VERSIONS.iter().flat_map(|version| version.tables)
}

/// Everything, in the order in which it can be created.
pub(super) fn create(dialect: &SqlDialect) -> Vec<String> {
    let mut statements = Vec::new();
    for table in tables::ALL.iter() {
        statements.extend(schema::kind_tables(dialect, table));
    }
    // After the kinds, because jobs refer to users.
    statements.extend(all().map(|own| schema::internal_table(dialect, own)));
    statements.extend(triggers::functions(dialect));
    let triggers = triggers::all(dialect).into_iter();
    statements.extend(triggers.map(|trigger| trigger.create));
    statements.extend(
        schema::indexes(dialect)
            .into_iter()
            .map(|index| index.create()),
    );
    statements.extend(views::create());
    statements
}

/// The names of all tables.
pub(super) fn table_names() -> Vec<String> {
    let mut names: Vec<String> = all().map(|own| own.name.to_owned()).collect();
    for table in tables::ALL.iter() {
        names.push(table.kind.table.to_owned());
        names.extend(table.links.iter().map(|link| link.name.clone()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::dialect::SQLITE;
    use super::*;
    use crate::kinds::{ACCOUNT, TAG};
    use rusqlite::Connection;

    /// What a database has: tables with their columns, indexes, triggers and views.
    fn shape(database: &Connection) -> Vec<String> {
        let mut all = Vec::new();
        let sql = "SELECT type || ' ' || name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' \
                   UNION ALL SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || \
                   coalesce(c.dflt_value, '') FROM sqlite_schema m, pragma_table_info(m.name) c \
                   ORDER BY 1";
        let mut statement = database.prepare(sql).expect("a query");
        let rows = statement.query_map([], |row| row.get::<_, String>(0));
        all.extend(rows.expect("rows").map(|row| row.expect("a text")));
        all
    }

    fn run(database: &Connection, statements: &[String]) {
        for statement in statements {
            database
                .execute_batch(statement)
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    #[test]
    fn a_database_that_gets_fields_and_kinds_later_is_like_a_new_one() {
        let dialect = &SQLITE;
        let new = Connection::open_in_memory().expect("a database");
        run(&new, &create(dialect));

        let old = Connection::open_in_memory().expect("a database");
        run(&old, &create(dialect));
        run(&old, &views::drop_if_needed(dialect));
        let taken = [
            "DROP TABLE user_stores",
            "DROP INDEX users_email",
            "DROP INDEX accounts_pending",
            "ALTER TABLE users DROP COLUMN email",
            "ALTER TABLE accounts DROP COLUMN website",
            "ALTER TABLE users DROP COLUMN password_applied",
            "DROP TABLE account_tags",
            "DROP TABLE tags",
        ];
        run(&old, &taken.map(str::to_owned));
        run(&old, &views::create());
        assert_ne!(shape(&old), shape(&new));

        let version = SchemaVersion {
            tables: &[],
            kinds: &[TAG],
            fields: &[
                (ACCOUNT, "website"),
                (ACCOUNT, "tags"),
                (USER, "email"),
                (USER, "stores"),
            ],
            facts: &[PASSWORD_APPLIED],
            views: false,
            indexes: &["accounts_pending"],
        };
        run(&old, &upgrade_by(dialect, &[version]));
        assert_eq!(shape(&old), shape(&new));
    }

    #[test]
    fn a_database_that_gets_views_later_is_like_a_new_one() {
        let dialect = &SQLITE;
        let new = Connection::open_in_memory().expect("a database");
        run(&new, &create(dialect));
        let old = Connection::open_in_memory().expect("a database");
        run(&old, &create(dialect));
        run(&old, &["DROP VIEW visible_users".to_owned()]);
        let version = SchemaVersion {
            views: true,
            ..own_tables(&[])
        };
        run(&old, &upgrade_by(dialect, &[version]));
        assert_eq!(shape(&old), shape(&new));
    }
}

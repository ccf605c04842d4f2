//! The schema versions and what each one added. A new database is created from the table of kinds
//! and only needs the current version number; an older database is upgraded by what is listed here,
//! version by version.

use super::dialect::SqlDialect;
use super::internal_tables::{self, InternalTable};
use super::{schema, tables, triggers};
use crate::kinds::{self, SETTINGS};
use crate::model::KindId;

/// The additions of one version.
pub(super) struct SchemaVersion {
    pub(super) tables: &'static [InternalTable],
    /// New kinds, each with its tables.
    pub(super) kinds: &'static [KindId],
    /// New fields of existing kinds, by their name in the table of kinds.
    pub(super) fields: &'static [(KindId, &'static str)],
    /// New indexes of existing tables, by name.
    pub(super) indexes: &'static [&'static str],
}

const fn own_tables(tables: &'static [InternalTable]) -> SchemaVersion {
    SchemaVersion {
        tables,
        kinds: &[],
        fields: &[],
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
    own_tables(internal_tables::ACTS),
    SchemaVersion {
        fields: &[(SETTINGS, "initialAccess")],
        indexes: &["accounts_pending"],
        ..own_tables(internal_tables::ACCEPTANCES)
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
    since(found)
        .iter()
        .all(|version| version.kinds.is_empty() && version.fields.is_empty())
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
    // New tables get all their triggers and indexes; an old table has its own and needs only the
    // indexes on new columns.
    let of_new_table = |table: &String| created.contains(table);
    let marks = triggers::all(dialect).into_iter();
    statements.extend(
        marks
            .filter(|trigger| of_new_table(&trigger.table))
            .map(|trigger| trigger.create),
    );
    let named: Vec<&str> = new
        .iter()
        .flat_map(|version| version.indexes)
        .copied()
        .collect();
    let indexes = schema::indexes().into_iter().filter(|index| {
        of_new_table(&index.table)
            || named.iter().any(|name| index.is_called(name))
            || added
                .iter()
                .any(|(table, column)| index.covers(table, column))
    });
    statements.extend(indexes.map(|index| index.create()));
    if !added.is_empty() {
        // A view keeps the columns that its table had when the view was created, so it has to be
        // created again. PostgreSQL replaces it instead, because a shop's right to read it would go
        // with the view.
        if dialect.is_postgres() {
            statements.extend(create_views("CREATE OR REPLACE VIEW"));
        } else {
            statements.splice(0..0, drop_views());
            statements.extend(create_views("CREATE VIEW"));
        }
    }
    statements
}

/// Roster's own tables, of all versions.
pub(super) fn all() -> impl Iterator<Item = &'static InternalTable> {
    SCHEMA_VERSIONS.iter().flat_map(|version| version.tables)
}

/// Everything, in the order in which it can be created.
pub(super) fn create(dialect: &SqlDialect) -> Vec<String> {
    let mut statements: Vec<String> = all()
        .map(|own| schema::internal_table(dialect, own))
        .collect();
    for table in tables::ALL.iter() {
        statements.extend(schema::kind_tables(dialect, table));
    }
    statements.extend(triggers::functions(dialect));
    let triggers = triggers::all(dialect).into_iter();
    statements.extend(triggers.map(|trigger| trigger.create));
    statements.extend(schema::indexes().into_iter().map(|index| index.create()));
    statements.extend(create_views("CREATE VIEW"));
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

/// `usable_accounts` and `usable_users`: whom the life cycles let in.
///
/// An account is usable when it is active, approved and not blocked. A user may log in when
/// active, enabled, not blocked and in at least one usable account. Where the settings make
/// `User.accounts` optional, a user without any account may log in too.
fn create_views(create: &str) -> Vec<String> {
    vec![
        format!(
            "{create} usable_accounts AS SELECT * FROM accounts \
             WHERE status = 'active' AND approval = 'approved' AND blocked IS NULL"
        ),
        format!(
            "{create} usable_users AS SELECT * FROM users \
             WHERE status = 'active' AND access = 'enabled' AND blocked IS NULL \
             AND (EXISTS (SELECT 1 FROM user_accounts \
                 JOIN usable_accounts ON usable_accounts.external_id = user_accounts.account_id \
                 WHERE user_accounts.user_id = users.external_id) \
               OR NOT EXISTS (SELECT 1 FROM user_accounts \
                   WHERE user_accounts.user_id = users.external_id) \
                 AND EXISTS (SELECT 1 FROM settings_optional_fields \
                   WHERE value = 'User.accounts'))"
        ),
    ]
}

/// The statements that drop them, in the order in which nothing depends on what goes.
fn drop_views() -> Vec<String> {
    ["usable_users", "usable_accounts"]
        .map(|view| format!("DROP VIEW {view}"))
        .into()
}

#[cfg(test)]
mod tests {
    use super::super::dialect::SQLITE;
    use super::*;
    use crate::kinds::{ACCOUNT, TAG, USER};
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
        run(&old, &drop_views());
        let taken = [
            "DROP TABLE user_stores",
            "DROP INDEX users_email",
            "DROP INDEX accounts_pending",
            "ALTER TABLE users DROP COLUMN email",
            "ALTER TABLE accounts DROP COLUMN website",
            "DROP TABLE account_tags",
            "DROP TABLE tags",
        ];
        run(&old, &taken.map(str::to_owned));
        run(&old, &create_views("CREATE VIEW"));
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
            indexes: &["accounts_pending"],
        };
        run(&old, &upgrade_by(dialect, &[version]));
        assert_eq!(shape(&old), shape(&new));
    }
}

//! Whether a database has a Roster directory, and if not, why: a missing file, no tables, tables of
//! another program, or a role that may not see them. The answers matter because each of these looks
//! like an empty directory to a query.

use super::connection::{SqlRow, SqlTransaction};
use super::error::{MissingDirectory, StoreError};
use super::migrate::{has_table, meta};
use super::open::Store;
use super::schema_versions::table_names;
use super::sql_value::{SqlType, SqlValue};

/// The columns that identify Roster's table `meta`.
const META: [&str; 3] = ["identity", "schema_version", "secret_key"];
/// How many foreign tables a message names.
const SHOWN: usize = 3;

async fn names(
    tx: &mut SqlTransaction,
    sql: &str,
    of: &[SqlValue],
) -> Result<Vec<String>, StoreError> {
    let rows = tx.fetch(sql, of, &[SqlType::Text]).await?;
    let names = rows.into_iter().map(|mut row| row[0].take_text().into());
    Ok(names.collect())
}

/// What a role sees of the schemas of a PostgreSQL database.
struct SchemaVisibility {
    role: String,
    /// The first schema of the search path that exists and may be used.
    schema: Option<String>,
    /// The search path as it is set.
    path: String,
    roster_schemas: Vec<RosterSchema>,
}

/// A schema that contains Roster's tables.
struct RosterSchema {
    schema: String,
    usable: bool,
    readable: bool,
    /// Whether it is on this role's effective search path.
    on_search_path: bool,
}

impl Store {
    /// Returns why there is no directory in the database; `None` if there is one.
    pub async fn missing_directory(&self) -> Result<Option<MissingDirectory>, StoreError> {
        let url = self.url().to_owned();
        let Some(mut tx) = self.begin_read("look for Roster's tables").await? else {
            return Ok(Some(MissingDirectory::File { url }));
        };
        if meta(&mut tx).await?.is_some() {
            return Ok(None);
        }
        // The identity is gone but the data is there: a new schema on top would start an empty
        // history over existing rows.
        if has_table(&mut tx, "claims").await? {
            return Err(tx.corrupt("the table `meta` is missing, but other Roster tables exist"));
        }
        if self.embedded() {
            let (schema, elsewhere) = (None, Vec::new());
            return Ok(Some(MissingDirectory::Tables {
                url,
                schema,
                other_schemas: elsewhere,
            }));
        }
        let sight = SchemaVisibility::of(&mut tx).await?;
        let homes = sight.roster_schemas.into_iter();
        Ok(Some(MissingDirectory::Tables {
            url,
            schema: sight.schema,
            other_schemas: homes.map(|home| home.schema).collect(),
        }))
    }

    /// Fails if a table with the name of one of Roster's belongs to another program.
    pub(super) async fn must_be_ours(&self) -> Result<(), StoreError> {
        let Some(mut tx) = self.begin_read("look for Roster's tables").await? else {
            return Ok(());
        };
        let dialect = tx.dialect();
        let columns = names(&mut tx, dialect.columns, &["meta".into()]).await?;
        if META.iter().all(|own| columns.iter().any(|it| it == own)) {
            return Ok(());
        }
        let (own, there) = (table_names(), names(&mut tx, dialect.tables, &[]).await?);
        let foreign: Vec<_> = there.iter().filter(|it| own.contains(it)).collect();
        // If more than half of the tables exist, this is a damaged Roster database and not another
        // program's.
        if foreign.len() * 2 > own.len() {
            return Ok(());
        }
        let shown: Vec<_> = foreign
            .iter()
            .take(SHOWN)
            .map(|it| format!("`{it}`"))
            .collect();
        let (place, help) = if self.embedded() {
            (
                self.url().to_owned(),
                "name another file in `database:` or with `--database`",
            )
        } else {
            let schema = SchemaVisibility::of(&mut tx)
                .await?
                .schema
                .unwrap_or_default();
            (
                format!("schema {schema} of {}", self.url()),
                "use another database, or another schema with `?options=-csearch_path%3DNAME`",
            )
        };
        let tables = match (shown.len(), foreign.len() - shown.len()) {
            (0, _) => return Ok(()),
            (1, _) => format!("the table {}", shown[0]),
            (_, 0) => format!("the tables {}", shown.join(", ")),
            (_, more) => format!("the tables {} and {more} more", shown.join(", ")),
        };
        Err(StoreError::Foreign {
            place,
            tables,
            help,
        })
    }

    /// Fails if the role cannot see the tables. The server shows nothing of a schema that the role
    /// may not use, so its directory would look empty.
    pub(super) async fn ensure_visible(&self) -> Result<(), StoreError> {
        if self.embedded() {
            return Ok(());
        }
        let Some(mut tx) = self.begin_read("look for Roster's tables").await? else {
            return Ok(());
        };
        let sight = SchemaVisibility::of(&mut tx).await?;
        match sight.denial_reason(self.url()) {
            Some(why) => Err(StoreError::Denied(why)),
            None => Ok(()),
        }
    }
}

impl SchemaVisibility {
    async fn of(tx: &mut SqlTransaction) -> Result<Self, StoreError> {
        let sql = "SELECT current_user::text, current_schema()::text, \
                   current_setting('search_path')";
        let mut row = tx
            .first(sql, &[], &[SqlType::Text; 3])
            .await?
            .unwrap_or_default();
        row.resize(3, SqlValue::Null);
        // Both tables, because `meta` alone is a name that another program may use.
        let homes = "SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE'), \
                     has_table_privilege(m.oid, 'SELECT'), \
                     n.nspname = ANY (current_schemas(false)) \
                     FROM pg_catalog.pg_class AS m \
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = m.relnamespace \
                     JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'claims' \
                     WHERE m.relname = 'meta' AND m.relkind IN ('r', 'p') ORDER BY 1";
        let types = [SqlType::Text, SqlType::Bool, SqlType::Bool, SqlType::Bool];
        let homes = tx.fetch(homes, &[], &types).await?;
        Ok(Self {
            role: row[0].take_text().into(),
            schema: row[1].take_optional_text().map(Into::into),
            path: row[2].take_text().into(),
            roster_schemas: homes.into_iter().map(RosterSchema::of).collect(),
        })
    }

    /// Why the role cannot see the directory, and what to do about it.
    fn denial_reason(&self, url: &str) -> Option<String> {
        let role = &self.role;
        let usage = |schema: &str| {
            format!(
                "role {role} may not use schema {schema} of {url}: \
                 `GRANT USAGE ON SCHEMA {schema} TO {role}`"
            )
        };
        let here = |home: &&RosterSchema| Some(&home.schema) == self.schema.as_ref();
        if let Some(home) = self.roster_schemas.iter().find(here) {
            let schema = &home.schema;
            return (!home.readable).then(|| {
                format!(
                    "role {role} may not read Roster's tables in schema {schema} of {url}: \
                     `GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}`"
                )
            });
        }
        // A schema that the search path names but the role may not use is skipped silently by the
        // server.
        let mut named = self
            .roster_schemas
            .iter()
            .filter(|home| self.search_path_names(&home.schema));
        if let Some(home) = named.find(|home| !home.usable) {
            return Some(usage(&home.schema));
        }
        let Some(schema) = &self.schema else {
            return Some(format!(
                "role {role} may not use any schema of its search path ({}) in {url}: grant it \
                 `USAGE` on one, or name another with `?options=-csearch_path%3DNAME`",
                self.path
            ));
        };
        // Another schema comes first and has no tables: a `migrate` would create a second, empty
        // directory.
        let behind = self
            .roster_schemas
            .iter()
            .find(|home| home.on_search_path)?;
        Some(format!(
            "schema {schema} is first in the search path ({}) of {url} but has no Roster tables; \
             schema {behind} has them. Choose it with `?options=-csearch_path%3D{behind}`",
            self.path,
            behind = behind.schema
        ))
    }

    /// Whether the search path names a schema, whether or not the role may use it.
    fn search_path_names(&self, schema: &str) -> bool {
        let mut names = self
            .path
            .split(',')
            .map(|name| name.trim().trim_matches('"'));
        names.any(|name| name == schema || name == "$user" && schema == self.role)
    }
}

impl RosterSchema {
    fn of(mut cells: SqlRow) -> Self {
        let flag = |at: usize| cells[at].as_int() == Some(1);
        let (usable, readable, found) = (flag(1), flag(2), flag(3));
        Self {
            schema: cells[0].take_text().into(),
            usable,
            readable,
            on_search_path: found,
        }
    }
}

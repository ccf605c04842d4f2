//! The triggers that mark foreign writes. A write by another program gives the row a random
//! negative version, so that the row no longer matches what any claim has seen. Roster's own writes
//! are recognised by their new version or, for links, by the transaction's guard. The resource is also
//! recorded in `foreign_writes`, so that the next pass finds it without comparing all rows. Links to
//! accounts that another program makes are noted too, so that the next apply gives them login names.

use super::dialect::SqlDialect;
use super::incremental_tables::FOREIGN_WRITES;
use super::people_tables::UNNAMED_LINKS;
use super::tables::{self, KindTable, LinkTable};
use crate::kinds::USER;

/// The condition of PostgreSQL's triggers: another program is writing.
const NOT_WRITING: &str = "WHEN (current_setting('roster.writing', true) IS DISTINCT FROM 'on')";

pub(super) struct SqlTrigger {
    pub(super) name: String,
    pub(super) table: String,
    /// The table that it needs, if that was added later than its own.
    pub(super) needs: Option<&'static str>,
    /// The statement that makes it.
    pub(super) create: String,
}

/// All triggers, for the tables of all kinds.
pub(super) fn all(dialect: &SqlDialect) -> Vec<SqlTrigger> {
    let kinds = tables::ALL.iter();
    let marks = kinds.clone().flat_map(|table| of_kind(dialect, table));
    let records = kinds.flat_map(|table| records(dialect, table));
    let all = marks.chain(unnamed_links(dialect));
    all.chain(records).collect()
}

/// The functions that PostgreSQL's triggers call.
pub(super) fn functions(dialect: &SqlDialect) -> Vec<String> {
    if !dialect.is_postgres() {
        return Vec::new();
    }
    let version = dialect.foreign_version;
    // `%I` quotes schema and names: the directory may be in any schema.
    let touch = format!("UPDATE %I.%I SET version = {version} WHERE external_id");
    vec![
        format!(
            "CREATE OR REPLACE FUNCTION roster_foreign_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.version := {version}; RETURN NEW; END $$"
        ),
        // Once per statement, because for every row of a bulk write it would be slow. An update may
        // move a link from one owner to another, so both are marked. Most statements of a cascade
        // delete nothing.
        format!(
            "CREATE OR REPLACE FUNCTION roster_foreign_links() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  owners text := format('SELECT %I FROM written', TG_ARGV[1]);
BEGIN
  IF NOT EXISTS (SELECT 1 FROM written) THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    owners := owners || format(' UNION SELECT %I FROM earlier', TG_ARGV[1]);
  END IF;
  EXECUTE format('{touch} IN (', TG_TABLE_SCHEMA, TG_ARGV[0]) || owners || ')';
  RETURN NULL;
END $$"
        ),
        // TRUNCATE passes no rows, so every owner is marked.
        format!(
            "CREATE OR REPLACE FUNCTION roster_foreign_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %I.%I SET version = {version}', TG_TABLE_SCHEMA, TG_ARGV[0]);
  RETURN NULL;
END $$"
        ),
        // With the rights of its owner: the role of a shop need not know this table.
        format!(
            "CREATE OR REPLACE FUNCTION roster_unnamed_link() RETURNS trigger LANGUAGE plpgsql \
             SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('INSERT INTO %I.{UNNAMED_LINKS} (user_id, account_id) VALUES (($1).%I, ($1).%I) \
ON CONFLICT DO NOTHING', TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1]) USING NEW;
  RETURN NULL;
END $$"
        ),
        // Once per statement, because a bulk update would call it for every row. The record is locked
        // even if it is there: an apply that is about to delete it must not miss this write.
        format!(
            "CREATE OR REPLACE FUNCTION roster_foreign_rows() RETURNS trigger LANGUAGE plpgsql \
             SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM written) THEN
    RETURN NULL;
  END IF;
  EXECUTE format('INSERT INTO %I.{FOREIGN_WRITES} AS f (kind, external_id, existed) \
SELECT DISTINCT $1, external_id, $2 FROM written ORDER BY external_id \
ON CONFLICT (kind, external_id) DO UPDATE SET existed = f.existed', TG_TABLE_SCHEMA) \
USING TG_ARGV[0], TG_ARGV[1]::bigint;
  RETURN NULL;
END $$"
        ),
        format!(
            "CREATE OR REPLACE FUNCTION roster_foreign_kind() RETURNS trigger LANGUAGE plpgsql \
             SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('INSERT INTO %I.{FOREIGN_WRITES} AS f (kind, external_id, existed) VALUES ($1, '''', 0) \
ON CONFLICT (kind, external_id) DO UPDATE SET existed = f.existed', TG_TABLE_SCHEMA) USING TG_ARGV[0];
  RETURN NULL;
END $$"
        ),
    ]
}

/// The statements that drop what the triggers that came with the record replace.
pub(super) fn drop_replaced(dialect: &SqlDialect) -> Vec<String> {
    if !dialect.is_postgres() {
        return Vec::new();
    }
    let links = tables::ALL.iter().flat_map(|table| &table.links);
    let drops = links
        .map(|LinkTable { name, .. }| format!("DROP TRIGGER IF EXISTS {name}_changed ON {name}"));
    let function = "DROP FUNCTION IF EXISTS roster_foreign_link()".to_owned();
    drops.chain([function]).collect()
}

impl SqlTrigger {
    /// A trigger named after its table and the event.
    fn new(table: &str, suffix: &str, rest: &str) -> Self {
        let name = format!("{table}_{suffix}");
        Self {
            create: format!("CREATE TRIGGER {name} {rest}"),
            table: table.to_owned(),
            needs: None,
            name,
        }
    }

    /// The statement that drops it.
    pub(super) fn drop(&self, dialect: &SqlDialect) -> String {
        let Self { name, table, .. } = self;
        if dialect.is_postgres() {
            format!("DROP TRIGGER {name} ON {table}")
        } else {
            format!("DROP TRIGGER {name}")
        }
    }
}

/// The triggers of a kind's tables.
fn of_kind(dialect: &SqlDialect, table: &KindTable) -> Vec<SqlTrigger> {
    let links = table.links.iter();
    if dialect.is_postgres() {
        let mut all = vec![postgres_row(table)];
        all.extend(links.flat_map(|link| postgres_links(table, link)));
        return all;
    }
    let mut all = vec![sqlite_row(dialect, table)];
    all.extend(links.flat_map(|link| sqlite_links(dialect, table, link)));
    all
}

/// Notes the links between users and accounts that other programs make.
fn unnamed_links(dialect: &SqlDialect) -> Vec<SqlTrigger> {
    let link = tables::for_kind(USER).link_named("accounts");
    let (name, owner, member) = (&link.name, &link.owner, &link.member);
    let columns = format!("{owner}, {member}");
    let triggers = if dialect.is_postgres() {
        let rest = format!(
            "AFTER INSERT OR UPDATE OF {columns} ON {name} FOR EACH ROW {NOT_WRITING} \
             EXECUTE FUNCTION roster_unnamed_link('{owner}', '{member}')"
        );
        vec![SqlTrigger::new(name, "unnamed", &rest)]
    } else {
        let events = [
            ("unnamed", "INSERT".to_owned()),
            ("renamed", format!("UPDATE OF {columns}")),
        ];
        let triggers = events.into_iter().map(|(suffix, event)| {
            let rest = format!(
                "AFTER {event} ON {name} WHEN NOT EXISTS (SELECT 1 FROM writing) BEGIN \
                 INSERT OR IGNORE INTO {UNNAMED_LINKS} (user_id, account_id) \
                 VALUES (new.{owner}, new.{member}); END"
            );
            SqlTrigger::new(name, suffix, &rest)
        });
        triggers.collect()
    };
    let needs = Some(UNNAMED_LINKS);
    let triggers = triggers.into_iter();
    triggers
        .map(|trigger| SqlTrigger { needs, ..trigger })
        .collect()
}

/// Records which rows of a kind other programs write. A link counts as a write to its owner, whose
/// version it changes.
fn records(dialect: &SqlDialect, table: &KindTable) -> Vec<SqlTrigger> {
    let triggers = if dialect.is_postgres() {
        postgres_records(table)
    } else {
        sqlite_records(table)
    };
    let triggers = triggers.into_iter();
    let needs = Some(FOREIGN_WRITES);
    triggers
        .map(|trigger| SqlTrigger { needs, ..trigger })
        .collect()
}

fn sqlite_records(table: &KindTable) -> Vec<SqlTrigger> {
    let (name, kind) = (table.kind.table, table.kind.name);
    // Without ON CONFLICT or OR IGNORE: a trigger uses the conflict clause of the statement that
    // fired it.
    let record = |id: &str, existed: &str| {
        format!(
            "BEGIN INSERT INTO {FOREIGN_WRITES} (kind, external_id, existed) \
             SELECT '{kind}', {id}, {existed} WHERE NOT EXISTS (SELECT 1 FROM {FOREIGN_WRITES} \
             WHERE kind = '{kind}' AND external_id = {id}); END"
        )
    };
    let foreign = "NOT EXISTS (SELECT 1 FROM writing)";
    let existed = format!("EXISTS (SELECT 1 FROM {name} WHERE external_id = new.external_id)");
    let triggers = [
        // BEFORE, to see the row that INSERT OR REPLACE is about to delete.
        (
            "recorded_insert",
            format!("BEFORE INSERT ON {name} WHEN {foreign}"),
            record("new.external_id", &existed),
        ),
        // Fired by the other triggers too, which change the version.
        (
            "recorded_update",
            format!("AFTER UPDATE ON {name} WHEN new.version <> old.version AND {foreign}"),
            record("new.external_id", "1"),
        ),
        (
            "recorded_delete",
            format!("AFTER DELETE ON {name} WHEN {foreign}"),
            record("old.external_id", "1"),
        ),
        (
            "recorded_move",
            format!(
                "AFTER UPDATE OF external_id ON {name} \
                 WHEN new.external_id <> old.external_id AND {foreign}"
            ),
            record("''", "0"),
        ),
    ];
    let triggers = triggers.into_iter();
    triggers
        .map(|(suffix, event, body)| SqlTrigger::new(name, suffix, &format!("{event} {body}")))
        .collect()
}

fn postgres_records(table: &KindTable) -> Vec<SqlTrigger> {
    let (name, kind) = (table.kind.table, table.kind.name);
    let rows = |suffix: &str, event: &str, of: &str, existed: u8| {
        let rest = format!(
            "AFTER {event} ON {name} REFERENCING {of} TABLE AS written FOR EACH STATEMENT \
             {NOT_WRITING} EXECUTE FUNCTION roster_foreign_rows('{kind}', '{existed}')"
        );
        SqlTrigger::new(name, suffix, &rest)
    };
    // Which rows existed before is not known after these.
    let moved = format!(
        "AFTER UPDATE OF external_id ON {name} FOR EACH ROW \
         WHEN (NEW.external_id <> OLD.external_id \
           AND current_setting('roster.writing', true) IS DISTINCT FROM 'on') \
         EXECUTE FUNCTION roster_foreign_kind('{kind}')"
    );
    let truncated = format!(
        "AFTER TRUNCATE ON {name} FOR EACH STATEMENT {NOT_WRITING} \
         EXECUTE FUNCTION roster_foreign_kind('{kind}')"
    );
    vec![
        rows("recorded_insert", "INSERT", "NEW", 0),
        rows("recorded_update", "UPDATE", "NEW", 1),
        rows("recorded_delete", "DELETE", "OLD", 1),
        SqlTrigger::new(name, "recorded_move", &moved),
        SqlTrigger::new(name, "recorded_truncate", &truncated),
    ]
}

fn sqlite_row(dialect: &SqlDialect, table: &KindTable) -> SqlTrigger {
    // An update that sets a new version itself is taken for Roster's own: a foreign program that
    // does so hides its write, and only a scrub finds it. AFTER and a second update, because a
    // SQLite trigger cannot change the row that is being written.
    let (name, version) = (table.kind.table, dialect.foreign_version);
    let rest = format!(
        "AFTER UPDATE ON {name} \
         WHEN new.version = old.version AND NOT EXISTS (SELECT 1 FROM writing) \
         BEGIN UPDATE {name} SET version = {version} WHERE external_id = new.external_id; END"
    );
    SqlTrigger::new(name, "version", &rest)
}

fn sqlite_links(dialect: &SqlDialect, table: &KindTable, link: &LinkTable) -> Vec<SqlTrigger> {
    let (name, owner, kind) = (&link.name, &link.owner, table.kind.table);
    let version = dialect.foreign_version;
    let events = [
        ("inserted", "INSERT", format!("new.{owner}")),
        ("updated", "UPDATE", format!("old.{owner}, new.{owner}")),
        ("deleted", "DELETE", format!("old.{owner}")),
    ];
    let triggers = events.into_iter().map(|(suffix, event, owners)| {
        let rest = format!(
            "AFTER {event} ON {name} WHEN NOT EXISTS (SELECT 1 FROM writing) \
             BEGIN UPDATE {kind} SET version = {version} WHERE external_id IN ({owners}); END"
        );
        SqlTrigger::new(name, suffix, &rest)
    });
    triggers.collect()
}

fn postgres_row(table: &KindTable) -> SqlTrigger {
    let name = table.kind.table;
    let rest = format!(
        "BEFORE UPDATE ON {name} FOR EACH ROW WHEN (NEW.version = OLD.version \
           AND current_setting('roster.writing', true) IS DISTINCT FROM 'on') \
         EXECUTE FUNCTION roster_foreign_write()"
    );
    SqlTrigger::new(name, "version", &rest)
}

fn postgres_links(table: &KindTable, link: &LinkTable) -> Vec<SqlTrigger> {
    let (name, owner, kind) = (&link.name, &link.owner, table.kind.table);
    let linked = |suffix: &str, event: &str, tables: &str| {
        let rest = format!(
            "AFTER {event} ON {name} REFERENCING {tables} FOR EACH STATEMENT {NOT_WRITING} \
             EXECUTE FUNCTION roster_foreign_links('{kind}', '{owner}')"
        );
        SqlTrigger {
            // They came with the record, and take the place of one for each row.
            needs: Some(FOREIGN_WRITES),
            ..SqlTrigger::new(name, suffix, &rest)
        }
    };
    let truncated = format!(
        "AFTER TRUNCATE ON {name} \
         FOR EACH STATEMENT {NOT_WRITING} EXECUTE FUNCTION roster_foreign_truncate('{kind}')"
    );
    vec![
        linked("inserted", "INSERT", "NEW TABLE AS written"),
        linked(
            "updated",
            "UPDATE",
            "OLD TABLE AS earlier NEW TABLE AS written",
        ),
        linked("deleted", "DELETE", "OLD TABLE AS written"),
        SqlTrigger::new(name, "truncated", &truncated),
    ]
}

//! The triggers that mark foreign writes. A write by another program gives the row a random
//! negative version, so that the row no longer matches what any claim has seen. Roster's own writes
//! are recognised by their new version or, for links, by the transaction's guard. Links to accounts
//! that another program makes are also noted, so that the next apply gives them login names.

use super::dialect::SqlDialect;
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
    let marks = kinds.flat_map(|table| of_kind(dialect, table));
    marks.chain(unnamed_links(dialect)).collect()
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
        // An update may move a link from one owner to another, so both owners are marked.
        format!(
            "CREATE OR REPLACE FUNCTION roster_foreign_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    EXECUTE format('{touch} = ($1).%I', TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1]) USING OLD;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    EXECUTE format('{touch} = ($1).%I', TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1]) USING NEW;
  END IF;
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
    ]
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
    let changed = format!(
        "AFTER INSERT OR UPDATE OR DELETE ON {name} \
         FOR EACH ROW {NOT_WRITING} EXECUTE FUNCTION roster_foreign_link('{kind}', '{owner}')"
    );
    let truncated = format!(
        "AFTER TRUNCATE ON {name} \
         FOR EACH STATEMENT {NOT_WRITING} EXECUTE FUNCTION roster_foreign_truncate('{kind}')"
    );
    vec![
        SqlTrigger::new(name, "changed", &changed),
        SqlTrigger::new(name, "truncated", &truncated),
    ]
}

//! The schema: what `migrate` creates, rendered from the table of kinds.

use super::dialect::Dialect;
use super::param::Ty;
use super::tables::{self, Column, Holds, KindTable, LinkTable};
use crate::kinds::{self, Default, Kind, Type};

/// The version of the schema that this release writes.
pub(super) const VERSION: i64 = 1;

/// A table of Roster's own: its name, its columns with type and constraint, and what follows them.
struct Own {
    name: &'static str,
    columns: &'static [(&'static str, Ty, &'static str)],
    keys: &'static str,
}

const OWN: &[Own] = &[
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
            ("document", Ty::Bytes, ""),
        ],
        keys: "PRIMARY KEY (source, kind, external_id)",
    },
    Own {
        name: "documents",
        columns: &[
            ("source", Ty::Id, "NOT NULL"),
            ("digest", Ty::Bytes, "NOT NULL"),
            ("fingerprint", Ty::Bytes, "NOT NULL"),
            ("refs", Ty::Bytes, "NOT NULL"),
        ],
        keys: "PRIMARY KEY (source, digest)",
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
        ],
        keys: "",
    },
    Own {
        name: "writing",
        columns: &[("id", Ty::Int, "PRIMARY KEY")],
        keys: "",
    },
];

/// Indexes on Roster's own tables.
const OWN_INDEXES: &[(&str, &str, &str)] = &[
    ("claims_resource", "claims", "kind, external_id"),
    ("changes_resource", "changes", "kind, external_id"),
    ("changes_run", "changes", "run"),
    ("runs_plan", "runs", "plan_id"),
    ("run_budgets_source", "run_budgets", "source, at"),
    ("user_logins_account", "user_logins", "account_id"),
    ("user_logins_name", "user_logins", "name"),
];

/// Everything, in the order in which it can be created.
pub(super) fn create(dialect: &Dialect) -> Vec<String> {
    let mut statements: Vec<String> = OWN.iter().map(|own| own_table(dialect, own)).collect();
    for table in tables::ALL.iter() {
        statements.push(kind_table(dialect, table));
        statements.extend(
            table
                .links
                .iter()
                .map(|link| link_table(dialect, table, link)),
        );
    }
    statements.extend(functions(dialect));
    statements.extend(
        tables::ALL
            .iter()
            .flat_map(|table| triggers(dialect, table)),
    );
    statements.extend(indexes().into_iter().map(|index| index.create()));
    statements.extend(super::views::create());
    statements
}

/// The names of all tables.
pub(super) fn table_names() -> Vec<String> {
    let mut names: Vec<String> = OWN.iter().map(|own| own.name.to_owned()).collect();
    for table in tables::ALL.iter() {
        names.push(table.kind.table.to_owned());
        names.extend(table.links.iter().map(|link| link.name.clone()));
    }
    names
}

fn own_table(dialect: &Dialect, own: &Own) -> String {
    let columns = own.columns.iter();
    let mut parts: Vec<String> = columns
        .map(|(name, ty, rest)| format!("{name} {} {rest}", dialect.ty(*ty)))
        .collect();
    if !own.keys.is_empty() {
        parts.push(own.keys.to_owned());
    }
    table(dialect, own.name, &parts)
}

fn table(dialect: &Dialect, name: &str, parts: &[String]) -> String {
    let parts = parts.join(",\n  ");
    format!(
        "CREATE TABLE {name} (\n  {parts}\n){}",
        dialect.table_options
    )
}

fn kind_table(dialect: &Dialect, of: &KindTable) -> String {
    let columns = of.columns.iter();
    let mut parts: Vec<String> = columns
        .map(|column| {
            let (ty, rest) = (dialect.ty(column.ty), constraint(dialect, of.kind, column));
            format!("{} {ty}{rest}", column.name)
        })
        .collect();
    for time in ["created_at", "updated_at"] {
        let ty = dialect.ty(Ty::Time);
        parts.push(format!("{time} {ty} NOT NULL DEFAULT {}", dialect.now));
    }
    table(dialect, of.kind.table, &parts)
}

/// What a column says beside its type: key, reference, default, allowed values.
fn constraint(dialect: &Dialect, kind: &Kind, column: &Column) -> String {
    match column.holds {
        Holds::Id => " PRIMARY KEY".to_owned(),
        Holds::Version => format!(" NOT NULL DEFAULT {}", dialect.foreign_version),
        Holds::Custom => " NOT NULL DEFAULT '{}'".to_owned(),
        Holds::Fact(fact) => fact
            .initial
            .map_or_else(String::new, |initial| format!(" DEFAULT '{initial}'")),
        Holds::Sha256(_) => String::new(),
        Holds::Field(index) | Holds::Path(index) => field_constraint(dialect, kind, index, column),
    }
}

fn field_constraint(dialect: &Dialect, kind: &Kind, index: usize, column: &Column) -> String {
    let field = &kind.fields[index];
    let default = match field.default {
        Default::Bool(value) => format!(" DEFAULT {}", dialect.booleans[usize::from(value)]),
        Default::Int(value) => format!(" DEFAULT {value}"),
        Default::Text(text) => format!(" DEFAULT '{text}'"),
        Default::None | Default::List(_) => String::new(),
    };
    let name = &column.name;
    match field.ty {
        Type::Ref(target) => {
            format!(
                "{default} REFERENCES {} (external_id)",
                kinds::get(target).table
            )
        }
        _ if index == kind.status_index() => {
            format!(" NOT NULL{default} CHECK ({name} IN ('active', 'inactive'))")
        }
        _ if index == kind.protect_index() => format!(" NOT NULL{default}"),
        _ => default,
    }
}

fn link_table(dialect: &Dialect, of: &KindTable, link: &LinkTable) -> String {
    let (owner, member, id) = (&link.owner, &link.member, dialect.ty(Ty::Id));
    let target = link.target.map_or_else(String::new, |target| {
        format!(" REFERENCES {} (external_id)", kinds::get(target).table)
    });
    let mut parts = vec![
        format!(
            "{owner} {id} NOT NULL REFERENCES {} (external_id) ON DELETE CASCADE",
            of.kind.table
        ),
        format!("{member} {id} NOT NULL{target}"),
    ];
    for attribute in link.attributes {
        let ty = tables::attribute_type(attribute);
        let word = attribute.choices[usize::from(attribute.default)];
        let default = if ty == Ty::Bool {
            dialect.booleans[usize::from(attribute.default)].to_owned()
        } else {
            format!("'{word}'")
        };
        parts.push(format!(
            "{} {} NOT NULL DEFAULT {default}",
            attribute.column,
            dialect.ty(ty)
        ));
    }
    parts.push(format!("PRIMARY KEY ({owner}, {member})"));
    table(dialect, &link.name, &parts)
}

/// A secondary index.
pub(super) struct Index {
    name: String,
    table: String,
    on: String,
}

impl Index {
    /// The statement that makes it.
    pub(super) fn create(&self) -> String {
        format!("CREATE INDEX {} ON {} ({})", self.name, self.table, self.on)
    }
}

/// Every secondary index: references and links by their target, e-mails, customer numbers.
pub(super) fn indexes() -> Vec<Index> {
    let own = OWN_INDEXES.iter();
    let mut indexes: Vec<Index> = own
        .map(|(name, table, on)| Index {
            name: (*name).to_owned(),
            table: (*table).to_owned(),
            on: (*on).to_owned(),
        })
        .collect();
    for table in tables::ALL.iter() {
        for (index, field) in table.kind.fields.iter().enumerate() {
            let on = match field.ty {
                Type::Ref(_) => field.column.to_owned(),
                Type::Email => format!("lower({})", field.column),
                _ => continue,
            };
            debug_assert!(table.of_field(index).next().is_some());
            let name = format!("{}_{}", table.kind.table, field.column);
            let table = table.kind.table.to_owned();
            indexes.push(Index { name, table, on });
        }
        for link in table.links.iter().filter(|link| link.target.is_some()) {
            let (name, on) = (
                format!("{}_{}", link.name, link.member),
                link.member.clone(),
            );
            let table = link.name.clone();
            indexes.push(Index { name, table, on });
        }
    }
    indexes.push(Index {
        name: "accounts_customer_number".to_owned(),
        table: "accounts".to_owned(),
        on: "customer_number".to_owned(),
    });
    indexes
}

/// The functions that PostgreSQL's triggers call.
fn functions(dialect: &Dialect) -> Vec<String> {
    if !dialect.numbered {
        return Vec::new();
    }
    let version = dialect.foreign_version;
    let touch = format!("UPDATE %I.%I SET version = {version} WHERE external_id");
    vec![
        format!(
            "CREATE FUNCTION roster_foreign_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.version := {version}; RETURN NEW; END $$"
        ),
        format!(
            "CREATE FUNCTION roster_foreign_link() RETURNS trigger LANGUAGE plpgsql AS $$
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
        format!(
            "CREATE FUNCTION roster_foreign_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('UPDATE %I.%I SET version = {version}', TG_TABLE_SCHEMA, TG_ARGV[0]);
  RETURN NULL;
END $$"
        ),
    ]
}

/// The triggers of a kind's tables: what marks a write that is not Roster's.
pub(super) fn triggers(dialect: &Dialect, table: &KindTable) -> Vec<String> {
    let links = table.links.iter();
    if dialect.numbered {
        let mut all = vec![postgres_row_trigger(table)];
        all.extend(links.flat_map(|link| postgres_link_triggers(table, link)));
        return all;
    }
    let (name, version) = (table.kind.table, dialect.foreign_version);
    let mut all = vec![format!(
        "CREATE TRIGGER {name}_version AFTER UPDATE ON {name} \
         WHEN new.version = old.version AND NOT EXISTS (SELECT 1 FROM writing) \
         BEGIN UPDATE {name} SET version = {version} WHERE external_id = new.external_id; END"
    )];
    all.extend(links.flat_map(|link| sqlite_link_triggers(version, table, link)));
    all
}

fn sqlite_link_triggers(version: &str, table: &KindTable, link: &LinkTable) -> Vec<String> {
    let (name, owner, kind) = (&link.name, &link.owner, table.kind.table);
    [
        ("inserted", "INSERT", format!("new.{owner}")),
        ("updated", "UPDATE", format!("old.{owner}, new.{owner}")),
        ("deleted", "DELETE", format!("old.{owner}")),
    ]
    .into_iter()
    .map(|(suffix, event, owners)| {
        format!(
            "CREATE TRIGGER {name}_{suffix} AFTER {event} ON {name} \
             WHEN NOT EXISTS (SELECT 1 FROM writing) \
             BEGIN UPDATE {kind} SET version = {version} WHERE external_id IN ({owners}); END"
        )
    })
    .collect()
}

fn postgres_row_trigger(table: &KindTable) -> String {
    let name = table.kind.table;
    format!(
        "CREATE TRIGGER {name}_version BEFORE UPDATE ON {name} FOR EACH ROW \
         WHEN (NEW.version = OLD.version \
           AND current_setting('roster.writing', true) IS DISTINCT FROM 'on') \
         EXECUTE FUNCTION roster_foreign_write()"
    )
}

fn postgres_link_triggers(table: &KindTable, link: &LinkTable) -> Vec<String> {
    let (name, owner, kind) = (&link.name, &link.owner, table.kind.table);
    let foreign = "WHEN (current_setting('roster.writing', true) IS DISTINCT FROM 'on')";
    vec![
        format!(
            "CREATE TRIGGER {name}_changed AFTER INSERT OR UPDATE OR DELETE ON {name} \
             FOR EACH ROW {foreign} EXECUTE FUNCTION roster_foreign_link('{kind}', '{owner}')"
        ),
        format!(
            "CREATE TRIGGER {name}_truncated AFTER TRUNCATE ON {name} \
             FOR EACH STATEMENT {foreign} EXECUTE FUNCTION roster_foreign_truncate('{kind}')"
        ),
    ]
}

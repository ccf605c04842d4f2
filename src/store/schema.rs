//! Renders the schema from the table of kinds. `create` is for a new database; the smaller
//! functions are shared with upgrades (`schema_versions`) and the bulk load, so that all three
//! produce the same tables.

use super::dialect::SqlDialect;
use super::internal_tables;
use super::sql_value::SqlType;
use super::tables::{self, ColumnContent, KindTable, LinkTable, TableColumn};
use crate::kinds::effective::DATE_NAMES;
use crate::kinds::{self, FieldDefault, FieldType, Kind};

/// The statement for one of Roster's own tables.
pub(super) fn internal_table(dialect: &SqlDialect, own: &internal_tables::InternalTable) -> String {
    let columns = own.columns.iter();
    let mut parts: Vec<String> = columns
        .map(|(name, ty, rest)| format!("{name} {} {}", dialect.ty(*ty), dialect.fill_in(rest)))
        .collect();
    if !own.keys.is_empty() {
        parts.push(own.keys.to_owned());
    }
    table(dialect, own.name, &parts)
}

fn table(dialect: &SqlDialect, name: &str, parts: &[String]) -> String {
    let parts = parts.join(",\n  ");
    format!(
        "CREATE TABLE {name} (\n  {parts}\n){}",
        dialect.table_options
    )
}

/// The statements for the table of a kind and its link tables.
pub(super) fn kind_tables(dialect: &SqlDialect, of: &KindTable) -> Vec<String> {
    let links = of.links.iter();
    let links = links.map(|link| link_table(dialect, of, link));
    std::iter::once(kind_table(dialect, of))
        .chain(links)
        .collect()
}

/// A column of a kind's table with its type and constraints.
pub(super) fn column(dialect: &SqlDialect, kind: &Kind, column: &TableColumn) -> String {
    let (ty, rest) = (dialect.ty(column.ty), constraint(dialect, kind, column));
    format!("{} {ty}{rest}", column.name)
}

fn kind_table(dialect: &SqlDialect, of: &KindTable) -> String {
    let columns = of.columns.iter();
    let mut parts: Vec<String> = columns.map(|it| column(dialect, of.kind, it)).collect();
    for time in ["created_at", "updated_at"] {
        let ty = dialect.ty(SqlType::Time);
        parts.push(format!("{time} {ty} NOT NULL DEFAULT {}", dialect.now));
    }
    table(dialect, of.kind.table, &parts)
}

/// What follows the type of a column: key, reference, default, allowed values.
fn constraint(dialect: &SqlDialect, kind: &Kind, column: &TableColumn) -> String {
    match column.content {
        ColumnContent::Id => " PRIMARY KEY".to_owned(),
        // The default marks a row that another program inserts, without a trigger on every insert.
        ColumnContent::Version => format!(" NOT NULL DEFAULT {}", dialect.foreign_version),
        ColumnContent::Custom => " NOT NULL DEFAULT '{}'".to_owned(),
        ColumnContent::Fact(fact) => fact
            .initial
            .map_or_else(String::new, |initial| format!(" DEFAULT '{initial}'")),
        ColumnContent::Sha256(_) => String::new(),
        ColumnContent::Field(index) | ColumnContent::Path(index) => {
            field_constraint(dialect, kind, index, column)
        }
    }
}

fn field_constraint(
    dialect: &SqlDialect,
    kind: &Kind,
    index: usize,
    column: &TableColumn,
) -> String {
    let field = &kind.fields[index];
    let default = match field.default {
        FieldDefault::Bool(value) => format!(" DEFAULT {}", dialect.booleans[usize::from(value)]),
        FieldDefault::Int(value) => format!(" DEFAULT {value}"),
        FieldDefault::Text(text) => format!(" DEFAULT '{text}'"),
        FieldDefault::None | FieldDefault::List(_) => String::new(),
    };
    let name = &column.name;
    match field.ty {
        FieldType::Ref(target) => {
            let key = ForeignKey::new(kind.table, name, kinds::get(target).table, "");
            format!("{default} {}", key.inline())
        }
        _ if index == kind.status_index() => {
            // Other programs write these tables too; a third status would be read as neither active
            // nor inactive.
            format!(" NOT NULL{default} CHECK ({name} IN ('active', 'inactive'))")
        }
        _ if index == kind.protect_index() => format!(" NOT NULL{default}"),
        _ => default,
    }
}

/// The statement for the table of one list.
pub(super) fn link_table(dialect: &SqlDialect, of: &KindTable, link: &LinkTable) -> String {
    let (owner, member, id) = (&link.owner, &link.member, dialect.ty(SqlType::Id));
    let mut keys = link_keys(of, link).into_iter().map(|key| key.inline());
    let mut column = |name: &str| {
        let references = keys.next().unwrap_or_default();
        format!("{name} {id} NOT NULL {references}")
    };
    let mut parts = vec![column(owner), column(member)];
    for attribute in link.attributes {
        let ty = tables::attribute_type(attribute);
        let word = attribute.choices[usize::from(attribute.default)];
        let default = if ty == SqlType::Bool {
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
    // Owner first, because lists are read by owner.
    parts.push(format!("PRIMARY KEY ({owner}, {member})"));
    table(dialect, &link.name, &parts)
}

/// A foreign key to the rows of a kind.
pub(super) struct ForeignKey {
    name: String,
    table: String,
    column: String,
    target: &'static str,
    on_delete: &'static str,
}

impl ForeignKey {
    fn new(table: &str, column: &str, target: &'static str, then: &'static str) -> Self {
        Self {
            name: format!("{table}_{column}_fkey"),
            table: table.to_owned(),
            column: column.to_owned(),
            target,
            on_delete: then,
        }
    }

    /// The constraint as part of its column.
    fn inline(&self) -> String {
        let Self {
            name,
            target,
            on_delete: then,
            ..
        } = self;
        format!("CONSTRAINT {name} REFERENCES {target} (external_id){then}")
    }

    /// The statement that drops it.
    pub(super) fn drop(&self) -> String {
        format!("ALTER TABLE {} DROP CONSTRAINT {}", self.table, self.name)
    }

    /// The statement that adds it to an existing table.
    pub(super) fn add(&self) -> String {
        let Self {
            name,
            table,
            column,
            target,
            on_delete: then,
        } = self;
        format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) \
             REFERENCES {target} (external_id){then}"
        )
    }
}

/// The foreign keys of a link table: to its owner, with which a link is deleted, and to its member,
/// which it protects from deletion.
fn link_keys(of: &KindTable, link: &LinkTable) -> Vec<ForeignKey> {
    let owner = ForeignKey::new(&link.name, &link.owner, of.kind.table, " ON DELETE CASCADE");
    let target = link.target.map(|target| kinds::get(target).table);
    let member = target.map(|target| ForeignKey::new(&link.name, &link.member, target, ""));
    std::iter::once(owner).chain(member).collect()
}

/// All foreign keys.
pub(super) fn foreign_keys() -> Vec<ForeignKey> {
    let mut keys = Vec::new();
    for table in tables::ALL.iter() {
        for field in table.kind.fields {
            if let FieldType::Ref(target) = field.ty {
                let (name, target) = (table.kind.table, kinds::get(target).table);
                keys.push(ForeignKey::new(name, field.column, target, ""));
            }
        }
        keys.extend(table.links.iter().flat_map(|link| link_keys(table, link)));
    }
    keys
}

pub(super) struct TableIndex {
    name: String,
    pub(super) table: String,
    on: String,
    /// A condition on the rows that the index has, or nothing.
    only: &'static str,
}

impl TableIndex {
    /// Whether it has this name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether the index is on a column.
    pub(super) fn covers(&self, table: &str, column: &str) -> bool {
        let text = format!("lower({column})");
        self.table == table && (self.on == column || self.on.starts_with(&text))
    }

    /// The statement that drops it.
    pub(super) fn drop(&self) -> String {
        format!("DROP INDEX {}", self.name)
    }

    /// The statement that creates it.
    pub(super) fn create(&self) -> String {
        let Self {
            name,
            table,
            on,
            only,
        } = self;
        format!("CREATE INDEX {name} ON {table} ({on}){only}")
    }
}

/// All secondary indexes: references and links by target, searched texts, customer numbers.
pub(super) fn indexes(dialect: &SqlDialect) -> Vec<TableIndex> {
    let index = |name: String, table: &str, on: String| TableIndex {
        name,
        table: table.to_owned(),
        on,
        only: "",
    };
    let own = internal_tables::INDEXES.iter();
    let mut indexes: Vec<TableIndex> = own
        .map(|(name, table, on)| index((*name).to_owned(), table, (*on).to_owned()))
        .collect();
    for table in tables::ALL.iter() {
        let name = table.kind.table;
        for field in table.kind.fields {
            if let FieldType::Ref(_) = field.ty {
                let on = field.column.to_owned();
                indexes.push(index(format!("{name}_{on}"), name, on));
            }
        }
        // The unique e-mail rule and logins ignore case, as the search does. No index is unique,
        // because the login mode decides at run time whether e-mails must be.
        for column in tables::searched_columns(table) {
            let on = format!("lower({column}){}", dialect.text_index);
            indexes.push(index(format!("{name}_{column}"), name, on));
        }
        // Who links to a resource is asked before it is removed; the primary key starts with the
        // owner and cannot answer that.
        for link in table.links.iter().filter(|link| link.target.is_some()) {
            let (name, on) = (&link.name, link.member.clone());
            indexes.push(index(format!("{name}_{on}"), name, on));
        }
    }
    let number = "customer_number".to_owned();
    indexes.push(index(format!("accounts_{number}"), "accounts", number));
    // Every pass asks whether an account waits for an approval, and mostly none does. Few of many
    // are inactive.
    for (name, table, only) in [
        (
            "accounts_pending",
            "accounts",
            " WHERE approval = 'pending'",
        ),
        (
            "accounts_inactive",
            "accounts",
            " WHERE status = 'inactive'",
        ),
        ("users_inactive", "users", " WHERE status = 'inactive'"),
    ] {
        indexes.push(TableIndex {
            only,
            ..index(name.to_owned(), table, "external_id".to_owned())
        });
    }
    // Every pass asks what is active beyond its end, and few resources have one.
    for table in tables::ALL.iter().map(|table| table.kind) {
        if table.field_ref(DATE_NAMES[1]).is_some() {
            let (name, on) = (table.table, "effective_until".to_owned());
            indexes.push(TableIndex {
                only: " WHERE effective_until IS NOT NULL",
                ..index(format!("{name}_{on}"), name, on)
            });
        }
    }
    indexes
}

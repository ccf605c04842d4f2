//! What a competent DBA would write: CSV into staging tables, upsert, delete the rest, one
//! transaction, for the whole corpus with its links.

use std::fmt::Write as _;
use std::path::Path;

/// One table of the DBA's schema.
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    values: &'static [&'static str],
    /// Which columns refer to the keys of which tables.
    references: &'static [(&'static str, &'static str)],
}

const fn table(
    name: &'static str,
    key: &'static [&'static str],
    values: &'static [&'static str],
    references: &'static [(&'static str, &'static str)],
) -> Table {
    Table {
        name,
        key,
        values,
        references,
    }
}

const ID: &[&str] = &["external_id"];

#[rustfmt::skip]
const TABLES: &[Table] = &[
    table("tags", ID, &["name", "description", "status"], &[]),
    table("custom_fields", ID, &["applies_to", "name", "type", "options", "required", "default_value", "status"], &[]),
    table("addresses", ID, &["full_name", "street", "additional_street", "city", "zip_code", "state", "country", "label", "phone", "custom_fields"], &[]),
    table("accounts", ID, &["name", "company_registration_name", "business_registration_number", "vat_number", "website", "manager_name", "customer_number", "status", "custom_fields"], &[]),
    table("account_tags", &["account_id", "tag_id"], &[], &[("account_id", "accounts"), ("tag_id", "tags")]),
    table("account_addresses", &["account_id", "address_id"], &["shipping", "billing"], &[("account_id", "accounts"), ("address_id", "addresses")]),
    table("organisations", ID, &["name", "account_id", "parent_id", "status", "custom_fields"], &[("account_id", "accounts"), ("parent_id", "organisations")]),
    table("users", ID, &["civility", "first_name", "last_name", "email", "phone", "company", "main_organisation_id", "notify", "status", "custom_fields"], &[("main_organisation_id", "organisations")]),
    table("user_groups", &["user_id", "value"], &[], &[("user_id", "users")]),
    table("user_accounts", &["user_id", "account_id"], &["level"], &[("user_id", "users"), ("account_id", "accounts")]),
    table("user_organisations", &["user_id", "organisation_id"], &[], &[("user_id", "users"), ("organisation_id", "organisations")]),
    table("policies", ID, &["name", "description", "message", "account_id", "status"], &[("account_id", "accounts")]),
    table("policy_reviewed", &["policy_id", "user_id"], &[], &[("policy_id", "policies"), ("user_id", "users")]),
    table("policy_approvers", &["policy_id", "user_id"], &[], &[("policy_id", "policies"), ("user_id", "users")]),
];

/// What the two command-line clients say differently.
#[derive(Clone, Copy)]
pub enum Client {
    /// `sqlite3`.
    Sqlite,
    /// `psql`.
    Psql,
}

impl Table {
    fn columns(&self) -> String {
        [self.key, self.values].concat().join(", ")
    }

    /// The columns of the staging table; sqlite3 cannot import NULL, it imports `''`.
    fn staged(&self, client: Client) -> String {
        let value = |name: &&str| match client {
            Client::Sqlite => format!("nullif({name}, '')"),
            Client::Psql => (*name).to_owned(),
        };
        let keys = self.key.iter().map(|name| (*name).to_owned());
        keys.chain(self.values.iter().map(value))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn same_key(&self) -> String {
        let pairs = self
            .key
            .iter()
            .map(|name| format!("s.{name} = {}.{name}", self.name));
        pairs.collect::<Vec<_>>().join(" AND ")
    }

    fn create(&self, client: Client) -> String {
        let mut parts: Vec<String> = self
            .key
            .iter()
            .map(|name| format!("{name} text NOT NULL"))
            .collect();
        parts.extend(self.values.iter().map(|name| format!("{name} text")));
        parts.push(format!("PRIMARY KEY ({})", self.key.join(", ")));
        parts.extend(self.references.iter().map(|(column, target)| {
            format!("FOREIGN KEY ({column}) REFERENCES {target} (external_id)")
        }));
        let options = if matches!(client, Client::Sqlite) {
            " WITHOUT ROWID"
        } else {
            ""
        };
        let mut sql = format!(
            "CREATE TABLE {} ({}){options};\n",
            self.name,
            parts.join(", ")
        );
        for (column, _) in self
            .references
            .iter()
            .filter(|(column, _)| *column != self.key[0])
        {
            let _ = writeln!(
                sql,
                "CREATE INDEX {0}_{column} ON {0} ({column});",
                self.name
            );
        }
        sql
    }

    fn stage(&self, client: Client, csv: &Path) -> String {
        let (name, file) = (self.name, csv.join(format!("{}.csv", self.name)));
        match client {
            Client::Sqlite => {
                let columns = [self.key, self.values]
                    .concat()
                    .iter()
                    .map(|name| format!("{name} text"))
                    .collect::<Vec<_>>()
                    .join(", ");
                format!(
                    "CREATE TEMP TABLE s_{name} ({columns}, PRIMARY KEY ({})) WITHOUT ROWID;\n.import --csv --schema temp {} s_{name}\n",
                    self.key.join(", "),
                    file.display()
                )
            }
            Client::Psql => format!(
                "CREATE TEMP TABLE s_{name} (LIKE {name});\n\\copy s_{name} from '{}' csv\nANALYZE s_{name};\n",
                file.display()
            ),
        }
    }

    fn upsert(&self, client: Client) -> String {
        let (name, columns, staged) = (self.name, self.columns(), self.staged(client));
        let mut sql = format!(
            "INSERT INTO {name} ({columns}) SELECT {staged} FROM s_{name} WHERE true ON CONFLICT ({}) DO ",
            self.key.join(", ")
        );
        if self.values.is_empty() {
            sql.push_str("NOTHING;\n");
            return sql;
        }
        let set = self
            .values
            .iter()
            .map(|column| format!("{column} = excluded.{column}"))
            .collect::<Vec<_>>()
            .join(", ");
        let list = |of: &str| {
            self.values
                .iter()
                .map(|column| format!("{of}.{column}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let differ = if matches!(client, Client::Sqlite) {
            "IS NOT"
        } else {
            "IS DISTINCT FROM"
        };
        let _ = writeln!(
            sql,
            "UPDATE SET {set} WHERE ({}) {differ} ({});",
            list(name),
            list("excluded")
        );
        sql
    }

    fn delete(&self) -> String {
        let name = self.name;
        format!(
            "DELETE FROM {name} WHERE NOT EXISTS (SELECT 1 FROM s_{name} s WHERE {});\n",
            self.same_key()
        )
    }

    fn differs(&self, client: Client) -> String {
        let (name, columns, staged) = (self.name, self.columns(), self.staged(client));
        format!(
            "SELECT '{name}', count(*) FROM (SELECT {staged} FROM s_{name} EXCEPT SELECT {columns} FROM {name}) x;\n\
             SELECT '{name}', count(*) FROM {name} WHERE NOT EXISTS (SELECT 1 FROM s_{name} s WHERE {});\n",
            self.same_key()
        )
    }
}

fn begin(client: Client) -> &'static str {
    match client {
        Client::Sqlite => "PRAGMA foreign_keys = ON;\nPRAGMA temp_store = MEMORY;\nBEGIN;\n",
        Client::Psql => "BEGIN;\n",
    }
}

/// The schema.
pub fn schema(client: Client) -> String {
    let wal = if matches!(client, Client::Sqlite) {
        "PRAGMA journal_mode = WAL;\n"
    } else {
        ""
    };
    TABLES
        .iter()
        .fold(wal.to_owned(), |sql, table| sql + &table.create(client))
}

/// Makes the tables what the CSV files say.
pub fn load(client: Client, csv: &Path) -> String {
    let mut sql = begin(client).to_owned();
    for table in TABLES {
        sql += &table.stage(client, csv);
        sql += &table.upsert(client);
    }
    for table in TABLES.iter().rev() {
        sql += &table.delete();
    }
    sql + "COMMIT;\n"
}

/// Counts what would change.
pub fn query(client: Client, csv: &Path) -> String {
    let mut sql = begin(client).to_owned();
    for table in TABLES {
        sql += &table.stage(client, csv);
        sql += &table.differs(client);
    }
    sql + "ROLLBACK;\n"
}

/// Writes the CSV files out of a database that Roster filled.
pub fn unload(client: Client, csv: &Path) -> String {
    let mut sql = if matches!(client, Client::Sqlite) {
        ".mode csv\n.headers off\n".to_owned()
    } else {
        String::new()
    };
    for table in TABLES {
        let (columns, order) = (table.columns(), table.key.join(", "));
        let select = format!("SELECT {columns} FROM {} ORDER BY {order}", table.name);
        let file = csv.join(format!("{}.csv", table.name));
        sql += &match client {
            Client::Sqlite => format!(".once {}\n{select};\n", file.display()),
            Client::Psql => format!("\\copy ({select}) to '{}' csv\n", file.display()),
        };
    }
    sql
}

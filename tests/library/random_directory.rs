//! Random directories as another program could write them, in memory and in a database. Rules that
//! are SQL are compared with plain loops over the same directory.

use crate::support::dice::Dice;
use roster::store::{Store, StoreAccess};
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeSet;

#[derive(Clone)]
pub struct Account {
    pub id: String,
    pub status: &'static str,
    pub approval: &'static str,
    pub blocked: bool,
}

#[derive(Clone)]
pub struct Organisation {
    pub id: String,
    pub account: usize,
    pub parent: Option<usize>,
}

#[derive(Clone)]
pub struct User {
    pub id: String,
    pub admin_group: bool,
    /// The account, and whether at the level administrator.
    pub accounts: Vec<(usize, bool)>,
    pub organisations: BTreeSet<usize>,
    pub active: bool,
    pub blocked: bool,
    pub access: &'static str,
}

#[derive(Clone)]
pub struct Policy {
    pub id: String,
    pub account: usize,
    pub reviewed: BTreeSet<usize>,
    pub approvers: BTreeSet<usize>,
    pub in_force: bool,
}

#[derive(Clone)]
pub struct Directory {
    /// `None` without settings.
    pub admin_sees_account: Option<bool>,
    pub accounts: Vec<Account>,
    pub organisations: Vec<Organisation>,
    pub users: Vec<User>,
    pub policies: Vec<Policy>,
}

impl Account {
    pub fn is_usable(&self) -> bool {
        self.status == "active" && self.approval == "approved" && !self.blocked
    }
}

impl Directory {
    pub fn random(dice: &mut Dice) -> Self {
        let accounts: Vec<Account> = (0..=dice.roll(3))
            .map(|n| Account {
                id: format!("a{n}"),
                status: if dice.once_in(8) {
                    "inactive"
                } else {
                    "active"
                },
                approval: if dice.once_in(8) {
                    "pending"
                } else {
                    "approved"
                },
                blocked: dice.once_in(8),
            })
            .collect();
        let count = dice.roll(9);
        let organisations = (0..count).map(|n| {
            let account = dice.roll(accounts.len());
            Organisation {
                id: format!("o{n}"),
                account,
                // Any other one: also of another account, and in a circle. The rules refuse both,
                // but another program may write them.
                parent: (!dice.once_in(3)).then(|| dice.roll(count)),
            }
        });
        let organisations: Vec<Organisation> = organisations.collect();
        let users: Vec<User> = (0..3 + dice.roll(9))
            .map(|n| {
                let links = (0..accounts.len()).filter(|_| dice.once_in(2));
                let links: Vec<usize> = links.collect();
                let accounts: Vec<(usize, bool)> =
                    links.into_iter().map(|a| (a, dice.once_in(4))).collect();
                let mut own = BTreeSet::new();
                for (index, it) in organisations.iter().enumerate() {
                    let linked = accounts.iter().any(|(account, _)| *account == it.account);
                    if dice.once_in(if linked { 3 } else { 20 }) {
                        own.insert(index);
                    }
                }
                User {
                    id: format!("u{n:02}"),
                    admin_group: dice.once_in(5),
                    organisations: own,
                    accounts,
                    active: !dice.once_in(5),
                    blocked: dice.once_in(6),
                    access: dice.one_of(&["enabled", "enabled", "invited", "disabled"]),
                }
            })
            .collect();
        let policies = (0..dice.roll(6))
            .map(|n| Policy {
                id: format!("p{n}"),
                account: dice.roll(accounts.len()),
                reviewed: some_of(dice, users.len()),
                approvers: some_of(dice, users.len()),
                in_force: !dice.once_in(5),
            })
            .collect();
        Self {
            admin_sees_account: [None, Some(true), Some(false)][dice.roll(3)],
            accounts,
            organisations,
            users,
            policies,
        }
    }

    /// The statements that replace whatever the database holds.
    fn sql(&self) -> String {
        let mut sql = String::new();
        for table in [
            "policy_reviewed",
            "policy_approvers",
            "policies",
            "user_groups",
            "user_organisations",
            "user_accounts",
            "users",
            "organisations",
            "accounts",
            "settings",
        ] {
            sql += &format!("DELETE FROM {table};\n");
        }
        if let Some(sees) = self.admin_sees_account {
            sql += &format!(
                "INSERT INTO settings (external_id, admin_sees_account) VALUES ('settings', {sees});\n"
            );
        }
        let quoted = |is: bool, text: &str| {
            if is {
                format!("'{text}'")
            } else {
                "NULL".into()
            }
        };
        for it in &self.accounts {
            sql += &format!(
                "INSERT INTO accounts (external_id, status, approval, blocked) VALUES ('{}', '{}', '{}', {});\n",
                it.id,
                it.status,
                it.approval,
                quoted(it.blocked, "audit")
            );
        }
        for it in &self.organisations {
            sql += &format!(
                "INSERT INTO organisations (external_id, account_id) VALUES ('{}', '{}');\n",
                it.id, self.accounts[it.account].id
            );
        }
        for it in &self.organisations {
            if let Some(parent) = it.parent {
                sql += &format!(
                    "UPDATE organisations SET parent_id = '{}' WHERE external_id = '{}';\n",
                    self.organisations[parent].id, it.id
                );
            }
        }
        for it in &self.users {
            sql += &self.user_sql(it);
        }
        for it in &self.policies {
            let status = if it.in_force { "active" } else { "inactive" };
            sql += &format!(
                "INSERT INTO policies (external_id, account_id, status, message) VALUES ('{}', '{}', '{status}', 'ask');\n",
                it.id, self.accounts[it.account].id
            );
            for (list, members) in [("reviewed", &it.reviewed), ("approvers", &it.approvers)] {
                for user in members {
                    sql += &format!(
                        "INSERT INTO policy_{list} (policy_id, user_id) VALUES ('{}', '{}');\n",
                        it.id, self.users[*user].id
                    );
                }
            }
        }
        sql
    }

    fn user_sql(&self, it: &User) -> String {
        let status = if it.active { "active" } else { "inactive" };
        let blocked = if it.blocked { "'audit'" } else { "NULL" };
        let group = if it.admin_group {
            "FOC_Admin"
        } else {
            "FOC_User"
        };
        let (id, access) = (&it.id, it.access);
        let mut sql = format!(
            "INSERT INTO users (external_id, status, blocked, access) VALUES ('{id}', '{status}', {blocked}, '{access}');\n\
             INSERT INTO user_groups (user_id, value) VALUES ('{id}', '{group}');\n"
        );
        for (account, administrator) in &it.accounts {
            let level = if *administrator {
                "administrator"
            } else {
                "user"
            };
            sql += &format!(
                "INSERT INTO user_accounts (user_id, account_id, level) VALUES ('{id}', '{}', '{level}');\n",
                self.accounts[*account].id
            );
        }
        for organisation in &it.organisations {
            sql += &format!(
                "INSERT INTO user_organisations (user_id, organisation_id) VALUES ('{id}', '{}');\n",
                self.organisations[*organisation].id
            );
        }
        sql
    }

    pub async fn write(&self, url: &str) {
        let sql = AssertSqlSafe(format!("BEGIN;\n{}COMMIT;", self.sql()));
        if let Some(path) = url.strip_prefix("sqlite:") {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let connected = sqlx::SqliteConnection::connect_with(&options).await;
            let mut connection = connected.expect("connected");
            let done = sqlx::raw_sql(sql).execute(&mut connection).await;
            done.expect("a directory");
            connection.close().await.expect("closed");
        } else {
            let mut connection = sqlx::PgConnection::connect(url).await.expect("connected");
            let done = sqlx::raw_sql(sql).execute(&mut connection).await;
            done.expect("a directory");
        }
    }
}

fn some_of(dice: &mut Dice, count: usize) -> BTreeSet<usize> {
    (0..count).filter(|_| dice.once_in(4)).collect()
}

/// A database with a schema and nothing in it.
pub async fn database(url: &str) -> Store {
    let store = Store::open(url, StoreAccess::Write).await;
    let store = store.expect("a database");
    store.migrate(None).await.expect("a schema");
    store
}

//! Customer numbers and the login names built from them, such as `1042-3`. A number is never given
//! twice: the registry and its counters only grow and outlive the account and the link. Start at
//! `ApplyTransaction::give_logins`.

use super::super::connection::{BatchStatement, SqlRow};
use super::super::error::StoreError;
use super::super::people_tables::UNNAMED_LINKS;
use super::super::sql_value::{SqlType, SqlValue};
use super::super::tables::{self, LinkTable};
use super::links::{LinkDelta, change_of, delete_pairs};
use super::settings::LoginNameScope;
use super::{ApplyTransaction, ids};
use crate::diagnostic::Origin;
use crate::kinds::{self, ACCOUNT, USER};
use crate::model::{CompactText, Key, LoginParts, Value};
use crate::plan::StepVerb;
use std::collections::{BTreeMap, BTreeSet, HashMap};

type UserAccountPair = (CompactText, CompactText);

/// The columns of `user_logins`.
const LOGIN_COLUMNS: [(&str, SqlType); 4] = [
    ("user_id", SqlType::Id),
    ("account_id", SqlType::Id),
    ("number", SqlType::Int),
    ("name", SqlType::Id),
];

fn login_row(user: &str, account: &str, number: i64, name: &str) -> SqlRow {
    vec![
        SqlValue::text(user),
        SqlValue::text(account),
        SqlValue::Int(number),
        SqlValue::text(name),
    ]
}

impl ApplyTransaction<'_> {
    /// Registers customer numbers, deletes the login names of removed links, and assigns names to
    /// new links and to links of renumbered accounts.
    pub(super) async fn give_logins(&mut self) -> Result<u64, StoreError> {
        let numbered = self.register_numbers().await?;
        self.delete_login_names(&numbered).await?;
        let taken = self.take_over_logins().await?;
        let unnamed = self.take_unnamed_links().await?;
        // Numbers are registered even when people log in by e-mail: switching the mode later must
        // not hand out a number that was used before.
        if self.settings.names == LoginNameScope::None {
            return Ok(taken.len() as u64);
        }
        let mut pairs = self.nameless(&numbered).await?;
        pairs.extend(unnamed);
        pairs.retain(|(pair, _)| !taken.contains(pair));
        let given = self.assign_login_names(pairs).await?;
        Ok(given + taken.len() as u64)
    }

    /// Stores the login names that an export brings along, and returns their links. Before any new
    /// name is given, so that the counters go on behind them.
    async fn take_over_logins(&mut self) -> Result<BTreeSet<UserAccountPair>, StoreError> {
        let (mut rows, mut counters) = (Vec::new(), BTreeMap::new());
        let mut links = BTreeSet::new();
        for login in &self.apply.plan.logins {
            // A saved plan was checked for its form when this apply began.
            let Some(parts) = LoginParts::of(&login.name) else {
                continue;
            };
            let next = counters.entry(parts.customer_number).or_insert(1);
            *next = (*next).max(parts.running_number + 1);
            rows.push(login_row(
                &login.user,
                &login.account,
                parts.running_number,
                &login.name,
            ));
            links.insert((login.user.clone(), login.account.clone()));
        }
        if rows.is_empty() {
            return Ok(links);
        }
        self.tx.insert("user_logins", &LOGIN_COLUMNS, rows).await?;
        let counters = counters.into_iter();
        let counters =
            counters.map(|(number, next)| vec![SqlValue::text(number), SqlValue::Int(next)]);
        self.raise_counters(counters.collect()).await?;
        Ok(links)
    }

    /// Raises the next running number of customer numbers. It never goes down, so the name of a
    /// removed link is not given to somebody else.
    async fn raise_counters(&mut self, counters: Vec<SqlRow>) -> Result<(), StoreError> {
        let sql = "INSERT INTO login_counters (customer_number, next) {rows} \
                   ON CONFLICT (customer_number) DO UPDATE SET next = excluded.next \
                   WHERE login_counters.next < excluded.next";
        self.run_for_rows(sql, &[SqlType::Id, SqlType::Int], counters)
            .await
            .map(|_| ())
    }

    /// Registers every customer number that this plan sets; returns the accounts whose number
    /// changes.
    async fn register_numbers(&mut self) -> Result<Vec<Key>, StoreError> {
        let field = kinds::own_field(kinds::get(ACCOUNT).expect_index("customerNumber"));
        let (mut rows, mut numbered) = (Vec::new(), Vec::new());
        for step in self.of_kind(ACCOUNT, |verb| verb != StepVerb::Delete) {
            let Some(change) = step.change(&field) else {
                continue;
            };
            // A new account has no login names yet; only the others need new ones.
            if step.verb != StepVerb::Create {
                numbered.push(step.key.clone());
            }
            if let Some(Value::Text(number)) = &change.after {
                rows.push(vec![SqlValue::from(number), SqlValue::from(&step.key.id)]);
            }
        }
        rows.sort_by(|a: &SqlRow, b| a[0].as_text().cmp(&b[0].as_text()));
        let sql = "INSERT INTO customer_numbers (number, account_id) {rows} \
                   ON CONFLICT (number) DO UPDATE SET account_id = excluded.account_id";
        self.run_for_rows(sql, &[SqlType::Id, SqlType::Id], rows)
            .await?;
        Ok(numbered)
    }

    async fn delete_login_names(&mut self, numbered: &[Key]) -> Result<(), StoreError> {
        let table = tables::for_kind(USER).link_named("accounts");
        let mut pairs: Vec<SqlRow> = Vec::new();
        for step in self.of_kind(USER, super::changes_row) {
            if let Some(change) = change_of(step, table) {
                let went = LinkDelta::from_change(&change).removed;
                pairs.extend(
                    went.iter()
                        .map(|account| vec![(&step.key.id).into(), account.into()]),
                );
            }
        }
        let sql = delete_pairs("user_logins", ["user_id", "account_id"]);
        self.run_for_rows(&sql, &[SqlType::Id, SqlType::Id], pairs)
            .await?;
        // `user_logins` has no foreign key, so the names of deleted users and accounts would stay.
        let deleted = |kind| {
            let steps = self.of_kind(kind, |verb| verb == StepVerb::Delete);
            steps.map(|step| &step.key)
        };
        let users: Vec<SqlRow> = ids(deleted(USER)).collect();
        let accounts: Vec<SqlRow> = ids(deleted(ACCOUNT).chain(numbered)).collect();
        let sql = "DELETE FROM user_logins WHERE user_id IN ({rows})";
        self.run_for_rows(sql, &[SqlType::Id], users).await?;
        let sql = "DELETE FROM user_logins WHERE account_id IN ({rows})";
        self.run_for_rows(sql, &[SqlType::Id], accounts).await?;
        Ok(())
    }

    /// Returns the links that need a name, each with the customer number of its account.
    async fn nameless(
        &mut self,
        numbered: &[Key],
    ) -> Result<Vec<(UserAccountPair, CompactText)>, StoreError> {
        let table = tables::for_kind(USER).link_named("accounts");
        if self.settings.names == LoginNameScope::All {
            return self.all_nameless(table).await;
        }
        // A set: a link may be new and belong to a renumbered account at once, and must get one
        // name only.
        let mut pairs = self.links_of(table, numbered).await?;
        pairs.extend(self.new_pairs(table));
        let pairs = pairs.into_iter();
        let rows = pairs.map(|(user, account)| vec![SqlValue::from(&user), (&account).into()]);
        self.nameless_of(rows.collect()).await
    }

    /// After switching login names on, every existing link needs one.
    async fn all_nameless(
        &mut self,
        table: &LinkTable,
    ) -> Result<Vec<(UserAccountPair, CompactText)>, StoreError> {
        let sql = format!(
            "SELECT l.user_id, l.account_id, a.customer_number FROM {} AS l \
             JOIN accounts AS a ON a.external_id = l.account_id \
             LEFT JOIN user_logins AS n ON n.user_id = l.user_id AND n.account_id = l.account_id \
             WHERE n.name IS NULL AND a.customer_number IS NOT NULL",
            table.name
        );
        self.fetch_nameless(&sql).await
    }

    /// Reads links, each with the customer number of its account.
    async fn fetch_nameless(
        &mut self,
        sql: &str,
    ) -> Result<Vec<(UserAccountPair, CompactText)>, StoreError> {
        let types = [SqlType::Id, SqlType::Id, SqlType::Id];
        let found = self.tx.fetch(sql, &[], &types).await?;
        Ok(found.into_iter().map(nameless_link).collect())
    }

    /// Takes the links without a name that other programs have made since the last apply.
    async fn take_unnamed_links(
        &mut self,
    ) -> Result<Vec<(UserAccountPair, CompactText)>, StoreError> {
        // Deleted first: a link that another program makes in between is noted for the next apply.
        let sql = format!("DELETE FROM {UNNAMED_LINKS} RETURNING user_id, account_id");
        let (id, no_params) = (SqlType::Id, []);
        let noted = self.tx.fetch(&sql, &no_params, &[id, id]).await?;
        self.nameless_of(noted).await
    }

    /// Those of some links that need a name, each with the customer number of its account.
    async fn nameless_of(
        &mut self,
        links: Vec<SqlRow>,
    ) -> Result<Vec<(UserAccountPair, CompactText)>, StoreError> {
        // An account without a number has its links named when it gets one. A link that another
        // program removed and that is back has its name still.
        let sql = format!(
            "WITH v(user_id, account_id) AS MATERIALIZED ({{rows}}) \
             SELECT l.user_id, l.account_id, a.customer_number FROM v \
             JOIN {} AS l ON l.user_id = v.user_id AND l.account_id = v.account_id \
             JOIN accounts AS a ON a.external_id = l.account_id \
             LEFT JOIN user_logins AS n ON n.user_id = l.user_id AND n.account_id = l.account_id \
             WHERE n.name IS NULL AND a.customer_number IS NOT NULL",
            tables::for_kind(USER).link_named("accounts").name
        );
        let id = SqlType::Id;
        let batch = BatchStatement {
            sql: &sql,
            types: &[id, id],
        };
        let found = self.tx.batch_fetch(&batch, links, &[id, id, id]).await?;
        Ok(found.into_iter().map(nameless_link).collect())
    }

    fn new_pairs(&self, table: &LinkTable) -> Vec<UserAccountPair> {
        let mut pairs = Vec::new();
        for step in self.of_kind(USER, |verb| verb != StepVerb::Delete) {
            if let Some(change) = change_of(step, table) {
                let came = LinkDelta::from_change(&change).added.into_iter();
                pairs.extend(came.map(|link| (step.key.id.clone(), link.target)));
            }
        }
        pairs
    }

    /// The links to these accounts.
    async fn links_of(
        &mut self,
        table: &LinkTable,
        accounts: &[Key],
    ) -> Result<BTreeSet<UserAccountPair>, StoreError> {
        let sql = format!(
            "WITH v(id) AS MATERIALIZED ({{rows}}) SELECT l.user_id, l.account_id \
             FROM v JOIN {} AS l ON l.account_id = v.id",
            table.name
        );
        let batch = BatchStatement {
            sql: &sql,
            types: &[SqlType::Id],
        };
        let rows = ids(accounts.iter());
        let found = self
            .tx
            .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Id])
            .await?;
        let pairs = found.into_iter();
        Ok(pairs
            .map(|mut cells| (cells[0].take_text(), cells[1].take_text()))
            .collect())
    }

    /// Gives each link the next free suffix of its customer number: in the order in which the
    /// users are declared, after users whom the plan does not change.
    async fn assign_login_names(
        &mut self,
        mut pairs: Vec<(UserAccountPair, CompactText)>,
    ) -> Result<u64, StoreError> {
        let origins = self.of_kind(USER, |verb| verb != StepVerb::Delete);
        let origins: HashMap<&CompactText, &Origin> = origins
            .filter_map(|step| Some((&step.key.id, step.origin.as_ref()?)))
            .collect();
        // People number their colleagues from the top. The ids decide what is left, so that the
        // same plan gives the same names on every replica.
        pairs.sort_by_cached_key(|(pair, _)| {
            let origin = origins.get(&pair.0);
            (origin.map(|origin| (&origin.path, origin.at)), pair.clone())
        });
        pairs.dedup();
        let mut next = self.counters(&pairs).await?;
        let rows: Vec<SqlRow> = pairs
            .into_iter()
            .map(|((user, account), number)| {
                let n = next.entry(number.clone()).or_insert(1);
                let name = format!("{number}-{n}");
                let row = login_row(&user, &account, *n, &name);
                *n += 1;
                row
            })
            .collect();
        let given = rows.len() as u64;
        if given > 0 {
            self.tx.insert("user_logins", &LOGIN_COLUMNS, rows).await?;
        }
        let next = next
            .into_iter()
            .map(|(number, n)| vec![SqlValue::Text(number), SqlValue::Int(n)]);
        self.raise_counters(next.collect()).await?;
        Ok(given)
    }

    /// The next free suffix of each customer number among these links.
    async fn counters(
        &mut self,
        pairs: &[(UserAccountPair, CompactText)],
    ) -> Result<BTreeMap<CompactText, i64>, StoreError> {
        let sql = "WITH v(id) AS MATERIALIZED ({rows}) SELECT c.customer_number, c.next \
                   FROM v JOIN login_counters AS c ON c.customer_number = v.id";
        let batch = BatchStatement {
            sql,
            types: &[SqlType::Id],
        };
        let numbers: BTreeSet<&CompactText> = pairs.iter().map(|(_, number)| number).collect();
        let rows: Vec<SqlRow> = numbers
            .into_iter()
            .map(|number| vec![number.into()])
            .collect();
        let found = self
            .tx
            .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Int])
            .await?;
        let counters = found.into_iter();
        Ok(counters
            .map(|mut cells| (cells[0].take_text(), cells[1].int()))
            .collect())
    }
}

/// A link without a name, from a user, an account and its customer number.
fn nameless_link(mut cells: SqlRow) -> (UserAccountPair, CompactText) {
    let pair = (cells[0].take_text(), cells[1].take_text());
    (pair, cells[2].take_text())
}

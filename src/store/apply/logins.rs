//! Customer numbers, and the login names that are built on them.
//!
//! A number is given once: its counter only grows and outlives account and link.

use super::super::connection::{Batch, Cells};
use super::super::error::StoreError;
use super::super::param::{Param, Ty};
use super::super::tables::{self, LinkTable};
use super::links::{Delta, change_of, delete_pairs};
use super::settings::Names;
use super::{Pass, ids};
use crate::kinds::{self, ACCOUNT, USER};
use crate::model::{Key, Text, Value};
use crate::plan::Verb;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A user and an account.
type Pair = (Text, Text);

impl Pass<'_> {
    /// Registers customer numbers, takes back the names of links that go, and gives names to the
    /// links that come or whose account has another number.
    pub(super) async fn give_logins(&mut self) -> Result<u64, StoreError> {
        let numbered = self.register_numbers().await?;
        self.forget_names(&numbered).await?;
        if self.settings.names == Names::None {
            return Ok(0);
        }
        let pairs = self.nameless(&numbered).await?;
        self.name(pairs).await
    }

    /// Writes down every customer number that this plan gives; the accounts whose number changes.
    async fn register_numbers(&mut self) -> Result<Vec<Key>, StoreError> {
        let field = kinds::own(kinds::get(ACCOUNT).at("customerNumber"));
        let (mut rows, mut numbered) = (Vec::new(), Vec::new());
        for step in self.of_kind(ACCOUNT, |verb| verb != Verb::Delete) {
            let Some(change) = step.change(&field) else {
                continue;
            };
            if step.verb != Verb::Create {
                numbered.push(step.key.clone());
            }
            if let Some(Value::Text(number)) = &change.after {
                rows.push(vec![Param::from(number), Param::from(&step.key.id)]);
            }
        }
        rows.sort_by(|a: &Cells, b| a[0].as_text().cmp(&b[0].as_text()));
        let sql = "INSERT INTO customer_numbers (number, account_id) {rows} \
                   ON CONFLICT (number) DO UPDATE SET account_id = excluded.account_id";
        self.each(sql, &[Ty::Id, Ty::Id], rows).await?;
        Ok(numbered)
    }

    async fn forget_names(&mut self, numbered: &[Key]) -> Result<(), StoreError> {
        let table = tables::of(USER).link_named("accounts");
        let mut pairs: Vec<Cells> = Vec::new();
        for step in self.of_kind(USER, super::changes_row) {
            if let Some(change) = change_of(step, table) {
                let went = Delta::of(&change).went;
                pairs.extend(
                    went.iter()
                        .map(|account| vec![(&step.key.id).into(), account.into()]),
                );
            }
        }
        let sql = delete_pairs("user_logins", ["user_id", "account_id"]);
        self.each(&sql, &[Ty::Id, Ty::Id], pairs).await?;
        let deleted = |kind| {
            let steps = self.of_kind(kind, |verb| verb == Verb::Delete);
            steps.map(|step| &step.key)
        };
        let users: Vec<Cells> = ids(deleted(USER)).collect();
        let accounts: Vec<Cells> = ids(deleted(ACCOUNT).chain(numbered)).collect();
        let sql = "DELETE FROM user_logins WHERE user_id IN ({rows})";
        self.each(sql, &[Ty::Id], users).await?;
        let sql = "DELETE FROM user_logins WHERE account_id IN ({rows})";
        self.each(sql, &[Ty::Id], accounts).await?;
        Ok(())
    }

    /// The links that have no name and need one, each with its customer number.
    async fn nameless(&mut self, numbered: &[Key]) -> Result<Vec<(Pair, Text)>, StoreError> {
        let table = tables::of(USER).link_named("accounts");
        if self.settings.names == Names::All {
            return self.all_nameless(table).await;
        }
        let mut pairs = self.links_of(table, numbered).await?;
        pairs.extend(self.new_pairs(table));
        let accounts: BTreeSet<&Text> = pairs.iter().map(|(_, account)| account).collect();
        let numbers = self.numbers(accounts).await?;
        let named = pairs.into_iter().filter_map(|pair| {
            let number = numbers.get(&pair.1)?.clone();
            Some((pair, number))
        });
        Ok(named.collect())
    }

    /// Switching login names on names every link there is.
    async fn all_nameless(&mut self, table: &LinkTable) -> Result<Vec<(Pair, Text)>, StoreError> {
        let sql = format!(
            "SELECT l.user_id, l.account_id, a.customer_number FROM {} AS l \
             JOIN accounts AS a ON a.external_id = l.account_id \
             LEFT JOIN user_logins AS n ON n.user_id = l.user_id AND n.account_id = l.account_id \
             WHERE n.name IS NULL AND a.customer_number IS NOT NULL",
            table.name
        );
        let found = self.tx.fetch(&sql, &[], &[Ty::Id, Ty::Id, Ty::Id]).await?;
        let pairs = found.into_iter().map(|mut cells| {
            let pair = (cells[0].take_text(), cells[1].take_text());
            (pair, cells[2].take_text())
        });
        Ok(pairs.collect())
    }

    /// The links that this plan adds.
    fn new_pairs(&self, table: &LinkTable) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for step in self.of_kind(USER, |verb| verb != Verb::Delete) {
            if let Some(change) = change_of(step, table) {
                let came = Delta::of(&change).came.into_iter();
                pairs.extend(came.map(|link| (step.key.id.clone(), link.target)));
            }
        }
        pairs
    }

    /// The links to some accounts.
    async fn links_of(
        &mut self,
        table: &LinkTable,
        accounts: &[Key],
    ) -> Result<BTreeSet<Pair>, StoreError> {
        let sql = format!(
            "WITH v(id) AS MATERIALIZED ({{rows}}) SELECT l.user_id, l.account_id \
             FROM v JOIN {} AS l ON l.account_id = v.id",
            table.name
        );
        let batch = Batch {
            sql: &sql,
            types: &[Ty::Id],
        };
        let rows = ids(accounts.iter());
        let found = self.tx.batch_fetch(&batch, rows, &[Ty::Id, Ty::Id]).await?;
        let pairs = found.into_iter();
        Ok(pairs
            .map(|mut cells| (cells[0].take_text(), cells[1].take_text()))
            .collect())
    }

    /// The customer numbers of some accounts.
    async fn numbers(
        &mut self,
        accounts: BTreeSet<&Text>,
    ) -> Result<HashMap<Text, Text>, StoreError> {
        let sql = "WITH v(id) AS MATERIALIZED ({rows}) SELECT a.external_id, a.customer_number \
                   FROM v JOIN accounts AS a ON a.external_id = v.id \
                   WHERE a.customer_number IS NOT NULL";
        let batch = Batch {
            sql,
            types: &[Ty::Id],
        };
        let rows = accounts
            .into_iter()
            .map(|account| vec![Param::from(account)]);
        let rows: Vec<Cells> = rows.collect();
        let found = self.tx.batch_fetch(&batch, rows, &[Ty::Id, Ty::Id]).await?;
        let numbers = found.into_iter();
        Ok(numbers
            .map(|mut cells| (cells[0].take_text(), cells[1].take_text()))
            .collect())
    }

    /// Gives each link the next number of its customer number.
    async fn name(&mut self, mut pairs: Vec<(Pair, Text)>) -> Result<u64, StoreError> {
        pairs.sort();
        pairs.dedup();
        let mut next = self.counters(&pairs).await?;
        let rows: Vec<Cells> = pairs
            .into_iter()
            .map(|((user, account), number)| {
                let n = next.entry(number.clone()).or_insert(1);
                let name = format!("{number}-{n}");
                let row = vec![
                    Param::Text(user),
                    Param::Text(account),
                    Param::Int(*n),
                    Param::text(name),
                ];
                *n += 1;
                row
            })
            .collect();
        let given = rows.len() as u64;
        let shape = [
            ("user_id", Ty::Id),
            ("account_id", Ty::Id),
            ("number", Ty::Int),
            ("name", Ty::Id),
        ];
        if given > 0 {
            self.tx.insert("user_logins", &shape, rows).await?;
        }
        let sql = "INSERT INTO login_counters (customer_number, next) {rows} \
                   ON CONFLICT (customer_number) DO UPDATE SET next = excluded.next";
        let next = next
            .into_iter()
            .map(|(number, n)| vec![Param::Text(number), Param::Int(n)]);
        self.each(sql, &[Ty::Id, Ty::Int], next.collect()).await?;
        Ok(given)
    }

    /// The counters of the customer numbers of some links.
    async fn counters(
        &mut self,
        pairs: &[(Pair, Text)],
    ) -> Result<BTreeMap<Text, i64>, StoreError> {
        let sql = "WITH v(id) AS MATERIALIZED ({rows}) SELECT c.customer_number, c.next \
                   FROM v JOIN login_counters AS c ON c.customer_number = v.id";
        let batch = Batch {
            sql,
            types: &[Ty::Id],
        };
        let numbers: BTreeSet<&Text> = pairs.iter().map(|(_, number)| number).collect();
        let rows: Vec<Cells> = numbers
            .into_iter()
            .map(|number| vec![number.into()])
            .collect();
        let found = self
            .tx
            .batch_fetch(&batch, rows, &[Ty::Id, Ty::Int])
            .await?;
        let counters = found.into_iter();
        Ok(counters
            .map(|mut cells| (cells[0].take_text(), cells[1].int()))
            .collect())
    }
}

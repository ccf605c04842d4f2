//! Reads what decides who sees what, as far as a plan can affect it.

use super::Store;
use super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use super::table_scan::TableScan;
use crate::kinds::ADMIN_GROUP;
use crate::model::CompactText;
use crate::plan::visibility::{
    AccountUse, OrganisationPlace, UserPlace, VisibilityReach, VisibilityState,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// From this many accounts on, reading all of them is as fast.
const MANY: usize = 5_000;

/// The users that a statement is about: those with the ids `{rows}`, or those who are in the
/// accounts with these ids, or in an organisation of them.
const THESE_USERS: &str = "WITH people(id) AS ({rows}) ";
const USERS_OF_ACCOUNTS: &str = "WITH wanted(id) AS ({rows}), people(id) AS (\
     SELECT l.user_id FROM wanted AS w JOIN user_accounts AS l ON l.account_id = w.id \
     UNION SELECT m.user_id FROM wanted AS w \
       JOIN organisations AS o ON o.account_id = w.id \
       JOIN user_organisations AS m ON m.organisation_id = o.external_id) ";

const ACCOUNT: [(&str, SqlType); 4] = [
    ("external_id", SqlType::Id),
    ("status", SqlType::Text),
    ("approval", SqlType::Text),
    ("blocked", SqlType::Text),
];
const ORGANISATION: [(&str, SqlType); 3] = [
    ("external_id", SqlType::Id),
    ("account_id", SqlType::Id),
    ("parent_id", SqlType::Id),
];
const LINK: [(&str, SqlType); 3] = [
    ("user_id", SqlType::Id),
    ("account_id", SqlType::Id),
    ("level", SqlType::Text),
];
const MEMBER: [(&str, SqlType); 2] = [("user_id", SqlType::Id), ("organisation_id", SqlType::Id)];
const GROUP: [(&str, SqlType); 2] = [("user_id", SqlType::Id), ("value", SqlType::Id)];

impl Store {
    /// Reads the state of everything that is in reach, as of one moment. Of other accounts it has
    /// what the users in reach are in.
    pub async fn visibility_state(
        &self,
        reach: &VisibilityReach,
    ) -> Result<VisibilityState, StoreError> {
        let mut state = VisibilityState::default();
        let Some(tx) = self.begin_schema_read("read who sees what").await? else {
            return Ok(state);
        };
        let mut reader = StateReader {
            tx,
            state: &mut state,
        };
        reader.settings().await?;
        reader.users(THESE_USERS, &reach.users).await?;
        let accounts = reader.accounts_in_reach(reach).await?;
        if reach.everything || accounts.len() > MANY {
            reader.everything().await?;
        } else {
            reader.part(&accounts).await?;
        }
        Ok(state)
    }
}

struct StateReader<'a> {
    tx: SqlTransaction,
    state: &'a mut VisibilityState,
}

impl StateReader<'_> {
    async fn settings(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT 1 FROM settings WHERE NOT admin_sees_account";
        self.state.admin_sees_account = !self.tx.has_rows(sql, &[]).await?;
        Ok(())
    }

    /// The accounts that are in reach by themselves, by their organisations or by their
    /// administrators, who were read.
    async fn accounts_in_reach(
        &mut self,
        reach: &VisibilityReach,
    ) -> Result<BTreeSet<CompactText>, StoreError> {
        let mut accounts = reach.accounts.clone();
        accounts.extend(self.accounts_of(&reach.organisations).await?);
        let administrators = reach.administrators.iter();
        let administrators = administrators.filter_map(|id| self.state.users.get(id));
        let links = administrators.flat_map(|user| &user.accounts);
        accounts.extend(links.map(|(account, _)| account.clone()));
        Ok(accounts)
    }

    async fn part(&mut self, accounts: &BTreeSet<CompactText>) -> Result<(), StoreError> {
        self.users(USERS_OF_ACCOUNTS, accounts).await?;
        let linked = self.state.users.values();
        let linked = linked.flat_map(|user| user.accounts.iter().map(|(id, _)| id));
        let all: BTreeSet<_> = linked.chain(accounts).cloned().collect();
        let sql = format!(
            "SELECT {} FROM accounts WHERE external_id IN ({{rows}})",
            names(&ACCOUNT)
        );
        for mut cells in self.look_up(&sql, &all, &types(&ACCOUNT)).await? {
            add_account(self.state, &mut cells);
        }
        self.organisations(accounts).await?;
        // In other accounts, only what the users who were read are in.
        let members = self.state.users.values();
        let others = members.flat_map(|user| &user.organisations);
        let others = others.filter(|id| !self.state.organisations.contains_key(*id));
        let others = others.cloned().collect();
        let accounts = self.accounts_of(&others).await?;
        self.organisations(&accounts).await
    }

    async fn organisations(&mut self, accounts: &BTreeSet<CompactText>) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT {} FROM organisations WHERE account_id IN ({{rows}})",
            names(&ORGANISATION)
        );
        for mut cells in self.look_up(&sql, accounts, &types(&ORGANISATION)).await? {
            add_organisation(self.state, &mut cells);
        }
        Ok(())
    }

    async fn accounts_of(
        &mut self,
        organisations: &BTreeSet<CompactText>,
    ) -> Result<BTreeSet<CompactText>, StoreError> {
        let sql = "SELECT account_id FROM organisations WHERE external_id IN ({rows})";
        let found = self.look_up(sql, organisations, &[SqlType::Id]).await?;
        let accounts = found.into_iter().map(|mut cells| cells[0].take_text());
        Ok(accounts.collect())
    }

    /// Reads the users whom the beginning of a statement finds by some ids.
    async fn users(&mut self, people: &str, ids: &BTreeSet<CompactText>) -> Result<(), StoreError> {
        let sql = format!(
            "{people} SELECT u.external_id, g.value FROM people AS p \
             JOIN users AS u ON u.external_id = p.id \
             LEFT JOIN user_groups AS g ON g.user_id = p.id AND g.value = '{ADMIN_GROUP}'"
        );
        let mut new = BTreeSet::new();
        for mut cells in self.look_up(&sql, ids, &[SqlType::Id, SqlType::Id]).await? {
            let id = cells[0].take_text();
            if !self.state.users.contains_key(&id) {
                new.insert(id.clone());
                user(self.state, id).in_admin_group = cells[1].as_text().is_some();
            }
        }
        let sql = format!(
            "{people} SELECT l.user_id, l.account_id, l.level FROM people AS p \
             JOIN user_accounts AS l ON l.user_id = p.id"
        );
        let types = [SqlType::Id, SqlType::Id, SqlType::Text];
        for mut cells in self.look_up(&sql, ids, &types).await? {
            if new.contains(cells[0].as_text().unwrap_or_default()) {
                add_link(self.state, &mut cells);
            }
        }
        let sql = format!(
            "{people} SELECT m.user_id, m.organisation_id FROM people AS p \
             JOIN user_organisations AS m ON m.user_id = p.id"
        );
        for mut cells in self.look_up(&sql, ids, &[SqlType::Id; 2]).await? {
            if new.contains(cells[0].as_text().unwrap_or_default()) {
                add_member(self.state, &mut cells);
            }
        }
        // A user of accounts in two batches was found twice.
        for id in new {
            let user = user(self.state, id);
            user.accounts.sort();
            user.accounts.dedup();
            user.organisations.sort();
            user.organisations.dedup();
        }
        Ok(())
    }

    async fn everything(&mut self) -> Result<(), StoreError> {
        self.state.users.clear();
        self.scan("accounts", &ACCOUNT, 1, add_account).await?;
        self.scan("organisations", &ORGANISATION, 1, add_organisation)
            .await?;
        self.scan("users", &ACCOUNT[..1], 1, add_user).await?;
        self.scan("user_accounts", &LINK, 2, add_link).await?;
        self.scan("user_organisations", &MEMBER, 2, add_member)
            .await?;
        self.scan("user_groups", &GROUP, 2, add_group).await
    }

    async fn scan(
        &mut self,
        table: &str,
        columns: &[(&str, SqlType)],
        key: usize,
        each: fn(&mut VisibilityState, &mut [SqlValue]),
    ) -> Result<(), StoreError> {
        let scan = TableScan {
            table,
            columns,
            key,
        };
        let state = &mut *self.state;
        self.tx.scan(&scan, |cells| each(state, cells)).await
    }

    /// Runs a query for some ids, which replace `{rows}`.
    async fn look_up(
        &mut self,
        sql: &str,
        ids: &BTreeSet<CompactText>,
        types: &[SqlType],
    ) -> Result<Vec<SqlRow>, StoreError> {
        let batch = BatchStatement {
            sql,
            types: &[SqlType::Id],
        };
        let rows = ids.iter().map(|id| vec![SqlValue::from(id)]);
        self.tx.batch_fetch(&batch, rows, types).await
    }
}

fn add_account(state: &mut VisibilityState, cells: &mut [SqlValue]) {
    let account = AccountUse {
        active: cells[1].as_text() == Some("active"),
        allowed: cells[2].as_text() == Some("approved") && cells[3].as_text().is_none(),
    };
    state.accounts.insert(cells[0].take_text(), account);
}

fn add_organisation(state: &mut VisibilityState, cells: &mut [SqlValue]) {
    let place = OrganisationPlace {
        account: cells[1].take_text(),
        parent: cells[2].take_optional_text(),
    };
    state.organisations.insert(cells[0].take_text(), place);
}

fn add_user(state: &mut VisibilityState, cells: &mut [SqlValue]) {
    user(state, cells[0].take_text());
}

fn add_link(state: &mut VisibilityState, cells: &mut [SqlValue]) {
    let administrator = cells[2].as_text() == Some("administrator");
    let link = (cells[1].take_text(), administrator);
    user(state, cells[0].take_text()).accounts.push(link);
}

fn add_member(state: &mut VisibilityState, cells: &mut [SqlValue]) {
    let organisation = cells[1].take_text();
    let user = user(state, cells[0].take_text());
    user.organisations.push(organisation);
}

fn add_group(state: &mut VisibilityState, cells: &mut [SqlValue]) {
    if cells[1].as_text() == Some(ADMIN_GROUP) {
        user(state, cells[0].take_text()).in_admin_group = true;
    }
}

fn user(state: &mut VisibilityState, id: CompactText) -> &mut UserPlace {
    Arc::make_mut(state.users.entry(id).or_default())
}

fn names(columns: &[(&str, SqlType)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn types(columns: &[(&str, SqlType)]) -> Vec<SqlType> {
    columns.iter().map(|(_, ty)| *ty).collect()
}

//! Who sees what: the views against plain loops over random directories.

use super::random_directory::{self, Directory};
use crate::support::dice::Dice;
use crate::support::postgres;
use crate::support::workspace::Workspace;
use roster::kinds::USER;
use roster::model::Key;
use std::collections::BTreeSet;

const ROUNDS: usize = 60;

/// How much a user sees of an account.
enum Scope {
    Everything,
    Organisations(BTreeSet<usize>),
    Unorganised,
}

impl Directory {
    fn organisations_in(&self, user: usize, account: usize) -> BTreeSet<usize> {
        let own = self.users[user].organisations.iter().copied();
        own.filter(|it| self.organisations[*it].account == account)
            .collect()
    }

    /// The organisations and everything below them in their account.
    fn with_all_below(&self, mut seen: BTreeSet<usize>, account: usize) -> BTreeSet<usize> {
        loop {
            let below = self.organisations.iter().enumerate().filter(|(_, it)| {
                it.account == account && it.parent.is_some_and(|parent| seen.contains(&parent))
            });
            let below: Vec<usize> = below.map(|(index, _)| index).collect();
            let before = seen.len();
            seen.extend(below);
            if seen.len() == before {
                return seen;
            }
        }
    }

    fn scope(&self, viewer: usize, account: usize, administrator: bool) -> Scope {
        let user = &self.users[viewer];
        if self.admin_sees_account != Some(false) && (administrator || user.admin_group) {
            return Scope::Everything;
        }
        match self.organisations_in(viewer, account) {
            own if own.is_empty() => Scope::Unorganised,
            own => Scope::Organisations(self.with_all_below(own, account)),
        }
    }

    /// The users, organisations and accounts that a user sees.
    pub fn seen_by(&self, viewer: usize) -> [BTreeSet<String>; 3] {
        let mut users = BTreeSet::from([viewer]);
        let (mut organisations, mut accounts) = (BTreeSet::new(), BTreeSet::new());
        for (account, administrator) in &self.users[viewer].accounts {
            if !self.accounts[*account].is_usable() {
                continue;
            }
            accounts.insert(self.accounts[*account].id.clone());
            let scope = self.scope(viewer, *account, *administrator);
            let everything = 0..self.organisations.len();
            let seen: BTreeSet<usize> = match &scope {
                Scope::Everything => everything
                    .filter(|it| self.organisations[*it].account == *account)
                    .collect(),
                Scope::Organisations(seen) => seen.clone(),
                Scope::Unorganised => BTreeSet::new(),
            };
            for (index, user) in self.users.iter().enumerate() {
                let linked = user.accounts.iter().any(|(it, _)| it == account);
                let unorganised = self.organisations_in(index, *account).is_empty();
                let is_seen = match scope {
                    Scope::Everything => linked,
                    Scope::Organisations(_) => false,
                    Scope::Unorganised => linked && unorganised,
                };
                if is_seen || !user.organisations.is_disjoint(&seen) {
                    users.insert(index);
                }
            }
            organisations.extend(seen.iter().map(|it| self.organisations[*it].id.clone()));
        }
        let users = users.iter().map(|it| self.users[*it].id.clone()).collect();
        [users, organisations, accounts]
    }
}

#[tokio::test]
async fn the_views_agree_with_plain_loops() {
    for (engine, url) in postgres::databases("visible") {
        let store = random_directory::database(&url).await;
        let mut dice = Dice(10);
        let mut others = 0;
        for round in 0..ROUNDS {
            let directory = Directory::random(&mut dice);
            directory.write(&url).await;
            for viewer in 0..directory.users.len() {
                let id = &directory.users[viewer].id;
                let expected = directory.seen_by(viewer);
                others += expected[0].len() - 1;
                let seen = store.visible(id).await.expect("read");
                let seen = seen.expect("a stored user");
                let sets = [&seen.users, &seen.organisations, &seen.accounts];
                for list in sets {
                    assert!(list.is_sorted(), "{engine}, round {round}: {list:?}");
                }
                let sets = sets.map(|list| list.iter().cloned().collect::<BTreeSet<String>>());
                assert_eq!(sets, expected, "{engine}, round {round}, {id}");
                for user in &directory.users {
                    let key = Key::new(USER, &user.id);
                    let one = store.is_visible(id, &key).await.expect("read");
                    assert_eq!(one, sets[0].contains(&user.id), "{engine}, {round}, {id}");
                }
            }
        }
        assert!(others > ROUNDS, "nobody saw anybody else");
        assert_eq!(store.visible("nobody").await.expect("read"), None);
    }
}

/// A shop joins the view for all of its users at once.
#[tokio::test]
async fn the_view_without_a_viewer_has_every_pair_once() {
    for (engine, url) in postgres::databases("pairs") {
        let _store = random_directory::database(&url).await;
        let mut dice = Dice(11);
        for round in 0..5 {
            let directory = Directory::random(&mut dice);
            directory.write(&url).await;
            let ws = Workspace::on(engine, url.clone());
            let sql = "SELECT viewer_id || '>' || user_id FROM visible_users";
            let sql = sql.to_owned();
            let found = tokio::task::spawn_blocking(move || ws.column(&sql)).await;
            let found: Vec<String> = found.expect("pairs").into_iter().flatten().collect();
            let pairs: BTreeSet<String> = found.iter().cloned().collect();
            assert_eq!(pairs.len(), found.len(), "{engine}: a pair twice");
            let viewers = 0..directory.users.len();
            let expected = viewers.flat_map(|viewer| {
                let [users, ..] = directory.seen_by(viewer);
                let id = &directory.users[viewer].id;
                users.into_iter().map(move |user| format!("{id}>{user}"))
            });
            assert_eq!(pairs, expected.collect(), "{engine}, round {round}");
        }
    }
}

/// The condition on the viewer reaches the indexes: nobody else's rows are read.
#[tokio::test]
async fn the_rows_of_one_viewer_are_found_by_indexes() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("roster.db");
    let url = format!("sqlite:{}", path.display());
    let _store = random_directory::database(&url).await;
    let database = rusqlite::Connection::open(&path).expect("a database");
    for query in [
        "SELECT user_id FROM visible_users WHERE viewer_id = 'u'",
        "SELECT users.* FROM users JOIN visible_users AS v ON v.user_id = users.external_id \
         WHERE v.viewer_id = 'u'",
        "SELECT 1 FROM visible_users WHERE viewer_id = 'u' AND user_id = 'v'",
        "SELECT organisation_id FROM visible_organisations WHERE viewer_id = 'u'",
    ] {
        let mut statement = database
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .expect("a query");
        let lines = statement.query_map([], |row| row.get::<_, String>(3));
        let lines: Vec<String> = lines.expect("a plan").map(Result::unwrap).collect();
        // The settings have one row; the walk upwards is as long as the tree is deep.
        let harmless = [
            "settings",
            "above",
            "pairs",
            "v",
            "visible_users",
            "CONSTANT",
        ];
        for line in lines.iter().filter(|line| line.starts_with("SCAN ")) {
            let what = line.split(' ').nth(1).unwrap_or_default();
            assert!(harmless.contains(&what), "{query}:\n{}", lines.join("\n"));
        }
    }
}

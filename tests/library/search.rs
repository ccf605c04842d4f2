//! The search against plain loops: every match once, in pages of any size, while rows change.

use super::random_directory;
use crate::support::dice::Dice;
use crate::support::postgres;
use roster::kinds::{ACCOUNT, ORGANISATION, USER};
use roster::model::KindId;
use roster::store::{SearchQuery, Store};
use sqlx::{AssertSqlSafe, Connection};
use std::collections::{BTreeMap, BTreeSet};

const ROUNDS: usize = 8;
const FIRST: [&str; 6] = ["Karin", "Åsa", "JÖRG", "anna-öst", "Zoë", "O'Neill"];
const LAST: [&str; 6] = [
    "Öberg",
    "LINDQVIST",
    "van den Berg",
    "müller",
    "50%_off",
    "Ek",
];

/// A user, as the search sees one.
#[derive(Clone)]
struct SearchedUser {
    texts: Vec<String>,
    status: &'static str,
    account: Option<&'static str>,
}

/// Another program that writes.
enum Connected {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

struct Scene {
    store: Store,
    connection: Connected,
    users: BTreeMap<String, SearchedUser>,
    /// Who was created, changed or deleted since the search began.
    touched: BTreeSet<String>,
}

impl Scene {
    async fn run(&mut self, sql: String) {
        let statements = sqlx::raw_sql(AssertSqlSafe(sql.clone()));
        let done = match &mut self.connection {
            Connected::Sqlite(it) => statements.execute(it).await.map(|_| ()),
            Connected::Postgres(it) => statements.execute(it).await.map(|_| ()),
        };
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn put(&mut self, dice: &mut Dice) {
        let n = dice.roll(60);
        let id = format!("{}-{n:02}", dice.one_of(&["u", "U", "anna", "b0:u", "%"]));
        self.remove(&id).await;
        let (first, last) = (dice.one_of(&FIRST), dice.one_of(&LAST));
        let email = format!(
            "{}{n}@firma-{}.example",
            dice.one_of(&["Kontakt.", "anna."]),
            n / 9
        );
        let company = dice.one_of(&["Print & Co", "Öst AB", ""]).to_owned();
        let status = if dice.once_in(3) {
            "inactive"
        } else {
            "active"
        };
        let quoted = |text: &str| text.replace('\'', "''");
        let mut sql = format!(
            "INSERT INTO users (external_id, first_name, last_name, email, company, status) \
             VALUES ('{id}', '{}', '{last}', '{email}', '{company}', '{status}');",
            quoted(first)
        );
        let mut texts = vec![
            id.clone(),
            first.to_owned(),
            last.to_owned(),
            email,
            company,
        ];
        let account = dice.once_in(2).then(|| dice.one_of(&["a1", "a2"]));
        if let Some(account) = account {
            sql += &format!(
                "INSERT INTO user_accounts (user_id, account_id) VALUES ('{id}', '{account}');"
            );
        }
        // A name that was given in an account that the user is no longer in does not log in.
        if dice.once_in(3) {
            let of = dice.one_of(&["a1", "a2"]);
            let name = format!("10{n:02}-{of}");
            sql += &format!(
                "INSERT INTO user_logins (user_id, account_id, number, name) VALUES ('{id}', '{of}', 1, '{name}');"
            );
            texts.extend((account == Some(of)).then_some(name));
        }
        self.run(sql).await;
        self.touched.insert(id.clone());
        let user = SearchedUser {
            texts,
            status,
            account,
        };
        self.users.insert(id, user);
    }

    async fn remove(&mut self, id: &str) {
        self.run(format!(
            "DELETE FROM user_logins WHERE user_id = '{id}'; DELETE FROM user_accounts WHERE user_id = '{id}'; \
             DELETE FROM users WHERE external_id = '{id}';"
        ))
        .await;
        self.touched.insert(id.to_owned());
        self.users.remove(id);
    }

    /// Who matches, by plain loops.
    fn matching(&self, wanted: &SearchQuery<'_>) -> BTreeSet<String> {
        let words = wanted.words.into_iter().flat_map(str::split_whitespace);
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        let is_match = |user: &SearchedUser| {
            let texts: Vec<String> = user.texts.iter().map(|text| text.to_lowercase()).collect();
            wanted.status.is_none_or(|status| status == user.status)
                && (wanted.account.is_none() || wanted.account == user.account)
                && words
                    .iter()
                    .all(|word| texts.iter().any(|text| text.contains(word)))
        };
        let found = self.users.iter().filter(|(_, user)| is_match(user));
        found.map(|(id, _)| id.clone()).collect()
    }
}

async fn scene(url: &str, dice: &mut Dice) -> Scene {
    let store = random_directory::database(url).await;
    let connection = if url.starts_with("sqlite:") {
        let connection = sqlx::SqliteConnection::connect(url).await;
        Connected::Sqlite(connection.expect("a connection"))
    } else {
        let connection = sqlx::PgConnection::connect(url).await;
        Connected::Postgres(connection.expect("a connection"))
    };
    let mut scene = Scene {
        store,
        connection,
        users: BTreeMap::new(),
        touched: BTreeSet::new(),
    };
    let accounts = "INSERT INTO accounts (external_id, name, customer_number, approval) VALUES \
        ('a1', 'Fjäll Print', '4711', 'approved'), ('a2', 'Print Öst 4712', NULL, 'pending'); \
        INSERT INTO customer_numbers (number, account_id) VALUES ('4711', 'a1'), ('9000', 'a2'); \
        INSERT INTO organisations (external_id, name, account_id) VALUES ('o1', 'Stora Bygg', 'a1');";
    scene.run(accounts.to_owned()).await;
    for _ in 0..80 {
        scene.put(dice).await;
    }
    scene
}

#[tokio::test]
async fn every_match_is_found_once_while_rows_change() {
    for (engine, url) in postgres::databases("search") {
        let mut dice = Dice(13);
        let mut scene = scene(&url, &mut dice).await;
        let (mut several, mut short, mut found_all) = (0, 0, 0);
        for round in 0..ROUNDS {
            for words in [
                "",
                "anna",
                "ÅSA",
                "öberg",
                "Lindqvist Karin",
                "kontakt.",
                "@firma-3",
                "10",
                "a1",
                "u-1",
                "U-1",
                "print öst",
                "50%",
                "%_",
                "zzz",
                "b0:",
                "Öst 2 anna",
                "o'n",
                "jörg",
            ] {
                let wanted = SearchQuery {
                    words: Some(words),
                    status: [None, None, Some("active"), Some("inactive")][dice.roll(4)],
                    account: [None, None, Some("a1")][dice.roll(3)],
                    limit: 1 + u32::try_from(dice.roll(12)).expect("a small number"),
                    part: dice
                        .once_in(2)
                        .then(|| 1 + u32::try_from(dice.roll(30)).expect("a small number")),
                    ..SearchQuery::default()
                };
                let changes = dice.once_in(2);
                scene.touched.clear();
                let before = scene.matching(&wanted);
                let (mut found, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
                loop {
                    let wanted = SearchQuery {
                        after: after.as_deref(),
                        ..wanted.clone()
                    };
                    let page = scene.store.search(USER, &wanted).await.expect("a page");
                    assert!(page.found.len() <= wanted.limit as usize);
                    short += usize::from(
                        page.found.len() < wanted.limit as usize && page.next.is_some(),
                    );
                    several += usize::from(page.next.is_some());
                    found.extend(page.found.iter().map(|it| it.row.key.id.to_string()));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                    if changes && dice.once_in(3) {
                        scene.put(&mut dice).await;
                    }
                }
                let what = format!("{engine}, round {round}, {wanted:?}: {found:?}");
                let touched = &scene.touched;
                found.retain(|id| !touched.contains(id));
                let once: BTreeSet<String> = found.iter().cloned().collect();
                assert_eq!(once.len(), found.len(), "twice: {what}");
                let expected: BTreeSet<String> = before.difference(touched).cloned().collect();
                assert_eq!(once, expected, "{what}");
                found_all += found.len();
            }
        }
        assert!(
            several > 200 && short > 60 && found_all > 600,
            "{several}, {short}, {found_all}"
        );
    }
}

#[tokio::test]
async fn what_begins_with_a_word_comes_first() {
    for (engine, url) in postgres::databases("search") {
        let mut dice = Dice(14);
        let scene = scene(&url, &mut dice).await;
        let find = async |kind: KindId, words: &str| {
            let wanted = SearchQuery {
                words: Some(words),
                limit: 50,
                part: Some(1),
                ..SearchQuery::default()
            };
            let page = scene.store.search(kind, &wanted).await.expect("a page");
            let found = page.found.iter().map(|it| it.row.key.id.to_string());
            (found.collect::<Vec<String>>(), page.next.is_some())
        };
        let one = |id: &str, more: bool| (vec![id.to_owned()], more);
        // The part of one resource is `a1`; the others are found by an index.
        assert_eq!(
            find(ACCOUNT, "print öst").await,
            one("a2", true),
            "{engine}"
        );
        assert_eq!(
            find(ACCOUNT, "PRINT 4712").await,
            one("a2", true),
            "{engine}"
        );
        assert_eq!(find(ACCOUNT, "471").await, one("a1", true), "{engine}");
        // A number that the account had once is no match.
        assert_eq!(find(ACCOUNT, "9000").await, (Vec::new(), true), "{engine}");
        assert_eq!(
            find(ORGANISATION, "stora").await,
            one("o1", true),
            "{engine}"
        );
        let (people, _) = find(USER, "lindqvist").await;
        let expected = scene.matching(&SearchQuery {
            words: Some("lindqvist"),
            ..SearchQuery::default()
        });
        assert!(people.len() > 5, "{people:?}");
        assert_eq!(people, expected.into_iter().collect::<Vec<_>>(), "{engine}");
    }
}

#[tokio::test]
async fn all_of_an_account_or_pending_are_returned_at_once() {
    for (engine, url) in postgres::databases("search") {
        let mut dice = Dice(15);
        let scene = scene(&url, &mut dice).await;
        let wanted = SearchQuery {
            account: Some("a2"),
            limit: 3,
            ..SearchQuery::default()
        };
        let found = scene
            .store
            .search_all(USER, &wanted)
            .await
            .expect("the users");
        let found: Vec<String> = found.iter().map(|it| it.row.key.id.to_string()).collect();
        assert!(found.len() > 3, "{found:?}");
        let expected: Vec<String> = scene.matching(&wanted).into_iter().collect();
        assert_eq!(found, expected, "{engine}");
        let wanted = SearchQuery {
            pending: true,
            limit: 3,
            ..SearchQuery::default()
        };
        let found = scene
            .store
            .search_all(ACCOUNT, &wanted)
            .await
            .expect("the accounts");
        let found: Vec<&str> = found.iter().map(|it| it.row.key.id.as_str()).collect();
        assert_eq!(found, ["a2"], "{engine}");
        assert!(
            scene
                .store
                .search_all(USER, &wanted)
                .await
                .expect("nobody")
                .is_empty()
        );
    }
}

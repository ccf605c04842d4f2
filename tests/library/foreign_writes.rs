//! The record of foreign writes: what other programs and acts change is found without comparing
//! every claim with every row, also when they write while Roster does.

use crate::store::{Draft, foreign, fresh, key, populate, read, recorded, recorded_of, row, text};
use roster::kinds::act::ACTS;
use roster::kinds::{ADDRESS, TAG, USER};
use roster::model::Snapshot;
use roster::plan::{ClaimAction, ClaimUpdate, StepVerb};
use roster::store::{ActRequest, SourceMappings, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

async fn shop(url: &str, sql: &str) -> PgConnection {
    let mut shop = PgConnection::connect(url).await.expect("connected");
    write(&mut shop, sql).await;
    shop
}

async fn write(shop: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(shop);
    done.await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Applies what a pass does that finds a row equal to what is declared.
async fn agree(store: &Store, stored: &Snapshot, user: &str) {
    let user = key(USER, user);
    let mut claim = stored.claim("directory", &user).expect("a claim").clone();
    claim.seen_version = stored.rows.get(&user).expect("a row").version;
    let mut draft = Draft::new(stored);
    draft.plan.claim_updates.push(ClaimUpdate {
        key: user,
        claim: ClaimAction::Write(claim.into()),
    });
    draft.apply(store).await.expect("applied");
}

async fn address_moves(store: &Store, city: &str) {
    let hub = row(store, ADDRESS, "hub").await;
    let mut draft = Draft::new(&read(store).await);
    draft.change(StepVerb::Update, &hub, &[("city", Some(text(city)))]);
    draft.apply(store).await.expect("applied");
}

const NOTHING: [&str; 0] = [];

#[tokio::test]
async fn a_write_that_commits_after_an_apply_is_found() {
    for (_, url) in crate::support::postgres::databases("late") {
        if !url.starts_with("postgres") {
            // One writes at a time there.
            continue;
        }
        let store = fresh(&url).await;
        populate(&store).await;
        let phone = |n| format!("UPDATE users SET phone = '+{n}' WHERE external_id = 'u1'");
        foreign(&url, &phone(1)).await;
        let seen = read(&store).await;
        // Recorded already, and written once more by a program that is not done.
        let mut first = shop(&url, &format!("BEGIN; {}", phone(2))).await;
        agree(&store, &seen, "u1").await;
        assert_eq!(recorded(&store).await.0, NOTHING, "the row that is visible");
        write(&mut first, "COMMIT").await;
        assert_eq!(recorded(&store).await.0, ["User/u1"]);

        let seen = read(&store).await;
        agree(&store, &seen, "u1").await;
        assert_eq!(recorded(&store).await.0, NOTHING);
        // Not recorded before.
        let mut second = shop(&url, &format!("BEGIN; {}", phone(3))).await;
        address_moves(&store, "Lund").await;
        assert_eq!(recorded(&store).await.0, NOTHING);
        write(&mut second, "COMMIT").await;
        assert_eq!(recorded(&store).await.0, ["User/u1"]);
    }
}

#[tokio::test]
async fn programs_that_write_different_rows_do_not_wait_for_each_other() {
    for (_, url) in crate::support::postgres::databases("beside") {
        if !url.starts_with("postgres") {
            continue;
        }
        let store = fresh(&url).await;
        populate(&store).await;
        let by = |user: &str| {
            format!(
                "BEGIN; SET LOCAL lock_timeout = '1s'; \
                 UPDATE users SET phone = '+1' WHERE external_id = '{user}'; \
                 DELETE FROM user_groups WHERE user_id = '{user}'; \
                 INSERT INTO tags (external_id, name) VALUES ('of-{user}', 'New')"
            )
        };
        let mut first = shop(&url, &by("u1")).await;
        let mut second = shop(&url, &by("u2")).await;
        // Nor does an apply wait for them.
        address_moves(&store, "Lund").await;
        write(&mut second, "COMMIT").await;
        write(&mut first, "COMMIT").await;
        let (stale, unclaimed) = recorded(&store).await;
        assert_eq!((stale.len(), unclaimed), (2, 2));
    }
}

#[tokio::test]
async fn rows_replaced_moved_and_truncated_are_found() {
    for (engine, url) in crate::support::postgres::databases("replaced") {
        let store = fresh(&url).await;
        populate(&store).await;
        assert_eq!(recorded(&store).await, (Vec::new(), 0), "{engine}");
        let premium = ["Tag/premium".to_owned()].to_vec();
        if engine == "postgres" {
            foreign(
                &url,
                "INSERT INTO tags (external_id, name) VALUES ('premium', 'New'), ('more', 'More') \
                 ON CONFLICT (external_id) DO UPDATE SET name = excluded.name",
            )
            .await;
        } else {
            // The clauses of the statement apply to its triggers too.
            for clause in ["OR REPLACE", "OR REPLACE", "OR IGNORE"] {
                let sql = format!(
                    "INSERT {clause} INTO tags (external_id, name) VALUES ('premium', 'New'), ('more', 'More')"
                );
                foreign(&url, &sql).await;
            }
            let sql = "UPDATE OR ABORT tags SET name = 'Newer' WHERE external_id = 'premium'";
            foreign(&url, sql).await;
        }
        assert_eq!(recorded(&store).await, (premium.clone(), 1), "{engine}");
        address_moves(&store, "Lund").await;
        assert_eq!(recorded(&store).await, (premium.clone(), 1), "{engine}");
        foreign(
            &url,
            "UPDATE tags SET external_id = 'other' WHERE external_id = 'more'",
        )
        .await;
        assert_eq!(recorded(&store).await, (premium.clone(), 1), "{engine}");
        address_moves(&store, "Malmö").await;
        foreign(&url, "DELETE FROM tags WHERE external_id = 'other'").await;
        assert_eq!(recorded(&store).await, (premium, 0), "{engine}");
        if engine == "postgres" {
            foreign(&url, "TRUNCATE accounts CASCADE").await;
            let (stale, unclaimed) = recorded(&store).await;
            let gone = ["Account/acme", "Organisation/branch", "Policy/p", "User/u1"];
            for gone in gone {
                assert!(stale.iter().any(|key| key == gone), "{gone}: {stale:?}");
            }
            assert_eq!(unclaimed, 0);
        }
    }
}

#[tokio::test]
async fn a_row_that_an_act_deletes_is_found() {
    for (engine, url) in crate::support::postgres::databases("act_record") {
        let store = fresh(&url).await;
        populate(&store).await;
        foreign(&url, "INSERT INTO users (external_id) VALUES ('nobody')").await;
        address_moves(&store, "Lund").await;
        assert_eq!(recorded(&store).await, (Vec::new(), 1), "{engine}");
        for user in ["u1", "nobody"] {
            let act = ACTS.iter().find(|act| act.is_final && !act.erases);
            let (resources, mappings) = ([key(USER, user)].into(), SourceMappings::default());
            let request = ActRequest {
                act: act.expect("a deletion"),
                resources: &resources,
                actor: "eva",
                reason: "left",
                confirm: Some(user),
                terms: None,
                idempotency: None,
                invitations: None,
                mappings: &mappings,
            };
            store.act(&request).await.expect("deleted");
        }
        // The policy has lost a member.
        let found = ["Policy/p".to_owned(), "User/u1".to_owned()];
        assert_eq!(recorded(&store).await, (found.to_vec(), 0), "{engine}");
        address_moves(&store, "Malmö").await;
        assert_eq!(recorded(&store).await, (found.to_vec(), 0), "{engine}");
    }
}

#[tokio::test]
async fn rows_of_a_forgotten_source_count_as_unclaimed() {
    for (engine, url) in crate::support::postgres::databases("forgotten") {
        let store = fresh(&url).await;
        populate(&store).await;
        let tag = row(&store, TAG, "premium").await;
        let mut draft = Draft::of("erp", &read(&store).await);
        draft.change(StepVerb::Adopt, &tag, &[("name", Some(text("Gold")))]);
        draft.apply(&store).await.expect("applied");
        foreign(&url, "UPDATE users SET phone = '+1'").await;
        assert_eq!(recorded(&store).await.1, 0, "{engine}");
        store
            .drop_claims("directory", "eva")
            .await
            .expect("dropped");
        let left = read(&store).await.rows.len() as u64 - 1;
        assert_eq!(recorded_of(&store, "erp").await.1, left, "{engine}");
        let tag = row(&store, TAG, "premium").await;
        let mut draft = Draft::of("erp", &read(&store).await);
        draft.change(StepVerb::Update, &tag, &[("name", Some(text("Silver")))]);
        draft.apply(&store).await.expect("applied");
        foreign(&url, "DELETE FROM policies").await;
        assert_eq!(recorded_of(&store, "erp").await.1, left - 1, "{engine}");
    }
}

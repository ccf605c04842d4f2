//! What people said when they acted, and names of proposed branches: an erasure takes the person out,
//! also where the id stands alone, and a dossier shows it before.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};

/// Two people of two accounts; the first has an id that is no ordinary word, the second one that is.
fn started(ws: &Workspace) {
    let named = "firstName: Olle\nlastName: Berg\nemail: o@roster.example";
    let eva = "firstName: Eva\nlastName: Falk\nemail: e@roster.example";
    let tree = account("acme", "")
        + &account("beta", "")
        + &user("olle.berg", "acme", named)
        + &user("eva", "acme", eva)
        + &user("u-9", "beta", "");
    ws.tree(tree);
    ws.settle(&[]);
}

fn act(ws: &Workspace, act: &str, resources: &[&str], reason: &str) {
    let all = [&[act][..], resources, &["--reason", reason]].concat();
    ws.run(&all).exits(0);
}

/// All reasons that are stored with something else than a deleted person.
fn reasons(ws: &Workspace) -> Vec<String> {
    let sql = "SELECT 'acts ' || subject || ' ' || reason AS said FROM acts \
               UNION ALL SELECT 'blocked ' || external_id || ' ' || blocked FROM accounts WHERE blocked IS NOT NULL \
               UNION ALL SELECT 'history ' || c.external_id || ' ' || v.fields FROM changes c \
               JOIN change_values v ON v.seq = c.seq WHERE c.verb IN ('block', 'unblock') ORDER BY said";
    ws.column(sql).into_iter().flatten().collect()
}

#[track_caller]
fn erased(ws: &Workspace, id: &str) {
    let erase = ["erase", id, "--confirm", id, "--reason", "asked"];
    ws.run(&erase).exits(0);
    let ran = ws.run(&["history", "--verify"]).exits(0);
    let sound: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    assert!(
        sound["sound"] == true || ran.stdout.contains("rue"),
        "{ran}"
    );
}

#[test]
fn an_id_that_is_no_ordinary_word_leaves_every_reason() {
    for ws in each("id-in-reasons") {
        started(&ws);
        let beta = &["Account/beta"][..];
        for reason in [
            "because of olle.berg",
            "olle.berg",
            "told by Olle.Berg.",
            "see User/olle.berg",
        ] {
            act(&ws, "block", beta, reason);
            act(&ws, "unblock", beta, reason);
        }
        let others = "for olle.bergman and olle.berg@other.example, not Account/olle.berg";
        act(&ws, "block", beta, others);
        ws.sql(
            "INSERT INTO acts (at, id, actor, act, subject, reason) VALUES \
             (5, 1, 'olle.berg', 'propose', 'directory roster/user-olle-berg', 'New: olle.berg'), \
             (6, 1, 'eva', 'propose', 'directory roster/olle-berg', 'x'); \
             INSERT INTO suspensions (source, actor, reason, at) VALUES ('erp', 'eva', 'olle.berg is ill', 1); \
             INSERT INTO passes (at, id, source, document) VALUES \
             (7, 1, 'erp', '{\"revision\": {\"subject\": \"New: olle.berg\"}}')",
        );
        erased(&ws, "olle.berg");
        let left = reasons(&ws);
        let named = |text: &&String| {
            let text = text.replace(others, "").to_lowercase();
            text.contains("olle")
        };
        assert_eq!(left.iter().filter(named).count(), 0, "{left:?}");
        assert!(left.contains(&format!("blocked beta {others}")), "{left:?}");
        let said = "acts Account/beta because of (erased)".to_owned();
        assert!(left.contains(&said), "{left:?}");
        let branch = "acts directory roster/(erased) New: (erased)".to_owned();
        assert!(left.contains(&branch), "{left:?}");
        let suspended = ws.value("SELECT reason FROM suspensions");
        assert_eq!(suspended.as_deref(), Some("(erased) is ill"));
        let pass = ws.value("SELECT document FROM passes").expect("a pass");
        assert!(pass.contains("New: (erased)"), "{pass}");
        // Operators and users are named independently.
        let actor = ws.value("SELECT actor FROM acts WHERE at = 5");
        assert_eq!(actor.as_deref(), Some("olle.berg"));
    }
}

#[test]
fn a_reason_that_was_given_for_the_person_too_loses_every_name() {
    for ws in each("shared-reason") {
        started(&ws);
        // The id and the first name are ordinary words: elsewhere they may mean anybody.
        act(&ws, "block", &["Account/acme"], "Eva asked, eva knows why");
        act(
            &ws,
            "block",
            &["Account/beta", "User/eva"],
            "fraud by Eva, see eva",
        );
        erased(&ws, "eva");
        let left = reasons(&ws);
        for (place, said) in [
            ("acts Account/acme", "Eva asked, eva knows why"),
            ("acts Account/beta", "fraud by (erased), see (erased)"),
            ("blocked acme", "Eva asked, eva knows why"),
            ("blocked beta", "fraud by (erased), see (erased)"),
        ] {
            assert!(left.contains(&format!("{place} {said}")), "{left:?}");
        }
        let history = left.iter().filter(|text| text.starts_with("history"));
        let named = history.filter(|text| text.contains("fraud by Eva"));
        assert_eq!(named.count(), 0, "{left:?}");
    }
}

#[test]
fn an_id_that_an_account_has_too_stays_in_what_is_said_of_it() {
    for ws in each("id-of-both") {
        let tree = account("olle.berg", "") + &user("olle.berg", "olle.berg", "");
        ws.tree(tree);
        ws.settle(&[]);
        act(&ws, "block", &["Account/olle.berg"], "olle.berg owes");
        erased(&ws, "olle.berg");
        let left = reasons(&ws);
        let said = "blocked olle.berg olle.berg owes".to_owned();
        assert!(left.contains(&said), "{left:?}");
    }
}

#[test]
fn a_dossier_quotes_what_was_said_about_others() {
    for ws in each("quoted-reasons") {
        started(&ws);
        act(&ws, "block", &["Account/beta"], "because of olle.berg");
        act(&ws, "block", &["Account/acme"], "because of eva");
        ws.sql(
            "INSERT INTO acts (at, id, actor, act, subject, reason) VALUES \
             (5, 1, 'eva', 'propose', 'directory roster/user-olle-berg', 'New user')",
        );
        let ran = ws.run(&["user", "dossier", "olle.berg"]).exits(0);
        let found: Value = serde_json::from_str(&ran.stdout).expect("a document");
        let quotes = found["quotes"].as_array().expect("quotes").iter();
        let quotes: Vec<Value> = quotes
            .map(|quote| json!([quote["place"], quote["parts"]]))
            .collect();
        let branch = json!({"act": "propose", "subject": "directory roster/user-olle-berg", "reason": "New user"});
        let said =
            json!({"act": "block", "subject": "Account/beta", "reason": "because of olle.berg"});
        let history = json!({"kind": "Account", "externalId": "beta", "verb": "block", "reason": "because of olle.berg"});
        let all = [
            json!(["acts", [branch]]),
            json!(["acts", [said]]),
            json!(["change_values.fields", [history]]),
        ];
        assert_eq!(quotes, all);
    }
}

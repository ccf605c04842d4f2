//! Deleting a user for good: what goes along, what refuses it, and what the next passes make of a
//! manifest that still names the person.

use crate::support::workspace::{Workspace, account, each, sqlite, user};
use serde_json::{Value, json};

const POLICY: &str = "---\nkind: Policy\nexternalId: p-1\nname: Purchases\naccount: acme\n\
                      reviewed: [u-3]\napprovers: [u-1, u-2]\n";

/// An account with three users, and a policy with two approvers.
fn directory() -> String {
    let users = ["u-1", "u-2", "u-3"].map(|id| user(id, "acme", ""));
    account("acme", "") + &users.concat() + POLICY
}

fn started(ws: &Workspace) {
    ws.tree(directory());
    ws.settle(&[]);
}

/// The answer of a deletion in JSON, and its exit code.
fn delete(ws: &Workspace, id: &str, more: &[&str]) -> (Option<i32>, Value) {
    let all = [&["user", "delete", id, "--reason", "as asked"], more].concat();
    let ran = ws.run(&all);
    let document =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    (ran.code, document)
}

#[test]
fn a_user_is_deleted_in_every_state_once_the_id_was_given_again() {
    for ws in each("states") {
        ws.tree(directory());
        for (at, state) in ["unregistered", "invited", "pending", "enabled", "disabled"]
            .into_iter()
            .enumerate()
        {
            let id = format!("x-{at}");
            ws.tree(directory() + &user(&id, "acme", ""));
            ws.apply(&[]);
            ws.sql(&format!(
                "UPDATE users SET access = '{state}' WHERE external_id = '{id}'"
            ));
            let before = ws.fingerprint();
            for more in [&[][..], &["--confirm", "u-1"], &["--confirm", ""]] {
                let (code, answer) = delete(&ws, &id, more);
                assert_eq!(
                    (code, &answer["code"]),
                    (Some(1), &json!("confirmation-needed"))
                );
                assert_eq!(answer["status"], 428);
            }
            assert_eq!(ws.fingerprint(), before);
            let (code, answer) = delete(&ws, &id, &["--confirm", &id]);
            assert_eq!(code, Some(0), "{answer}");
            let item =
                json!({"kind": "User", "externalId": id, "before": state, "after": "deleted"});
            assert_eq!(answer["items"], json!([item]));
            let (code, answer) = delete(&ws, &id, &["--confirm", &id]);
            assert_eq!((code, &answer["ids"]), (Some(1), &json!([id])));
            assert_eq!(
                ws.column("SELECT user_id FROM user_accounts WHERE user_id LIKE 'x-%'"),
                []
            );
        }
        ws.run(&["user", "delete", "u-1", "u-2", "--reason", "x"])
            .exits(64);
        ws.run(&["history", "--verify"]).exits(0);
        let history = ws.run(&["history", "User", "x-3"]).exits(0);
        let history: Value = serde_json::from_str(&history.stdout).expect("a document");
        assert_eq!(history["items"][0]["verb"], "delete");
        assert_eq!(history["items"][0]["reason"], "as asked");
        assert_eq!(
            ws.value("SELECT act || ' ' || subject FROM acts ORDER BY subject LIMIT 1")
                .as_deref(),
            Some("delete User/x-0")
        );
    }
}

#[test]
fn jobs_that_nobody_works_on_go_along_and_any_other_refuses_it() {
    for ws in each("open") {
        started(&ws);
        ws.sql(
            "INSERT INTO jobs (external_id, user_id, name, status) VALUES \
             ('j-1', 'u-1', 'a', 'New'), ('j-2', 'u-1', 'b', 'Incoming'), ('j-3', 'u-1', 'c', 'Completed'), \
             ('j-4', 'u-1', 'd', 'Processing'), ('j-5', 'u-1', 'e', 'new'), ('j-6', 'u-2', 'f', 'Completed')",
        );
        ws.sql(
            "INSERT INTO job_files (job_id, role, name, path) VALUES \
             ('j-1', 'input', 'a.pdf', 'j-1/input'), ('j-3', 'input', 'b.pdf', 'shared'), ('j-6', 'input', 'b.pdf', 'shared')",
        );
        ws.sql(
            "INSERT INTO orders (external_id, user_id, login_name) VALUES ('o-1', 'u-1', '1042-1')",
        );
        ws.write("files/j-1/input", "pdf")
            .write("files/shared", "pdf");
        let before = ws.fingerprint();
        let (code, answer) = delete(&ws, "u-1", &["--confirm", "u-1"]);
        assert_eq!(
            (code, &answer["code"]),
            (Some(1), &json!("jobs-open")),
            "{answer}"
        );
        assert_eq!(answer["status"], 409);
        let open = json!([{"id": "j-4", "status": "Processing"}, {"id": "j-5", "status": "new"}]);
        assert_eq!(answer["jobs"], open);
        assert_eq!(ws.fingerprint(), before);

        ws.sql("UPDATE jobs SET status = 'Completed' WHERE external_id IN ('j-4', 'j-5')");
        let (code, answer) = delete(&ws, "u-1", &["--confirm", "u-1"]);
        assert_eq!(code, Some(0), "{answer}");
        assert_eq!(
            answer["deletedJobs"],
            json!(["j-1", "j-2", "j-3", "j-4", "j-5"])
        );
        assert_eq!(
            ws.column("SELECT external_id FROM jobs"),
            [Some("j-6".to_owned())]
        );
        assert_eq!(
            ws.column("SELECT job_id FROM job_files"),
            [Some("j-6".to_owned())]
        );
        assert!(!ws.path("files/j-1").exists());
        assert!(
            ws.path("files/shared").exists(),
            "another user's job has it"
        );
        // The order keeps the text.
        let order = ws.value("SELECT user_id || ' ' || login_name FROM orders");
        assert_eq!(order.as_deref(), Some("u-1 1042-1"));
    }
}

#[test]
fn a_manifest_that_still_names_the_person_changes_nothing_and_stops_nothing() {
    for ws in each("named") {
        started(&ws);
        let (code, answer) = delete(&ws, "u-1", &["--confirm", "u-1"]);
        assert_eq!(code, Some(0), "{answer}");
        assert_eq!(answer["warnings"], Value::Null);
        for options in [&[][..], &["--scrub"]] {
            let plan = ws
                .plan(&[options, &["--detailed-exitcode"]].concat())
                .exits(0);
            assert_eq!(plan.steps(), Vec::<String>::new(), "{plan}");
            let found: Vec<String> = plan.findings().into_iter().collect();
            let about = [
                "warning retired-id Policy/p-1",
                "warning retired-id User/u-1",
            ];
            assert_eq!(found, about, "{plan}");
        }
        // The rest of the source goes on, and no pass brings the person back.
        ws.tree(directory().replace("name: Purchases", "name: Orders"));
        ws.apply(&[]).exits(0);
        assert_eq!(
            ws.value("SELECT name FROM policies").as_deref(),
            Some("Orders")
        );
        ws.settle(&[]);
        assert_eq!(
            ws.column("SELECT external_id FROM users"),
            [Some("u-2".to_owned()), Some("u-3".to_owned())]
        );
        assert_eq!(
            ws.column("SELECT user_id FROM policy_approvers"),
            [Some("u-2".to_owned())]
        );
        // Without the document and the reference nothing is said any more.
        let clean = directory()
            .replace("[u-1, u-2]", "[u-2]")
            .replace(&user("u-1", "acme", ""), "");
        ws.tree(clean);
        ws.settle(&[]);
        let plan = ws.plan(&[]).exits(0);
        assert!(plan.findings().is_empty(), "{plan}");
        // Declared anew, the id is held for good.
        ws.tree(directory());
        let plan = ws.plan(&[]);
        assert_eq!(plan.held(), ["retired-id User/u-1"], "{plan}");
    }
}

#[test]
fn the_last_user_and_the_last_approver_are_a_warning() {
    for ws in each("last") {
        started(&ws);
        for id in ["u-1", "u-3"] {
            assert_eq!(delete(&ws, id, &["--confirm", id]).0, Some(0));
        }
        let (code, answer) = delete(&ws, "u-2", &["--confirm", "u-2"]);
        assert_eq!(code, Some(0), "{answer}");
        let codes = answer["warnings"].as_array().expect("warnings").iter();
        let codes: Vec<&str> = codes
            .filter_map(|warning| warning["code"].as_str())
            .collect();
        assert_eq!(codes, ["last-user", "policy-approvers"], "{answer}");
        let policy = ws.run(&["history", "Policy", "p-1"]).exits(0);
        let policy: Value = serde_json::from_str(&policy.stdout).expect("a document");
        let expected = json!({"approvers": {"removed": ["u-2"], "added": []}});
        assert_eq!(policy["items"][0]["fields"], expected);
        ws.run(&["history", "--verify"]).exits(0);
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_source_that_deletes_a_user_waits_for_the_open_jobs() {
    for ws in each("declared") {
        started(&ws);
        ws.sql("INSERT INTO jobs (external_id, user_id, name, status) VALUES ('j-1', 'u-3', 'a', 'Processing')");
        let gone = directory()
            .replace(
                &user("u-3", "acme", ""),
                "---\nkind: User\nexternalId: u-3\nstatus: deleted\n",
            )
            .replace("reviewed: [u-3]", "reviewed: [u-2]");
        ws.tree(gone);
        let refused = ws.apply(&["--allow-delete"]).exits(3);
        assert_eq!(refused.held(), ["jobs-open User/u-3"], "{refused}");
        assert!(refused.stdout.contains("j-1 is Processing"), "{refused}");
        assert_eq!(ws.column("SELECT external_id FROM jobs").len(), 1);
        ws.sql("UPDATE jobs SET status = 'Completed'");
        ws.apply(&["--allow-delete"]).exits(0);
        assert_eq!(ws.column("SELECT external_id FROM jobs"), []);
        assert_eq!(
            ws.column("SELECT external_id FROM users WHERE external_id = 'u-3'"),
            []
        );
    }
}

#[test]
fn the_answer_in_text_names_the_jobs_and_the_warnings() {
    let ws = sqlite();
    started(&ws);
    ws.sql("INSERT INTO jobs (external_id, user_id, name) VALUES ('j-1', 'u-3', 'a')");
    let ran = ws.run(&[
        "user",
        "delete",
        "u-3",
        "--confirm",
        "u-3",
        "--reason",
        "left",
        "--output",
        "text",
    ]);
    assert_eq!(ran.exits(0).stdout, "Deleted User/u-3 with 1 job: j-1.\n");
    let refused = ws.run(&[
        "user", "delete", "u-2", "--reason", "left", "--output", "text",
    ]);
    assert!(
        refused.stderr.contains("`--confirm u-2`"),
        "{}",
        refused.stderr
    );
    refused.exits(1);
}

//! People who were erased or deleted never get into git again by a proposal, and what a plan finds
//! is shown before anybody reviews.

use super::api::{Api, until};
use super::proposals::{branches, errors, propose, start};
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_remote::Remote;
use crate::support::workspace::{Workspace, account, each, user, users};
use serde_json::{Value, json};

const HEADER: &str =
    "User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account Ids";

const MAPPING: &str = "apiVersion: roster/v1
name: contacts
users:
  externalId: id
  match: {by: email, otherwise: {template: \"crm-{contact}\"}}
  fields:
    civility: {constant: MR}
    firstName: first
    lastName: last
    email: email
    phone: phone
    groups: {constant: FOC_User, list: add}
    accounts: {column: account, list: add}
";

/// A daemon on a repository with an account, its three users, and a policy of two of them.
fn begin(ws: &Workspace) -> (Remote, DaemonProcess, Api) {
    begin_beside(ws, "")
}

/// Begins with more customers, too.
fn begin_beside(ws: &Workspace, others: &str) -> (Remote, DaemonProcess, Api) {
    let policy = "---\nkind: Policy\nexternalId: p\nname: P\naccount: acme\nreviewed: [u-2]\n\
                  approvers: [u-1, u-3]\nmessage: Wait\n";
    let remote = Remote::with(&(account("acme", "") + &users(1..4, "acme", "") + policy + others));
    ws.write("contacts.yaml", MAPPING);
    let beside = "  - {name: crm, export: {push: true, mapping: contacts.yaml}}\n";
    let (served, api) = start(ws, &remote, beside);
    (remote, served, api)
}

fn export(rows: &[&str]) -> Value {
    let content = format!("{HEADER}\n{}\n", rows.join("\n"));
    json!({"source": "shop", "export": {"preset": "djust-users", "name": "rows.csv", "content": content}})
}

fn manifest(text: &str) -> Value {
    json!({"source": "shop", "manifest": text})
}

/// The codes and subjects of what is left out.
fn unwritten(reply: &Value) -> String {
    reply["unwritten"].to_string()
}

#[test]
fn an_erased_person_is_never_proposed_again() {
    for ws in each("proposals-erased") {
        let (remote, served, api) = begin(&ws);
        ws.run(&["erase", "u-2", "--confirm", "u-2", "--reason", "asked"])
            .exits(0);
        let new = "n-1;MRS;Nina;Ek;nina@acme.example;+46702;FOC_User;acme";
        let again = "u-2;MR;Olle;Berg;olle@acme.example;+46709;FOC_User;acme";
        let by_mail = "id,contact,first,last,email,phone,account\n\
                       ,C-1,Olle,Berg,u-2@roster.example,+46709,acme\n\
                       n-1,C-2,Nina,Ek,nina@acme.example,+46702,acme\n";
        // First while the manifests declare the person, as an edit in place.
        for is_declared in [true, false] {
            for request in [
                export(&[again, new]),
                json!({"source": "shop", "export": {"mappingOf": "crm", "name": "rows.csv", "content": by_mail}}),
            ] {
                let reply = propose(&api, &request);
                let patch = reply["patch"].as_str().expect("a patch");
                assert!(patch.contains("+firstName: Nina"), "{reply}");
                for words in ["Olle", "+46709", "+externalId: u-2"] {
                    assert!(!reply.to_string().contains(words), "{words}: {reply}");
                }
                let left_out = unwritten(&reply);
                assert!(left_out.contains("user-erased: "), "{left_out}");
                assert!(left_out.contains("rows.csv:2:1"), "{left_out}");
                assert!(!left_out.contains("u-2"), "{left_out}");
                let found = reply["diagnostics"].to_string();
                assert!(found.contains("\"user-erased\""), "{found}");
            }
            let text = user("u-2", "acme", "firstName: Olle\nphone: \"+46709\"");
            let reply = propose(&api, &manifest(&text));
            assert_eq!(reply["files"], json!([]), "{reply}");
            assert!(unwritten(&reply).contains("user-erased: "), "{reply}");
            assert!(!reply.to_string().contains("Olle"), "{reply}");
            // Also where its document has an error, and in a list of somebody else.
            let wrong = text.replace("civility: MRS", "civility: LORD");
            let listed = "---\nkind: Policy\nexternalId: q\nname: Q\naccount: acme\nreviewed: [u-2]\n\
                          approvers: [u-1]\nmessage: Wait\n";
            for text in [&*wrong, listed] {
                let mut request = manifest(text);
                request["branch"] = json!("again");
                let (status, refused) = api.post("/api/v1/proposals", &request);
                assert_eq!(status, 409, "{refused}");
                let detail = refused["detail"].as_str().expect("a detail");
                assert!(detail.contains("erased"), "{detail}");
            }
            if is_declared {
                let policy = remote.work().join("manifests/all.yaml");
                let text = std::fs::read_to_string(&policy).expect("the manifests");
                let kept: Vec<&str> = text.split("---\n").collect();
                let kept = kept.iter().filter(|it| !it.contains("externalId: u-2\n"));
                let kept: Vec<String> = kept.map(|it| it.replace("[u-2]", "[u-3]")).collect();
                std::fs::write(&policy, kept.join("---\n")).expect("written");
                remote.push("without the person");
            }
        }
        assert_eq!(branches(&remote), "main");
        served.ends();
    }
}

#[test]
fn a_deleted_id_is_an_error_of_the_proposal() {
    for ws in each("proposals-deleted") {
        let (remote, served, api) = begin(&ws);
        ws.run(&[
            "user",
            "delete",
            "u-2",
            "--confirm",
            "u-2",
            "--reason",
            "gone",
        ])
        .exits(0);
        let new = "n-1;MRS;Nina;Ek;nina@acme.example;+46702;FOC_User;acme";
        let again = "u-2;MR;Olle;Berg;olle@acme.example;+46709;FOC_User;acme";
        // The document is still there and ignored: no edit of it either.
        let reply = propose(&api, &export(&[again, new]));
        let patch = reply["patch"].as_str().expect("a patch");
        assert!(patch.contains("Nina") && !patch.contains("Olle"), "{reply}");
        assert!(unwritten(&reply).contains("retired-id: "), "{reply}");
        let listed = "---\nkind: Policy\nexternalId: q\nname: Q\naccount: acme\nreviewed: [u-2, u-3]\n\
                      approvers: [u-1]\nmessage: Wait\n";
        let reply = propose(&api, &manifest(listed));
        assert_eq!(errors(&reply), ["retired-id"], "{reply}");
        assert_eq!(reply["files"], json!([]), "{reply}");
        // What is wrong elsewhere already refuses nothing: the policy still names the deleted user.
        let reply = propose(&api, &manifest(&user("n-2", "acme", "")));
        assert_eq!(errors(&reply), Vec::<String>::new(), "{reply}");
        assert_ne!(reply["files"], json!([]), "{reply}");

        let path = remote.work().join("manifests/all.yaml");
        let text = std::fs::read_to_string(&path).expect("the manifests");
        let parts: Vec<&str> = text.split("---\n").collect();
        let kept = parts.iter().filter(|it| !it.contains("externalId: u-2\n"));
        let kept: Vec<String> = kept.map(|it| it.replace("[u-2]", "[u-3]")).collect();
        std::fs::write(&path, kept.join("---\n")).expect("written");
        remote.push("without the person");
        let reply = until("the document is gone", || {
            let reply = propose(&api, &manifest(&user("u-2", "acme", "")));
            Some(reply).filter(|reply| errors(reply) != ["duplicate-resource"])
        });
        assert_eq!(errors(&reply), ["retired-id"], "{reply}");
        assert_eq!(reply["files"], json!([]), "{reply}");
        let reply = propose(&api, &export(&[again]));
        assert_eq!(reply["files"], json!([]), "{reply}");
        assert_eq!(reply["plan"], Value::Null, "{reply}");
        assert!(unwritten(&reply).contains("retired-id: "), "{reply}");
        served.ends();
    }
}

#[test]
fn all_that_the_plan_finds_is_listed() {
    for ws in each("proposals-findings") {
        // So many that those of one account are no large share.
        let others = account("beta", "")
            + &users(4..10, "beta", "")
            + "---\nkind: Policy\nexternalId: q\nname: Q\naccount: beta\nreviewed: [u-9]\n\
               approvers: [u-4, u-5]\n\
               ---\nkind: Policy\nexternalId: r\nname: R\naccount: beta\nreviewed: [u-8]\n\
               approvers: [u-6, u-7]\n";
        let (_remote, served, api) = begin_beside(&ws, &others);
        let header = "Account External Id;Account Name;Company Registration Name;Business Registration Number;Inactive";
        let request = json!({"source": "shop", "export": {
            "preset": "djust-accounts",
            "content": format!("{header}\nacme;acme;acme AB;r-acme;TRUE\n"),
        }});
        let reply = propose(&api, &request);
        let plan = reply["plan"].as_str().expect("a plan");
        // What an account takes with it is said of its users, who are in no line of the export.
        let found = reply["diagnostics"].as_array().expect("diagnostics");
        assert!(
            found.iter().any(|one| one["code"] == "reference-inactive"),
            "{reply}"
        );
        let counted = |severity: &str| {
            let line = plan.lines().find(|line| line.starts_with("Found: "));
            let parts = line.map_or("", |line| {
                line.trim_start_matches("Found: ").trim_end_matches('.')
            });
            let part = parts.split(", ").find(|part| part.contains(severity));
            part.map_or(0, |part| {
                part.split(' ')
                    .next()
                    .and_then(|it| it.parse().ok())
                    .expect("a count")
            })
        };
        for severity in ["error", "warning", "note"] {
            let listed = found.iter().filter(|one| one["severity"] == severity);
            assert_eq!(listed.count(), counted(severity), "{severity}: {reply}");
        }
        // Nothing is deleted that nobody declared.
        let text = account("nosuch", "status: deleted");
        let reply = propose(&api, &manifest(&text));
        assert_eq!(reply["files"], json!([]), "{reply}");
        let left_out = unwritten(&reply);
        assert!(left_out.contains("nothing to delete"), "{left_out}");
        served.ends();
    }
}

#[test]
fn a_repeated_request_does_not_bring_the_person_back() {
    for ws in each("proposals-repeated") {
        let (_remote, served, api) = begin(&ws);
        let text = user("u-2", "acme", "firstName: Olle\nphone: \"+46709\"");
        let row = "u-2;MR;Olle;Berg;olle@acme.example;+46709;FOC_User;acme";
        let mut branch = export(&[row]);
        branch["branch"] = json!("olle");
        let wrong = user("n-9", "nobody", "firstName: Olle");
        let ask = |path: &str, key: &str, request: &Value| {
            let headers = [("Idempotency-Key", key.to_owned())];
            api.exchange("POST", path, &headers, &request.to_string())
        };
        let requests = [
            ("/api/v1/proposals", "one", export(&[row])),
            ("/api/v1/proposals", "two", branch),
            ("/api/v1/proposals", "three", manifest(&wrong)),
            (
                "/api/v1/plan",
                "four",
                json!({"source": "shop", "files": {"x.yaml": text}}),
            ),
        ];
        for (path, key, request) in &requests {
            let (status, _, reply) = ask(path, key, request);
            assert_eq!(status, 200, "{reply}");
            if *key != "three" {
                assert!(reply.to_string().contains("Olle"), "{reply}");
            }
        }
        // Another process, of which the daemon hears nothing.
        ws.run(&["erase", "u-2", "--confirm", "u-2", "--reason", "asked"])
            .exits(0);
        for (path, key, request) in &requests {
            let (status, head, reply) = ask(path, key, request);
            assert_eq!(status, 200, "{reply}");
            assert!(!reply.to_string().contains("Olle"), "{reply}");
            // Only what was done is not done again.
            let is_replayed = head.to_lowercase().contains("idempotency-replayed: true");
            assert_eq!(is_replayed, *key == "two", "{head}");
        }
        let (_, _, again) = ask("/api/v1/proposals", "two", &requests[1].2);
        assert_eq!(again["branch"]["name"], "olle", "{again}");
        served.ends();
    }
}

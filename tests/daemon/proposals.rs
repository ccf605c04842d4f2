//! What is sent to be proposed becomes a patch or a branch, with its plan, and never a write beside git.

use super::api::{Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_remote::{Remote, run as git};
use crate::support::workspace::{Workspace, account, each, sqlite, user, users};
use serde_json::{Value, json};
use std::fs;

const HEADER: &str =
    "User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account Ids;Password";

/// A daemon on a repository that declares `acme`, and on accounts that an ERP pushes.
pub fn begin(ws: &Workspace) -> (Remote, DaemonProcess, Api) {
    let remote = Remote::with(&(account("acme", "") + &users(1..3, "acme", "")));
    ws.write(
        "base/erp.yaml",
        account("beta", "") + &user("erp-1", "beta", "email: info@beta.example"),
    );
    let beside = "  - {name: erp, directory: base}\n  - {name: night, export: {push: true, preset: djust-users}}\n";
    let (served, api) = start(ws, &remote, beside);
    (remote, served, api)
}

/// A daemon on a repository, whose source is `shop`, and on sources beside it.
pub fn start(ws: &Workspace, remote: &Remote, beside: &str) -> (DaemonProcess, Api) {
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n{beside}  - {{name: shop, git: {{url: '{}', path: manifests}}, interval: 1s}}\n{}",
            remote.url(),
            serve("")
        ),
    );
    let operator = token(ws, "olga", "operator", &[]);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &operator);
    served.says(&["shop", "created"]);
    (served, api)
}

pub fn propose(api: &Api, request: &Value) -> Value {
    let (status, reply) = api.post("/api/v1/proposals", request);
    assert_eq!(status, 200, "{reply}");
    reply
}

pub fn errors(reply: &Value) -> Vec<String> {
    let found = reply["diagnostics"].as_array().into_iter().flatten();
    let wrong = found.filter(|one| one["severity"] == "error");
    wrong
        .map(|one| one["code"].as_str().expect("a code").to_owned())
        .collect()
}

pub fn branches(remote: &Remote) -> String {
    git(
        &remote.bare(),
        &["for-each-ref", "--format=%(refname:short)"],
    )
}

#[test]
fn a_new_user_goes_from_the_request_over_a_branch_into_the_database() {
    for ws in each("proposals") {
        let (remote, served, api) = begin(&ws);
        // One account is declared in the repository, the other by another source.
        let karin = user("karin", "acme", "").replace("accounts: [acme]", "accounts: [acme, beta]");
        let mut request = json!({"source": "shop", "manifest": karin, "reason": "Karin starts"});
        let reply = propose(&api, &request);
        assert_eq!(errors(&reply), Vec::<String>::new(), "{reply}");
        let patch = reply["patch"].as_str().expect("a patch");
        let plan = reply["plan"].as_str().expect("a plan");
        assert!(plan.contains("+ create  User/karin"), "{plan}");
        assert!(plan.contains("Plan: 1 to create, 0 to update"), "{plan}");
        assert_eq!(branches(&remote), "main");
        // Git takes the patch as it is.
        fs::write(remote.work().join("../karin.patch"), patch).expect("the patch");
        git(&remote.work(), &["apply", "--check", "../karin.patch"]);

        request["branch"] = json!("people/karin");
        let reply = propose(&api, &request);
        let commit = reply["branch"]["commit"].as_str().expect("a commit");
        assert_eq!(git(&remote.bare(), &["rev-parse", "people/karin"]), commit);
        assert_eq!(
            git(&remote.bare(), &["log", "-1", "--format=%an|%s", commit]),
            "olga|Karin starts"
        );
        assert_eq!(
            git(&remote.bare(), &["rev-parse", &format!("{commit}^")]),
            remote.head()
        );
        let acts = api.document("/api/v1/acts").to_string();
        assert!(
            acts.contains("\"propose\"") && acts.contains("shop people/karin"),
            "{acts}"
        );
        assert_eq!(
            ws.value("SELECT count(*) FROM users WHERE external_id = 'karin'")
                .as_deref(),
            Some("0")
        );

        // An existing branch stays as it is.
        request["manifest"] = json!(user("else", "acme", ""));
        let (status, refused) = api.post("/api/v1/proposals", &request);
        assert_eq!(
            (status, &refused["code"]),
            (409, &json!("wrong-state")),
            "{refused}"
        );
        assert_eq!(git(&remote.bare(), &["rev-parse", "people/karin"]), commit);

        remote.git(&["pull", "--quiet", "origin", "people/karin"]);
        remote.push("merged");
        until("the merge is applied", || {
            ws.value("SELECT count(*) FROM users WHERE external_id = 'karin' AND status = 'active'")
                .filter(|count| count == "1")
        });
        served.ends();
        let again = ws.run(&["plan", "--source", "shop"]).exits(0);
        assert_eq!(again.steps(), Vec::<String>::new(), "{again}");
    }
}

#[test]
fn faults_are_shown_before_anybody_reviews_and_nothing_is_committed() {
    for ws in each("proposals-faults") {
        let (remote, served, api) = begin(&ws);
        let wrong =
            |manifest: String| json!({"source": "shop", "manifest": manifest, "branch": "b"});
        for (manifest, code, word) in [
            (
                user("u-1", "acme", ""),
                "duplicate-resource",
                "already declared",
            ),
            (user("new", "nobody", ""), "reference", "Account/nobody"),
            (
                user("new", "acme", "email: INFO@beta.example"),
                "email-duplicate",
                "erp-1",
            ),
            (
                user("new", "acme", "colour: red"),
                "unknown-field",
                "colour",
            ),
            ("users: [".to_owned(), "yaml-syntax", "closed"),
            (
                user("new", "acme", "passwordFrom: {env: HOME}"),
                "secret-source",
                "not an allowed",
            ),
        ] {
            let mut request = wrong(manifest);
            let (status, refused) = api.post("/api/v1/proposals", &request);
            assert_eq!(status, 409, "{code}: {refused}");
            let detail = refused["detail"].as_str().expect("a detail");
            assert!(detail.starts_with("nothing is proposed: "), "{detail}");
            assert!(detail.contains(word), "{code}: {detail}");
            request["branch"] = Value::Null;
            let reply = propose(&api, &request);
            assert_eq!(errors(&reply), [code], "{reply}");
            assert_eq!((&reply["patch"], &reply["files"]), (&json!(""), &json!([])));
            // Only one of the places is in a file that exists.
            let is_proposed = code != "duplicate-resource";
            let found = &reply["diagnostics"][0];
            assert_eq!(found["proposed"] == true, is_proposed, "{found}");
            let place = found["place"].as_str().expect("a place");
            let (path, _) = place.split_once(':').expect("a line");
            let files = git(&remote.bare(), &["ls-tree", "-r", "--name-only", "main"]);
            let is_there = files.lines().any(|file| file.ends_with(path));
            assert_eq!(is_there, !is_proposed, "{place}: {files}");
        }
        // A warning refuses nothing, and is said.
        let optional = "---\nkind: Settings\nexternalId: settings\noptionalFields: [User.email]\n";
        let bare = user("new", "acme", "email:\nnotify: true") + optional;
        let reply = propose(&api, &json!({"source": "shop", "manifest": bare}));
        let found = &reply["diagnostics"][0];
        assert_eq!(found["code"], "notify-no-email", "{reply}");
        assert_eq!(found["proposed"], true, "{reply}");
        assert_ne!(reply["files"], json!([]), "{reply}");
        // Of several resources none is proposed when one is wrong.
        let two = user("one", "acme", "") + &user("two", "nobody", "");
        let reply = propose(&api, &json!({"source": "shop", "manifest": two}));
        assert_eq!(reply["files"], json!([]), "{reply}");
        for (request, word) in [
            (json!({"manifest": "{}"}), "name the source"),
            (json!({"source": "night", "manifest": "{}"}), "is an export"),
            (json!({"source": "shop"}), "either"),
            (
                json!({"source": "shop", "manifest": user("n", "acme", ""), "branch": "-n x"}),
                "branch name",
            ),
            (
                json!({"source": "erp", "manifest": user("n", "beta", ""), "branch": "n"}),
                "not in a git repository",
            ),
            (
                json!({"source": "shop", "export": {"preset": "nope", "content": ""}}),
                "nope",
            ),
            (
                json!({"source": "shop", "export": {"mappingOf": "shop", "content": ""}}),
                "not an export",
            ),
        ] {
            let (status, refused) = api.post("/api/v1/proposals", &request);
            assert!(matches!(status, 404 | 422), "{refused}");
            let detail = refused["detail"].as_str().expect("a detail");
            assert!(detail.contains(word), "{word}: {detail}");
        }
        assert_eq!(branches(&remote), "main");
        assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("2"));
        served.ends();
    }
}

#[test]
fn an_export_changes_values_in_place_adds_rows_and_leaves_faulty_ones_out() {
    for ws in each("proposals-export") {
        let (remote, served, api) = begin(&ws);
        let rows = format!(
            "{HEADER}\nu-1;MR;Karl;Svensson;karl@acme.example;+46701;FOC_User;acme;Winter2026\n\
             n-1;MRS;Nina;Ek;nina@acme.example;+46702;FOC_User;acme;Winter2026\n\
             n-2;MRS;Olga;Ek;olga@acme.example;+46703;FOC_User;nobody;Winter2026\n\
             n-3;MRS;Pia;Ek;info@beta.example;+46704;FOC_User;acme;Winter2026\n"
        );
        for export in [
            json!({"preset": "djust-users", "name": "users.csv", "content": rows}),
            json!({"mappingOf": "night", "content": {"base64": base64(&rows)}}),
        ] {
            let reply = propose(&api, &json!({"source": "shop", "export": export}));
            let patch = reply["patch"].as_str().expect("a patch");
            for words in ["+firstName: Nina", "b/manifests/all.yaml", "Karl"] {
                assert!(patch.contains(words), "{words}: {patch}");
            }
            for words in ["Olga", "Pia", "Winter2026", "password"] {
                assert!(!patch.contains(words), "{words}: {patch}");
            }
            let left_out = reply["unwritten"].to_string();
            assert!(left_out.contains("Account/nobody"), "{left_out}");
            assert!(left_out.contains("info@beta.example"), "{left_out}");
            let plan = reply["plan"].as_str().expect("a plan");
            assert!(plan.contains("Plan: 1 to create, 1 to update"), "{plan}");
        }
        // Half an export must not become a decision in git.
        let half = format!("{HEADER}\nn-1;MRS;\"Nina;Ek;nina@acme.example");
        let request = json!({"source": "shop", "export": {"preset": "djust-users", "content": half}, "branch": "half"});
        let (status, refused) = api.post("/api/v1/proposals", &request);
        assert_eq!(status, 409, "{refused}");
        assert_eq!(branches(&remote), "main");
        served.ends();
    }
}

/// Names that git takes for something else, or that everybody who uses them would.
#[test]
fn a_branch_has_a_name_that_git_does_not_confuse() {
    let ws = sqlite();
    let (remote, served, api) = begin(&ws);
    let object = remote.head();
    for name in [
        "HEAD",
        "@",
        "refs",
        "refs/heads/x",
        "ORIG_HEAD",
        &object,
        "a..b",
        "x.lock",
        "-x",
        " ",
    ] {
        let request = json!({"source": "shop", "manifest": user("n", "acme", ""), "branch": name});
        let (status, refused) = api.post("/api/v1/proposals", &request);
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("invalid")),
            "{name}: {refused}"
        );
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains("is not a valid branch name"), "{detail}");
        assert_eq!(branches(&remote), "main", "{name}");
    }
    served.ends();
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn a_directory_in_a_repository_gets_a_local_branch_and_keeps_its_files() {
    let ws = sqlite();
    ws.tree(account("acme", "") + &user("u-1", "acme", ""));
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests}}\n{}",
            serve("")
        ),
    );
    let here = ws.path("manifests");
    git(&here, &["init", "--quiet", "--initial-branch=main"]);
    git(&here, &["add", "."]);
    git(&here, &["commit", "--quiet", "-m", "first"]);
    let operator = token(&ws, "olga", "operator", &[]);
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = Api::new(&served.address(), &operator);
    served.says(&["created"]);
    let request = json!({"manifest": user("n", "acme", ""), "branch": "n"});
    propose(&api, &request);
    assert_eq!(git(&here, &["status", "--porcelain"]), "");
    assert_eq!(git(&here, &["branch", "--show-current"]), "main");
    assert_eq!(git(&here, &["log", "-1", "--format=%an", "n"]), "olga");
    let changed = git(&here, &["diff", "--name-only", "main", "n"]);
    assert_eq!(changed, "accounts/acme/users.yaml");
    served.ends();
}

#[test]
fn only_operators_propose_and_only_for_sources_that_they_may_see() {
    let ws = sqlite();
    let viewer = token(&ws, "vera", "viewer", &[]);
    let narrow = token(&ws, "pia", "operator", &["--sources", "erp"]);
    let (remote, served, api) = begin(&ws);
    let request = json!({"source": "shop", "manifest": user("n", "acme", ""), "branch": "n"});
    for (token, expected) in [(&viewer, 403), (&narrow, 404)] {
        let (status, refused) = Api::new(&api.address, token).post("/api/v1/proposals", &request);
        assert_eq!(status, expected, "{refused}");
    }
    assert_eq!(branches(&remote), "main");
    // A remote that is gone says so, and nothing of the branch is left.
    fs::rename(remote.bare(), remote.bare().with_extension("away")).expect("moved");
    let (status, refused) = api.post("/api/v1/proposals", &request);
    assert_eq!(
        (status, &refused["code"]),
        (503, &json!("unavailable")),
        "{refused}"
    );
    fs::remove_dir_all(remote.bare()).expect("the new folder");
    fs::rename(remote.bare().with_extension("away"), remote.bare()).expect("moved");
    assert_eq!(branches(&remote), "main");
    assert_eq!(propose(&api, &request)["branch"]["name"], "n");
    served.ends();
}

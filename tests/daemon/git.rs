//! A git repository that somebody pushes to.

use super::api::{Api, Pager, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_remote::Remote;
use crate::support::signing::Signer;
use crate::support::workspace::{Workspace, account, run, sqlite, user};
use serde_json::{Value, json};
use std::fs;

const SECRET: &str = "hunter2";

/// A daemon on a repository.
struct Scene {
    ws: Workspace,
    remote: Remote,
    served: DaemonProcess,
    api: Api,
    pager: Pager,
}

fn people(count: usize) -> String {
    let users = (1..=count).map(|n| user(&format!("u-{n}"), "acme", ""));
    let keeper = user("keeper", "acme", "groups: [FOC_User, FOC_Webmaster]");
    account("acme", "") + &keeper + &users.collect::<String>()
}

impl Scene {
    /// Begins with what `yaml` says; `more` are further keys of the source.
    fn new(yaml: &str, more: &str) -> Self {
        let (ws, remote, pager) = (sqlite(), Remote::with(yaml), Pager::new());
        let token = token(&ws, "eva", "administrator", &[]);
        let notices = format!(
            ", notices: [{{name: pager, webhook: 'http://127.0.0.1:{}/', on: [failed, recovered, held, applied, drift]}}]",
            pager.port
        );
        let config = format!(
            "apiVersion: roster/v1\nsources:\n  - name: shop\n    git: {{url: '{}', path: manifests}}\n    \
             webhookSecret: {SECRET}\n{more}{}",
            remote.url(),
            serve(&notices)
        );
        ws.write("roster.yaml", config);
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api::new(&served.address(), &token);
        Self {
            ws,
            remote,
            served,
            api,
            pager,
        }
    }

    fn push(&self, yaml: &str) -> String {
        self.remote.write("manifests/all.yaml", yaml);
        self.remote.push("next")
    }

    fn first_name(&self, id: &str) -> Option<String> {
        let found = self.ws.column(&format!(
            "SELECT first_name FROM users WHERE external_id = '{id}'"
        ));
        found.into_iter().next().flatten()
    }

    fn runs(&self) -> Option<String> {
        self.ws.value("SELECT count(*) FROM runs")
    }

    fn active(&self) -> Option<String> {
        self.ws
            .value("SELECT count(*) FROM users WHERE status = 'active'")
    }

    fn source(&self) -> Value {
        self.api.source("shop")
    }
}

#[test]
fn a_push_is_applied_after_a_webhook_that_is_signed_rightly() {
    let yaml = people(3);
    let mut scene = Scene::new(&yaml, "    interval: 1h\n");
    scene.served.says(&["created 6", "run 1"]);

    let commit = scene.push(&yaml.replacen("Karin", "Britta", 1));
    let (status, _) = scene.api.github("shop", "somebody's guess", "d-0");
    assert_eq!(status, 401);
    let (status, _) = scene.api.github("nowhere", SECRET, "d-0");
    assert_eq!(status, 401);
    assert_eq!(scene.runs().as_deref(), Some("1"));

    let (status, heard) = scene.api.github("shop", SECRET, "d-1");
    assert_eq!((status, &heard["result"]), (202, &json!("reconcile")));
    scene.served.says(&["updated 1", "run 2"]);
    assert_eq!(scene.first_name("keeper").as_deref(), Some("Britta"));
    let (status, heard) = scene.api.github("shop", SECRET, "d-1");
    assert_eq!((status, &heard["result"]), (202, &json!("repeated")));
    let (status, heard) = scene.api.github("shop", SECRET, "d-2");
    assert_eq!((status, &heard["result"]), (202, &json!("repeated")));

    let state = scene.source();
    let state = &state["state"];
    assert_eq!(state["lastApplied"]["revision"], commit);
    assert_eq!(state["lastAttempted"]["revision"], commit);
    assert_eq!(state["triggers"], json!(["webhook"]));
    let history = scene
        .ws
        .run(&["history", "User", "keeper", "--output", "text"])
        .exits(0);
    assert!(history.stdout.contains(&commit[..7]), "{history}");
    scene.served.ends();
}

#[test]
fn a_bad_push_keeps_the_last_good_state_and_everybody_is_told_the_line() {
    let yaml = people(3);
    let mut scene = Scene::new(&yaml, "    interval: 1s\n");
    scene.served.says(&["created 6", "run 1"]);

    scene
        .remote
        .write("manifests/worse.yaml", "users:\n  - {externalId: [\n");
    let bad = scene.remote.push("bad");
    let told = scene
        .served
        .says(&["1 error, the affected resources", "worse.yaml:2:"]);
    assert!(told.contains("yaml-syntax"), "{told}");
    let view = scene
        .api
        .once("/api/v1/sources/shop", |view| view["state"]["errors"] == 1);
    assert_eq!(view["state"]["lastAttempted"]["revision"], bad);
    assert!(
        view["why"]
            .as_str()
            .is_some_and(|why| why.contains("worse.yaml:2:")),
        "{view}"
    );
    let place = &view["state"]["findings"][0]["place"];
    assert!(
        place
            .as_str()
            .is_some_and(|place| place.contains("worse.yaml:2:"))
    );
    let notice = scene.pager.told("failed");
    let origin = &notice["details"][0]["origin"];
    assert_eq!(
        (&origin["path"], &origin["line"]),
        (&json!("worse.yaml"), &json!(2))
    );
    assert_eq!(notice["revision"], bad);
    let (_, metrics) = scene.api.get("/metrics");
    let metrics = metrics.as_str().expect("text").to_owned();
    let line = "source_errors{source=\"shop\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("worse.yaml:2:"), "{metrics}");

    // What it says elsewhere is applied, and nobody is told twice.
    scene.push(&yaml.replacen("Karin", "Annika", 1));
    scene.served.says(&["updated 1", "run 2", "worse.yaml:2:"]);
    assert_eq!(scene.active().as_deref(), Some("4"));
    scene.remote.git(&["rm", "--quiet", "manifests/worse.yaml"]);
    let yaml = yaml.replacen("Karin", "Britta", 1);
    let fix = scene.push(&yaml);
    scene.served.says(&["updated 1", "run 3"]);
    let told = scene.pager.told("recovered");
    assert_eq!(told["revision"], fix);
    assert!(
        scene
            .pager
            .rest()
            .iter()
            .all(|notice| notice["event"] != "failed")
    );
    let (_, metrics) = scene.api.get("/metrics");
    let metrics = metrics.as_str().expect("text").to_owned();
    assert!(
        metrics.contains("source_errors{source=\"shop\"} 0"),
        "{metrics}"
    );
    assert!(!metrics.contains("worse.yaml"), "{metrics}");
    scene.served.ends();
}

#[test]
fn a_push_by_force_is_said_and_a_configuration_in_the_tree_is_not_taken() {
    let yaml = people(3);
    let mut scene = Scene::new(&yaml, "    interval: 1s\n");
    scene.served.says(&["created 6", "run 1"]);
    let first = scene.remote.head();
    scene.remote.write(
        "manifests/roster.yaml",
        "apiVersion: roster/v1\nguards: {deactivate: 100%}\n",
    );
    scene.push(&yaml.replacen("Karin", "Britta", 1));
    scene.served.says(&["updated 1", "run 2"]);
    let found = scene.source()["state"]["findings"].clone();
    let found = found.as_array().expect("findings");
    assert!(
        found.iter().any(|found| found["place"]
            .as_str()
            .is_some_and(|place| place.contains("roster.yaml"))),
        "{found:?}"
    );

    let second = scene.remote.head();
    scene.remote.git(&["reset", "--quiet", "--hard", &first]);
    let third = scene.push(&yaml.replacen("Karin", "Disa", 1));
    let told = scene.served.says(&["rewound or force-pushed"]);
    assert!(told.contains(&second) && told.contains(&third), "{told}");
    scene.served.says(&["updated 1", "run 3"]);
    assert_eq!(scene.source()["state"]["rewound"], second);
    scene.served.ends();
}

#[test]
fn a_remote_that_cannot_be_reached_is_said_and_drift_is_repaired_all_the_same() {
    let yaml = people(3);
    let mut scene = Scene::new(&yaml, "    interval: 1s\n");
    scene.served.says(&["created 6", "run 1"]);
    let commit = scene.push(&yaml.replacen("Karin", "Britta", 1));
    scene.served.says(&["updated 1", "run 2"]);

    let away = scene.remote.bare().with_extension("away");
    fs::rename(scene.remote.bare(), &away).expect("moved");
    scene.served.says(&["could not be fetched"]);
    let failed = scene.pager.told("failed");
    assert!(
        failed["summary"]
            .as_str()
            .is_some_and(|it| it.contains("stays")),
        "{failed}"
    );
    scene
        .ws
        .sql("UPDATE users SET first_name = 'Hand' WHERE external_id = 'u-2'");
    until("the repair", || {
        (scene.first_name("u-2").as_deref() == Some("Karin")).then_some(())
    });
    let view = scene.source();
    assert_eq!(view["state"]["outcome"], "failed", "{view}");
    assert_eq!(view["state"]["lastApplied"]["revision"], commit);

    // `bare` makes the folder when it is not there.
    let bare = away.with_extension("git");
    fs::rename(&away, &bare).expect("moved back");
    scene.pager.told("recovered");
    scene.push(&yaml.replacen("Karin", "Disa", 1));
    scene.served.says(&["updated 1", "run 4"]);
    scene.served.ends();
}

#[test]
fn an_empty_push_takes_nothing_away() {
    let mut scene = Scene::new(&people(5), "    interval: 1s\n");
    scene.served.says(&["created 8", "run 1"]);
    scene.remote.git(&["rm", "--quiet", "-r", "manifests"]);
    let commit = scene.remote.push("empty");
    scene.served.says(&[&commit, "no such folder"]);
    let state = &scene.source()["state"];
    assert_eq!(state["lastAttempted"]["revision"], commit);
    assert_ne!(state["lastApplied"]["revision"], commit);
    scene.remote.write("manifests/all.yaml", "");
    scene.remote.push("an empty file");
    scene.served.says(&["needs a decision"]);
    assert_eq!(scene.active().as_deref(), Some("6"));
    assert_eq!(scene.runs().as_deref(), Some("1"));
    scene.served.ends();
}

#[test]
fn a_push_that_removes_two_in_five_waits_for_somebody_and_goes_through_in_parts() {
    let all = people(40);
    let mut scene = Scene::new(&all, "    interval: 1s\n");
    scene.served.says(&["created 43", "run 1"]);

    let left = people(24).replacen("Karin", "Britta", 1);
    scene.push(&left);
    scene.served.says(&["updated 1", "run 2", "1 hold needs"]);
    let told = scene.pager.told("held");
    assert!(
        told["command"]
            .as_str()
            .is_some_and(|it| it.contains("approve hold")),
        "{told}"
    );
    let holds = scene.api.document("/api/v1/holds");
    let hold = &holds["items"][0];
    assert_eq!(
        (&hold["count"], &hold["accounts"]),
        (&json!(16), &json!(["acme"])),
        "{holds}"
    );
    assert_eq!(hold["source"], "shop");
    let (id, since) = (hold["hold"].clone(), hold["since"].clone());

    scene.push(&left.replacen("Britta", "Disa", 1));
    scene.served.says(&["updated 1", "run 3", "1 hold needs"]);
    scene.push(&left.replacen("Britta", "Frida", 1));
    scene.served.says(&["updated 1", "run 4", "1 hold needs"]);
    let holds = scene.api.document("/api/v1/holds");
    assert_eq!(holds["items"][0]["hold"], id);
    assert_eq!(holds["items"][0]["since"], since);
    assert_eq!(scene.active().as_deref(), Some("41"));

    let approve = |hold: &Value, body: Value| {
        let hold = hold.as_str().expect("an id");
        scene
            .api
            .post(&format!("/api/v1/holds/{hold}/approve"), &body)
    };
    let stranger = json!({"reason": "she left", "only": ["User/u-30", "User/u-1"]});
    let (status, answer) = approve(&id, stranger);
    let said = answer["detail"].as_str().unwrap_or_default();
    assert!(
        status == 422 && said.contains("User/u-1 is not part"),
        "{status} {answer}"
    );
    let only = json!({"reason": "these two left", "only": ["User/u-30", "User/u-31"]});
    let (status, answer) = approve(&id, only);
    assert!(status < 300, "{status} {answer}");
    until("the first two", || {
        (scene.active().as_deref() == Some("39")).then_some(())
    });
    let holds = scene
        .api
        .once("/api/v1/holds", |holds| holds["items"][0]["count"] == 14);
    let (status, answer) = approve(&holds["items"][0]["hold"], json!({"reason": "so did they"}));
    assert!(status < 300, "{status} {answer}");
    until("the rest", || {
        (scene.active().as_deref() == Some("25")).then_some(())
    });
    scene
        .api
        .once("/api/v1/holds", |holds| holds["items"] == json!([]));
    let acts = scene.api.document("/api/v1/acts");
    let acts = acts["items"].as_array().expect("acts");
    let reasons: Vec<_> = acts
        .iter()
        .map(|act| (&act["actor"], &act["reason"]))
        .collect();
    assert!(
        reasons.contains(&(&json!("eva"), &json!("these two left"))),
        "{reasons:?}"
    );
    scene.served.ends();
}

#[test]
fn a_pull_request_is_planned_without_the_database_merged_applied_and_named_in_history() {
    let yaml = people(3) + &user("leaver", "acme", "firstName: Selma");
    let mut scene = Scene::new(&yaml, "    interval: 1h\n");
    scene.served.says(&["created 7", "run 1"]);
    let planner = token(&scene.ws, "ci", "planner", &[]);
    scene.served.signal(nix::sys::signal::Signal::SIGHUP);
    scene.served.says(&["configuration reloaded"]);

    // Two commits on a branch: one who marries, one who leaves.
    scene.remote.git(&["checkout", "--quiet", "-b", "spring"]);
    let married = scene.push(&yaml.replacen("Karin", "Britta", 1));
    let left = people(3).replacen("Karin", "Britta", 1);
    let leaves = scene.push(&left);

    // What is stored stays hidden; what the branch itself says does not.
    // The job has a token and a folder of its own, and nothing else.
    let job = tempfile::tempdir().expect("a folder");
    let plan = |revision: &str| {
        let remote = format!("http://{}", scene.api.address);
        let arguments = ["plan", "--remote", &remote, "--revision", revision];
        let mut command = scene
            .ws
            .command(&[&arguments[..], &["--output", "markdown"]].concat());
        let command = command.current_dir(&job).env("ROSTER_TOKEN", &planner);
        run(command.env_remove("ROSTER_DATABASE")).exits(0)
    };
    let comment = plan("spring").stdout;
    assert!(comment.starts_with("<!-- roster:plan "), "{comment}");
    for word in [
        "1 to update",
        "1 to deactivate",
        "User/leaver",
        "User/keeper",
        &leaves[..12],
    ] {
        assert!(comment.contains(word), "{word}: {comment}");
    }
    for name in ["Karin", "Selma", "@"] {
        assert!(!comment.contains(name), "{name}: {comment}");
    }
    assert_eq!(scene.runs().as_deref(), Some("1"));
    let ci = Api::new(&scene.api.address, &planner);
    for path in [
        "/api/v1/status",
        "/api/v1/resources/User",
        "/api/v1/changes",
    ] {
        assert_eq!(ci.get(path).0, 403, "{path}");
    }
    assert_eq!(ci.post("/api/v1/sources/shop/reconcile", &json!({})).0, 403);

    scene.remote.git(&["checkout", "--quiet", "main"]);
    let merge = ["merge", "--quiet", "--no-ff", "-m", "Spring (#7)", "spring"];
    scene.remote.git(&merge);
    let merged = scene.remote.head();
    scene.remote.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(scene.api.github("shop", SECRET, "d-7").0, 202);
    scene.served.says(&["updated 1", "deactivated 1", "run 2"]);

    let history = |id: &str| {
        let arguments = ["history", "User", id, "--output", "text"];
        scene.ws.run(&arguments).exits(0).stdout
    };
    assert!(history("leaver").contains(&format!("deactivate (removed)  shop@{}", &merged[..12])));
    assert!(history("keeper").contains(&format!("update (declared)  shop@{}", &merged[..12])));
    let passes = scene.api.document("/api/v1/sources/shop/passes");
    let commits = &passes["items"][0]["commits"];
    let listed = commits["listed"].as_array().expect("commits").iter();
    let listed: Vec<_> = listed.map(|commit| &commit["revision"]).collect();
    assert_eq!(commits["count"].as_u64(), Some(listed.len() as u64));
    // The merge too, whose subject names the pull request.
    let came: [&Value; 3] = [&json!(merged), &json!(leaves), &json!(married)];
    assert_eq!(listed, came, "{passes}");
    let run = scene.api.document("/api/v1/runs/2");
    assert_eq!(run["revision"], merged);
    let changes = scene.api.document("/api/v1/runs/2/changes");
    let verbs = changes["items"].as_array().expect("changes").iter();
    let verbs: Vec<_> = verbs.map(|change| &change["verb"]).collect();
    assert_eq!(verbs, [&json!("update"), &json!("deactivate")]);
    assert_eq!(scene.api.get("/api/v1/runs/3").0, 404);
    // The run itself says what it came from, also when its pass is no longer kept.
    scene.ws.sql("DELETE FROM passes");
    let cause = scene.api.document("/api/v1/runs/2")["cause"].clone();
    assert_eq!(cause["commits"]["listed"], commits["listed"], "{cause}");
    let effects = cause["effects"].as_str().unwrap_or_default();
    assert!(effects.contains("User/leaver loses access"), "{cause}");
    let after = plan("main").stdout;
    assert!(after.contains("No changes"), "{after}");
    scene.served.ends();
}

/// The page at a path.
fn page(scene: &Scene, path: &str) -> String {
    let (status, page) = scene.api.get(path);
    assert_eq!(status, 200, "{path}: {page}");
    page.as_str().expect("a page").to_owned()
}

#[test]
fn the_page_names_the_commit_its_author_and_the_approver() {
    let mut scene = Scene::new(&people(9), "    interval: 1s\n");
    scene.served.says(&["created 12", "run 1"]);
    scene.remote.write("manifests/all.yaml", people(2));
    scene.remote.push("Close <seven> logins");
    scene.served.says(&["1 hold needs"]);
    let listed = scene.api.once("/api/v1/holds", |holds| {
        holds["items"][0]["commits"]["count"] == 1
    });
    let hold = listed["items"][0].clone();
    assert_eq!(hold["details"][0]["name"], "Karin Åslund", "{hold}");
    let home = page(&scene, "/");
    for words in [
        "7 people are deactivated; the limit is",
        "Close &lt;seven&gt; logins by Eva Lindqvist",
        // The row of the source.
        "<span class=\"subject\">Close &lt;seven&gt; logins</span>",
        "If approved: <strong>7 users lose access",
    ] {
        assert!(home.contains(words), "{words}: {home}");
    }
    let id = hold["hold"].as_str().expect("an id");
    let path = format!("/api/v1/holds/{id}/approve");
    // Each of them by name is the hold as a whole.
    let only = json!({"reason": "agreed with Åsa", "only": hold["resources"]});
    assert_eq!(scene.api.post(&path, &only).0, 204);
    scene.served.says(&["deactivated 7", "run 2"]);
    let run = until("the pass of the run", || {
        Some(page(&scene, "/runs/2")).filter(|run| run.contains("Approved by"))
    });
    for words in [
        "Close &lt;seven&gt; logins by Eva Lindqvist",
        "Approved by eva",
        "agreed with Åsa",
        "7 users lose access",
        "User: deactivate 7",
    ] {
        assert!(run.contains(words), "{words}: {run}");
    }
    scene.served.ends();
}

/// The users of a file of which some are gone.
fn without(gone: std::ops::Range<usize>) -> String {
    let stay = (0..20).filter(|n| !gone.contains(n));
    account("acme", "")
        + &stay
            .map(|n| user(&format!("u-{n}"), "acme", ""))
            .collect::<String>()
}

#[test]
fn a_hold_and_its_run_name_who_declared_them_and_not_who_came_last() {
    let mut scene = Scene::new(&without(0..0), "    interval: 1s\n");
    scene.served.says(&["created 22", "run 1"]);
    // Three commits by three people come at once. One of them does not concern the hold.
    let commit = |author: &str, subject: &str| {
        scene.remote.git(&["add", "--all", "."]);
        let author = format!("--author={author} <x@example.com>");
        scene
            .remote
            .git(&["commit", "--quiet", &author, "-m", subject]);
    };
    scene.remote.write("manifests/all.yaml", without(10..14));
    commit("Nils Ek", "Four left");
    scene.remote.write("manifests/all.yaml", without(10..19));
    commit("Åsa Öst", "Five more left");
    scene
        .remote
        .write("manifests/tags.yaml", "tags: [{externalId: a, name: A}]\n");
    scene.remote.push("A tag");
    scene.served.says(&["1 hold needs"]);
    let listed = scene.api.once("/api/v1/holds", |holds| {
        holds["items"][0]["commits"]["count"] == 2
    });
    let hold = listed["items"][0].clone();
    let home = page(&scene, "/");
    assert!(home.contains("Four left by Nils Ek"), "{home}");
    assert!(home.contains("Five more left by Åsa Öst"), "{home}");
    assert!(!home.contains("A tag by"), "{home}");
    let (_, item) = home.split_once("value=\"User/u-12\"").expect("a box");
    let (item, _) = item.split_once("</li>").expect("its end");
    assert!(item.contains("declared by Nils Ek"), "{item}");
    let (_, item) = home.split_once("value=\"User/u-17\"").expect("a box");
    let (item, _) = item.split_once("</li>").expect("its end");
    assert!(item.contains("declared by Åsa Öst"), "{item}");
    // A later commit is no reason to name its author.
    scene
        .remote
        .write("manifests/tags.yaml", "tags: [{externalId: a, name: B}]\n");
    scene.remote.push("Another tag");
    scene.served.says(&["run 3"]);
    let id = hold["hold"].as_str().expect("an id");
    let approve = format!("/api/v1/holds/{id}/approve");
    assert_eq!(
        scene.api.post(&approve, &json!({"reason": "agreed"})).0,
        204
    );
    scene.served.says(&["deactivated 9", "run 4"]);
    let run = until("the pass of the run", || {
        Some(page(&scene, "/runs/4")).filter(|run| run.contains("Approved by"))
    });
    assert!(run.contains("Four left by Nils Ek"), "{run}");
    assert!(run.contains("Five more left by Åsa Öst"), "{run}");
    assert!(!run.contains("tag by"), "{run}");
    // They are found by what they say, and by their id.
    let commit = &hold["commits"]["listed"][0]["revision"];
    let commit = &commit.as_str().expect("a commit")[..10];
    for words in ["four%20left", "Nils", commit] {
        let found = page(&scene, &format!("/search?q={words}"));
        assert!(found.contains("left by"), "{words}: {found}");
        assert!(found.contains("/runs/4"), "{words}: {found}");
    }
    scene.served.ends();
}

#[test]
fn a_plan_of_a_branch_says_what_waits_anyway() {
    let mut scene = Scene::new(&people(40), "    interval: 1s\n");
    scene.served.says(&["created 43", "run 1"]);
    let main = scene.push(&people(34));
    scene.api.once("/api/v1/sources/shop", |view| {
        view["state"]["lastAttempted"]["revision"] == json!(main)
    });
    scene.remote.git(&["checkout", "--quiet", "-b", "company"]);
    let changed = people(34).replace("u-3@roster.example", "u-3@other.example");
    scene.push(&changed);
    let branch = json!({"revision": "company"});
    let tree = json!({"files": {"all.yaml": changed}});
    for wanted in [branch, tree] {
        let (status, reply) = scene.api.post("/api/v1/plan", &wanted);
        assert_eq!(status, 200, "{reply}");
        let plan = &reply["plan"];
        assert_eq!(plan["base"]["revision"], json!(main), "{reply}");
        assert_eq!(plan["held"].as_array().map(Vec::len), Some(6), "{reply}");
        assert_eq!(plan["held"][0]["alreadyOnBase"], true, "{reply}");
        assert_eq!(plan["steps"][0]["externalId"], "u-3", "{reply}");
        assert!(plan["steps"][0]["alreadyOnBase"].is_null(), "{reply}");
        // The six are for whoever decides about main.
        assert_eq!(reply["exitCode"], 0, "{reply}");
    }
    scene.served.ends();
}

#[test]
fn a_trailer_of_an_approver_lets_the_daemon_apply() {
    let eva = Signer::new();
    let more = format!(
        "    interval: 1s\napprovalKeys: {{eva@example.com: '{}'}}\n",
        eva.public()
    );
    let mut scene = Scene::new(&people(40), &more);
    scene.served.says(&["created 43", "run 1"]);
    scene.remote.write("manifests/all.yaml", people(34));
    let message = ["Six people left", "Roster-Accept: User.deactivate=6"];
    let commit = eva.push(&scene.remote, &message, None);
    until("the six are gone", || {
        (scene.active() == Some("35".to_owned())).then_some(())
    });
    let view = scene.api.once("/api/v1/sources/shop", |view| {
        view["state"]["lastApplied"]["revision"] == json!(commit)
    });
    let given = &view["state"]["approvals"][0];
    assert_eq!(given["by"], "eva@example.com", "{view}");
    let reason = given["reason"].as_str();
    assert!(reason.is_some_and(|it| it.ends_with(&commit)), "{view}");
    scene.served.ends();
}

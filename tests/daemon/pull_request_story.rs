//! One change from its branch to its revert, as the people see it: a developer pushes, a CI job comments
//! on the pull request, the merge is applied, a person approves what takes access away, the history
//! names who did what, and a revert takes it back.

use super::api::{Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_remote::{Remote, run as git};
use crate::support::review_platform::{self, PlatformKind, ReviewPlatform, StoredComment};
use crate::support::workspace::{Ran, Workspace, account, each, run, sqlite, user};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const SECRET: &str = "hunter2";
const BRANCH: &str = "olle-leaves";
const PHONE: &str = "+4663123456";

/// The merge of the pull request, as GitHub writes its subject.
const MERGE: &str = "Merge pull request #7 from acme/olle-leaves";

/// A repository, the daemon that serves it, and the platform with the pull request.
struct Shop {
    ws: Workspace,
    remote: Remote,
    served: DaemonProcess,
    /// An administrator.
    eva: Api,
    platform: ReviewPlatform,
    planner: String,
}

impl Shop {
    /// Begins with three people of one customer, applied as run 1. Nobody loses access without a
    /// person who approves it.
    fn open(ws: Workspace) -> Self {
        let remote = Remote::new();
        remote.write("manifests/fjall.yaml", account("fjall", ""));
        let anna =
            "groups: [FOC_User, FOC_Admin]\naccounts: [{account: fjall, level: administrator}]";
        for (id, more) in [("anna", anna), ("nils", ""), ("olle", "")] {
            let person = user(id, "fjall", more);
            remote.write(&format!("manifests/people/{id}.yaml"), person);
        }
        remote.push("Fjällbyggen is a customer");
        let eva = token(&ws, "eva", "administrator", &[]);
        let planner = token(&ws, "ci", "planner", &[]);
        let config = format!(
            "apiVersion: roster/v1\nguards: {{access.lost: {{percent: 0, floor: 0}}}}\nsources:\n  - name: shop\n    \
             git: {{url: '{}', ref: main, path: manifests}}\n    interval: 1h\n    webhookSecret: {SECRET}\n{}",
            remote.url(),
            serve("")
        );
        ws.write("roster.yaml", config);
        let mut served = DaemonProcess::on(&ws, &[]);
        let eva = Api::new(&served.address(), &eva);
        served.says(&["created 5", "run 1"]);
        Self {
            platform: ReviewPlatform::start(PlatformKind::GitHub),
            ws,
            remote,
            served,
            eva,
            planner,
        }
    }

    /// Replaces something in the manifest of a person.
    fn edit(&self, id: &str, from: &str, to: &str) {
        let name = format!("manifests/people/{id}.yaml");
        let text = fs::read_to_string(self.remote.work().join(&name)).expect("a manifest");
        assert!(text.contains(from), "{text}");
        self.remote.write(&name, text.replace(from, to));
    }

    /// Tells the daemon of a push, as the platform does.
    fn deliver(&self) {
        let commit = self.remote.head();
        let (status, heard) = self.eva.github_push("shop", SECRET, &commit, &commit);
        assert_eq!((status, &heard["result"]), (202, &json!("reconcile")));
    }

    /// A command with the token of somebody, and with neither the database nor the configuration.
    fn by(&self, token: &str, arguments: &[&str]) -> Command {
        let mut command = self.ws.command(arguments);
        command
            .env_remove("ROSTER_DATABASE")
            .env("ROSTER_OUTPUT", "text")
            .env("ROSTER_REMOTE", format!("http://{}", self.eva.address))
            .env("ROSTER_TOKEN", token);
        command
    }

    /// A command of the operator, who has the database. Its output is text.
    fn operator(&self, arguments: &[&str]) -> Ran {
        let mut command = self.ws.command(arguments);
        run(command.env("ROSTER_OUTPUT", "text"))
    }

    /// What the job of the pull request plans: the branch, with the token of a planner. The plan is
    /// written as Markdown and JSON too.
    fn plan_branch(&self) -> Ran {
        let checkout = self.ws.path(&self.remote.head());
        fs::create_dir_all(&checkout).expect("a folder");
        let url = self.remote.url();
        git(
            &checkout,
            &["clone", "--quiet", "--branch", BRANCH, &url, "."],
        );
        let plan = ["plan", "manifests", "--output", "markdown=../plan.md"];
        let plan = [&plan[..], &["--output", "json=../plan.json"]].concat();
        run(self.by(&self.planner, &plan).current_dir(&checkout))
    }

    /// The job: it plans and comments. Returns the only comment of the pull request.
    fn ci_job(&self, exit: i32) -> StoredComment {
        self.plan_branch().exits(exit);
        let mut comment = self
            .ws
            .command(&["comment", "--plan", "plan.json", "--pr", "7"]);
        comment
            .env_remove("ROSTER_DATABASE")
            .envs(self.platform.variables(review_platform::TOKEN));
        run(&mut comment).exits(0);
        let [written] = &self.platform.comments()[..] else {
            panic!("one comment: {:#?}", self.platform.comments())
        };
        let markdown = fs::read_to_string(self.ws.path("plan.md")).expect("the plan");
        // The daemon sees more than the file, but the first screen is the same.
        let screen = |text: &str| text.split("| |").next().map(str::to_owned);
        assert_eq!(screen(&written.body), screen(&markdown));
        for value in [PHONE, "Åslund", "roster.example"] {
            assert!(!written.body.contains(value), "{value}: {}", written.body);
        }
        written.clone()
    }

    fn status(&self, id: &str) -> Option<String> {
        self.ws.value(&format!(
            "SELECT status FROM users WHERE external_id = '{id}'"
        ))
    }

    fn runs(&self) -> Option<String> {
        self.ws.value("SELECT max(id) FROM runs")
    }

    /// Has the daemon make a pass, and waits for it.
    fn reconcile(&self) {
        let token = self.eva.token.clone().expect("a token");
        let arguments = ["reconcile", "shop", "--wait"];
        let ran = run(&mut self.by(&token, &arguments));
        assert!(matches!(ran.code, Some(0 | 3)), "{ran}");
    }
}

#[test]
fn a_change_goes_from_a_branch_to_its_revert() {
    for ws in each("pull-request-story") {
        let mut shop = Shop::open(ws);
        let hold = the_second_push_updates_the_comment(&mut shop);
        let merge = the_merge_is_applied_but_for_the_hold(&mut shop, &hold);
        petra_approves_and_the_history_names_her(&mut shop, &hold, &merge);
        eva_reverts_and_nothing_comes_back(&mut shop);
        only_a_new_commit_asks_again(&mut shop, &merge);
        shop.operator(&["history", "--verify"]).exits(0);
        shop.served.ends();
    }
}

#[test]
fn the_job_says_what_is_wrong_and_where() {
    let shop = Shop::open(sqlite());
    shop.remote.git(&["checkout", "--quiet", "-b", BRANCH]);
    shop.edit("nils", "phone:", "phne:");
    shop.remote.push("Nils has a new number");
    let ran = shop.plan_branch().exits(1);
    for words in [
        "error[unknown-field]: User/nils phne: User has no field `phne`",
        "--> people/nils.yaml:8:1",
        "Did you mean `phone`?",
        "Found: 1 error.",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {ran}");
    }
    shop.served.ends();
}

/// Returns the id of the hold that the comment names.
fn the_second_push_updates_the_comment(shop: &mut Shop) -> String {
    shop.remote.git(&["checkout", "--quiet", "-b", BRANCH]);
    shop.edit("nils", PHONE, "+4670999888");
    shop.remote.push("Nils has a new number");
    let first = shop.ci_job(0);
    assert!(
        first.body.contains("### Plan: 1 to update.\n"),
        "{}",
        first.body
    );
    assert!(!first.body.contains("olle"), "{}", first.body);

    shop.edit("olle", "lastName", "status: inactive\nlastName");
    shop.remote.push("Olle leaves");
    let second = shop.ci_job(3);
    assert_eq!(second.id, first.id);
    let screen = second.body.split("<details>").next().unwrap_or_default();
    assert!(screen.len() < 1_500, "{screen}");
    for words in [
        "### Plan: 1 to update, 1 held.\n",
        "- **Held** (guard), if approved: `User/olle loses access.`\n",
        "`deactivate User/olle`",
        "**Next:** merge to apply it. What is held then waits for a decision.",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    // The pull request alone changes nothing.
    assert_eq!(shop.runs().as_deref(), Some("1"));
    let (_, rest) = screen
        .split_once("roster approve hold ")
        .expect("a command");
    rest.split(' ').next().unwrap_or_default().to_owned()
}

/// Returns the merge commit.
fn the_merge_is_applied_but_for_the_hold(shop: &mut Shop, hold: &str) -> String {
    shop.remote.git(&["checkout", "--quiet", "main"]);
    shop.remote
        .git(&["merge", "--quiet", "--no-ff", "-m", MERGE, BRANCH]);
    shop.remote.git(&["push", "--quiet", "origin", "main"]);
    let merge = shop.remote.head();
    shop.deliver();
    shop.served.says(&["updated 1", "run 2"]);
    let run = shop.eva.document("/api/v1/runs/2");
    assert_eq!(
        (&run["source"], &run["revision"]),
        (&json!("shop"), &json!(merge))
    );
    let commits = run["cause"]["commits"].to_string();
    for subject in [MERGE, "Olle leaves", "Nils has a new number"] {
        assert!(commits.contains(subject), "{subject}: {run}");
    }
    // What the comment named is what waits.
    let holds = shop.eva.once("/api/v1/holds", |holds| {
        holds["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty())
    });
    let items = holds["items"].as_array().expect("a list");
    assert_eq!(
        (items.len(), &items[0]["hold"]),
        (1, &json!(hold)),
        "{holds}"
    );
    assert_eq!(shop.status("olle").as_deref(), Some("active"));
    merge
}

fn petra_approves_and_the_history_names_her(shop: &mut Shop, hold: &str, merge: &str) {
    let petra = token(&shop.ws, "petra", "approver", &[]);
    let reason = "Olle left on Friday";
    let approve = ["approve", "hold", hold, "--reason", reason];
    run(&mut shop.by(&shop.planner, &approve)).exits(1);
    run(&mut shop.by(&petra, &approve)).exits(0);
    shop.served.says(&["deactivated 1", "run 3"]);
    assert_eq!(shop.status("olle").as_deref(), Some("inactive"));

    let short = &merge[..12];
    let history = shop.operator(&["history"]).exits(0).stdout;
    let line = |number: &str| {
        let mut lines = history.lines();
        lines
            .find(|line| line.starts_with(number))
            .unwrap_or_default()
    };
    let approved = "1 deactivate, approved by petra";
    assert!(
        line("3 ").contains(short) && line("3 ").ends_with(approved),
        "{history}"
    );
    assert!(
        line("2 ").contains(short) && line("2 ").ends_with("1 update, 1 held"),
        "{history}"
    );
    let olle = shop.operator(&["history", "User", "olle"]).exits(0).stdout;
    let change = olle.lines().next().unwrap_or_default();
    assert!(
        change.contains(&format!("deactivate (declared)  shop@{short}")),
        "{olle}"
    );

    let run = shop.eva.document("/api/v1/runs/3");
    assert_eq!(run["revision"], merge);
    assert_eq!(run["cause"]["effects"], "User/olle loses access.");
    assert_eq!(run["cause"]["commits"]["listed"][0]["subject"], MERGE);
    let approvals = &run["cause"]["approvals"];
    assert_eq!(
        (&approvals[0]["by"], &approvals[0]["reason"]),
        (&json!("petra"), &json!(reason))
    );
    let acts = shop.eva.document("/api/v1/acts");
    let act = &acts["items"][0];
    assert_eq!(
        (&act["actor"], &act["subject"]),
        (&json!("petra"), &json!(hold)),
        "{acts}"
    );
}

fn eva_reverts_and_nothing_comes_back(shop: &mut Shop) {
    let token = shop.eva.token.clone().expect("a token");
    let revert = ["revert", "3", "--yes", "--reason", "It was another Olle"];
    let done = run(&mut shop.by(&token, &revert)).exits(0);
    assert!(done.stdout.contains("User/olle gains access."), "{done}");
    assert_eq!(shop.status("olle").as_deref(), Some("active"));
    assert_eq!(shop.runs().as_deref(), Some("4"));
    let run = shop.eva.document("/api/v1/runs/4");
    assert_eq!((&run["actor"], &run["reverts"]), (&json!("eva"), &json!(3)));

    // The file of Olle still says that he is inactive. Neither the daemon nor a plan takes his access again.
    shop.reconcile();
    assert_eq!(shop.runs().as_deref(), Some("4"));
    let plan = shop.ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!((plan.steps().len(), plan.held().len()), (0, 0), "{plan}");
    let stays =
        "User/olle: status stays as run 4 left it, until source shop is at another revision";
    assert!(plan.stdout.contains(stays), "{plan}");
    let plan = ["plan", "--revision", "main", "--detailed-exitcode"];
    run_of(&mut shop.by(&shop.planner, &plan), 0, stays);
    assert_eq!(shop.eva.document("/api/v1/holds")["items"], json!([]));
}

fn only_a_new_commit_asks_again(shop: &mut Shop, merge: &str) {
    shop.edit("anna", PHONE, "+4670111222");
    shop.remote.push("Anna has a new number");
    shop.deliver();
    shop.served.says(&["updated 1", "run 5"]);
    let holds = shop.eva.once("/api/v1/holds", |holds| {
        holds["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty())
    });
    // The approval was for another plan: it was used, so a person is asked again.
    let held = &holds["items"][0];
    assert_eq!(held["effects"], "User/olle loses access.", "{holds}");
    assert!(
        holds
            .to_string()
            .contains("reverts run 4, which reverted run 3"),
        "{holds}"
    );
    assert_eq!(shop.status("olle").as_deref(), Some("active"));

    // Git takes the merge back too, and nothing is left to decide.
    shop.remote.git(&["revert", "--no-edit", "-m", "1", merge]);
    shop.remote.git(&["push", "--quiet", "origin", "main"]);
    shop.deliver();
    shop.served.says(&["updated 1", "run 6"]);
    until("no hold", || {
        let holds = shop.eva.document("/api/v1/holds");
        (holds["items"] == json!([])).then_some(())
    });
    assert_eq!(shop.status("olle").as_deref(), Some("active"));
    shop.ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    let revised: Value = shop.eva.document("/api/v1/runs/6");
    assert_eq!(revised["revision"], shop.remote.head());
}

/// Runs a command whose output has these words.
fn run_of(command: &mut Command, exit: i32, words: &str) {
    let ran = run(command).exits(exit);
    assert!(
        ran.stdout.contains(words) || ran.stderr.contains(words),
        "{ran}"
    );
}

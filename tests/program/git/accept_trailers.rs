//! The trailer `Roster-Accept` of a commit approves what a guard holds, if an approver signed it and
//! it is about exactly this plan. Whatever is uncertain approves nothing.

use super::{apply, go, plan};
use crate::support::git_remote::Remote;
use crate::support::signing::Signer;
use crate::support::workspace::{Ran, Workspace, account, each, run, sqlite, user};

const SIX: &str = "Roster-Accept: User.deactivate=6";

/// An account with these users.
fn people(count: usize) -> String {
    let users = (1..=count).map(|n| user(&format!("u-{n}"), "acme", ""));
    account("acme", "") + &users.collect::<String>()
}

fn configure(ws: &Workspace, remote: &Remote, more: &str) {
    let text = format!(
        "apiVersion: roster/v1\nsources:\n  - name: shop\n    git: {{url: '{}', path: manifests}}\n{more}",
        remote.url()
    );
    ws.write("roster.yaml", text);
}

fn keys(of: &[(&str, &Signer)]) -> String {
    let lines = of.iter();
    let lines = lines.map(|(name, signer)| format!("  {name}: {}\n", signer.public()));
    format!("approvalKeys:\n{}", lines.collect::<String>())
}

/// A repository with 40 users, which are applied.
fn scene(ws: &Workspace, more: &str) -> Remote {
    let remote = Remote::with(&people(40));
    configure(ws, &remote, more);
    apply(ws).exits(0);
    remote
}

/// What was said about trailers.
fn told(ran: &Ran) -> Vec<String> {
    let plans = ran.plans();
    let found = plans[0]["diagnostics"].as_array().expect("a list");
    let found = found.iter().filter(|it| it["code"] == "accept-trailer");
    found
        .map(|it| {
            format!(
                "{}: {}",
                it["severity"].as_str().unwrap_or_default(),
                it["message"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

/// Nothing is approved, and this is said.
#[track_caller]
fn refused(ws: &Workspace, why: &str) {
    let ran = apply(ws).exits(3);
    assert_eq!(ran.count("deactivate"), 0, "{ran}");
    let told = told(&ran);
    assert!(
        told.iter().any(|line| line.contains(why)),
        "{why}: {told:?}"
    );
    assert_eq!(
        ws.value("SELECT count(*) FROM acts WHERE act = 'approve hold'"),
        Some("0".to_owned())
    );
    assert_eq!(
        ws.value("SELECT count(*) FROM users WHERE status = 'active'"),
        Some("40".to_owned())
    );
}

#[test]
fn a_signed_commit_of_an_approver_approves_the_exact_number_once() {
    for ws in each("trailer") {
        let eva = Signer::new();
        let remote = scene(&ws, &keys(&[("eva@example.com", &eva)]));
        remote.write("manifests/all.yaml", people(34));
        let commit = eva.push(&remote, &["Six people left", SIX], None);
        let acts = "SELECT count(*) FROM acts WHERE act = 'approve hold'";
        // A plan shows what an apply would do, and writes nothing.
        let shown = plan(&ws).exits(0);
        assert_eq!(shown.count("deactivate"), 6, "{}: {shown}", ws.engine);
        assert_eq!(ws.value(acts), Some("0".to_owned()));
        // Somebody else may apply a saved plan, at another time.
        let saved = go(&ws, &["plan", "--out", "plan.json"]).exits(3);
        assert_eq!(saved.count("deactivate"), 0, "{saved}");
        let applied = apply(&ws).exits(0);
        assert_eq!(applied.count("deactivate"), 6, "{}: {applied}", ws.engine);
        let note = format!("note: commit {}: `{SIX}` approves hold ", &commit[..12]);
        let told = told(&applied);
        assert!(told[0].starts_with(&note), "{told:?}");
        assert!(told[0].ends_with(" as eva@example.com"), "{told:?}");
        assert_eq!(
            ws.column("SELECT actor || ' ' || reason FROM acts WHERE act = 'approve hold'"),
            [Some(format!("eva@example.com {SIX} in commit {commit}"))]
        );
        assert_eq!(plan(&ws).exits(0).steps(), [""; 0]);

        // The same six come back and go again. The commit is in the history, and counts no more.
        remote.write("manifests/all.yaml", people(40));
        remote.push("They are back");
        let back = [
            "apply",
            "--yes",
            "--accept",
            "User.reactivate=6",
            "--accept",
            "access.gained=6",
        ];
        go(&ws, &back).exits(0);
        remote.write("manifests/all.yaml", people(34));
        remote.push("They left again");
        let held = apply(&ws).exits(3);
        assert_eq!(held.count("deactivate"), 0, "{}: {held}", ws.engine);
        assert_eq!(ws.value(acts), Some("1".to_owned()));
        go(&ws, &["history", "--verify"]).exits(0);
    }
}

#[test]
fn whoever_did_not_sign_or_is_no_approver_approves_nothing() {
    let (eva, nils) = (Signer::new(), Signer::new());
    let ws = sqlite();
    let remote = scene(&ws, &keys(&[("eva@example.com", &eva)]));
    remote.write("manifests/all.yaml", people(34));
    remote.git(&["add", "--all"]);
    remote.git(&["commit", "--quiet", "-m", "Six people left", "-m", SIX]);
    remote.git(&["push", "--quiet", "origin", "HEAD"]);
    refused(
        &ws,
        "`Roster-Accept: User.deactivate=6` does not count: the commit is not signed",
    );
    nils.push(&remote, &["I approve", SIX], None);
    refused(&ws, "its signature is by no key in `approvalKeys`");
    // Not a trailer, but a sentence.
    eva.push(&remote, &["I approve", SIX, "as always"], None);
    assert_eq!(apply(&ws).exits(3).count("deactivate"), 0);
    // The signature was made for another number.
    eva.push(
        &remote,
        &["I approve", "Roster-Accept: User.deactivate=5"],
        None,
    );
    refused(&ws, "no hold of this plan takes exactly this");
    let forged = "git cat-file commit HEAD | sed s/deactivate=5/deactivate=6/ > forged && git update-ref refs/heads/main $(git hash-object -t commit -w forged) && rm forged";
    let done = std::process::Command::new("sh")
        .args(["-c", forged])
        .current_dir(remote.work())
        .status();
    assert!(done.expect("sh").success());
    remote.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
    refused(&ws, "or could not be verified");
}

#[test]
fn a_trailer_about_other_manifests_or_of_another_time_approves_nothing() {
    let eva = Signer::new();
    let ws = sqlite();
    let with_key = keys(&[("eva@example.com", &eva)]);
    let remote = scene(&ws, &with_key);
    remote.write("manifests/all.yaml", people(34));
    eva.push(
        &remote,
        &["Six people left", SIX],
        Some("2026-01-01T00:00:00Z"),
    );
    refused(&ws, "it is older than `approvalTtl`");
    eva.push(
        &remote,
        &["Six people left", SIX],
        Some("2099-01-01T00:00:00Z"),
    );
    refused(&ws, "it is older than `approvalTtl`, or of a later time");
    // Somebody changes something after the approver has looked.
    eva.commit(&remote, &["I approve", SIX], None);
    let other = people(34).replace("u-3@roster.example", "u-3@other.example");
    remote.write("manifests/all.yaml", other);
    remote.push("One more thing");
    refused(&ws, "the manifests were changed after it");
    // Whoever may approve is for the configuration to say.
    configure(&ws, &remote, "");
    eva.push(&remote, &["I approve", SIX], None);
    refused(&ws, "the configuration has no `approvalKeys`");
    configure(&ws, &remote, &with_key);
    eva.push(&remote, &["I approve", "Roster-Accept: rename=u-1"], None);
    refused(&ws, "a commit approves no renames");
    eva.push(&remote, &["I approve", "Roster-Accept: everything"], None);
    refused(&ws, "it is not a valid override");
    // What has nothing to do with the manifests changes nothing.
    eva.commit(&remote, &["I approve", SIX], None);
    remote.write("README.md", "About the customers.\n");
    remote.push("A readme");
    assert_eq!(apply(&ws).exits(0).count("deactivate"), 6);
}

#[test]
fn a_merge_keeps_an_approval_only_if_it_changes_nothing() {
    for ws in each("merged trailer") {
        let eva = Signer::new();
        let remote = scene(&ws, &keys(&[("eva@example.com", &eva)]));
        let merge = || {
            remote.git(&["checkout", "--quiet", "main"]);
            remote.git(&["merge", "--quiet", "--no-ff", "-m", "Merge", "leavers"]);
            remote.git(&["push", "--quiet", "origin", "HEAD"]);
        };
        remote.git(&["checkout", "--quiet", "-b", "leavers"]);
        remote.write("manifests/all.yaml", people(34));
        eva.commit(&remote, &["Six people left", SIX], None);
        remote.git(&["checkout", "--quiet", "main"]);
        remote.write("manifests/more.yaml", super::TAG);
        remote.push("Something else");
        merge();
        refused(&ws, "the manifests were changed after it");
        remote.git(&["checkout", "--quiet", "leavers"]);
        remote.git(&["merge", "--quiet", "main"]);
        eva.commit(&remote, &["I have seen all of it", SIX], None);
        merge();
        let applied = apply(&ws).exits(0);
        assert_eq!(applied.count("deactivate"), 6, "{}: {applied}", ws.engine);
    }
}

#[test]
fn a_trailer_is_the_approval_of_one_person_where_two_are_needed() {
    for ws in each("two trailers") {
        let eva = Signer::new();
        let more = keys(&[("eva@example.com", &eva)]) + "approvals: {access.lost: 2}\n";
        let remote = scene(&ws, &more);
        remote.write("manifests/all.yaml", people(34));
        eva.push(&remote, &["Six people left", SIX], None);
        let held = apply(&ws).exits(3);
        assert_eq!(held.count("deactivate"), 0, "{}: {held}", ws.engine);
        let told = told(&held);
        assert!(
            told[0].ends_with("2 different people have to approve it"),
            "{told:?}"
        );
        let hold = held.hold("guard");
        let approve = |who: &str| {
            let arguments = ["approve", "hold", &hold, "--reason", "agreed"];
            run(ws.command(&arguments).env("ROSTER_ACTOR", who))
        };
        let again = approve("eva@example.com").exits(1);
        assert!(
            again
                .stderr
                .contains("another person has to approve it too"),
            "{again}"
        );
        approve("nils@example.com").exits(0);
        let applied = apply(&ws).exits(0);
        assert_eq!(applied.count("deactivate"), 6, "{}: {applied}", ws.engine);
    }
}

#[test]
fn keys_of_people_who_may_not_approve_are_refused() {
    let (ws, eva) = (sqlite(), Signer::new());
    let remote = Remote::with(&people(1));
    let more = format!(
        "approvers: [nils@example.com]\n{}",
        keys(&[("eva@example.com", &eva)])
    );
    configure(&ws, &remote, &more);
    let ran = plan(&ws).exits(1);
    assert!(
        ran.stderr
            .contains("approvalKeys: eva@example.com is not one of the `approvers`"),
        "{ran}"
    );
}

//! `roster propose`.

use crate::support::git_remote::{self, Remote};
use crate::support::workspace::{Ran, Workspace, each, sqlite, user};
use serde_json::Value;
use std::fs;
use std::process::Command;

const CONFIG: &str = "
apiVersion: roster/v1
sources:
  - {name: git, directory: manifests}
  - name: erp
    export: {file: customers.csv, preset: djust-accounts}
    authority: {Account: {existence: false, observe: [name, website, tags, addresses]}, Address: {existence: false, observe: [city, street]}}
";

const BASE: &str = "\
# What all refer to
tags: [{externalId: premium, name: Premium}, {externalId: hotel, name: Hotel}, {externalId: old, name: Old}]
customFields: [{externalId: class, appliesTo: account, name: Class, type: number}]
settings: {firstUser: off}
";

const ACME: &str = "\
kind: Account
externalId: acme   # as in the ERP
name: 'Acme'       # on the door
companyRegistrationName: Acme AB
businessRegistrationNumber: 556012-3456

tags:
  - premium        # since 2019
  - old
addresses:
  # headquarters
  - {externalId: d-1, fullName: Acme AB, street: Torget 1, zipCode: 837 52, city: Åre, country: SE}
customFields: {class: 1.50}
# the end
";

const EXPORT: &str = "\
Account External Id;Account Name;Account Website;Company Registration Name;Business Registration Number;Customer Tag External Id;customField_class;Address External Id;Address Full Name;Address Country;Address City;Address Zip Code;Address Street Name
acme;Acme Group;https://acme.example;Acme AB;556012-3456;hotel;1.5;d-1;Acme AB;SE;Östersund;837 52;Torget 1
acme;;;;;;;d-2;Acme AB;SE;Östersund;831 30;Köpmangatan 2
beta;Beta;;Beta AB;556012-3457;;2;d-3;Beta AB;SE;Åre;837 52;Torget 3
";

fn scene(ws: &Workspace) {
    ws.write("roster.yaml", CONFIG);
    ws.write("manifests/base.yaml", BASE);
    ws.write("manifests/accounts/acme/account.yaml", ACME);
    ws.write("customers.csv", EXPORT);
}

fn propose(ws: &Workspace, options: &[&str]) -> Ran {
    let mut command = ws.command(&[&["propose", "erp"], options].concat());
    crate::support::workspace::run(command.env("ROSTER_OUTPUT", "text"))
}

fn text(ws: &Workspace, path: &str) -> String {
    fs::read_to_string(ws.path(path)).expect("a file")
}

fn git(ws: &Workspace, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    let command = command.args(arguments).current_dir(ws.path(""));
    let ended = command
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
        ])
        .output()
        .expect("git");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "git {arguments:?}: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

fn repository(ws: &Workspace) {
    git(ws, &["init", "-q", "-b", "main"]);
    git(ws, &["config", "user.name", "Eva"]);
    git(ws, &["config", "user.email", "eva@example.com"]);
    git(ws, &["add", "manifests"]);
    git(ws, &["commit", "-q", "-m", "begin"]);
}

/// What the file comes to: other values and nothing else.
fn acme() -> String {
    let new = ACME
        .replace("'Acme' ", "'Acme Group' ")
        .replace("city: Åre", "city: Östersund");
    new.replace("  - old\n", "  - old\n  - hotel\n")
}

#[test]
fn a_patch_changes_the_values_and_keeps_what_people_wrote() {
    let ws = sqlite();
    scene(&ws);
    repository(&ws);
    let ran = propose(&ws, &[]).exits(0);
    assert!(
        ran.stdout
            .starts_with("diff --git a/manifests/accounts/acme/account.yaml "),
        "{ran}"
    );
    assert!(ran.stderr.contains("1 field not in the manifests"), "{ran}");
    assert!(ran.stderr.contains("3 resources not declared"), "{ran}");
    assert_eq!(text(&ws, "manifests/accounts/acme/account.yaml"), ACME);
    ws.write("erp.patch", &ran.stdout);
    git(&ws, &["apply", "erp.patch"]);
    assert_eq!(text(&ws, "manifests/accounts/acme/account.yaml"), acme());
    assert_eq!(propose(&ws, &[]).exits(0).stdout, "");
}

#[test]
fn what_is_written_agrees_with_the_export_on_both_engines() {
    for ws in each("proposed") {
        scene(&ws);
        ws.run(&["apply", "--source", "git", "--yes"]).exits(0);
        ws.run(&["approve", "source", "erp", "--reason", "looks right"])
            .exits(0);
        let before = ws.run(&["plan", "--source", "erp"]).exits(0);
        assert!(
            before.codes("note").contains("observed")
                || before.codes("warning").contains("observed"),
            "{before}"
        );
        propose(&ws, &["--write", "--add", "--new"]).exits(0);
        let written = text(&ws, "manifests/accounts/acme/account.yaml");
        assert!(written.contains("  - {ref: d-2}\n"), "{written}");
        assert!(
            written.ends_with(
                "customFields: {class: 1.50}\nwebsite: https://acme.example\n# the end\n"
            ),
            "{written}"
        );
        let beta = text(&ws, "manifests/accounts/beta/account.yaml");
        assert!(beta.contains("externalId: d-3\n"), "{beta}");
        ws.run(&["validate", "--source", "git"]).exits(0);
        ws.run(&["apply", "--source", "git", "--yes"]).exits(0);
        ws.run(&["plan", "--source", "git", "--detailed-exitcode"])
            .exits(0);
        // The export has nothing to say against it any more.
        let after = ws.run(&["plan", "--source", "erp"]).exits(0);
        let differs = after
            .findings()
            .into_iter()
            .any(|found| found.contains("observed"));
        assert!(!differs, "{}: {after}", ws.engine);
        let again = propose(&ws, &["--write", "--add", "--new"]).exits(0);
        assert!(again.stderr.contains("0 proposals in 0 files"), "{again}");
    }
}

#[test]
fn a_branch_gets_a_commit_and_the_working_tree_stays() {
    let ws = sqlite();
    scene(&ws);
    repository(&ws);
    ws.write("manifests/base.yaml", format!("{BASE}# not committed\n"));
    let status = git(&ws, &["status", "--porcelain"]);
    let ran = propose(&ws, &["--branch", "erp/tonight", "--new"]).exits(0);
    assert!(ran.stderr.contains("on branch erp/tonight as "), "{ran}");
    assert_eq!(git(&ws, &["status", "--porcelain"]), status);
    assert_eq!(git(&ws, &["rev-parse", "--abbrev-ref", "HEAD"]), "main\n");
    let show = git(
        &ws,
        &["show", "erp/tonight:manifests/accounts/acme/account.yaml"],
    );
    assert_eq!(
        show,
        acme().replace("country: SE}\n", "country: SE}\n  - {ref: d-2}\n")
    );
    let log = git(&ws, &["log", "-1", "--format=%an %ae%n%B", "erp/tonight"]);
    assert!(log.starts_with("Eva eva@example.com\n"), "{log}");
    let digest = propose_digest(&ws);
    for said in [
        "customers.csv",
        &digest,
        "customers.csv:2:6: Account/acme name",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let names = git(&ws, &["diff", "--name-only", "main", "erp/tonight"]);
    assert!(!names.contains("base.yaml"), "{names}");
    assert_eq!(names.lines().count(), 3, "{names}");
    let again = propose(&ws, &["--branch", "erp/tonight"]).exits(1);
    assert!(
        again
            .stderr
            .contains("the branch `erp/tonight` already exists")
    );
    // What nobody committed is nobody's to commit.
    ws.write(
        "manifests/accounts/acme/account.yaml",
        format!("{ACME}# mine\n"),
    );
    let unlike = propose(&ws, &["--branch", "other"]).exits(1);
    assert!(
        unlike
            .stderr
            .contains("accounts/acme/account.yaml has uncommitted changes"),
        "{unlike}"
    );
    propose(&ws, &["--branch", "no..name"]).exits(1);
    assert_eq!(git(&ws, &["branch", "--list"]).lines().count(), 2);
}

#[test]
fn a_repository_gets_the_branch_by_a_push() {
    let ws = sqlite();
    scene(&ws);
    let remote = Remote::new();
    remote.write("customers/base.yaml", BASE);
    remote
        .write("customers/accounts/acme/account.yaml", ACME)
        .push("first");
    let own = format!("git: {{url: '{}', path: customers}}", remote.url());
    ws.write("roster.yaml", CONFIG.replace("directory: manifests", &own));
    let told = propose(&ws, &[]).exits(64);
    assert!(told.stderr.contains("pass `--into SOURCE`"), "{told}");
    let told = propose(&ws, &["--into", "git", "--write"]).exits(64);
    assert!(told.stderr.contains("pass `--branch NAME`"), "{told}");
    let patch = propose(&ws, &["--into", "git", "--new"]).exits(0).stdout;
    assert!(
        patch.contains("b/customers/accounts/acme/account.yaml"),
        "{patch}"
    );
    let ran = propose(&ws, &["--into", "git", "--branch", "erp/tonight", "--new"]).exits(0);
    assert!(
        ran.stderr.contains(&format!("pushed to {}", remote.url())),
        "{ran}"
    );
    let commit = git_remote::run(&remote.bare(), &["rev-parse", "erp/tonight"]);
    assert_eq!(
        git_remote::run(&remote.bare(), &["rev-parse", "erp/tonight^"]),
        remote.head()
    );
    // The patch and the branch say the same.
    ws.write("erp.patch", patch);
    let patch = ws.path("erp.patch");
    remote.git(&["apply", "--index", &patch.to_string_lossy()]);
    remote.git(&["fetch", "--quiet", "origin", "erp/tonight"]);
    assert_eq!(remote.git(&["diff", "--cached", &commit]), "");
    let again = propose(&ws, &["--into", "git", "--branch", "erp/tonight", "--add"]).exits(1);
    assert!(again.stderr.contains("already exists"), "{again}");
    assert_eq!(
        git_remote::run(&remote.bare(), &["rev-parse", "erp/tonight"]),
        commit
    );
}

fn propose_digest(ws: &Workspace) -> String {
    let ran = ws.run(&["propose", "erp"]);
    let told: Value = serde_json::from_str(&ran.stdout).expect("a document");
    told["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn what_cannot_be_written_is_named_with_its_place() {
    let ws = sqlite();
    scene(&ws);
    let aliased = ACME.replace("name: 'Acme' ", "x-name: &n Acme\nname: *n ");
    ws.write("manifests/accounts/acme/account.yaml", &aliased);
    // A tag that nobody knows breaks a rule, and takes nothing else with it.
    ws.write("customers.csv", EXPORT.replace("hotel", "unheard-of"));
    let ran = propose(&ws, &["--write"]).exits(1);
    for said in [
        "could not be written at manifests/accounts/acme/account.yaml:4:7: Account/acme name: the value is an alias",
        "manifests/accounts/acme/account.yaml:9:3: Account/acme tags: reference: ",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {ran}");
    }
    let written = text(&ws, "manifests/accounts/acme/account.yaml");
    assert_eq!(written, aliased.replace("city: Åre", "city: Östersund"));
}

#[test]
fn the_last_address_is_only_unlinked_where_it_is_optional() {
    let ws = sqlite();
    scene(&ws);
    let unlink =
        "Account External Id;Address External Id;Unlink Address From Account\nacme;d-1;TRUE\n";
    ws.write("customers.csv", unlink);
    let ran = propose(&ws, &["--write"]).exits(1);
    let said = "Account/acme addresses: account-without-address: ";
    assert!(ran.stderr.contains(said), "{ran}");
    let path = "manifests/accounts/acme/account.yaml";
    assert_eq!(text(&ws, path), ACME);
    // The settings are in another file.
    let optional = BASE.replace(
        "firstUser: off",
        "firstUser: off, optionalFields: [Account.addresses]",
    );
    ws.write("manifests/base.yaml", optional);
    propose(&ws, &["--write"]).exits(0);
    let written = text(&ws, path);
    assert!(!written.contains("d-1"), "{written}");
}

#[test]
fn a_password_and_a_broken_export_are_never_proposed() {
    let ws = sqlite();
    scene(&ws);
    ws.write("customers.csv", "<!DOCTYPE html><html></html>\n");
    let ran = propose(&ws, &["--write"]).exits(1);
    assert!(
        ran.stderr.contains("the export of source erp was rejected"),
        "{ran}"
    );
    assert_eq!(text(&ws, "manifests/accounts/acme/account.yaml"), ACME);
    // Of two directories one may know better, too: but for passwords.
    ws.write("roster.yaml", "apiVersion: roster/v1\nsources: [{name: git, directory: manifests}, {name: erp, directory: other}]\n");
    let password = |name: &str, phone: &str| {
        user(
            "u-1",
            "acme",
            &format!("passwordFrom: {{env: ROSTER_SECRET_{name}}}\n"),
        )
        .replace("+46", phone)
    };
    ws.write("manifests/users.yaml", password("A", "+46"));
    ws.write("other/users.yaml", password("B", "+47"));
    propose(&ws, &["--write"]).exits(0);
    let written = text(&ws, "manifests/users.yaml");
    assert_eq!(written, password("A", "+47"));
}

#[test]
fn what_is_not_committed_is_never_written_over() {
    let ws = sqlite();
    scene(&ws);
    repository(&ws);
    let path = "manifests/accounts/acme/account.yaml";
    let mine = format!("{ACME}# mine\n");
    for staged in [false, true] {
        ws.write(path, &mine);
        if staged {
            git(&ws, &["add", path]);
        }
        let ran = propose(&ws, &["--write", "--new"]).exits(1);
        for said in [path, "uncommitted changes", "Nothing was written"] {
            assert!(ran.stderr.contains(said), "{said}: {ran}");
        }
        assert_eq!(text(&ws, path), mine);
        assert!(!ws.path("manifests/accounts/beta").exists());
    }
    // Nor what was never committed; a patch is only printed.
    git(&ws, &["rm", "-q", "--cached", "-f", path]);
    let ran = propose(&ws, &["--write"]).exits(1);
    assert!(ran.stderr.contains("uncommitted changes"), "{ran}");
    propose(&ws, &[]).exits(0);
    git(&ws, &["add", path]);
    git(&ws, &["commit", "-q", "-m", "mine"]);
    // Other files may be as they like.
    ws.write("manifests/base.yaml", format!("{BASE}# mine\n"));
    propose(&ws, &["--write"]).exits(0);
    assert_eq!(text(&ws, path), acme() + "# mine\n");
}

const USERS: &str = "
apiVersion: roster/v1
sources:
  - {name: git, directory: manifests}
  - name: erp
    export: {file: users.csv, preset: djust-users}
";

#[test]
fn what_could_not_be_created_is_left_out_with_its_place_in_the_export() {
    let ws = sqlite();
    scene(&ws);
    ws.write("roster.yaml", USERS);
    ws.write(
        "users.csv",
        "Customer User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account Ids;Inactive\n\
         u-1;MRS;Karin;Åslund;karin@acme.example;+4663123456;FOC_User;acme;FALSE\n\
         u-2;MRS;Karin;;lena@acme.example;+4663123457;FOC_User;acme;FALSE\n\
         u-3;MR;Olle;Berg;olle@acme.example;+4663123458;FOC_User;nowhere;FALSE\n",
    );
    let ran = propose(&ws, &["--write", "--new"]).exits(1);
    for said in [
        "could not be written at users.csv:3:1: User/u-2: required: ",
        "could not be written at users.csv:4:1: User/u-3: reference: ",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {ran}");
    }
    let written = text(&ws, "manifests/accounts/acme/users.yaml");
    assert!(
        written.contains("u-1") && !written.contains("u-2"),
        "{written}"
    );
    ws.run(&["validate", "manifests"]).exits(0);
    ws.run(&["apply", "--source", "git", "--yes"]).exits(0);
    let again = propose(&ws, &["--new"]).exits(1);
    assert!(again.stderr.contains("0 proposals in 0 files"), "{again}");
}

#[test]
fn what_would_not_be_read_is_not_written() {
    let ws = sqlite();
    scene(&ws);
    ws.write("manifests/.rosterignore", "accounts/beta\n");
    let ran = propose(&ws, &["--write", "--new"]).exits(1);
    assert!(ran.stderr.contains(".rosterignore"), "{ran}");
    assert_eq!(text(&ws, "manifests/accounts/acme/account.yaml"), ACME);
}

#[test]
fn an_address_of_an_account_that_cannot_be_written_is_not_written_alone() {
    let ws = sqlite();
    scene(&ws);
    let export = EXPORT.to_owned()
        + "delta;Delta;;Delta AB;556012-3459;unknown;2;d-5;Delta AB;SE;Åre;837 52;Torget 5\n";
    ws.write("customers.csv", export);
    let ran = propose(&ws, &["--write", "--new"]).exits(1);
    let why = "Address/d-5: Account/delta is not written, and this value depends on it";
    assert!(ran.stderr.contains(why), "{ran}");
    ws.run(&["validate", "manifests"]).exits(0);
    let mut written = String::new();
    for entry in fs::read_dir(ws.path("manifests/accounts")).expect("a folder") {
        let folder = entry.expect("an entry").path();
        for file in fs::read_dir(folder).expect("a folder") {
            written += &fs::read_to_string(file.expect("an entry").path()).expect("text");
        }
    }
    assert!(written.contains("d-3"), "{written}");
    assert!(!written.contains("d-5"), "{written}");
}

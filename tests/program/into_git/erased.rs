//! People who were erased, of whom nothing is written into git again.

use super::import::files;
use crate::support::workspace::{Ran, Workspace, account, each, user};

const CONFIG: &str = "apiVersion: roster/v1
sources:
  - {name: git, directory: manifests}
  - {name: erp, export: {file: users.csv, preset: djust-users}, authority: {User: {existence: false, observe: [firstName, phone]}}}
";

const ROWS: &str = "\
User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account Ids
u-1;MRS;Britta;Ek;u-1@roster.example;+46701;FOC_User;acme
u-2;MR;Olle;Berg;olle@acme.example;+46709;FOC_User;acme
n-1;MRS;Nina;Ek;nina@acme.example;+46702;FOC_User;acme
";

fn begin(ws: &Workspace) {
    ws.tree(account("acme", "") + &user("u-1", "acme", "") + &user("u-2", "acme", ""));
    ws.settle(&[]);
    ws.write("roster.yaml", CONFIG);
    ws.write("users.csv", ROWS);
    ws.run(&["erase", "u-2", "--confirm", "u-2", "--reason", "asked"])
        .exits(0);
}

fn shows_nothing_of_the_person(ran: &Ran) {
    for words in ["Olle", "olle@acme.example", "+46709"] {
        assert!(!ran.stdout.contains(words), "{words}: {ran}");
        assert!(!ran.stderr.contains(words), "{words}: {ran}");
    }
}

#[test]
fn a_proposal_leaves_the_person_out_and_says_where() {
    for ws in each("propose-erased") {
        begin(&ws);
        // As an edit while the manifests still declare the person, and as a new file afterwards.
        for is_declared in [true, false] {
            let mut command = ws.command(&["propose", "erp", "--new", "--into", "git"]);
            let ran = crate::support::workspace::run(command.env("ROSTER_OUTPUT", "text"));
            let ran = ran.exits(1);
            shows_nothing_of_the_person(&ran);
            assert!(ran.stdout.contains("+firstName: Nina"), "{ran}");
            assert!(ran.stdout.contains("Britta"), "{ran}");
            let said = "could not be written at users.csv:3:1: User: user-erased: ";
            assert!(ran.stderr.contains(said), "{ran}");
            if is_declared {
                ws.tree(account("acme", "") + &user("u-1", "acme", ""));
            }
        }
    }
}

#[test]
fn an_export_becomes_manifests_without_the_person() {
    for ws in each("import-erased") {
        begin(&ws);
        let arguments = [
            "import",
            "users.csv",
            "--preset",
            "djust-users",
            "--manifests",
            "out",
        ];
        ws.write("out/acme.yaml", account("acme", ""));
        let ran = ws.run(&arguments);
        shows_nothing_of_the_person(&ran);
        assert!(ran.stdout.contains("user-erased"), "{ran}");
        let written = files(&ws.path("out"));
        let has = |word: &str| written.iter().any(|(_, text)| text.contains(word));
        assert!(has("Nina") && !has("Olle"), "{written:?}");
    }
}

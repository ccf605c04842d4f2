//! What a user sees, as an operator asks for it.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};

fn organisation(id: &str, more: &str) -> String {
    format!("---\nkind: Organisation\nexternalId: {id}\nname: {id}\naccount: acme\n{more}")
}

fn directory(settings: &str) -> String {
    let member = |organisations: &str| format!("organisations: [{organisations}]");
    [
        format!("settings: [{{externalId: settings, organisationDepth: 3{settings}}}]\n"),
        account("acme", ""),
        account("other", ""),
        organisation("north", ""),
        organisation("north-1", "parent: north\n"),
        organisation("south", ""),
        user("admin", "acme", "groups: [FOC_Admin]"),
        user(
            "chief",
            "acme",
            "accounts: [{account: acme, level: administrator}]",
        ),
        user("nils", "acme", &member("north")),
        user("nora", "acme", &member("north-1")),
        user("sven", "acme", &member("south")),
        user("lone", "acme", ""),
        user("lisa", "acme", "status: inactive"),
        user("olga", "other", ""),
    ]
    .concat()
}

fn seen(ws: &Workspace, viewer: &str) -> Value {
    let ran = ws.run(&["visible", "--as", viewer]).exits(0);
    serde_json::from_str(&ran.stdout).expect("a document")
}

#[test]
fn everybody_sees_what_the_rules_say() {
    for ws in each("sees") {
        ws.tree(directory(""));
        ws.apply(&[]).exits(0);
        let everybody = ["admin", "chief", "lisa", "lone", "nils", "nora", "sven"];
        let everything = json!({"users": everybody, "accounts": ["acme"],
            "organisations": ["north", "north-1", "south"]});
        assert_eq!(seen(&ws, "admin"), everything);
        assert_eq!(seen(&ws, "chief"), everything);
        // What is below, and neither what is beside nor what is above.
        let north = json!({"users": ["nils", "nora"], "organisations": ["north", "north-1"],
            "accounts": ["acme"]});
        assert_eq!(seen(&ws, "nils"), north);
        assert_eq!(seen(&ws, "nora")["users"], json!(["nora"]));
        assert_eq!(seen(&ws, "sven")["organisations"], json!(["south"]));
        // The status and the access of users do not matter.
        let without = json!({"users": ["admin", "chief", "lisa", "lone"], "organisations": [],
            "accounts": ["acme"]});
        assert_eq!(seen(&ws, "lone"), without);
        assert_eq!(seen(&ws, "lisa"), without);

        ws.run(&["block", "Account/acme", "--reason", "unpaid"])
            .exits(0);
        let oneself = json!({"users": ["admin"], "organisations": [], "accounts": []});
        assert_eq!(seen(&ws, "admin"), oneself);
        ws.run(&["unblock", "Account/acme", "--reason", "paid"])
            .exits(0);

        ws.tree(directory(", adminSeesAccount: false"));
        ws.apply(&[]).exits(0);
        assert_eq!(seen(&ws, "admin"), without);
        assert_eq!(seen(&ws, "chief"), without);

        let refused = ws.run(&["visible", "--as", "nobody"]).exits(1);
        let problem: Value = serde_json::from_str(&refused.stdout).expect("a problem");
        assert_eq!(problem["code"], "not-found");
    }
}

//! After an erasure, the history says that somebody was changed, when and by which run, and no value.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Map, Value};

/// Values of the person that no field marks as personal.
const VALUES: [&str; 5] = ["Zorgbolaget", "FOC_Admin", "MRS", "zorg-team", "blocked"];

fn started(ws: &Workspace) {
    let organisation =
        "---\nkind: Organisation\nexternalId: zorg-team\nname: Team\naccount: acme\n";
    let own = "civility: MRS\ncompany: Zorgbolaget\ngroups: [FOC_Admin]\norganisations: [zorg-team]\nfirstName: Zita\nphone: \"+46777777777\"";
    let tree = account("acme", "") + organisation + &user("u-1", "acme", own);
    ws.tree(tree.clone() + &user("u-2", "acme", ""));
    ws.settle(&[]);
    ws.tree(tree.replace("Zorgbolaget", "Zorgbolaget AB") + &user("u-2", "acme", ""));
    ws.settle(&[]);
    let block = ["block", "User/u-1", "--reason", "asked"];
    ws.run(&block).exits(0);
}

/// What is left of the changes of somebody who was erased: fields and values.
fn left(ws: &Workspace) -> Vec<String> {
    let sql = "SELECT c.verb || ' ' || c.fields || coalesce(v.fields, '') FROM changes c \
               LEFT JOIN change_values v ON v.seq = c.seq \
               WHERE c.kind = 'User' AND c.external_id IS NULL AND c.verb <> 'erase' ORDER BY c.seq";
    ws.column(sql).into_iter().flatten().collect()
}

#[test]
fn no_value_of_the_person_is_left_and_the_chain_is_as_it_was() {
    for ws in each("no-values") {
        started(&ws);
        // Before, everything is there.
        let ran = ws.run(&["history", "User/u-1"]).exits(0);
        for value in VALUES {
            assert!(ran.stdout.contains(value), "{value}: {ran}");
        }
        let as_text = match ws.engine {
            "sqlite" => "hex(head)",
            _ => "encode(head, 'hex')",
        };
        let heads = format!("SELECT {as_text} FROM runs WHERE id <= 3 ORDER BY id");
        let before = ws.column(&heads);
        assert_eq!(before.len(), 3);
        let erase = ["erase", "u-1", "--confirm", "u-1", "--reason", "asked"];
        ws.run(&erase).exits(0);
        assert_eq!(left(&ws), ["create {}", "update {}", "block {}"]);
        ws.run(&["history", "--verify"]).exits(0);
        let erased = ws.value("SELECT fields FROM changes WHERE verb = 'erase'");
        assert_eq!(erased.as_deref(), Some("{}"));
        assert_eq!(ws.column(&heads), before);
        // Others keep their history.
        let ran = ws.run(&["history", "User/u-2"]).exits(0);
        assert!(ran.stdout.contains("FOC_"), "{ran}");
    }
}

#[test]
fn values_that_an_earlier_version_put_into_the_chain_go_too() {
    for ws in each("old-values") {
        started(&ws);
        ws.sql("UPDATE changes SET fields = '{\"company\": [\"Zorgbolaget\"]}' WHERE kind = 'User' AND external_id = 'u-1' AND verb = 'create'");
        let erase = ["erase", "u-1", "--confirm", "u-1", "--reason", "asked"];
        let ran = ws.run(&erase).exits(0);
        let reply: Map<String, Value> = serde_json::from_str(&ran.stdout).expect("a reply");
        // Nobody but Roster may write there, and the erasure says so.
        let warnings = reply["warnings"].as_array().expect("warnings").iter();
        let warned = warnings.filter_map(|warning| warning["message"].as_str());
        let broken = warned.filter(|message| message.contains("broken before"));
        assert_eq!(broken.count(), 1, "{reply:?}");
        assert_eq!(left(&ws), ["create {}", "update {}", "block {}"]);
    }
}

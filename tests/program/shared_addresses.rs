//! An address that several accounts have: a plan that changes it names them all, wherever it is read.

use crate::support::workspace::{account, each, user};

const SHARED: &str = "---\nkind: Address\nexternalId: depot\nfullName: Depot\nstreet: STREET\n\
    zipCode: 411 18\ncity: Göteborg\ncountry: SE\n";

#[test]
fn a_plan_names_the_accounts_that_share_an_address() {
    for ws in each("shared") {
        let tree = |street: &str, more: &str| {
            let mut yaml = SHARED.replace("STREET", street);
            for id in ["acme", "beta", "cord"] {
                let addresses = if id == "cord" { more } else { "[{ref: depot}]" };
                yaml += &account(id, &format!("addresses: {addresses}"));
                yaml += &user(&format!("u-{id}"), id, "");
            }
            yaml
        };
        let own = "[{externalId: at-cord, fullName: Cord, street: Torget 1, zipCode: 411 18, city: Göteborg, country: SE}]";
        ws.tree(tree("Hamngatan 1", own));
        ws.settle(&[]);
        ws.tree(tree("Hamngatan 2", own).replace("Torget 1", "Torget 2"));
        let plan = ws.plan(&[]).exits(0).plans()[0].clone();
        let steps = plan["steps"].as_array().expect("steps");
        let accounts = |id: &str| {
            let step = steps.iter().find(|step| step["externalId"] == id);
            step.expect("a step")["accounts"].clone()
        };
        assert_eq!(accounts("depot"), serde_json::json!(["acme", "beta"]));
        // Nobody shares it, so nobody has to be named.
        assert_eq!(accounts("at-cord"), serde_json::Value::Null);
        for (output, line) in [
            ("text", "      shared by 2 accounts: acme, beta\n"),
            (
                "markdown",
                "- **Address** `Address/depot` `shared by 2 accounts: acme, beta`\n",
            ),
        ] {
            let shown = ws.plan(&["--output", output]).exits(0).stdout;
            assert!(shown.contains(line), "{shown}");
        }
        ws.settle(&[]);
    }
}

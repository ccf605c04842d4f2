//! What the messages of a plan do not say: what is not so.

use crate::support::workspace::{account, each, user};

#[test]
fn a_field_with_an_error_is_not_called_released() {
    for ws in each("no release") {
        let tree = |company: &str| {
            account("acme", "")
                + &user("u-1", "acme", company)
                + "---\nkind: CustomField\nexternalId: born\nappliesTo: user\nname: Born\ntype: date\n"
        };
        ws.tree(tree("company: Old\ncustomFields: {born: 1980-02-29}"));
        ws.settle(&[]);
        ws.tree(tree("company: [a, b]\ncustomFields: {born: 1981-02-29}"));
        let planned = ws.plan(&[]).exits(1);
        let found = planned.codes("error");
        assert!(
            found.len() == 2 && found.contains("wrong-type"),
            "{planned}"
        );
        assert!(
            !planned.codes("note").contains("field-released"),
            "{planned}"
        );
        // Where it is not an error, it is said.
        ws.tree(tree("company: Old"));
        let planned = ws.plan(&[]).exits(0);
        assert!(
            planned.codes("note").contains("field-released"),
            "{planned}"
        );
    }
}

#[test]
fn what_is_declared_inactive_is_said_where_it_is_and_not_where_it_was() {
    for ws in each("inactive") {
        let tree = |more: &str| {
            account("acme", "") + &user("u-1", "acme", more) + &user("u-2", "acme", "")
        };
        ws.tree(tree(""));
        ws.settle(&[]);
        for more in [
            "status: inactive",
            "status: inactive\nphone: \"+4611111111\"",
            "phone: \"+4611111111\"\nstatus: inactive",
        ] {
            ws.tree(tree(more));
            let planned = ws.run(&["plan", "manifests", "--output", "text"]).exits(0);
            assert!(planned.stdout.contains("User/u-1  all.yaml:"), "{planned}");
            assert!(!planned.stdout.contains("was "), "{planned}");
        }
        // Of what is no longer declared it says where it was.
        ws.tree(account("acme", "") + &user("u-2", "acme", ""));
        let planned = ws.run(&["plan", "manifests", "--output", "text"]).exits(0);
        assert!(planned.stdout.contains("was all.yaml:"), "{planned}");
    }
}

#[test]
fn an_id_that_another_source_declares_need_not_be_corrected() {
    for ws in each("declared there") {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources:\n  - {name: erp, directory: erp}\n  - {name: git, directory: git}\n",
        );
        // The account is not created, for a reason of its own.
        ws.write(
            "erp/all.yaml",
            account("acme", "website: \"not a website\""),
        );
        ws.write(
            "git/all.yaml",
            user("u-1", "acme", "") + &user("u-2", "acne", ""),
        );
        let planned = ws.run(&["plan", "--output", "text"]);
        assert!(planned.stdout.contains("acme"), "{planned}");
        let about = |id: &str| {
            let after = planned.stdout.split(&format!("User/{id} ")).nth(1);
            after
                .unwrap_or_default()
                .split("\nerror")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        assert!(!about("u-1").contains("Correct the id"), "{planned}");
        assert!(about("u-2").contains("Correct the id"), "{planned}");
    }
}

#[test]
fn validate_and_plan_name_the_other_source_that_has_what_is_missing() {
    for ws in each("same words") {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources:\n  - {name: erp, directory: erp}\n  - {name: git, directory: git}\n",
        );
        ws.write("erp/all.yaml", account("acme", "status: inactive"));
        let settings = "---\nkind: Settings\nuserGroups: [FOC_User, Press]\n";
        ws.write("git/all.yaml", user("u-1", "acme", "") + settings);
        let said = ws.run(&["validate", "--output", "text"]);
        assert!(
            said.stdout
                .contains("Source erp declares Account/acme. Apply it first"),
            "{said}"
        );
        // What settings of another source allow is named, too.
        ws.write("git/all.yaml", settings);
        ws.write(
            "erp/all.yaml",
            account("acme", "") + &user("u-1", "acme", "groups: [Press]"),
        );
        let said = ws.run(&["plan", "--output", "text"]);
        assert!(
            said.stdout
                .contains("Source git sets `userGroups`. Apply it first"),
            "{said}"
        );
        // A list that is stated is planned as it is stored later: without its defaults.
        ws.write("erp/all.yaml", settings);
        ws.write(
            "git/all.yaml",
            account("acme", "") + &user("u-1", "acme", "groups: [Pres]"),
        );
        let said = ws.run(&["plan", "--output", "text"]);
        assert!(said.stdout.contains("one of FOC_User, Press"), "{said}");
    }
}

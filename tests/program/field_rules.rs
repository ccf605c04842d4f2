//! Rules on single fields: birthdays are not in the future, and ids of custom fields are for programs.

use crate::support::workspace::{account, each, user};

#[test]
fn nobody_is_born_in_the_future() {
    for ws in each("birthdays") {
        let tree = |day: &str| {
            let settings = "settings: [{externalId: settings, paymentProvider: true}]\n---\n";
            let legal = format!(
                "legalUser: {{firstName: A, lastName: B, birthday: {day}, nationality: SE, countryOfResidence: SE}}"
            );
            settings.to_owned() + &account("acme", &legal) + &user("u-1", "acme", "")
        };
        ws.tree(tree("2199-12-31"));
        for command in ["validate", "plan"] {
            let ran = ws.run(&[command, "manifests"]).exits(1);
            assert!(ran.findings().contains("error date Account/acme"), "{ran}");
        }
        ws.tree(tree("1979-05-02"));
        ws.settle(&[]);
        ws.tree(tree("2199-12-31"));
        let ran = ws.apply(&[]).exits(1);
        assert!(ran.findings().contains("error date Account/acme"), "{ran}");
        ws.tree(tree("2001-02-03"));
        ws.settle(&[]);
    }
}

#[test]
fn a_custom_field_has_an_id_for_programs_and_a_name_for_people() {
    for ws in each("custom-ids") {
        let field = |id: &str, name: &str| {
            format!(
                "customFields: [{{externalId: {id}, name: {name}, appliesTo: account, type: text}}]\n"
            )
        };
        for (id, name) in [
            ("credit", "credit"),
            ("crédit", "Credit"),
            ("credit class", "Credit"),
        ] {
            ws.tree(field(id, name));
            let ran = ws.run(&["validate", "manifests"]).exits(1);
            assert!(ran.codes("error").contains("id-format"), "{id}: {ran}");
        }
        ws.tree(field("credit", "Credit"));
        ws.settle(&[]);
        ws.tree(field("credit", "credit"));
        assert!(ws.apply(&[]).exits(1).codes("error").contains("id-format"));
    }
}

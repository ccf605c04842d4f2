//! Rules on single fields: birthdays are not in the future, and ids of custom fields are for programs.

use crate::support::workspace::{Ran, account, each, user};

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

/// Where `notify` without an address is said: path, line and column.
fn untold(ran: &Ran) -> Vec<String> {
    let plans = ran.plans();
    let all = plans[0]["diagnostics"].as_array().expect("diagnostics");
    let untold = all
        .iter()
        .filter(|found| found["code"] == "notify-no-email");
    let place = |found: &serde_json::Value| {
        assert_eq!(found["severity"], "warning", "{found}");
        let origin = &found["origin"];
        let path = origin["path"].as_str().expect("a path");
        format!("{path}:{}:{}", origin["line"], origin["column"])
    };
    untold.map(place).collect()
}

#[test]
fn whoever_is_to_be_told_by_mail_without_an_address_is_named_with_the_place() {
    for ws in each("untold") {
        let settings = "settings: [{externalId: settings, optionalFields: [User.email]}]\n";
        let directory = settings.to_owned() + &account("acme", "");
        ws.tree(directory.clone() + &user("boss", "acme", "email:\nnotify: true"));
        let ran = ws.apply(&[]).exits(0);
        assert_eq!(untold(&ran), ["all.yaml:19:9"], "{ran}");
        ws.tree(directory + &user("boss", "acme", "notify: true"));
        assert_eq!(untold(&ws.apply(&[]).exits(0)), Vec::<String>::new());

        let mapping = "apiVersion: roster/v1\nname: logins\nusers:\n  externalId: id\n  fields:\n    civility: {constant: MR}\n    firstName: id\n    lastName: {constant: Berg}\n    email: email\n    phone: {constant: '+4663123456'}\n    groups: {constant: FOC_User}\n    accounts: {constant: acme}\n    notify: tell\n";
        ws.write("map.yaml", mapping);
        ws.write(
            "logins.csv",
            "id;email;tell\nann;;true\nbo;bo@x.example;true\neve;;false\n",
        );
        let import = ["import", "logins.csv", "--mapping", "map.yaml", "--yes"];
        let ran = ws.run(&import).exits(0);
        assert_eq!(untold(&ran), ["logins.csv:2:6"], "{ran}");
        let mails = "SELECT user_id FROM invitations WHERE user_id <> 'boss'";
        assert_eq!(ws.column(mails), [Some("bo".to_owned())], "{}", ws.engine);
    }
}

//! Login names: a customer number with a running number, given once and never again.

use crate::support::workspace::{Workspace, each};

fn user(id: &str, accounts: &str) -> String {
    format!(
        "  - {{externalId: {id}, civility: MRS, firstName: Eva, lastName: Lund, email: {id}@acme.example, \
         phone: \"+4623101010\", groups: [FOC_User], accounts: [{accounts}]}}\n"
    )
}

fn directory(mode: &str, users: &[String]) -> String {
    let users = users.concat();
    format!(
        "settings: [{{externalId: settings, loginMode: {mode}, firstUser: \"off\"}}]
accounts:
  - externalId: acme
    name: Acme
    customerNumber: '1042'
    companyRegistrationName: Acme AB
    businessRegistrationNumber: 556900-1122
    addresses: [{{externalId: falun, fullName: Acme, street: Åsgatan 9, zipCode: 791 71, city: Falun, country: SE}}]
users:
{users}"
    )
}

fn login(ws: &Workspace, user: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT max(name) FROM user_logins WHERE user_id = '{user}' AND account_id = 'acme'"
    ))
}

fn logins(ws: &Workspace, users: &[&str]) -> Vec<Option<String>> {
    users.iter().map(|user| login(ws, user)).collect()
}

fn named(numbers: &[u32]) -> Vec<Option<String>> {
    let names = numbers.iter().map(|number| Some(format!("1042-{number}")));
    names.collect()
}

#[test]
fn names_follow_the_order_of_the_lines() {
    for ws in each("logins-lines") {
        let mut users = vec![
            user("zoe", "acme"),
            user("mia", "acme"),
            user("ada", "acme"),
        ];
        ws.tree(directory("customer-number", &users));
        ws.apply(&[]).exits(0);
        assert_eq!(logins(&ws, &["zoe", "mia", "ada"]), named(&[1, 2, 3]));

        // A line above the others that comes later gets a later number.
        users.insert(0, user("bea", "acme"));
        users.push(user("abe", "acme"));
        ws.tree(directory("customer-number", &users));
        ws.settle(&[]);
        assert_eq!(logins(&ws, &["bea", "abe"]), named(&[4, 5]));
        assert_eq!(logins(&ws, &["zoe", "mia", "ada"]), named(&[1, 2, 3]));
    }
}

#[test]
fn switching_names_everybody_in_the_order_of_the_ids() {
    for ws in each("logins-switch") {
        let users = [user("zoe", "acme"), user("ada", "acme")];
        ws.tree(directory("email", &users));
        ws.apply(&[]).exits(0);
        assert_eq!(logins(&ws, &["zoe", "ada"]), [None, None]);
        ws.tree(directory("both", &users));
        ws.settle(&[]);
        assert_eq!(logins(&ws, &["ada", "zoe"]), named(&[1, 2]));
    }
}

#[test]
fn links_that_a_shop_makes_are_named_by_the_next_apply() {
    for ws in each("logins-shop") {
        let users = [user("zoe", "acme")];
        ws.tree(directory("customer-number", &users));
        ws.apply(&[]).exits(0);
        ws.sql(
            "INSERT INTO users (external_id, first_name, last_name, email) \
             VALUES ('shop-1', 'Bo', 'Ek', 'bo@acme.example')",
        );
        ws.sql("INSERT INTO user_accounts (user_id, account_id) VALUES ('shop-1', 'acme')");
        assert_eq!(login(&ws, "shop-1"), None);
        // No manifest has to change for it.
        ws.settle(&[]);
        assert_eq!(logins(&ws, &["zoe", "shop-1"]), named(&[1, 2]));
        // The number of a link that went is not given to the same person either.
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'shop-1'");
        ws.sql("DELETE FROM user_logins WHERE user_id = 'shop-1'");
        ws.sql("INSERT INTO user_accounts (user_id, account_id) VALUES ('shop-1', 'acme')");
        ws.apply(&[]).exits(0);
        assert_eq!(logins(&ws, &["shop-1"]), named(&[3]));
    }
}

#[test]
fn a_link_that_a_shop_removes_keeps_its_name_for_when_it_is_back() {
    for ws in each("logins-back") {
        let eve = "acme, {account: acme2}";
        let more = "  - externalId: acme2\n    name: Acme 2\n    customerNumber: '1043'\n    \
                    companyRegistrationName: Acme 2 AB\n    businessRegistrationNumber: 556900-1123\n    \
                    addresses: [{ref: falun}]\nusers:\n";
        let users = [user("eve", eve), user("zoe", "acme")];
        let declared = directory("customer-number", &users).replacen("users:\n", more, 1);
        ws.tree(&*declared);
        ws.apply(&[]).exits(0);
        assert_eq!(logins(&ws, &["eve", "zoe"]), named(&[1, 2]));
        let shown = |ws: &Workspace| ws.run(&["get", "User", "eve", "--output", "json"]).stdout;
        assert!(shown(&ws).contains("1042-1"));
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'eve' AND account_id = 'acme'");
        assert!(!shown(&ws).contains("1042-1"));
        // Another change is not kept waiting, and the link comes back once a person says so.
        ws.tree(declared.replace("name: Acme\n", "name: Acme AB\n"));
        let held = ws.apply(&[]).exits(3);
        ws.approve(&held.hold("reactivation"));
        ws.apply(&[]).exits(0);
        assert_eq!(logins(&ws, &["eve", "zoe"]), named(&[1, 2]));
        assert!(shown(&ws).contains("1042-1"));
        ws.settle(&[]);
        // With new links beside it.
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'eve' AND account_id = 'acme'");
        let declared = declared + &user("new", "acme");
        ws.tree(&*declared);
        let held = ws.apply(&[]).exits(3);
        assert_eq!(logins(&ws, &["new"]), named(&[3]));
        ws.approve(&held.hold("reactivation"));
        ws.apply(&[]).exits(0);
        assert_eq!(logins(&ws, &["eve", "zoe", "new"]), named(&[1, 2, 3]));
    }
}

#[test]
fn people_who_share_an_email_refuse_a_login_by_email() {
    for ws in each("logins-shared") {
        let shared = user("ada", "acme").replace("ada@", "ZOE@");
        let users = [user("zoe", "acme"), shared, user("mia", "acme")];
        ws.tree(directory("customer-number", &users));
        ws.apply(&[]).exits(0);
        for mode in ["email", "both"] {
            ws.tree(directory(mode, &users));
            let refused = ws.apply(&[]).exits(1);
            let said = refused.stdout + &refused.stderr;
            assert!(
                said.contains("email-duplicate") && said.contains("User/ada"),
                "{said}"
            );
            let stored = ws.value("SELECT login_mode FROM settings");
            assert_eq!(stored.as_deref(), Some("customer-number"));
        }
    }
}

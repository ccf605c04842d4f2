//! What comes into use is judged as if it were created; what a switch of the settings breaks is
//! this plan's doing.

use crate::support::workspace::{Ran, Workspace, account, each, user};

#[track_caller]
fn plan(ws: &Workspace, code: i32) -> Ran {
    ws.plan(&[]).exits(code)
}

#[track_caller]
fn refuses(ws: &Workspace, finding: &str) {
    let plan = plan(ws, 1);
    let found = plan.findings();
    assert!(found.contains(finding), "{}: {plan}", ws.engine);
    let applied = ws.apply(&[]).exits(1);
    assert_eq!(applied.steps(), Vec::<String>::new(), "{}", ws.engine);
}

#[test]
fn an_account_set_active_needs_a_user_as_one_created_active_does() {
    for ws in each("account active") {
        ws.tree(account("acme", "status: inactive"));
        ws.settle(&[]);
        ws.tree(account("acme", "status: active"));
        refuses(&ws, "error account-without-user Account/acme");
        // Also when the status is only no longer written.
        ws.tree(account("acme", ""));
        refuses(&ws, "error account-without-user Account/acme");
        ws.tree(account("acme", "status: active") + &user("u-1", "acme", ""));
        ws.settle(&[]);
    }
}

#[test]
fn a_user_set_active_belongs_somewhere_and_shares_no_e_mail() {
    for ws in each("user active") {
        let base = account("acme", "") + &user("u-1", "acme", "");
        let twin = |status: &str| {
            user(
                "u-2",
                "acme",
                &format!("email: U-1@roster.example\nstatus: {status}"),
            )
        };
        ws.tree(base.clone() + &twin("inactive"));
        ws.settle(&[]);
        ws.tree(base.clone() + &twin("active"));
        refuses(&ws, "error email-duplicate User/u-2");
        // Somebody took the account away from an inactive user.
        let alone = |status: &str| user("u-3", "acme", &format!("status: {status}"));
        ws.tree(base.clone() + &alone("inactive"));
        ws.settle(&[]);
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'u-3'");
        let without = "---\nkind: User\nexternalId: u-3\nstatus: active\n";
        ws.tree(base + without);
        refuses(&ws, "error user-without-account User/u-3");
    }
}

#[test]
fn an_organisation_set_active_needs_an_active_account() {
    for ws in each("organisation active") {
        let office = |status: &str| {
            format!(
                "---\nkind: Organisation\nexternalId: o-1\nname: O\naccount: acme\nstatus: {status}\n"
            )
        };
        let people = user("u-1", "acme", "");
        ws.tree(account("acme", "") + &people + &office("inactive"));
        ws.settle(&[]);
        ws.tree(account("acme", "status: inactive") + &people + &office("inactive"));
        ws.apply(&[]).exits(0);
        ws.tree(account("acme", "status: inactive") + &people + &office("active"));
        refuses(&ws, "error reference-inactive Organisation/o-1");
        ws.tree(account("acme", "status: active") + &people + &office("active"));
        ws.settle(&[]);
    }
}

fn policy(status: &str, approver: &str) -> String {
    format!(
        "---\nkind: Policy\nexternalId: p-1\nname: P\naccount: acme\nreviewed: [u-1]\napprovers: [{approver}]\nstatus: {status}\n"
    )
}

#[test]
fn a_policy_set_active_needs_an_active_approver() {
    for ws in each("policy active") {
        let people = |status: &str| {
            account("acme", "")
                + &user("u-1", "acme", "")
                + &user("u-2", "acme", &format!("status: {status}"))
        };
        ws.tree(people("active") + &policy("inactive", "u-2"));
        ws.settle(&[]);
        ws.tree(people("inactive") + &policy("inactive", "u-2"));
        ws.apply(&[]).exits(0);
        ws.tree(people("inactive") + &policy("active", "u-2"));
        refuses(&ws, "error policy-approvers Policy/p-1");
    }
}

#[test]
fn the_rules_of_a_policy_hold_while_it_is_active() {
    for ws in each("policy going") {
        let people = |account_of: &str| {
            account("acme", "")
                + &account("beta", "")
                + &account("gamma", "")
                + &user("u-1", account_of, "")
                + &user("u-2", "acme", "")
                + &user("u-3", "beta", "")
                // So many that one who changes company is no large share of those who see more.
                + &user("u-4", "gamma", "")
                + &user("u-5", "gamma", "")
        };
        for last in ["inactive", "gone"] {
            ws.tree(people("acme") + &policy("active", "u-2"));
            ws.apply(&[]).exits(0);
            ws.tree(people("beta") + &policy("active", "u-2"));
            refuses(&ws, "error policy-foreign-user Policy/p-1");
            let policy = if last == "gone" {
                String::new()
            } else {
                policy(last, "u-2")
            };
            ws.tree(people("beta") + &policy);
            let plan = plan(&ws, 0);
            assert_eq!(
                plan.steps(),
                ["update User/u-1", "deactivate Policy/p-1"],
                "{}: {plan}",
                ws.engine
            );
        }
    }
}

#[test]
fn a_policy_that_is_declared_elsewhere_is_refused_at_the_user() {
    for ws in each("policy elsewhere") {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: a, directory: a}, {name: b, directory: b}]\n",
        );
        let people = |of: &str| {
            account("acme", "")
                + &account("beta", "")
                + &user("u-1", of, "")
                + &user("u-2", "acme", "")
                + &user("u-3", "beta", "")
        };
        ws.write("a/all.yaml", people("acme"))
            .write("b/all.yaml", policy("active", "u-2"));
        ws.run(&["apply", "--yes"]).exits(0);
        ws.write("a/all.yaml", people("beta"));
        let plan = ws.run(&["plan"]).exits(1);
        let found = &plan.plans()[0]["diagnostics"][0];
        assert_eq!(found["code"], "policy-foreign-user", "{plan}");
        assert_eq!(found["origin"]["path"], "all.yaml", "{plan}");
    }
}

#[test]
fn a_row_removed_by_hand_is_held_though_its_manifest_could_not_create_it() {
    for ws in each("removed by hand") {
        let full = account("acme", "") + &user("u-1", "acme", "") + &user("u-2", "acme", "");
        ws.tree(full);
        ws.settle(&[]);
        // What is stored already need not be said again.
        let short = "---\nkind: User\nexternalId: u-2\nphone: \"+4611111111\"\n";
        let base = account("acme", "") + &user("u-1", "acme", "");
        ws.tree(base.clone() + short);
        ws.settle(&[]);
        ws.sql("DELETE FROM users WHERE external_id = 'u-2'");
        ws.tree(base.replace("name: acme", "name: Acme") + short);
        let plan = plan(&ws, 3);
        assert_eq!(
            plan.held(),
            ["reactivation User/u-2"],
            "{}: {plan}",
            ws.engine
        );
        assert_eq!(
            plan.changes(),
            ["update Account/acme: name"],
            "{}: {plan}",
            ws.engine
        );
        assert!(
            plan.findings().contains("warning required User/u-2"),
            "{}: {plan}",
            ws.engine
        );
        let hold = plan.hold("reactivation");
        ws.apply(&[]).exits(3);
        // Approved, it is still not valid, and nothing else is refused.
        ws.approve(&hold);
        let plan = self::plan(&ws, 1);
        assert_eq!(plan.held(), ["required User/u-2"], "{}: {plan}", ws.engine);
        assert_eq!(ws.value("SELECT count(*) FROM users").as_deref(), Some("1"));
    }
}

fn settings(more: &str) -> String {
    format!("---\nkind: Settings\n{more}\n")
}

#[test]
fn switching_to_e_mail_names_every_pair_that_shares_one() {
    for ws in each("login mode") {
        let number = |id: &str, n: u32| account(id, &format!("customerNumber: \"{n}\""));
        let people = number("acme", 1)
            + &number("beta", 2)
            + &user("u-1", "acme", "email: j@x.example")
            + &user("u-2", "acme", "email: J@x.example")
            + &user("u-3", "beta", "email: k@x.example")
            + &user("u-4", "beta", "email: K@x.example");
        ws.tree(settings("loginMode: customer-number") + &people);
        ws.apply(&[]).exits(0);
        for mode in ["email", "both"] {
            ws.tree(settings(&format!("loginMode: {mode}")) + &people);
            refuses(&ws, "error email-duplicate User/u-2");
            refuses(&ws, "error email-duplicate User/u-4");
        }
        // Held, when errors are held: the switch, and nothing else.
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests, onError: hold}]\n");
        ws.tree(settings("loginMode: email") + &people.replace("name: beta", "name: Beta"));
        let plan = ws.run(&["plan"]).exits(1);
        assert_eq!(
            plan.changes(),
            ["update Account/beta: name"],
            "{}: {plan}",
            ws.engine
        );
        assert_eq!(
            plan.held(),
            ["email-duplicate Settings/settings"],
            "{}: {plan}",
            ws.engine
        );
    }
}

#[test]
fn a_switch_of_the_settings_is_judged_by_all_that_is_stored() {
    for ws in each("switches") {
        let people = account(
            "acme",
            "legalUser: {firstName: A, lastName: B, birthday: 1980-01-01, nationality: SE, countryOfResidence: SE}",
        ) + &user("u-1", "acme", "groups: [Buyers]\nphone: \"\"")
            + "---\nkind: Organisation\nexternalId: o-1\nname: O\naccount: acme\n"
            + "---\nkind: Organisation\nexternalId: o-2\nname: O\naccount: acme\nparent: o-1\n";
        let before = "userGroups: [Buyers, FOC_User]\noptionalFields: [User.phone]\npaymentProvider: true\norganisationDepth: 2\nfirstUser: off";
        ws.tree(settings(before) + &people + &account("beta", ""));
        ws.settle(&[]);
        for (old, new, finding) in [
            ("[Buyers, FOC_User]", "[FOC_User]", "error enum User/u-1"),
            (
                "[User.phone]",
                "[User.civility]",
                "error required Settings/settings",
            ),
            (
                "paymentProvider: true",
                "paymentProvider: false",
                "error legal-user Account/acme",
            ),
            (
                "organisationDepth: 2",
                "organisationDepth: 1",
                "error organisation-depth Organisation/o-2",
            ),
            (
                "loginMode: email",
                "loginMode: customer-number",
                "error customer-number-missing Settings/settings",
            ),
        ] {
            let before = format!("{before}\nloginMode: email");
            ws.tree(settings(&before.replace(old, new)) + &people + &account("beta", ""));
            refuses(&ws, finding);
        }
        // The rule of the first user is about what comes into use.
        ws.tree(
            settings(&before.replace("firstUser: off", "firstUser: required"))
                + &people
                + &account("beta", ""),
        );
        let plan = plan(&ws, 0);
        assert!(
            plan.findings()
                .contains("warning account-without-user Settings/settings"),
            "{}: {plan}",
            ws.engine
        );
    }
}

#[test]
fn a_fault_that_was_stored_stays_a_warning_whatever_else_is_right() {
    for ws in each("stored fault") {
        let people = account("acme", "") + &user("u-1", "acme", "");
        ws.tree(people.clone());
        ws.settle(&[]);
        ws.sql("INSERT INTO user_groups VALUES ('u-1', 'Nobody')");
        ws.sql("UPDATE users SET phone = phone");
        ws.tree(settings("userGroups: [FOC_Admin, FOC_User, FOC_Webmaster, Buyers]") + &people);
        let plan = ws.plan(&[]);
        assert_eq!(plan.codes("error"), [].into(), "{}: {plan}", ws.engine);
    }
}

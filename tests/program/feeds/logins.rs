//! Login names that an export brings along: taken over once, never given to two people, and the
//! counter goes on behind them.

use super::column;
use crate::support::workspace::{Ran, Workspace, account, each, user};

const MAPPING: &str = "
apiVersion: roster/v1
name: logins
users:
  externalId: id
  login: login
  fields:
    civility: {constant: MR}
    firstName: id
    lastName: {constant: Berg}
    email: {template: '{id}@x.example'}
    phone: {constant: '+4663123456'}
    groups: {constant: FOC_User}
    accounts: {column: account, list: replace}
    accounts.level: {column: level, values: {administratör: administrator, användare: user}}
";

fn started(ws: &Workspace, mode: &str) {
    let settings = format!("settings: [{{externalId: settings, loginMode: {mode}}}]\n---\n");
    let acme = account("acme", "customerNumber: '1042'") + &user("boss", "acme", "");
    let beta = account("beta", "customerNumber: SE-7") + &user("chef", "beta", "");
    ws.tree(settings + &acme + &beta);
    ws.apply(&[]).exits(0);
    ws.write("map.yaml", MAPPING);
}

fn import(ws: &Workspace, rows: &[[&str; 3]]) -> Ran {
    let mut text = "id;account;level;login\n".to_owned();
    for [id, account, login] in rows {
        text += &format!("{id};{account};Administratör;{login}\n");
    }
    ws.write("logins.csv", text);
    ws.run(&["import", "logins.csv", "--mapping", "map.yaml", "--yes"])
}

fn names(ws: &Workspace) -> Vec<String> {
    let sql = "SELECT user_id || ' ' || account_id || ' ' || name FROM user_logins ORDER BY 1";
    column(ws, sql)
}

#[test]
fn people_keep_their_logins_and_new_ones_come_behind_them() {
    for ws in each("kept-logins") {
        started(&ws, "customer-number");
        let rows = [
            ["new", "acme", ""],
            ["pia", "acme", "1042-7"],
            ["ann", "beta", "SE-7-3"],
            ["last", "acme", ""],
        ];
        let ran = import(&ws, &rows).exits(0);
        assert_eq!(
            ran.plans()[0]["logins"].as_array().map(Vec::len),
            Some(2),
            "{ran}"
        );
        let expected = [
            "ann beta SE-7-3",
            "boss acme 1042-1",
            "chef beta SE-7-1",
            "last acme 1042-9",
            "new acme 1042-8",
            "pia acme 1042-7",
        ];
        assert_eq!(names(&ws), expected, "{}", ws.engine);
        let levels = "SELECT level FROM user_accounts WHERE user_id = 'pia'";
        assert_eq!(ws.value(levels).as_deref(), Some("administrator"));
        // The same file again, and a plan of everything.
        let again = import(&ws, &rows).exits(0);
        assert_eq!(again.steps(), Vec::<String>::new(), "{again}");
        assert_eq!(names(&ws), expected);
        ws.plan(&["--detailed-exitcode"]).exits(0);
        ws.run(&["history", "--verify"]).exits(0);

        // Nobody gets a name that anybody has, or had, or two names, or one of another account.
        ws.sql("DELETE FROM user_logins WHERE user_id = 'pia'");
        for (row, reason) in [
            (
                ["x", "acme", "1042-1"],
                "`1042-1` is the login of User/boss",
            ),
            (
                ["x", "acme", "1042-7"],
                "`1042-7` was given to somebody before",
            ),
            (
                ["x", "acme", "SE-7-9"],
                "no account of the row has the customer number SE-7",
            ),
            (
                ["x", "acme", "1042"],
                "is not a customer number, a dash and a running number",
            ),
            (
                ["new", "acme", "1042-20"],
                "User/new logs in with `1042-8` already",
            ),
        ] {
            let ran = import(&ws, &[row]).exits(1);
            assert!(
                ran.findings()
                    .contains(&format!("error login-taken User/{}", row[0])),
                "{ran}"
            );
            assert!(ran.stdout.contains(reason), "{reason}: {ran}");
        }
        let two = [["x", "acme", "1042-30"], ["y", "acme", "1042-30"]];
        let ran = import(&ws, &two).exits(1);
        assert!(ran.findings().contains("error login-taken User/y"), "{ran}");
        let left = "SELECT count(*) FROM user_logins WHERE name LIKE '%-30' OR name LIKE '%-20'";
        let known = ran
            .steps()
            .iter()
            .filter(|step| step.ends_with("User/x"))
            .count();
        assert_eq!(ws.value(left), Some(known.to_string()), "{ran}");
    }
}

#[test]
fn logins_are_taken_over_before_people_log_in_with_them() {
    for ws in each("early-logins") {
        started(&ws, "email");
        import(&ws, &[["pia", "acme", ""], ["eva", "acme", "1042-2"]]).exits(0);
        assert_eq!(names(&ws), ["eva acme 1042-2"], "{}", ws.engine);
        // A link that is there already gets its name too.
        import(&ws, &[["pia", "acme", "1042-5"], ["eva", "acme", "1042-2"]]).exits(0);
        assert_eq!(names(&ws), ["eva acme 1042-2", "pia acme 1042-5"]);
        let settings = "settings: [{externalId: settings, loginMode: customer-number}]\n---\n";
        let acme = account("acme", "customerNumber: '1042'") + &user("boss", "acme", "");
        let beta = account("beta", "customerNumber: SE-7") + &user("chef", "beta", "");
        ws.tree(settings.to_owned() + &acme + &beta);
        ws.settle(&[]);
        let expected = [
            "boss acme 1042-6",
            "chef beta SE-7-1",
            "eva acme 1042-2",
            "pia acme 1042-5",
        ];
        assert_eq!(names(&ws), expected, "{}", ws.engine);
    }
}

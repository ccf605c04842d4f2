//! Passwords in the rows of an export: only a hash of them is kept, and one that was applied changes
//! nothing any more.

use super::column;
use crate::support::program::dump;
use crate::support::workspace::{Ran, Workspace, account, each, user};

const MAPPING: &str = "
apiVersion: roster/v1
name: logins
users:
  externalId: id
  password: start word
  fields:
    civility: {constant: MR}
    firstName: first
    lastName: {constant: Berg}
    email: email
    phone: {constant: '+4663123456'}
    groups: {column: groups, list: replace}
    accounts: {column: account, list: replace}
    notify: {constant: 'true'}
";

fn import(ws: &Workspace, rows: &[[&str; 2]]) -> Ran {
    let mut text = "id;first;email;groups;account;start word\n".to_owned();
    for [id, password] in rows {
        text += &format!("{id};{id};{id}@x.example;FOC_User;acme;{password}\n");
    }
    ws.write("logins.csv", text);
    let arguments = [
        "import",
        "logins.csv",
        "--mapping",
        "map.yaml",
        "--yes",
        "--report",
        "r.csv",
    ];
    let ran = ws.run(&arguments);
    let report = std::fs::read_to_string(ws.path("r.csv")).unwrap_or_default();
    for text in [&ran.stdout, &ran.stderr, &report] {
        assert!(!text.contains("Geheim"), "{text}");
    }
    ran
}

fn hash(ws: &Workspace, id: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT password_hash FROM users WHERE external_id = '{id}'"
    ))
}

#[test]
fn the_password_of_a_row_is_applied_once_and_kept_only_as_a_hash() {
    for ws in each("rows") {
        ws.tree(account("acme", "") + &user("boss", "acme", ""));
        ws.apply(&[]).exits(0);
        ws.write("map.yaml", MAPPING);
        let first = [["p-1", "Geheim123"], ["p-2", ""]];
        let ran = import(&ws, &first).exits(0);
        assert_eq!(ran.steps(), ["create User/p-1", "create User/p-2"]);
        let set = hash(&ws, "p-1").expect("a hash");
        assert!(set.starts_with("$argon2id$"), "{set}");
        assert_eq!(hash(&ws, "p-2"), None);
        let temporary = "SELECT coalesce(password_temporary, '-') FROM users \
                         WHERE external_id LIKE 'p-%' ORDER BY external_id";
        assert_eq!(column(&ws, temporary), ["true", "-"]);
        // With `notify`, both get a link: one to change the password, one to set the first.
        let told =
            "SELECT i.user_id FROM outbox AS o JOIN invitations AS i ON i.id = o.id ORDER BY 1";
        assert_eq!(column(&ws, told), ["p-1", "p-2"]);

        // Every night again, also after the person has set an own one.
        let none = Vec::<String>::new();
        assert_eq!(import(&ws, &first).exits(0).steps(), none);
        ws.sql("UPDATE users SET password_hash = '$argon2id$own', password_temporary = NULL WHERE external_id = 'p-1'");
        assert_eq!(import(&ws, &first).exits(0).steps(), none);
        let changed = [["p-1", "Geheim123"], ["p-2", ""], ["p-3", "Geheim789"]];
        assert_eq!(import(&ws, &changed).exits(0).steps(), ["create User/p-3"]);
        assert_eq!(hash(&ws, "p-1").as_deref(), Some("$argon2id$own"));
        // A blank cell says nothing.
        let blank = [["p-1", ""], ["p-2", ""], ["p-3", ""]];
        assert_eq!(import(&ws, &blank).exits(0).steps(), none);
        assert_eq!(hash(&ws, "p-1").as_deref(), Some("$argon2id$own"));
        // Another one is a change.
        ws.sql("DELETE FROM outbox");
        let other = [["p-1", "Geheim456"], ["p-2", ""], ["p-3", ""]];
        assert_eq!(import(&ws, &other).exits(0).steps(), ["update User/p-1"]);
        assert!(hash(&ws, "p-1").is_some_and(|hash| hash.starts_with("$argon2id$v=")));
        assert_eq!(column(&ws, told), ["p-1"]);
        // A weak one is refused without being shown.
        let weak = [["p-2", "Geheim"]];
        let ran = import(&ws, &weak);
        assert!(ran.codes("error").contains("password-weak"), "{ran}");
        assert_eq!(hash(&ws, "p-2"), None);
        // In a row with a cell too many, any cell may be the password.
        let ran = import(&ws, &[["p-2", "x;Geheim789"]]);
        assert!(ran.codes("error").contains("row-width"), "{ran}");
        assert_eq!(hash(&ws, "p-2"), None);

        // Nothing that shows or writes a user knows of it.
        let shown = ws.run(&["get", "User", "p-1"]).exits(0);
        assert!(!shown.stdout.contains("passwordFrom"), "{shown}");
        let manifests = [
            "import",
            "logins.csv",
            "--mapping",
            "map.yaml",
            "--manifests",
            "out",
        ];
        let written = ws.run(&manifests);
        assert!(!written.stdout.contains("passwordFrom"), "{written}");
        assert_clean(&ws);
    }
}

/// Looks for a password in everything that is stored.
fn assert_clean(ws: &Workspace) {
    let stored = match ws.url.strip_prefix("sqlite:") {
        Some(path) => String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned(),
        None => dump(&ws.url),
    };
    assert!(stored.contains("$argon2id$"));
    assert!(!stored.contains("Geheim"));
}

#[test]
fn a_mapping_takes_passwords_only_for_users_and_only_as_such() {
    let ws = crate::support::workspace::sqlite();
    ws.tree(account("acme", "") + &user("boss", "acme", ""));
    ws.apply(&[]).exits(0);
    for (mapping, part) in [
        (MAPPING.replace("users:", "accounts:"), "has no field"),
        (
            MAPPING.replace(
                "    civility:",
                "    passwordFrom: start word\n    civility:",
            ),
            "write `password: COLUMN` next to `fields:`",
        ),
    ] {
        ws.write("map.yaml", mapping);
        let ran = import(&ws, &[["p-1", ""]]);
        assert!(ran.code != Some(0) && ran.stderr.contains(part), "{ran}");
    }
    // The rows of one person agree.
    ws.write("map.yaml", MAPPING);
    let ran = import(&ws, &[["p-1", "Geheim123"], ["p-1", "Geheim456"]]);
    assert!(
        ran.findings().contains("error row-conflict User/p-1"),
        "{ran}"
    );
    assert_eq!(
        ws.column("SELECT external_id FROM users"),
        [Some("boss".to_owned())]
    );
}

//! Invitations from the command line: drafts, what waits for a daemon, and what the database knows.

use crate::support::workspace::{Workspace, account, each, sqlite, user, users};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const REASON: [&str; 2] = ["--reason", "new customer"];

const MAIL: &str = "mail: {smtp: 'smtp://127.0.0.1:9', from: shop@example.com}\n";

fn configured(more: &str) -> String {
    format!(
        "apiVersion: roster/v1\nsources: [{{name: directory, directory: manifests}}]\n\
         serve: {{url: 'https://roster.example'}}\n{more}"
    )
}

fn started(ws: &Workspace) {
    let users = user("u-1", "acme", "") + &user("u-2", "acme", "");
    ws.tree(account("acme", "") + &users);
    ws.write("roster.yaml", configured(""));
    ws.run(&["apply", "--yes"]).exits(0);
}

fn invite(ws: &Workspace, arguments: &[&str]) -> (Option<i32>, Value) {
    let all = [
        &["user", "invite"],
        arguments,
        &REASON,
        &["--output", "json"],
    ]
    .concat();
    let ran = ws.run(&all);
    let document = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    (ran.code, document)
}

/// The token in a draft.
fn token(path: &Path) -> String {
    let draft = std::fs::read_to_string(path).expect("a draft");
    let (_, rest) = draft
        .split_once("https://roster.example/invitation/")
        .unwrap_or_else(|| panic!("no link: {draft}"));
    rest.lines().next().expect("a line").to_owned()
}

fn hash(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// The hashes of the links that no newer one has replaced.
fn open_hashes(ws: &Workspace) -> Vec<String> {
    let hex = if ws.engine == "sqlite" {
        "hex(token_hash)"
    } else {
        "upper(encode(token_hash, 'hex'))"
    };
    let sql = format!(
        "SELECT {hex} FROM invitations WHERE voided_at IS NULL AND token_hash IS NOT NULL ORDER BY user_id"
    );
    ws.column(&sql).into_iter().flatten().collect()
}

#[test]
fn a_draft_invites_and_only_the_hash_of_its_link_is_stored() {
    for ws in each("draft") {
        started(&ws);
        let (code, reply) = invite(&ws, &["u-1", "u-2", "-o", "drafts"]);
        assert_eq!(code, Some(0), "{reply}");
        let item = |id: &str| json!({"kind": "User", "externalId": id, "before": "unregistered", "after": "invited"});
        assert_eq!(reply["items"], json!([item("u-1"), item("u-2")]));
        let path = ws.path("drafts/u-1.eml");
        let mode = std::fs::metadata(&path).expect("a file").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let draft = std::fs::read_to_string(&path).expect("a draft");
        for part in ["X-Unsent: 1", "<u-1@roster.example>", "Hello Karin Åslund,"] {
            assert!(draft.contains(part), "{part}: {draft}");
        }
        let tokens = ["u-1", "u-2"].map(|id| token(&ws.path(&format!("drafts/{id}.eml"))));
        assert_ne!(tokens[0], tokens[1]);
        assert_eq!(open_hashes(&ws), tokens.each_ref().map(|token| hash(token)));
        let facts = "SELECT access || ' ' || (invited_at IS NOT NULL) FROM users";
        let facts = ws.column(facts).into_iter().flatten();
        assert!(facts.into_iter().all(|fact| fact.starts_with("invited ")));
        for text in everything(&ws) {
            assert!(tokens.iter().all(|token| !text.contains(token)), "{text}");
        }

        // The newer link voids the older one, and an act is no drift.
        let (_, reply) = invite(&ws, &["u-1", "-o", "drafts"]);
        assert_eq!(reply["items"][0]["before"], "invited");
        assert_eq!(reply["items"][0]["after"], "invited");
        let newer = token(&path);
        assert_eq!(open_hashes(&ws), [hash(&newer), hash(&tokens[1])]);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        let shown = ws.run(&["history", "User", "u-1", "--output", "json"]);
        let shown: Value = serde_json::from_str(&shown.exits(0).stdout).expect("a document");
        assert_eq!(shown["items"][0]["verb"], "invite");
        assert_eq!(shown["items"][0]["fields"], json!({}));
        assert_eq!(shown["items"][1]["fields"]["access"]["after"], "invited");
        ws.run(&["history", "--verify"]).exits(0);
    }
}

/// Every row of the tables that an invitation could reach, as text.
fn everything(ws: &Workspace) -> Vec<String> {
    let tables = [
        "invitations",
        "outbox",
        "acts",
        "changes",
        "change_values",
        "act_keys",
        "runs",
    ];
    let mut all = Vec::new();
    for table in tables {
        let columns = if ws.engine == "sqlite" {
            ws.column(&format!("SELECT name FROM pragma_table_info('{table}')"))
        } else {
            ws.column(&format!(
                "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
            ))
        };
        for column in columns.into_iter().flatten() {
            // Bytes as hexadecimal digits.
            let shown = match ws.engine {
                "sqlite" => format!("quote({column})"),
                _ => column.clone(),
            };
            let sql = format!("SELECT {shown} FROM {table} WHERE {column} IS NOT NULL");
            all.extend(ws.column(&sql).into_iter().flatten());
        }
    }
    all
}

#[test]
fn what_is_to_be_sent_waits_in_the_outbox_and_voids_the_draft() {
    for ws in each("waits") {
        started(&ws);
        invite(&ws, &["u-1", "-o", "drafts"]);
        let (code, refused) = invite(&ws, &["u-1", "--send"]);
        assert_eq!(
            (code, &refused["code"]),
            (Some(1), &json!("not-configured"))
        );
        assert_eq!(open_hashes(&ws).len(), 1);

        ws.write("roster.yaml", configured(MAIL));
        let (code, reply) = invite(&ws, &["u-1", "--send"]);
        assert_eq!(code, Some(0), "{reply}");
        // The link is made when it is sent. Until then not even its hash exists.
        assert_eq!(open_hashes(&ws), Vec::<String>::new());
        let waiting = "SELECT target || notice FROM outbox";
        assert_eq!(ws.column(waiting), [Some("invitation{}".to_owned())]);
        // Another one takes its place, also a draft.
        invite(&ws, &["u-1", "--send"]);
        assert_eq!(ws.column(waiting).len(), 1);
        invite(&ws, &["u-1", "-o", "drafts"]);
        assert_eq!(ws.column(waiting).len(), 0);
        assert_eq!(open_hashes(&ws), [hash(&token(&ws.path("drafts/u-1.eml")))]);

        // All or nothing, also for somebody without an address.
        ws.sql("UPDATE users SET email = NULL WHERE external_id = 'u-2'");
        let (code, refused) = invite(&ws, &["u-1", "u-2", "--send"]);
        assert_eq!((code, &refused["code"]), (Some(1), &json!("wrong-state")));
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(
            detail.contains("User/u-2 has no e-mail address"),
            "{detail}"
        );
        assert_eq!(ws.column(waiting).len(), 0);
        let (code, reply) = invite(&ws, &["u-2", "-o", "drafts"]);
        assert_eq!(code, Some(0), "{reply}");
        let (code, refused) = invite(&ws, &["u-1", "u-8", "u-9", "--send"]);
        assert_eq!((code, &refused["ids"]), (Some(1), &json!(["u-8", "u-9"])));
    }
}

#[test]
fn without_an_address_for_links_or_a_folder_nobody_is_invited() {
    let ws = sqlite();
    started(&ws);
    ws.write("occupied", "a file");
    let ran = ws.run(&[&["user", "invite", "u-1", "-o", "occupied"][..], &REASON].concat());
    let ran = ran.exits(1);
    assert!(ran.stderr.contains("pass another folder"), "{}", ran.stderr);
    let no_url = configured("").replace("serve: {url: 'https://roster.example'}\n", "");
    ws.write("roster.yaml", no_url);
    let (code, refused) = invite(&ws, &["u-1", "-o", "drafts"]);
    assert_eq!(
        (code, &refused["code"]),
        (Some(1), &json!("not-configured"))
    );
    assert!(
        refused["detail"]
            .as_str()
            .expect("a detail")
            .contains("`serve.url`")
    );
    // A variable of the daemon counts where it is set.
    let with_variable = configured("").replace("https://roster.example", "${SHOP_URL}");
    ws.write("roster.yaml", with_variable);
    let arguments = [&["user", "invite", "u-1", "-o", "drafts"][..], &REASON].concat();
    ws.run(&arguments).exits(1);
    assert_eq!(ws.column("SELECT id FROM invitations"), []);
    let mut command = ws.command(&arguments);
    command.env("SHOP_URL", "https://roster.example");
    crate::support::workspace::run(&mut command).exits(0);
    assert!(!token(&ws.path("drafts/u-1.eml")).is_empty());
    for wrong in [
        &["u-1", "--send", "-o", "drafts", "--reason", "x"][..],
        &["u-1", "--reason", " "],
        &["--reason", "x"],
        &["u-1"],
    ] {
        ws.run(&[&["user", "invite"], wrong].concat()).exits(64);
    }
}

#[test]
fn nobody_inherits_the_link_of_somebody_who_is_gone() {
    for ws in each("departed") {
        started(&ws);
        ws.write("roster.yaml", configured(MAIL));
        ws.run(&["user", "invite", "u-1", "u-2", "--send", "--reason", "new"])
            .exits(0);
        let waiting =
            "SELECT (SELECT count(*) FROM invitations) || ' ' || (SELECT count(*) FROM outbox)";
        assert_eq!(ws.value(waiting).as_deref(), Some("2 2"));
        // An apply creates a user with an id that had an invitation before.
        ws.sql("UPDATE invitations SET user_id = 'u-3' WHERE user_id = 'u-1'");
        ws.tree(account("acme", "") + &users(1..4, "acme", ""));
        ws.settle(&[]);
        assert_eq!(ws.value(waiting).as_deref(), Some("1 1"));
        let delete = [
            "user",
            "delete",
            "u-2",
            "--confirm",
            "u-2",
            "--reason",
            "asked",
        ];
        ws.run(&delete).exits(0);
        assert_eq!(ws.value(waiting).as_deref(), Some("0 0"));
    }
}

#[test]
fn deleted_identities_take_an_open_link_along() {
    for ws in each("identities") {
        started(&ws);
        invite(&ws, &["u-1", "-o", "drafts"]);
        ws.sql("UPDATE users SET access = 'enabled' WHERE external_id = 'u-1'");
        assert_eq!(open_hashes(&ws).len(), 1);
        ws.run(&["user", "delete-identities", "u-1", "--reason", "left"])
            .exits(0);
        assert_eq!(open_hashes(&ws), Vec::<String>::new());
        // Only a new invitation helps.
        let (_, reply) = invite(&ws, &["u-1", "-o", "drafts"]);
        assert_eq!(reply["items"][0]["after"], "invited");
    }
}

#[test]
fn whoever_cannot_use_the_link_is_named_in_a_warning() {
    for ws in each("unusable") {
        let tree = "settings: [{externalId: settings, optionalFields: [User.accounts]}]\n"
            .to_owned()
            + &account("acme", "")
            + &account("beta", "")
            + &users(0..3, "acme", "")
            + &user("u-8", "beta", "")
            + "---\n{kind: User, externalId: u-9, civility: MR, firstName: A, lastName: B, \
               email: u-9@roster.example, phone: \"+4611\", groups: [FOC_User]}\n";
        ws.tree(&tree);
        ws.write("roster.yaml", configured(""));
        ws.run(&["apply", "--yes"]).exits(0);
        ws.run(&["block", "User/u-0", "Account/beta", "--reason", "x"])
            .exits(0);
        let inactive = user("u-1", "acme", "status: inactive");
        ws.tree(tree.replace(&user("u-1", "acme", ""), &inactive));
        ws.run(&["apply", "--yes"]).exits(0);
        let (code, reply) = invite(&ws, &["u-0", "u-1", "u-2", "u-8", "u-9", "--out", "drafts"]);
        assert_eq!(code, Some(0), "{reply}");
        let warnings = reply["warnings"].as_array().expect("warnings").iter();
        let warnings: Vec<(&str, String)> = warnings
            .map(|warning| {
                let text = |name: &str| warning[name].as_str().expect("a text");
                let words = text("message").split(' ').take(3);
                (text("code"), words.collect::<Vec<_>>().join(" "))
            })
            .collect();
        let code = "invitation-unusable";
        // u-2 can log in with the link, and so can u-9, who needs no account.
        assert_eq!(
            warnings,
            [
                (code, "User/u-0 is blocked;".to_owned()),
                (code, "User/u-1 is inactive;".to_owned()),
                (code, "User/u-8 has no".to_owned()),
            ]
        );
        let ran = ws.run(&["user", "invite", "u-0", "--out", "more", "--reason", "x"]);
        assert!(ran.stdout.contains("is blocked"), "{ran}");
    }
}

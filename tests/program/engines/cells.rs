//! What each cell does on update, for every class of field: the table of the manifests, end to end.

use crate::support::workspace::{Workspace, account, each, run, sqlite, user};

/// What becomes of the field.
#[derive(Clone, Copy)]
enum Then {
    /// It is what it was.
    Keeps,
    /// It has no value, or no members.
    Empty,
    /// It is this.
    Is(&'static str),
    /// The resource is held because of this rule, and the field is what it was.
    Error(&'static str),
}
use Then::{Empty, Error, Is, Keeps};

/// A field of a user: how it is declared first, how it is read back, and cells with what they do.
struct Class {
    name: &'static str,
    first: &'static str,
    query: &'static str,
    cells: &'static [(&'static str, Then)],
}

const CLASSES: &[Class] = &[
    Class {
        name: "standard, optional",
        first: "company: Old",
        query: "SELECT company FROM users WHERE external_id = '{}'",
        cells: &[
            ("", Keeps),
            ("company: \"\"", Keeps),
            ("company: \"  \"", Keeps),
            ("company:", Keeps),
            ("company: null", Keeps),
            ("company: ~", Keeps),
            ("clear: [company]", Empty),
            ("company: New", Is("New")),
            ("company: New\nclear: [company]", Error("clear-unknown")),
        ],
    },
    Class {
        name: "standard, required",
        first: "lastName: Old",
        query: "SELECT last_name FROM users WHERE external_id = '{}'",
        cells: &[
            ("lastName: \"\"", Keeps),
            ("lastName:", Keeps),
            ("lastName: null", Keeps),
            ("clear: [lastName]\nlastName:", Error("clear-required")),
            ("lastName: New", Is("New")),
        ],
    },
    Class {
        name: "boolean",
        first: "notify: true",
        query: "SELECT CASE WHEN notify THEN 'true' ELSE 'false' END FROM users WHERE external_id = '{}'",
        cells: &[
            ("", Keeps),
            ("notify: \"\"", Keeps),
            ("notify:", Keeps),
            ("clear: [notify]", Is("false")),
            ("notify: false", Is("false")),
            ("notify: no", Error("bool")),
        ],
    },
    Class {
        name: "list",
        first: "stores: [north]",
        query: "SELECT max(store_id) FROM user_stores WHERE user_id = '{}'",
        cells: &[
            ("", Keeps),
            ("stores:", Keeps),
            ("stores: \"\"", Keeps),
            ("clear: [stores]", Empty),
            ("stores: []", Empty),
            ("stores: [south]", Is("south")),
        ],
    },
    Class {
        name: "list, required",
        first: "groups: [FOC_User]",
        query: "SELECT max(value) FROM user_groups WHERE user_id = '{}'",
        cells: &[
            ("groups:", Keeps),
            ("groups: null", Keeps),
            ("clear: [groups]\ngroups:", Error("clear-required")),
            ("groups: []", Error("clear-required")),
            ("groups: [FOC_Admin]", Is("FOC_Admin")),
        ],
    },
    Class {
        name: "custom, optional",
        first: "customFields: {nick: Old, badge: \"1\"}",
        query: "SELECT substr(custom_fields, 1, 100) FROM users WHERE external_id = '{}'",
        cells: &[
            ("", Keeps),
            ("customFields:", Keeps),
            ("customFields: {}", Keeps),
            ("customFields: {nick: \"\"}", Is("{\"badge\":\"1\"}")),
            ("customFields: {nick: null}", Is("{\"badge\":\"1\"}")),
            ("clear: [customFields.nick]", Is("{\"badge\":\"1\"}")),
            (
                "customFields: {nick: New}",
                Is("{\"badge\":\"1\",\"nick\":\"New\"}"),
            ),
        ],
    },
    Class {
        name: "custom, required",
        first: "customFields: {badge: Old}",
        query: "SELECT substr(custom_fields, 1, 100) FROM users WHERE external_id = '{}'",
        cells: &[
            ("", Keeps),
            (
                "customFields: {badge: \"\"}",
                Error("custom-field-required"),
            ),
            (
                "customFields: {badge: null}",
                Error("custom-field-required"),
            ),
            (
                "clear: [customFields.badge]",
                Error("custom-field-required"),
            ),
            ("customFields: {badge: New}", Is("{\"badge\":\"New\"}")),
        ],
    },
    Class {
        name: "status",
        first: "status: inactive",
        query: "SELECT status FROM users WHERE external_id = '{}'",
        cells: &[
            ("status: inactive", Keeps),
            ("status: \"\"", Error("enum")),
            ("status:", Error("enum")),
            ("clear: [status]", Error("clear-required")),
            ("status: active", Is("active")),
            ("", Is("active")),
        ],
    },
];

const FIRST: &str = "kind: Store\nexternalId: north\nname: North\n---\nkind: Store\nexternalId: south\nname: South\n\
    ---\nkind: CustomField\nexternalId: nick\nappliesTo: user\nname: Nick\ntype: text\n\
    ---\nkind: CustomField\nexternalId: badge\nappliesTo: user\nname: Badge\ntype: text\nrequired: true\ndefault: \"0\"\n";

/// One user a cell, so that one plan shows the whole column of a class.
fn directory(class: &Class, of: impl Fn(&(&'static str, Then)) -> &'static str) -> String {
    let mut yaml = FIRST.to_owned() + &account("acme", "");
    // So many that stay as they are that no guard minds the others.
    for index in 0..12 {
        yaml += &user(&format!("active-{index}"), "acme", "");
        yaml += &user(&format!("stays-{index}"), "acme", class.first);
    }
    for (index, cell) in class.cells.iter().enumerate() {
        yaml += &user(&format!("u-{index}"), "acme", of(cell));
    }
    yaml
}

fn stored(ws: &Workspace, class: &Class, index: usize) -> Option<String> {
    ws.value(&class.query.replace("{}", &format!("u-{index}")))
}

fn shown(ws: &Workspace, class: &Class) {
    ws.tree(directory(class, |_| class.first));
    ws.run(&["apply", "--yes"]).exits(0);
    let first: Vec<Option<String>> = (0..class.cells.len())
        .map(|index| stored(ws, class, index))
        .collect();
    ws.tree(directory(class, |(cell, _)| cell));
    let faulty = class.cells.iter().any(|(_, then)| matches!(then, Error(_)));
    let plan = ws.run(&["apply", "--yes"]).exits(i32::from(faulty));
    for (index, (cell, then)) in class.cells.iter().enumerate() {
        let about = format!("{} on {}: `{cell}`\n{plan}", class.name, ws.engine);
        let expected = match then {
            Keeps | Error(_) => first[index].clone(),
            Empty => None,
            Is(value) => Some((*value).to_owned()),
        };
        assert_eq!(stored(ws, class, index), expected, "{about}");
        let found = plan
            .findings()
            .into_iter()
            .find(|found| found.starts_with("error") && found.ends_with(&format!("/u-{index}")));
        let wanted = match then {
            Error(code) => Some(format!("error {code} User/u-{index}")),
            _ => None,
        };
        assert_eq!(found, wanted, "{about}");
    }
    ws.run(&["plan", "--detailed-exitcode"])
        .exits(i32::from(faulty));
}

#[test]
fn every_cell_of_every_class_does_what_the_table_says() {
    let generous = "{percent: 100, floor: 100}";
    for class in CLASSES {
        for ws in each("cells") {
            ws.write("roster.yaml", format!(
                "apiVersion: roster/v1\nsources: [{{name: directory, directory: manifests, onError: hold}}]\n\
                 guards: {{clear: {generous}, unlink: {generous}, reactivate: {generous}, deactivate: {generous}, \
                 access.gained: {generous}, access.lost: {generous}}}\n"
            ));
            ws.run(&["migrate"]).exits(0);
            shown(&ws, class);
        }
    }
}

#[test]
fn an_external_id_can_be_neither_absent_nor_blank_nor_cleared() {
    let ws = sqlite();
    for (line, code) in [
        ("", "required"),
        ("externalId: \"\"\n", "required"),
        ("externalId: \"  \"\n", "required"),
        ("externalId:\n", "required"),
        ("externalId: north\nclear: [externalId]\n", "clear-required"),
    ] {
        ws.tree(format!("kind: Store\n{line}name: North\n"));
        let ran = ws.run(&["validate", "manifests"]).exits(1);
        assert!(ran.codes("error").contains(code), "{line:?}: {ran}");
    }
}

#[test]
fn on_create_what_is_required_must_be_there_and_the_rest_has_its_default() {
    for ws in each("create") {
        let new = |more: &str| {
            FIRST.to_owned()
                + &account("acme", "")
                + &user("stays", "acme", "")
                + &user("u-0", "acme", more)
        };
        for (more, code) in [
            ("lastName: \"\"", "required"),
            ("lastName:", "required"),
            ("groups:", "required"),
            ("groups: []", "clear-required"),
            ("customFields: {badge: \"\"}", "custom-field-required"),
        ] {
            ws.tree(new(more));
            let plan = ws.plan(&[]).exits(1);
            assert!(
                plan.findings().contains(&format!("error {code} User/u-0")),
                "{more}: {plan}"
            );
            assert_eq!(plan.steps(), Vec::<String>::new());
        }
        ws.tree(new(""));
        ws.settle(&[]);
        let stored = |column: &str| {
            ws.value(&format!(
                "SELECT {column} FROM users WHERE external_id = 'u-0'"
            ))
        };
        assert_eq!(
            stored("custom_fields").as_deref(),
            Some("{\"badge\":\"0\"}"),
            "{}",
            ws.engine
        );
        assert_eq!(stored("status").as_deref(), Some("active"));
        assert_eq!(stored("company"), None);
        assert_eq!(
            stored("CASE WHEN notify THEN 1 ELSE 0 END").as_deref(),
            Some("0")
        );
    }
}

#[test]
fn settings_that_are_not_written_have_their_defaults_from_then_on() {
    for ws in each("settings") {
        let yaml = |group: &str| {
            "kind: Settings\nfirstUser: warn\n".to_owned()
                + &account("acme", "")
                + &user("u-1", "acme", &format!("groups: [{group}]"))
        };
        ws.tree(yaml("FOC_User")).settle(&[]);
        // Judged by the stored settings now.
        ws.tree(yaml("FOC_Admin")).settle(&[]);
        let groups = ws.value("SELECT count(*) FROM settings_user_groups");
        assert_eq!(groups.as_deref(), Some("3"), "{}", ws.engine);
    }
}

#[test]
fn a_password_is_kept_unless_its_content_changed() {
    for ws in each("secret") {
        let hash = || ws.value("SELECT password_hash FROM users WHERE external_id = 'u-1'");
        let apply = |more: &str, secret: &str| {
            ws.tree(account("acme", "") + &user("u-1", "acme", more));
            let ran = run(ws
                .command(&["apply", "manifests", "--yes"])
                .env("ROSTER_SECRET_U1", secret));
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!told.contains("Sesam"), "the password is told: {told}");
            ran
        };
        let from = "passwordFrom: {env: ROSTER_SECRET_U1}";
        apply(from, "Sesam-1-offen").exits(0);
        let first = hash();
        assert!(
            first
                .as_deref()
                .is_some_and(|hash| hash.starts_with("$argon2")),
            "{first:?}"
        );
        for keeps in ["", "passwordFrom:", "passwordFrom: \"\"", from] {
            apply(keeps, "Sesam-1-offen").exits(0);
            assert_eq!(hash(), first, "{}: `{keeps}`", ws.engine);
        }
        let refused = apply("clear: [passwordFrom]", "Sesam-1-offen").exits(1);
        assert!(
            refused.codes("error").contains("clear-required"),
            "{refused}"
        );
        apply(from, "weak").exits(1);
        assert_eq!(hash(), first);
        let changed = apply(from, "Sesam-2-offen").exits(0);
        assert_eq!(changed.changes(), ["update User/u-1: passwordFrom"]);
        assert_ne!(hash(), first, "{}", ws.engine);
    }
}

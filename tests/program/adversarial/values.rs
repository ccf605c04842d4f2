//! What spreadsheets, languages and people do to values.

use super::{Errors, FINE, Then, Warnings, cases, joined, survives, tag};
use crate::support::workspace::{account, sqlite, user};

/// A directory with one account whose further fields are these.
fn company(more: &str) -> Vec<u8> {
    (account("acme", more) + &user("u-1", "acme", "")).into_bytes()
}

/// A directory with one user whose further fields are these.
fn person(more: &str) -> Vec<u8> {
    (account("acme", "") + &user("u-1", "acme", more)).into_bytes()
}

fn id(of: &str) -> Vec<u8> {
    format!("kind: Tag\nexternalId: {of}\nname: Premium\n").into_bytes()
}

fn both(one: &str, other: &str) -> Vec<u8> {
    joined(&[&id(one), b"---\n", &id(other)])
}

#[test]
fn what_spreadsheets_leave() {
    cases(&[
        (
            "31 a number in scientific notation",
            company("customerNumber: 1.2E+11"),
            Errors(&["scientific-notation"]),
        ),
        (
            "31 an id that a spreadsheet would read as one",
            company("customerNumber: 73928e05"),
            FINE,
        ),
        (
            "32 an error",
            tag("\"#N/A\""),
            Errors(&["spreadsheet-error"]),
        ),
        (
            "32 another",
            company("vatNumber: \"#REF!\""),
            Errors(&["spreadsheet-error"]),
        ),
        (
            "32 what YAML takes for a comment",
            tag("#N/A"),
            Warnings(&["required", "yaml-syntax"]),
        ),
        ("32 a null", tag("NULL"), Warnings(&["required"])),
        (
            "32 a dash and a zero",
            person("company: \"-\"\nfirstName: 0"),
            FINE,
        ),
        ("34 a quoted boolean", person("notify: \"False\""), FINE),
        ("34 yes in French", person("notify: Oui"), Errors(&["bool"])),
        ("34 one", person("notify: 1"), Errors(&["bool"])),
        (
            "34 true in French",
            person("notify: VRAI"),
            Errors(&["bool"]),
        ),
        (
            "34 yes of YAML 1.1",
            person("notify: yes"),
            Errors(&["bool"]),
        ),
        (
            "38 an empty member",
            company("tags: [\"\"]"),
            Errors(&["wrong-type"]),
        ),
        (
            "38 members joined by bars",
            person("groups: FOC_User||FOC_Admin"),
            Errors(&["wrong-type"]),
        ),
    ]);
}

#[test]
fn dates() {
    let date = |value: &str, then: Then| {
        let legal = format!(
            "legalUser: {{firstName: Nils, lastName: Berg, birthday: {value}, nationality: SE, countryOfResidence: SE}}"
        );
        let settings = b"---\nkind: Settings\npaymentProvider: true\n";
        ("35 a date", joined(&[&company(&legal), settings]), then)
    };
    cases(&[
        date("1971-05-02", FINE),
        date("03/04/2025", Errors(&["date"])),
        date("2025-02-30", Errors(&["date"])),
        date("2024-02-29", FINE),
        date("0000-01-01", Errors(&["date"])),
        date("9999-12-31", Errors(&["date"])),
        date("12:30", Errors(&["date"])),
        date("1971-05-02T00:00:00Z", Errors(&["date"])),
    ]);
}

#[test]
fn external_ids() {
    cases(&[
        ("36 only spaces", id("\"  \""), Errors(&["required"])),
        (
            "36 a space at the end",
            id("\"premium \""),
            Errors(&["id-format"]),
        ),
        ("36 one within", id("\"pre mium\""), Warnings(&["id-space"])),
        (
            "36 only the case differs",
            both("premium", "Premium"),
            Errors(&["id-case"]),
        ),
        (
            "17 two forms of one letter",
            both("caf\u{e9}", "cafe\u{301}"),
            Errors(&["id-case"]),
        ),
        (
            "17 a letter without width",
            id("\"pre\u{200b}mium\""),
            Errors(&["id-format"]),
        ),
        (
            "17 a space that does not break",
            id("\"pre\u{a0}mium\""),
            Errors(&["id-format"]),
        ),
        (
            "17 right to left",
            id("\"pre\u{202e}muim\""),
            Errors(&["id-format"]),
        ),
        (
            "17 an accent in a user's",
            (account("acme", "") + &user("ué", "acme", "email: a@roster.example")).into_bytes(),
            Errors(&["id-format"]),
        ),
        (
            "17 digits of another width",
            id("\"１２３\""),
            Errors(&["id-format"]),
        ),
        (
            "17 digits of another script",
            id("\"١٢٣\""),
            Errors(&["id-format"]),
        ),
        (
            "17 letters of another width",
            id("\"ＡＢ\""),
            Errors(&["id-format"]),
        ),
        (
            "17 a letter that looks the same",
            both("premium", "рremium"),
            FINE,
        ),
        (
            "40 a control character",
            id("\"pre\\tmium\""),
            Errors(&["id-format"]),
        ),
    ]);
}

#[test]
fn emails_and_telephones() {
    let email = |of: &str, then: Then| ("37 an e-mail", person(&format!("email: \"{of}\"")), then);
    let phone =
        |of: &str, then: Then| ("30 a telephone", person(&format!("phone: \"{of}\"")), then);
    cases(&[
        email("KARIN+shop@Roster.Example", FINE),
        email("karin@roster.example.", Errors(&["email"])),
        email("karin@@roster.example", Errors(&["email"])),
        email("karin", Errors(&["email"])),
        email(
            "karin@roster.example, nils@roster.example",
            Errors(&["email"]),
        ),
        email(
            "karin@roster.example\\nBcc: x@y.example",
            Errors(&["email"]),
        ),
        phone("+33 (0)6 12 34 56 78", FINE),
        phone("6,12E+08", Errors(&["scientific-notation"])),
        phone("=cmd|' /C calc'!A0", Errors(&["phone"])),
        phone("1234567890123456", Errors(&["phone"])),
        (
            "37 one e-mail twice",
            joined(&[
                &person("email: karin@roster.example"),
                user("u-2", "acme", "email: KARIN@roster.example").as_bytes(),
            ]),
            Errors(&["email-duplicate"]),
        ),
    ]);
}

#[test]
fn custom_fields() {
    let field = |ty: &str| {
        format!("---\nkind: CustomField\nexternalId: credit\nappliesTo: account\nname: Credit\ntype: {ty}\n").into_bytes()
    };
    let with = |ty: &str, value: &str| {
        joined(&[
            &field(ty),
            &company(&format!("customFields: {{credit: {value}}}")),
        ])
    };
    cases(&[
        ("39 a name like the id", with("text", "A"), FINE),
        (
            "39 an unknown one",
            company("customFields: {credit: A}"),
            Errors(&["custom-field-unknown"]),
        ),
        (
            "39 no number",
            with("number", "many"),
            Errors(&["custom-field-type"]),
        ),
        (
            "39 no number either",
            with("number", "1e400"),
            Errors(&["custom-field-type"]),
        ),
        (
            "39 no boolean",
            with("boolean", "maybe"),
            Errors(&["custom-field-type"]),
        ),
        (
            "39 no date",
            with("date", "03/04/2025"),
            Errors(&["custom-field-type"]),
        ),
        (
            "39 no option",
            with("list\noptions: [A, B]", "C"),
            Errors(&["custom-field-option"]),
        ),
        (
            "39 of another kind",
            joined(&[&field("text"), &person("customFields: {credit: A}")]),
            Errors(&["custom-field-unknown"]),
        ),
    ]);
}

#[test]
fn what_reads_as_something_else_is_stored_as_written() {
    let ws = sqlite();
    let names = [
        "00123",
        "12345678901234567890",
        "NO",
        "on",
        "y",
        "0o17",
        "12:30",
        "2025-04-03",
        "1_000",
        ".inf",
        "0x1F",
        "+33",
        "-1",
        "@x",
        "Robert'); DROP TABLE tags;--",
        "100%_\\",
        "${HOME}",
        "a||b",
        "<b>&amp;",
        "=1+1",
        "\u{1f600}",
        "Åslund",
        "{{ name }}",
    ];
    let quoted =
        |name: &&&str| name.starts_with(['@', '{', '=']) || name.contains(['<', ';', '\\', '$']);
    let tags: String = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let name = if quoted(&name) {
                format!("'{}'", name.replace('\'', "''"))
            } else {
                (*name).to_owned()
            };
            format!("---\nkind: Tag\nexternalId: t-{n}\nname: {name}\n")
        })
        .collect();
    ws.tree(tags);
    ws.settle(&[]);
    for (n, name) in names.iter().enumerate() {
        let stored = ws.value(&format!(
            "SELECT name FROM tags WHERE external_id = 't-{n}'"
        ));
        assert_eq!(stored.as_deref(), Some(*name), "33, 40");
    }
    ws.tree("kind: Tag\nexternalId: 00123\nname: A\n---\nkind: Tag\nexternalId: 1e3\nname: B\n");
    let plan = survives(&ws, &["plan", "manifests"]);
    assert!(
        plan.steps().contains(&"create Tag/00123".to_owned()),
        "31: {plan}"
    );
}

#[test]
fn what_could_command_a_terminal_is_shown_and_not_obeyed() {
    let ws = sqlite();
    ws.tree(
        "kind: Tag\nexternalId: premium\nname: \"red \\e[31m\\a\\r\\n::error::forged\"\nnmae: x\n",
    );
    for output in ["text", "markdown", "github", "ndjson", "json"] {
        let mut command = ws.command(&["plan", "manifests"]);
        let (ran, ended) = crate::support::workspace::run_within(
            command.env("ROSTER_OUTPUT", output),
            super::PATIENCE,
        );
        assert!(ended, "40: {ran}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            !told.contains(['\u{1b}', '\u{7}']),
            "40, {output}: {told:?}"
        );
        assert!(
            !told.lines().any(|line| line.starts_with("::error::forged")),
            "40, {output}: {told}"
        );
    }
}

#[test]
fn lists_are_sets() {
    let ws = sqlite();
    let tags = "---\nkind: Tag\nexternalId: a\nname: A\n---\nkind: Tag\nexternalId: b\nname: B\n";
    ws.tree(
        account("acme", "tags: [a, b, a]") + &user("u-1", "acme", "accounts: [acme, acme]") + tags,
    );
    ws.settle(&[]);
    assert_eq!(
        ws.value("SELECT count(*) FROM account_tags").as_deref(),
        Some("2"),
        "38"
    );
    ws.tree(account("acme", "tags: [b, a]") + &user("u-1", "acme", "") + tags);
    ws.plan(&["--detailed-exitcode"]).exits(0);
}

mod properties;

use super::{EditedManifest, ManifestEdit, edit};
use crate::kinds;
use crate::model::{Cell, CompactText, FieldRef, Key, Link, Value};

fn one(key: &str, cells: &[(&str, Cell)]) -> ManifestEdit {
    let key = Key::parse(key).expect("a key");
    let kind = kinds::get(key.kind);
    let cells = cells.iter().map(|(name, cell)| {
        let field = kind.field_ref(name).expect("a field");
        (field, cell.clone())
    });
    ManifestEdit {
        key,
        cells: cells.collect(),
    }
}

fn text(value: &str) -> Cell {
    Cell::Value(Value::text(value))
}

fn set(members: &[&str]) -> Cell {
    Cell::Value(Value::set(members.iter().map(CompactText::new)))
}

fn links(members: &[(&str, u8, Option<u8>)]) -> Cell {
    Cell::Value(Value::links(members.iter().map(|(target, one, other)| {
        Link {
            target: (*target).into(),
            attributes: [Some(*one), *other],
        }
    })))
}

#[track_caller]
fn becomes(path: &str, before: &str, edits: &[ManifestEdit], after: &str) {
    let EditedManifest { text, dropped } = edit(path, before, edits);
    assert_eq!(text, after);
    assert_eq!(dropped, []);
}

#[track_caller]
fn refuses(before: &str, edits: &[ManifestEdit], at: (u32, u32), why: &str) {
    let EditedManifest { text, dropped } = edit("a.yaml", before, edits);
    assert_eq!(text, before);
    let found = dropped.first().expect("refused");
    assert!(found.why.contains(why), "{found:?}");
    assert_eq!((found.at.line, found.at.column), at, "{found:?}");
}

#[test]
fn a_value_changes_in_its_own_style_and_nothing_else_does() {
    let edits = [
        one("Account/a", &[("name", text("B: c"))]),
        one("Account/a", &[("website", text("https://b.example/it's"))]),
        one("Account/a", &[("managerName", text("O'Neil"))]),
        one(
            "Account/a",
            &[("businessRegistrationNumber", text("556012-9999"))],
        ),
        one("Account/a", &[("vatNumber", text("SE556012345601"))]),
        one("Account/a", &[("customFields.class", text("0012"))]),
    ];
    for end in ["\n", "\r\n", "\r"] {
        let before = "# ours\nkind:   Account\nexternalId: a # id\nname: Old name   # as painted on the door\n\nwebsite: 'http://a.example'\n\
            managerName: \"Eva\"\nbusinessRegistrationNumber: 556012-3456\nvatNumber:   FR12\ncustomFields: { class: 'A', x: 1 }\n# end\n";
        let after = "# ours\nkind:   Account\nexternalId: a # id\nname: \"B: c\"   # as painted on the door\n\nwebsite: 'https://b.example/it''s'\n\
            managerName: \"O'Neil\"\nbusinessRegistrationNumber: 556012-9999\nvatNumber:   SE556012345601\ncustomFields: { class: '0012', x: 1 }\n# end\n";
        let (before, after) = (before.replace('\n', end), after.replace('\n', end));
        becomes("a.yaml", &before, &edits, &after);
        let mark = |text: &str| format!("\u{feff}{text}");
        becomes("a.yaml", &mark(&before), &edits, &mark(&after));
    }
}

#[test]
fn blocks_stay_blocks_where_they_can() {
    let policy = |message: &str| {
        let before =
            |block: &str| format!("policies:\n- externalId: p\n  message: {block}\n  name: P\n");
        (one("Policy/p", &[("message", text(message))]), before)
    };
    let (edit, file) = policy("one\n\n  two");
    becomes(
        "a.yaml",
        &file("|- # why\n      old\n      text"),
        &[edit],
        &file("|- # why\n      one\n\n        two"),
    );
    let (edit, file) = policy("one\n");
    becomes(
        "a.yaml",
        &file("|\n    old\n"),
        &[edit],
        &file("|\n    one\n"),
    );
    let (edit, file) = policy("flat");
    becomes(
        "a.yaml",
        &file(">-\n    old\n    text"),
        &[edit],
        &file(">-\n    flat"),
    );
    let (edit, file) = policy("tab\t\n");
    becomes(
        "a.yaml",
        &file("|-\n    old"),
        &[edit],
        &file("\"tab\\t\\n\""),
    );
    let (edit, file) = policy("new");
    refuses(&file("|+\n    old\n"), &[edit], (4, 5), "keeps blank lines");
}

#[test]
fn members_come_and_go_where_they_are_written() {
    let tags = |members: &[&str]| [one("Account/a", &[("tags", set(members))])];
    let cases = [
        ("tags: [x, w]", &["w", "z"][..], "tags: [w, z]"),
        (
            "tags: [ x,w ] # c",
            &["x", "w", "z, 1"],
            "tags: [ x,w,\"z, 1\" ] # c",
        ),
        ("tags: [x]", &[], "tags: []"),
        ("tags: []", &["x", "w"], "tags: [w, x]"),
        ("tags:", &["x"], "tags: [x]"),
        ("tags: # none", &["x"], "tags: [x] # none"),
        (
            "tags:\n- x # first\n# about w\n- w\n",
            &["x", "z"],
            "tags:\n- x # first\n# about w\n- z\n",
        ),
        (
            "tags:\n    -   x\n    -   w\n",
            &["w", "z"],
            "tags:\n    -   w\n    - z\n",
        ),
        ("tags:\n  - x\n", &[], "tags: []\n"),
        ("tags:\n  - x", &["x", "z"], "tags:\n  - x\n  - z"),
        (
            "tags: [\n  x, # the first\n  w\n]",
            &["x", "w", "z"],
            "tags: [\n  x, # the first\n  w, z\n]",
        ),
        (
            "tags: [\n  x, # the first\n  w\n]",
            &["w"],
            "tags: [\n   # the first\n  w\n]",
        ),
        (
            "tags: [\n  x,\n  w\n]",
            &["x", "w", "z"],
            "tags: [\n  x,\n  w,\n  z\n]",
        ),
    ];
    for (before, members, after) in cases {
        let file = |tags: &str| format!("kind: Account\nexternalId: a\n{tags}");
        becomes("a.yaml", &file(before), &tags(members), &file(after));
    }
}

#[test]
fn links_change_what_is_said_of_them() {
    let users =
        |members: &[(&str, u8, Option<u8>)]| [one("User/u", &[("accounts", links(members))])];
    let file =
        |accounts: &str| format!("kind: User\nexternalId: u\naccounts:{accounts}\nphone: 1\n");
    // The table of kinds decides which choice is 0 and which is 1.
    let kind = kinds::get(kinds::USER);
    let choices = kind.fields[kind.expect_index("accounts")].ty.attributes()[0].choices;
    let of = |word: &str| {
        let at = choices.iter().position(|choice| *choice == word);
        u8::try_from(at.expect("a choice")).expect("small")
    };
    let (admin, user) = (of("administrator"), of("user"));
    becomes(
        "a.yaml",
        &file("\n  - acme\n  - b # c"),
        &users(&[("acme", admin, None), ("b", user, None)]),
        &file("\n  - {account: acme, level: administrator}\n  - b # c"),
    );
    becomes(
        "a.yaml",
        &file("\n  - account: acme\n    level: administrator # boss"),
        &users(&[("acme", user, None)]),
        &file("\n  - account: acme\n    level: user # boss"),
    );
    becomes(
        "a.yaml",
        &file("\n  - account: acme # only\n  - b"),
        &users(&[("acme", admin, None), ("b", user, None), ("c", admin, None)]),
        &file(
            "\n  - account: acme # only\n    level: administrator\n  - b\n  - {account: c, level: administrator}",
        ),
    );
    becomes(
        "a.yaml",
        &file(" [{account: acme}]"),
        &users(&[("acme", admin, None)]),
        &file(" [{account: acme, level: administrator}]"),
    );
    // An inline address leaves the file with its link.
    let before = "kind: Account\nexternalId: a\naddresses:\n  - externalId: d-1\n    city: Åre # c\n  # the second\n  - {ref: d-2}\n";
    becomes(
        "a.yaml",
        before,
        &[one(
            "Account/a",
            &[(
                "addresses",
                links(&[("d-2", 1, Some(1)), ("d-3", 1, Some(1))]),
            )],
        )],
        "kind: Account\nexternalId: a\naddresses:\n  # the second\n  - {ref: d-2}\n  - {ref: d-3}\n",
    );
    becomes(
        "a.yaml",
        before,
        &[one("Address/d-1", &[("city", text("Östersund"))])],
        &before.replace("Åre", "Östersund"),
    );
}

#[test]
fn a_nested_resource_changes_in_its_place_and_stays_there() {
    let before = "kind: Account\nexternalId: a\norganisations:\n  - externalId: o # top\n    organisations: [{externalId: p, name: P}]\n";
    becomes(
        "a.yaml",
        before,
        &[
            one("Organisation/p", &[("name", text("Q"))]),
            one("Organisation/o", &[("name", text("O"))]),
        ],
        &before
            .replace("name: P", "name: Q")
            .replace("name: Q}]\n", "name: Q}]\n    name: O\n"),
    );
    // Its place says which parent it has, and an edit moves nothing.
    refuses(
        before,
        &[one("Organisation/p", &[("parent", text("q"))])],
        (5, 34),
        "from the place of the entry",
    );
}

#[test]
fn fields_are_added_behind_the_last_one() {
    let add = [one(
        "Account/a",
        &[
            ("website", text("https://a.example")),
            ("legalUser.firstName", text("Eva")),
            ("legalUser.lastName", text("Ek")),
            ("tags", set(&["x"])),
            ("customFields.class", text("0012")),
        ],
    )];
    becomes("a.yaml", "accounts:\n  - externalId: a\n    name: A # c\n\n  - externalId: b\n", &add,
        "accounts:\n  - externalId: a\n    name: A # c\n    website: https://a.example\n    tags: [x]\n    legalUser:\n      firstName: Eva\n      lastName: Ek\n    customFields:\n      class: \"0012\"\n\n  - externalId: b\n"
            .replace("    website: https://a.example\n    tags: [x]\n    legalUser:\n      firstName: Eva\n      lastName: Ek\n", &in_table_order()).as_str());
    becomes(
        "a.yaml",
        "accounts: [{externalId: a, customFields: {x: 1}}]\n",
        &[one(
            "Account/a",
            &[
                ("website", text("https://a.example")),
                ("customFields.class", text("A")),
            ],
        )],
        "accounts: [{externalId: a, customFields: {x: 1, class: A}, website: \"https://a.example\"}]\n",
    );
    becomes(
        "a.json",
        "{\"accounts\": [{\n  \"externalId\": \"a\",\n  \"name\": \"A\"\n}]}\n",
        &[one(
            "Account/a",
            &[
                ("website", text("https://a.example/å")),
                ("name", text("å \"q\"")),
            ],
        )],
        "{\"accounts\": [{\n  \"externalId\": \"a\",\n  \"name\": \"å \\\"q\\\"\",\n  \"website\": \"https://a.example/å\"\n}]}\n",
    );
}

/// The fields of the first case above, in the order of the request.
fn in_table_order() -> String {
    "    website: https://a.example\n    legalUser:\n      firstName: Eva\n      lastName: Ek\n    tags: [x]\n".to_owned()
}

#[test]
fn what_others_use_is_not_edited_and_named() {
    let name = |value: &str| [one("Account/a", &[("name", text(value))])];
    refuses(
        "x-n: &n Same\naccounts:\n- externalId: a\n  name: *n\n",
        &name("B"),
        (4, 9),
        "alias",
    );
    refuses(
        "accounts:\n- externalId: a\n  name: &n A\n- externalId: b\n  name: *n\n",
        &name("B"),
        (3, 12),
        "aliases refer to",
    );
    refuses(
        "x-d: &d {name: Same}\naccounts:\n- externalId: a\n  <<: *d\n",
        &name("B"),
        (4, 7),
        "merge key",
    );
    refuses("a.yaml: {\n", &name("B"), (0, 0), "not valid YAML");
    let twice = "accounts:\n- &a\n  externalId: a\n  name: A\nx-again: *a\n";
    refuses(twice, &name("B"), (4, 9), "anchor");
    // An unused anchor does not prevent an edit.
    becomes(
        "a.yaml",
        "kind: Account\nexternalId: a\nname: &n A\n",
        &name("B"),
        "kind: Account\nexternalId: a\nname: &n B\n",
    );
    // Several documents, tabs, and a `kind` that is not first.
    becomes(
        "a.yaml",
        "---\nname:\tA\t# t\nkind: Account\nexternalId: a\n...\n---\nkind: Account\nexternalId: b\nname: A\n",
        &name("B"),
        "---\nname:\tB\t# t\nkind: Account\nexternalId: a\n...\n---\nkind: Account\nexternalId: b\nname: A\n",
    );
}

#[test]
fn one_bad_edit_takes_no_other_with_it() {
    let before = "accounts:\n- {externalId: a, name: A}\n- {externalId: b, name: B}\n- {externalId: c, name: C}\n";
    let edits = [
        one("Account/a", &[("name", text("A2"))]),
        // A value that does not read back.
        one("Account/b", &[("website", text("no address at all"))]),
        one("Account/c", &[("name", text("C2"))]),
    ];
    let EditedManifest { text, dropped } = edit("a.yaml", before, &edits);
    assert_eq!(
        text,
        before
            .replace("name: A", "name: A2")
            .replace("name: C", "name: C2")
    );
    let dropped: Vec<usize> = dropped.iter().map(|dropped| dropped.index).collect();
    assert_eq!(dropped, [1]);
}

#[test]
fn custom_fields_that_are_blank_are_written_so() {
    let field = FieldRef::Custom("class".into());
    let key = Key::parse("Account/a").expect("a key");
    let edit = ManifestEdit {
        key,
        cells: vec![(field, Cell::Blank)],
    };
    becomes(
        "a.yaml",
        "kind: Account\nexternalId: a\ncustomFields:\n  class: A # c\n",
        &[edit],
        "kind: Account\nexternalId: a\ncustomFields:\n  class: \"\" # c\n",
    );
}

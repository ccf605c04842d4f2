use super::*;

/// A text and the diagnostics it gives.
type CodeCase = (&'static str, &'static [&'static str]);

fn check(cases: &[CodeCase]) {
    for (text, expected) in cases {
        let loaded = yaml(text);
        assert_eq!(
            found(&loaded),
            *expected,
            "{text}\n{:#?}",
            loaded.diagnostics
        );
    }
}

#[test]
fn documents() {
    check(&[
        ("", &[]),
        ("# nothing\n", &[]),
        ("---\n---\n", &[]),
        ("users:\n", &[]),
        ("users: []\n", &[]),
        ("- a\n", &["wrong-type 1:1"]),
        ("just text\n", &["wrong-type 1:1"]),
        ("users: {a: 1}\n", &["wrong-type 1:8"]),
        ("users: [a]\n", &["wrong-type 1:9"]),
        ("kind: [a]\n", &["wrong-type 1:7"]),
        ("apiVersion: v2\nusers: []\n", &["wrong-type 1:13"]),
        ("kind: Usr\nexternalId: a\n", &["unknown-kind 1:7"]),
        ("externalId: a\n", &["unknown-kind 1:1"]),
        ("userz: []\n", &["unknown-field 1:1"]),
        ("users: []\nfoo: 1\n", &["unknown-field 2:1"]),
        (
            "kind: User\nexternalId: a\nfristName: b\n",
            &["unknown-field 3:1"],
        ),
        (
            "users: [{externalId: a, kind: User}]\n",
            &["unknown-field 1:25"],
        ),
        (
            "kind: User\nexternalId: a\ncompany: a\ncompany: b\n",
            &["duplicate-key 4:1"],
        ),
        ("users: []\nusers: []\n", &["duplicate-key 2:1"]),
        (
            "kind: User\nexternalId: a\n[a, b]: c\n",
            &["wrong-type 3:1"],
        ),
        ("kind: User\nexternalId: a\n<<: b\n", &["wrong-type 3:5"]),
    ]);
}

#[test]
fn did_you_mean_names_what_was_meant() {
    for (text, help) in [
        ("kind: Usr\n", "Did you mean `User`?"),
        ("kind: user\n", "Did you mean `User`?"),
        ("Kind: User\n", "Did you mean `kind`?"),
        ("userz: []\n", "Did you mean `users`?"),
        (
            "kind: User\nexternalId: a\nfristName: b\n",
            "Did you mean `firstName`?",
        ),
        (
            "kind: User\nexternalId: a\ncivility: mr\n",
            "Did you mean `MR`?",
        ),
        (
            "users: [{externalId: a, accounts: [{acount: b}]}]",
            "Did you mean `account`?",
        ),
        (
            "accounts: [{externalId: a, legalUser: {firstname: b}}]",
            "Did you mean `firstName`?",
        ),
        (
            "kind: Account\nexternalId: a\nclear: [webside]\n",
            "Did you mean `website`?",
        ),
        (
            "kind: Account\nexternalId: a\naddresses: [b]\n",
            "Write `ref: b`, or the fields themselves",
        ),
    ] {
        let loaded = yaml(text);
        let helps: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter_map(|d| d.help.as_deref())
            .collect();
        assert!(helps.contains(&help), "{text}: {helps:?}");
    }
}

#[test]
fn ids() {
    check(&[
        ("users: [{company: a}]\n", &["required 1:9"]),
        ("users: [{externalId: }]\n", &["required 1:10"]),
        ("users: [{externalId: '  '}]\n", &["required 1:10"]),
        ("users: [{externalId: [a]}]\n", &["wrong-type 1:22"]),
        ("users: [{externalId: käre}]\n", &["id-format 1:22"]),
        ("accounts: [{externalId: 'a '}]\n", &["id-format 1:25"]),
        ("accounts: [{externalId: a b}]\n", &["id-space 1:25"]),
        (
            "accounts: [{externalId: 1.2E+11}]\n",
            &["scientific-notation 1:25"],
        ),
        (
            "accounts: [{externalId: '#N/A'}]\n",
            &["spreadsheet-error 1:25"],
        ),
        ("settings: {externalId: other}\n", &["id-format 1:24"]),
        ("settings: {status: deleted}\n", &["enum 1:20"]),
    ]);
    for text in [
        "users: [{company: a}]",
        "users: [{externalId: käre}]",
        "users: [{externalId: }]",
        "kind: Usr",
        "a: b: c",
    ] {
        let loaded = yaml(text);
        assert_eq!(loaded.desired.removals_off.len(), 1, "{text}");
        assert!(
            loaded.desired.removals_off[0].starts_with("a.yaml:1:"),
            "{text}"
        );
        assert!(names(&loaded).is_empty(), "{text}");
    }
}

#[test]
fn values_are_dropped_and_resources_stay() {
    let loaded = yaml("kind: User\nexternalId: u\ncivility: Mr.\nemail: nobody\nfirstName: Ada\n");
    assert_eq!(found(&loaded), ["enum 3:11", "email 4:8"]);
    assert_eq!(names(&loaded), ["User/u"]);
    assert_eq!(cell(&loaded, "User/u", "email"), None);
    assert_eq!(text(&loaded, "User/u", "firstName"), Some("Ada"));
    let first = &loaded.diagnostics[0];
    assert_eq!(
        first.key.as_ref().map(ToString::to_string).as_deref(),
        Some("User/u")
    );
    assert_eq!(first.field.as_deref(), Some("civility"));
    assert!(loaded.desired.removals_off.is_empty());
}

#[test]
fn shapes_of_values() {
    check(&[
        (
            "accounts: [{externalId: a, name: [b]}]",
            &["wrong-type 1:34"],
        ),
        (
            "accounts: [{externalId: a, name: {b: c}}]",
            &["wrong-type 1:34"],
        ),
        ("accounts: [{externalId: a, tags: b}]", &["wrong-type 1:34"]),
        (
            "accounts: [{externalId: a, tags: {b: c}}]",
            &["wrong-type 1:34"],
        ),
        (
            "accounts: [{externalId: a, tags: [[b]]}]",
            &["wrong-type 1:35"],
        ),
        ("accounts: [{externalId: a, tags: [b, ]}]", &[]),
        (
            "accounts: [{externalId: a, tags: [b, ~]}]",
            &["wrong-type 1:38"],
        ),
        (
            "accounts: [{externalId: a, legalUser: b}]",
            &["wrong-type 1:39"],
        ),
        (
            "accounts: [{externalId: a, legalUser: {b: c}}]",
            &["unknown-field 1:40"],
        ),
        (
            "accounts: [{externalId: a, customFields: b}]",
            &["wrong-type 1:42"],
        ),
        (
            "accounts: [{externalId: a, customFields: {b: {c: d}}}]",
            &["wrong-type 1:46"],
        ),
        (
            "accounts: [{externalId: a, addresses: [b]}]",
            &["wrong-type 1:40"],
        ),
        (
            "accounts: [{externalId: a, addresses: [{ref: b, city: c}]}]",
            &["wrong-type 1:46"],
        ),
        (
            "accounts: [{externalId: a, addresses: [{city: c}]}]",
            &["required 1:40"],
        ),
        (
            "accounts: [{externalId: a, addresses: [{ref: b, billing: nej}]}]",
            &["bool 1:58"],
        ),
        (
            "accounts: [{externalId: a, addresses: [{ref: b}, {ref: b, billing: false}]}]",
            &["wrong-type 1:39"],
        ),
        (
            "users: [{externalId: a, accounts: [{level: user}]}]",
            &["wrong-type 1:36"],
        ),
        (
            "users: [{externalId: a, accounts: [{account: b, level: boss}]}]",
            &["enum 1:56"],
        ),
        ("users: [{externalId: a, accounts: [b, b]}]", &[]),
    ]);
}

#[test]
fn runtime_facts_and_passwords() {
    check(&[
        (
            "users: [{externalId: a, loginName: b}]",
            &["runtime-field 1:25"],
        ),
        (
            "users: [{externalId: a, access: enabled}]",
            &["runtime-field 1:25"],
        ),
        (
            "accounts: [{externalId: a, approval: approved}]",
            &["runtime-field 1:28"],
        ),
        (
            "users: [{externalId: a, password: hunter2}]",
            &["secret-in-git 1:25"],
        ),
        (
            "users: [{externalId: a, passwordFrom: hunter2}]",
            &["secret-in-git 1:39"],
        ),
        (
            "users: [{externalId: a, passwordFrom: {value: hunter2}}]",
            &["secret-in-git 1:40"],
        ),
        (
            "users: [{externalId: a, customFields: {pwd: hunter2}}]",
            &["secret-in-git 1:40"],
        ),
        (
            "users: [{externalId: a, passwordFrom: {env: hunter2}}]",
            &["secret-source 1:39"],
        ),
        (
            "users: [{externalId: a, passwordFrom: {file: ../hunter2}}]",
            &["secret-source 1:39"],
        ),
        (
            "users: [{externalId: a, passwordFrom: {file: /run/hunter2}}]",
            &["secret-source 1:39"],
        ),
        (
            "users: [{externalId: a, passwordFrom: {hunter2: hunter2}}]",
            &["unknown-field 1:40"],
        ),
        (
            "users: [{externalId: a, passwordFrom: {env: ROSTER_SECRET_A, file: hunter2}}]",
            &["wrong-type 1:39"],
        ),
        (
            "users: [{externalId: a, passwordFrom: [hunter2]}]",
            &["wrong-type 1:39"],
        ),
    ]);
    let text = "users: [{externalId: a, password: hunter2, passwordFrom: {env: hunter2}}]\n---\nusers: [{externalId: b, passwordFrom: hunter2}]";
    assert!(!format!("{:?}", yaml(text).diagnostics).contains("hunter2"));
}

#[test]
fn one_key_twice_names_both_places() {
    let loaded = files(&[
        ("a.yaml", "tags: [{externalId: t, name: A}]\n"),
        ("b.yaml", "tags: [{externalId: t, status: deleted}]\n"),
    ]);
    assert_eq!(found(&loaded), ["duplicate-resource 1:21"]);
    let found = &loaded.diagnostics[0];
    assert_eq!(
        found.origin.as_ref().map(ToString::to_string).as_deref(),
        Some("b.yaml:1:21")
    );
    assert_eq!(found.related[0].to_string(), "a.yaml:1:21");
    assert_eq!(loaded.resources(), 1);
    assert!(!loaded.desired.removals_off.is_empty());
}

#[test]
fn inline_addresses_may_repeat_when_they_agree() {
    let account = |id: &str, address: &str| {
        format!("kind: Account\nexternalId: {id}\naddresses: [{{{address}}}]\n")
    };
    let one = account("a", "externalId: x, city: Y");
    let same = account("b", "externalId: x, city: Y, billing: false");
    let other = account("b", "externalId: x, city: Z");
    let loaded = files(&[("a.yaml", &one), ("b.yaml", &same)]);
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(names(&loaded), ["Address/x", "Account/a", "Account/b"]);
    let loaded = files(&[("a.yaml", &one), ("b.yaml", &other)]);
    assert_eq!(found(&loaded), ["address-conflict 3:26"]);
    assert_eq!(loaded.diagnostics[0].related[0].to_string(), "a.yaml:3:26");
    let document = "kind: Address\nexternalId: x\ncity: Y\n";
    let loaded = files(&[("a.yaml", &one), ("b.yaml", document)]);
    assert_eq!(found(&loaded), ["duplicate-resource 3:26"]);
    assert_eq!(
        loaded.diagnostics[0].help.as_deref(),
        Some("Use `ref: x` instead")
    );
}

#[test]
fn terms_are_a_file_below_the_root() {
    let terms = |file: &str| format!("kind: Terms\nexternalId: t\nfile: {file}\n");
    let load = |file: &str| files(&[("a.yaml", &terms(file)), ("docs/t.txt", "hello")]);
    let loaded = load("./docs/t.txt");
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(
        text(&loaded, "Terms/t", "file"),
        Some("docs/t.txt sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    );
    let missing = load("docs/u.txt");
    assert_eq!(found(&missing), ["source-unreadable 3:7"]);
    assert!(missing.desired.removals_off.is_empty());
    assert_eq!(found(&load("../t.txt")), ["path-escape 3:7"]);
    assert_eq!(found(&load("/etc/passwd")), ["path-escape 3:7"]);
}

//! The JSON Schemas in `specs/schema/` are current, take what the examples say and refuse mistakes.

use roster::kinds::{self, schema};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn schema_files_are_current() {
    let folder = root().join("specs/schema");
    let files = schema::files();
    if std::env::var("SNAPSHOTS").is_ok_and(|it| it == "overwrite") {
        std::fs::create_dir_all(&folder).expect("the folder of schemas");
        for (name, text) in &files {
            std::fs::write(folder.join(name), text).expect("a schema");
        }
    }
    for (name, text) in &files {
        let stored = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let stale = "run `SNAPSHOTS=overwrite cargo test --test documents`";
        assert!(
            stored == *text,
            "specs/schema/{name} is not current: {stale}"
        );
    }
    for entry in std::fs::read_dir(&folder).expect("the folder of schemas") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        assert!(
            files.contains_key(&*name),
            "specs/schema/{name} belongs to no kind"
        );
    }
}

#[test]
fn schema_takes_every_example() {
    let manifest = validator(&schema::schema(None));
    let mut seen = 0;
    for path in [
        "examples/company",
        "examples/init/manifests",
        "examples/minimal",
    ]
    .map(manifests)
    .concat()
    {
        let text = std::fs::read_to_string(&path).expect("an example");
        for document in documents(&text) {
            let wrong: Vec<String> = manifest
                .iter_errors(&document)
                .map(|error| shown(&error))
                .collect();
            assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
            seen += 1;
            if let Some(kind) = document["kind"].as_str().and_then(kinds::by_name) {
                assert!(validator(&schema::schema(Some(kind))).is_valid(&document));
            }
        }
    }
    assert!(seen > 20, "only {seen} documents seen");
}

#[test]
fn schema_takes_every_form_of_a_value() {
    let manifest = validator(&schema::schema(None));
    for text in [
        "",
        "settings: {loginMode: both}",
        "settings: [{externalId: settings, organisationDepth: '3', invitationTtl: 3d}]",
        "{kind: User, externalId: 00123, phone: 0701234567, x-note: asked on the phone}",
        "{kind: User, externalId: u, accounts: [acme, {account: b, level: administrator, x-why: she asked}]}",
        "{kind: User, externalId: u, passwordFrom: {env: ROSTER_SECRET_U}, notify: true, clear: [company]}",
        "{kind: User, externalId: u, civility: ~, email: '', groups: , mainOrganisation: ''}",
        "{kind: Account, externalId: a, status: deleted}",
        "{kind: Account, externalId: a b, tags: [], clear: [website, legalUser, customFields.credit-class]}",
        "{kind: Account, externalId: a, addresses: [{ref: hub, billing: false}, {externalId: x, city: Y, shipping: 'false'}]}",
        "{kind: Account, externalId: a, legalUser: {firstName: A, birthday: 1971-05-02}, customFields: {x-ray: [1, b], b: ~}}",
        "{apiVersion: roster/v1, users: [{externalId: u}], accounts: ~, x-base: {a: 1}}",
    ] {
        for document in documents(text) {
            let wrong: Vec<String> = manifest
                .iter_errors(&document)
                .map(|error| shown(&error))
                .collect();
            assert!(wrong.is_empty(), "{text}: {wrong:#?}");
        }
    }
}

#[test]
fn schema_refuses_mistakes() {
    let manifest = validator(&schema::schema(None));
    for text in [
        "[]",
        "kind: Person",
        "users: {}",
        "people: []",
        "{apiVersion: roster/v2, users: []}",
        "kind: User",
        "{kind: User, externalId: ~}",
        "{kind: User, externalId: kärl}",
        "{kind: User, externalId: a b}",
        "{kind: User, externalId: u, fristName: Ada}",
        "{kind: User, externalId: u, password: Sommar2025}",
        "{kind: User, externalId: u, passwordFrom: {env: HOME}}",
        "{kind: User, externalId: u, passwordFrom: {file: ../x}}",
        "{kind: User, externalId: u, access: enabled}",
        "{kind: User, externalId: u, civility: Mrs}",
        "{kind: User, externalId: u, status: ''}",
        "{kind: User, externalId: u, status: disabled}",
        "{kind: User, externalId: u, email: ada}",
        "{kind: User, externalId: u, phone: +46 call me}",
        "{kind: User, externalId: u, notify: yes}",
        "{kind: User, externalId: u, groups: FOC_User}",
        "{kind: User, externalId: u, groups: []}",
        "{kind: User, externalId: u, accounts: [{account: a, level: boss}]}",
        "{kind: User, externalId: u, accounts: [{level: user}]}",
        "{kind: User, externalId: u, clear: [email]}",
        "{kind: User, externalId: u, clear: [status]}",
        "users: [{kind: User, externalId: u}]",
        "{kind: Account, externalId: a, addresses: [hub]}",
        "{kind: Account, externalId: a, addresses: [{ref: hub, city: Y}]}",
        "{kind: Account, externalId: a, addresses: [{city: Y}]}",
        "{kind: Account, externalId: a, website: www.example.com}",
        "{kind: Account, externalId: a, legalUser: {birthday: 03/04/1971}}",
        "{kind: Address, externalId: a, status: inactive}",
        "{kind: Address, externalId: a, country: Sweden}",
        "{kind: Settings, status: deleted}",
        "{kind: Settings, externalId: other}",
        "{kind: Settings, organisationDepth: 0}",
        "{kind: Terms, externalId: t, file: ../terms.txt}",
        "{kind: Tag, externalId: t, customFields: {a: b}}",
    ] {
        for document in documents(text) {
            assert!(!manifest.is_valid(&document), "{text} passes");
        }
    }
}

#[test]
fn schema_tells_what_a_create_needs_and_what_people_are_told() {
    let user = schema::schema(kinds::by_name("User"));
    assert_eq!(
        user["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(user["required"], json!(["externalId"]));
    let first_name = &user["properties"]["firstName"];
    assert_eq!(first_name["description"], "First name. Required on create.");
    assert_eq!(first_name["x-required-on-create"], true);
    assert_eq!(first_name["x-personal"], true);
    assert_eq!(user["properties"]["notify"]["default"], false);
    assert_eq!(
        user["properties"]["company"].get("x-required-on-create"),
        None
    );
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::draft202012::meta::validate(schema).expect("a schema of draft 2020-12");
    jsonschema::draft202012::new(schema).expect("a schema")
}

fn shown(error: &jsonschema::ValidationError<'_>) -> String {
    format!("{}: {error}", error.instance_path())
}

fn documents(text: &str) -> Vec<Value> {
    // As YAML 1.2 has it, and so the reader: `NO` is text.
    let options = serde_saphyr::options! { strict_booleans: true };
    let all = serde_saphyr::from_multiple_with_options(text, options).expect("YAML");
    if all.is_empty() {
        vec![Value::Null]
    } else {
        all
    }
}

fn manifests(folder: &str) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(root().join(folder))
        .sort_by_file_path(Ord::cmp)
        .build();
    walk.map(|entry| entry.expect("an entry").into_path())
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .collect()
}

//! The JSON Schemas in `specs/schema/` are current, take what the examples say and refuse mistakes.

use crate::support::pages::{fences, markdown};
use roster::config;
use roster::kinds::{self, schema};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn schema_files_are_current() {
    let folder = root().join("specs/schema");
    let mut files = schema::files();
    let config = format!("{:#}\n", config::schema());
    files.insert("config.json".into(), config);
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

/// Every configuration that a page or an example shows.
fn configurations() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in manifests("examples") {
        if path.ends_with("roster.yaml") {
            let text = std::fs::read_to_string(&path).expect("an example");
            found.push((path.display().to_string(), text));
        }
    }
    for page in ["specs", "specs/decisions"].map(markdown).concat() {
        let text = std::fs::read_to_string(&page).expect("a page");
        for fence in fences(&text) {
            if fence
                .file()
                .is_some_and(|file| file.ends_with("roster.yaml"))
            {
                found.push((format!("{}:{}", page.display(), fence.line), fence.text));
            }
        }
    }
    found
}

/// Everything that a configuration may say.
const CONFIGURATION: &str = r##"
apiVersion: roster/v1
requires: ">=0.1"
database: postgres://roster@db/roster
cache: cache
sources:
  - name: directory
    directory: manifests
    webhookSecret: "${HOOK}"
    mode: apply
    prune: deactivate
    onError: hold
    drift: report
    allowDelete: true
    interval: 5m
    schedule: "*/15 * * * *"
    timezone: Europe/Stockholm
    windows: [{allow: "0 22 * * 5", for: 60h, timezone: UTC}, {deny: "0 1 * * *", for: 1h}]
    authority: {Account: {existence: false, enforce: [name], seed: [website], observe: [managerName]}}
  - {name: git, git: {url: "https://git.example/c", ref: 2024, path: manifests, auth: "${TOKEN}", timeout: 2m}}
  - {name: key, git: {url: "ssh://git.example/c", auth: {sshKey: id, knownHosts: hosts}}}
  - name: web
    export: {url: "https://erp.example/c.csv", preset: djust-accounts, auth: {token: t}, headers: {X-Any: a}, next: link, items: data, ca: ca.pem, timeout: 1m, limit: 2GiB}
    complete: {trailer: "#EOF;{n}", minRows: 1000, shrink: 10%}
    maxAge: 26h
    absence: {after: 3, action: deactivate}
  - {name: file, export: {file: c.csv, mapping: map.yaml, done: .done, limit: 1000}}
  - {name: drop, export: {drop: {folder: in, pattern: "*.csv"}, preset: djust-accounts}}
  - {name: s3, export: {s3: "s3://b/o", region: eu-north-1, endpoint: "https://s3", auth: {accessKeyId: a, secretAccessKey: b}, preset: djust-accounts}}
  - {name: ftp, export: {ftp: "ftp://h/p", plain: true, auth: {username: a, password: b}, preset: djust-accounts}}
  - {name: push, export: {push: true, preset: djust-accounts}}
order: [directory, git]
shop: {authority: {User: [phone]}}
guards:
  deactivate: {percent: 10, floor: 3, max: 500}
  change: {User.email: {percent: 2, floor: 3}}
  perAccount: {percent: 50, floor: 3}
  window: 24h
  access.lost: {percent: 10, floor: 3}
effects: {fields: [User.customFields.x]}
scopes: [{path: "accounts/{account}/**", owners: ["@acme/sales"]}]
severity: {zip-format: error, phone: E, id-space: W}
approvers: [eva@example.com]
approvalTtl: 24h
secrets: {dir: /run/secrets}
files: {dir: files}
environments:
  staging: {database: "sqlite:s.db", mail: {redirect: qa@example.com}, guards: {delete: {max: 1}}}
  production: {serve: {url: "https://roster.example"}, sources: [{name: a, directory: b}]}
mail: {smtp: "smtps://mail.example", from: shop@example.com, redirect: qa@example.com}
invitations: {key: key}
serve:
  listen: 127.0.0.1:8080
  tokens: tokens
  tls: {cert: c, key: k}
  insecure: false
  url: https://roster.example
  customers: {listen: "127.0.0.1:8081", url: "https://shop.example"}
  proxies: [10.0.0.0/8]
  stuckAfter: 1h
  limits: {body: 1MB, tree: 1MB, file: 1MB, timeout: 30s, rate: 1, burst: 2, connections: 3, connectionsPerAddress: 4, requests: 5, plan: 5m}
  notices: [{name: n, webhook: "https://hook.example", format: slack, secret: s, on: [failed]}, {mail: [a@example.com]}]
"##;

/// Mappings whose keys are names that anybody may choose.
const FREE: [&str; 3] = ["environments", "change", "headers"];

#[test]
fn config_schema_takes_every_configuration_that_is_shown() {
    let config = validator(&config::schema());
    let shown_files = configurations();
    assert!(shown_files.len() > 20, "only {} seen", shown_files.len());
    let all = ("everything".to_owned(), CONFIGURATION.to_owned());
    for (place, text) in shown_files.into_iter().chain([all]) {
        for document in documents(&text) {
            let errors = config.iter_errors(&document);
            let wrong: Vec<String> = errors.map(|error| shown(&error)).collect();
            assert!(wrong.is_empty(), "{place}: {wrong:#?}");
        }
    }
}

#[test]
fn config_schema_refuses_every_misspelt_key() {
    let config = validator(&config::schema());
    let all = documents(CONFIGURATION).remove(0);
    let mut seen = 0;
    for pointer in keys(&all, "") {
        let (above, key) = pointer.rsplit_once('/').expect("a key");
        if FREE.iter().any(|free| above.ends_with(&format!("/{free}"))) {
            continue;
        }
        let mut wrong = all.clone();
        let object = wrong.pointer_mut(above).and_then(Value::as_object_mut);
        let object = object.expect("a mapping");
        let value = object.remove(key).expect("a value");
        object.insert(format!("{key}x"), value);
        assert!(!config.is_valid(&wrong), "{pointer} passes when misspelt");
        seen += 1;
    }
    assert!(seen > 120, "only {seen} keys seen");
}

#[test]
fn config_schema_refuses_wrong_values_and_explains_the_keys() {
    let schema = config::schema();
    let config = validator(&schema);
    for (key, value) in [
        ("apiVersion", json!("roster/v2")),
        ("sources", json!({})),
        ("severity", json!({"phone": "warning"})),
        ("severity", json!({"guard": "error"})),
        ("scopes", json!(["accounts"])),
        ("guards", json!({"delete": {"percent": "many", "floor": 1}})),
        ("mail", json!({"from": "a@example.com"})),
    ] {
        let mut wrong = json!({"apiVersion": "roster/v1"});
        assert!(config.is_valid(&wrong));
        wrong[key] = value;
        assert!(!config.is_valid(&wrong), "{wrong} passes");
    }
    let described = |name: &str| schema["properties"][name]["description"].is_string();
    for name in schema["properties"].as_object().expect("keys").keys() {
        assert!(described(name), "{name} has no description");
    }
}

/// The pointers of all keys of mappings, at any depth.
fn keys(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(object) => {
            let below = object.iter().flat_map(|(key, value)| {
                let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                let mut all = keys(value, &pointer);
                all.push(pointer);
                all
            });
            below.collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .flat_map(|(index, item)| keys(item, &format!("{at}/{index}")))
                .collect()
        }
        _ => Vec::new(),
    }
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

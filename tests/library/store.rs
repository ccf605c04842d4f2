//! The store on both engines: what was applied is read back, foreign writes show, nothing half.

use roster::diagnostic::Origin;
use roster::kinds::{
    self, ACCOUNT, ADDRESS, CUSTOM_FIELD, ORGANISATION, POLICY, SETTINGS, TAG, TERMS, USER,
};
use roster::model::{
    Cell, DeclaredResource, Digest, FieldChange, FieldDigests, Key, KindId, LineColumn, Link, Row,
    Snapshot, StatedField, Value,
};
use roster::plan::{
    ClaimDigests, Plan, RuntimeChanges, SourceRef, Step, StepBody, StepClaim, StepReason, StepVerb,
};
use roster::store::{
    ApplyError, ApplyRequest, ApplySummary, HistoryVerification, Lease, LeaseError, LeaseHolder,
    OutboxEntry, SchemaState, SnapshotQuery, Store, StoreAccess,
};
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A plan under construction, against one database.
pub(super) struct Draft {
    pub(super) plan: Plan,
    contents: BTreeMap<Key, Vec<u8>>,
    passwords: BTreeMap<Key, String>,
    lease: Option<Lease>,
    single_use: bool,
}

pub(super) fn text(value: &str) -> Value {
    Value::text(value)
}

fn set(members: &[&str]) -> Value {
    Value::set(members.iter().map(roster::model::CompactText::new))
}

fn linked(kind: KindId, field: &str, members: &[(&str, [Option<u8>; 2])]) -> Value {
    let _ = kinds::get(kind).expect_index(field);
    Value::links(members.iter().map(|(target, attributes)| Link {
        target: (*target).into(),
        attributes: *attributes,
    }))
}

fn member(account: &str) -> Value {
    linked(USER, "accounts", &[(account, [Some(0), None])])
}

pub(super) fn key(kind: KindId, id: &str) -> Key {
    Key::new(kind, id)
}

fn claim(key: &Key, fields: &[(&str, Value)]) -> StepClaim {
    let mut digests = FieldDigests::default();
    for (name, value) in fields {
        digests.insert(name, &Cell::Value(value.clone()));
    }
    StepClaim::Digests(ClaimDigests {
        digest: Digest::of(format!("{key} {fields:?}").as_bytes()),
        fields: digests,
    })
}

fn origin() -> Origin {
    let at = LineColumn { line: 3, column: 5 };
    Origin {
        path: "users.yaml".into(),
        at,
    }
}

impl Draft {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        Self::of("directory", snapshot)
    }

    pub(super) fn of(source: &str, snapshot: &Snapshot) -> Self {
        let source = SourceRef {
            name: source.into(),
            revision: "r1".into(),
        };
        let plan = Plan {
            source,
            database: snapshot.database.clone(),
            ..Plan::default()
        };
        Self {
            plan,
            contents: BTreeMap::new(),
            passwords: BTreeMap::new(),
            lease: None,
            single_use: false,
        }
    }

    pub(super) fn create(&mut self, kind: KindId, id: &str, fields: &[(&str, Value)]) -> &mut Self {
        let (key, table) = (key(kind, id), kinds::get(kind));
        let cells = fields.iter().map(|(name, value)| StatedField {
            field: table.field_ref(name).expect("a field of the table"),
            cell: Cell::Value(value.clone()),
            position: LineColumn::default(),
        });
        let mut cells: Vec<StatedField> = cells.collect();
        cells.sort_by(|a, b| a.field.cmp(&b.field));
        let declared = DeclaredResource {
            key: key.clone(),
            path: "users.yaml".into(),
            position: LineColumn::default(),
            cells,
        };
        self.plan.steps.push(Step {
            verb: StepVerb::Create,
            version: None,
            reason: StepReason::Declared,
            origin: Some(origin()),
            claim: Some(claim(&key, fields)),
            body: StepBody::Create {
                declared: Arc::new(declared),
                derived: Box::new([]),
            },
            accounts: Box::default(),
            consequences: Box::default(),
            impact: Box::default(),
            undoes: Box::default(),
            is_on_base: false,
            runtime: RuntimeChanges::default(),
            key,
        });
        self
    }

    /// Changes fields of a row as it was read.
    pub(super) fn change(
        &mut self,
        verb: StepVerb,
        row: &Row,
        fields: &[(&str, Option<Value>)],
    ) -> &mut Self {
        let table = kinds::get(row.key.kind);
        let changes = fields.iter().map(|(name, after)| {
            let field = table.field_ref(name).expect("a field of the table");
            let before = row.value(&field).cloned();
            let change = FieldChange {
                field: field.clone(),
                before,
                after: after.clone(),
            };
            let reduce = table
                .field(&field)
                .is_some_and(|field| field.ty.has_link_table());
            if reduce { change.reduced() } else { change }
        });
        let mut changes: Vec<FieldChange> = changes.collect();
        changes.sort_by(|a, b| a.field.cmp(&b.field));
        let said: Vec<(&str, Value)> = fields
            .iter()
            .filter_map(|(name, value)| Some((*name, value.clone()?)))
            .collect();
        let gone = matches!(verb, StepVerb::Delete | StepVerb::Deactivate);
        self.plan.steps.push(Step {
            verb,
            key: row.key.clone(),
            version: Some(row.version),
            reason: if gone {
                StepReason::Removed
            } else {
                StepReason::Declared
            },
            origin: Some(origin()),
            claim: (!gone).then(|| claim(&row.key, &said)),
            body: StepBody::Changes(changes),
            accounts: Box::default(),
            consequences: Box::default(),
            impact: Box::default(),
            undoes: Box::default(),
            is_on_base: false,
            runtime: RuntimeChanges::default(),
        });
        self
    }

    pub(super) async fn apply(&self, store: &Store) -> Result<ApplySummary, ApplyError> {
        store
            .apply(&ApplyRequest {
                reverts: None,
                cause: None,
                plan: &self.plan,
                plan_id: "plan-1",
                actor: "eva",
                lease: self.lease.as_ref(),
                single_use: self.single_use,
                contents: &self.contents,
                passwords: &self.passwords,
                remember: None,
            })
            .await
    }
}

pub(super) async fn fresh(url: &str) -> Store {
    let store = Store::open(url, StoreAccess::Write)
        .await
        .expect("a database");
    let migrated = store.migrate(Some("test")).await.expect("a schema");
    assert!(migrated.changed);
    store
}

pub(super) async fn read(store: &Store) -> Snapshot {
    store
        .read(&SnapshotQuery {
            source: "directory",
            ..SnapshotQuery::default()
        })
        .await
        .expect("a snapshot")
}

pub(super) async fn row(store: &Store, kind: KindId, id: &str) -> Row {
    let key = key(kind, id);
    let snapshot = read(store).await;
    let row = snapshot
        .rows
        .get(&key)
        .unwrap_or_else(|| panic!("{key} is stored"))
        .clone();
    assert_eq!(store.row(&key).await.expect("a row"), Some(row.clone()));
    row
}

fn fact<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    row.facts.get(name).map(roster::model::CompactText::as_str)
}

fn value(row: &Row, name: &str) -> Option<Value> {
    let field = kinds::get(row.key.kind).field_ref(name).expect("a field");
    row.value(&field).cloned()
}

/// An account with two users, a policy, and what they refer to.
pub(super) async fn populate(store: &Store) {
    let mut draft = Draft::new(&read(store).await);
    draft
        .create(TAG, "premium", &[("name", text("Premium"))])
        .create(
            CUSTOM_FIELD,
            "credit",
            &[
                ("appliesTo", text("account")),
                ("name", text("Credit")),
                ("type", text("list")),
                ("options", Value::List(["C".into(), "A".into()].into())),
            ],
        )
        .create(
            ADDRESS,
            "hub",
            &[("city", text("Göteborg")), ("country", text("SE"))],
        )
        .create(
            ACCOUNT,
            "acme",
            &[
                ("name", text("Acme")),
                ("customerNumber", text("1001")),
                ("tags", set(&["premium"])),
                (
                    "addresses",
                    linked(ACCOUNT, "addresses", &[("hub", [Some(1), Some(0)])]),
                ),
                ("legalUser.lastName", text("Åslund")),
                ("customFields.credit", set(&["A"])),
                ("customFields.limit", Value::Number("12.5".into())),
                ("customFields.vip", Value::Bool(true)),
            ],
        )
        .create(
            ORGANISATION,
            "root",
            &[("name", text("Root")), ("account", text("acme"))],
        )
        .create(
            ORGANISATION,
            "branch",
            &[
                ("name", text("Branch")),
                ("account", text("acme")),
                ("parent", text("root")),
            ],
        );
    for id in ["u1", "u2"] {
        draft.create(
            USER,
            id,
            &[
                ("firstName", text("Karin")),
                ("email", text(&format!("{id}@acme.example"))),
                ("groups", set(&["FOC_User"])),
                ("accounts", member("acme")),
                ("mainOrganisation", text("branch")),
            ],
        );
    }
    draft.create(
        POLICY,
        "p",
        &[
            ("name", text("Over 500")),
            ("account", text("acme")),
            ("reviewed", set(&["u1"])),
            ("approvers", set(&["u2"])),
        ],
    );
    let applied = draft.apply(store).await.expect("applied");
    assert_eq!(
        (applied.run, applied.written, applied.claims),
        (Some(1), 9, 9)
    );
}

#[tokio::test]
async fn what_was_created_is_read_back() {
    for (engine, url) in crate::support::postgres::databases("created") {
        let store = fresh(&url).await;
        populate(&store).await;
        let acme = row(&store, ACCOUNT, "acme").await;
        assert_eq!(acme.version, 1, "{engine}");
        assert_eq!(value(&acme, "name"), Some(text("Acme")));
        assert_eq!(value(&acme, "status"), Some(text("active")));
        assert_eq!(value(&acme, "protect"), Some(Value::Bool(false)));
        assert_eq!(value(&acme, "tags"), Some(set(&["premium"])));
        let hub = linked(ACCOUNT, "addresses", &[("hub", [Some(1), Some(0)])]);
        assert_eq!(value(&acme, "addresses"), Some(hub));
        assert_eq!(value(&acme, "legalUser.lastName"), Some(text("Åslund")));
        assert_eq!(value(&acme, "website"), None);
        assert_eq!(value(&acme, "customFields.credit"), Some(set(&["A"])));
        assert_eq!(
            value(&acme, "customFields.limit"),
            Some(Value::Number("12.5".into()))
        );
        assert_eq!(value(&acme, "customFields.vip"), Some(Value::Bool(true)));
        assert_eq!(fact(&acme, "approval"), Some("approved"));

        let credit = row(&store, CUSTOM_FIELD, "credit").await;
        let options = Value::List(["C".into(), "A".into()].into());
        assert_eq!(value(&credit, "options"), Some(options));
        let hub = row(&store, ADDRESS, "hub").await;
        assert_eq!(value(&hub, "status"), None);
        let user = row(&store, USER, "u1").await;
        assert_eq!(value(&user, "stores"), Some(set(&[])));
        assert_eq!(value(&user, "accounts"), Some(member("acme")));
        assert_eq!(fact(&user, "access"), Some("unregistered"));

        let snapshot = read(&store).await;
        assert_eq!(snapshot.environment.as_deref(), Some("test"));
        let claim = snapshot.claim("directory", &user.key).expect("a claim");
        assert_eq!(
            (claim.seen_version, &*claim.path, claim.position.line),
            (1, "users.yaml", 3)
        );
        assert!(claim.fields.get("email").is_some());
        assert_eq!(claim.fields.member("groups", "FOC_User"), Some(0));
    }
}

#[tokio::test]
async fn changes_touch_only_what_they_say() {
    for (engine, url) in crate::support::postgres::databases("changes") {
        let store = fresh(&url).await;
        populate(&store).await;
        let (acme, user) = (
            row(&store, ACCOUNT, "acme").await,
            row(&store, USER, "u1").await,
        );
        let credit = row(&store, CUSTOM_FIELD, "credit").await;
        let mut draft = Draft::new(&read(&store).await);
        let hub = linked(ACCOUNT, "addresses", &[("hub", [Some(0), Some(0)])]);
        let options = Value::List(["C".into(), "B".into(), "A".into()].into());
        draft
            .change(
                StepVerb::Update,
                &credit,
                &[("options", Some(options.clone()))],
            )
            .change(
                StepVerb::Update,
                &acme,
                &[
                    ("website", Some(text("https://acme.example"))),
                    ("addresses", Some(hub.clone())),
                    ("tags", Some(set(&[]))),
                    ("customFields.vip", None),
                    ("customFields.credit", Some(set(&["A", "B"]))),
                ],
            )
            .change(
                StepVerb::Update,
                &user,
                &[("groups", Some(set(&["FOC_Admin", "FOC_User"])))],
            );
        draft.apply(&store).await.expect("applied");

        let acme = row(&store, ACCOUNT, "acme").await;
        assert_eq!(acme.version, 2, "{engine}");
        assert_eq!(value(&acme, "name"), Some(text("Acme")));
        assert_eq!(value(&acme, "website"), Some(text("https://acme.example")));
        assert_eq!(value(&acme, "addresses"), Some(hub));
        assert_eq!(value(&acme, "tags"), Some(set(&[])));
        assert_eq!(value(&acme, "customFields.vip"), None);
        assert_eq!(value(&acme, "customFields.credit"), Some(set(&["A", "B"])));
        assert_eq!(
            value(&acme, "customFields.limit"),
            Some(Value::Number("12.5".into()))
        );
        let user = row(&store, USER, "u1").await;
        assert_eq!(
            (user.version, value(&user, "groups")),
            (2, Some(set(&["FOC_Admin", "FOC_User"])))
        );
        assert_eq!(
            value(&row(&store, CUSTOM_FIELD, "credit").await, "options"),
            Some(options)
        );
    }
}

#[tokio::test]
async fn a_deactivated_resource_stays_and_a_deleted_id_is_retired() {
    for (_, url) in crate::support::postgres::databases("removal") {
        let store = fresh(&url).await;
        populate(&store).await;
        let (user, tag) = (
            row(&store, USER, "u1").await,
            row(&store, TAG, "premium").await,
        );
        let acme = row(&store, ACCOUNT, "acme").await;
        let mut draft = Draft::new(&read(&store).await);
        draft
            .change(
                StepVerb::Deactivate,
                &user,
                &[("status", Some(text("inactive")))],
            )
            .change(StepVerb::Update, &acme, &[("tags", Some(set(&[])))])
            .change(StepVerb::Delete, &tag, &[]);
        draft.apply(&store).await.expect("applied");

        let gone = row(&store, USER, "u1").await;
        assert_eq!(value(&gone, "status"), Some(text("inactive")));
        let snapshot = read(&store).await;
        let claim = snapshot
            .claim("directory", &user.key)
            .expect("the claim stays");
        assert_eq!(
            (claim.state, claim.seen_version),
            (roster::model::ClaimState::Gone, 2)
        );
        assert!(snapshot.rows.get(&tag.key).is_none());
        assert!(snapshot.claim("directory", &tag.key).is_none());
        let declared = vec![&tag.key, &user.key];
        let query = SnapshotQuery {
            source: "directory",
            declared,
            ..SnapshotQuery::default()
        };
        let snapshot = store.read(&query).await.expect("a snapshot");
        assert_eq!(snapshot.retired, [tag.key.clone()].into());

        let mut draft = Draft::new(&snapshot);
        draft.create(TAG, "premium", &[("name", text("Again"))]);
        let error = draft.apply(&store).await.expect_err("retired");
        assert!(matches!(error, ApplyError::Stale { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_plan_that_no_longer_fits_writes_nothing() {
    for (_, url) in crate::support::postgres::databases("stale") {
        let store = fresh(&url).await;
        populate(&store).await;
        let before = read(&store).await;
        let user = row(&store, USER, "u1").await;
        let mut first = Draft::new(&before);
        first.change(StepVerb::Update, &user, &[("phone", Some(text("+46")))]);
        first.apply(&store).await.expect("applied");

        let mut second = Draft::new(&before);
        second.create(TAG, "gold", &[("name", text("Gold"))]);
        second.change(StepVerb::Update, &user, &[("phone", Some(text("+47")))]);
        let error = second.apply(&store).await.expect_err("stale");
        assert_eq!(
            error.to_string(),
            "the plan is stale: User/u1 changed since then"
        );
        assert!(read(&store).await.rows.get(&key(TAG, "gold")).is_none());

        let mut twice = Draft::new(&before);
        twice.create(TAG, "premium", &[("name", text("Twice"))]);
        let error = twice.apply(&store).await.expect_err("stale");
        assert_eq!(
            error.to_string(),
            "the plan is stale: Tag/premium already exists"
        );

        let mut elsewhere = Draft::new(&before);
        elsewhere.plan.database = Some("another".into());
        let error = elsewhere.apply(&store).await.expect_err("stale");
        assert!(matches!(error, ApplyError::Stale { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_reader_finds_no_database_and_makes_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none").join("roster.db");
    let url = format!("sqlite:{}", path.display());
    let store = Store::open(&url, StoreAccess::Read)
        .await
        .expect("an empty database");
    assert!(!store.exists());
    assert_eq!(store.schema().await.expect("a schema"), SchemaState::None);
    assert_eq!(read(&store).await.database, None);
    assert!(!path.parent().expect("a folder").exists());
}

/// Runs statements as another program would: none of Roster's code is involved.
pub(super) async fn foreign(url: &str, sql: &str) -> u64 {
    let sql = AssertSqlSafe(sql);
    if let Some(path) = url.strip_prefix("sqlite:") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .expect("connected");
        let done = sqlx::raw_sql(sql)
            .execute(&mut connection)
            .await
            .expect("a foreign write");
        connection.close().await.expect("closed");
        return done.rows_affected();
    }
    let mut connection = sqlx::PgConnection::connect(url).await.expect("connected");
    let done = sqlx::raw_sql(sql)
        .execute(&mut connection)
        .await
        .expect("a foreign write");
    done.rows_affected()
}

#[tokio::test]
async fn a_foreign_write_never_looks_current() {
    for (engine, url) in crate::support::postgres::databases("foreign") {
        let store = fresh(&url).await;
        populate(&store).await;
        foreign(
            &url,
            "UPDATE users SET phone = '+1' WHERE external_id = 'u1'",
        )
        .await;
        let first = row(&store, USER, "u1").await.version;
        assert!(first < 0, "{engine}: {first}");
        foreign(
            &url,
            "UPDATE users SET phone = '+1' WHERE external_id = 'u1'",
        )
        .await;
        let second = row(&store, USER, "u1").await.version;
        assert!(second < 0 && second != first, "{engine}");

        assert_eq!(row(&store, USER, "u2").await.version, 1);
        foreign(
            &url,
            "UPDATE user_accounts SET level = 'administrator' WHERE user_id = 'u2'",
        )
        .await;
        let level = row(&store, USER, "u2").await.version;
        assert!(level < 0, "{engine}: an updated link");
        foreign(&url, "DELETE FROM user_groups WHERE user_id = 'u2'").await;
        let without = row(&store, USER, "u2").await.version;
        assert!(without < 0 && without != level, "{engine}: a deleted link");
        foreign(&url, "INSERT INTO user_groups VALUES ('u2', 'FOC_User')").await;
        let again = row(&store, USER, "u2").await.version;
        assert!(again < 0 && again != without, "{engine}: an inserted link");

        foreign(&url, "DELETE FROM account_tags; DELETE FROM tags").await;
        foreign(
            &url,
            "INSERT INTO tags (external_id, name) VALUES ('premium', 'Premium')",
        )
        .await;
        assert!(
            row(&store, TAG, "premium").await.version < 0,
            "{engine}: deleted and inserted"
        );
        assert_eq!(row(&store, ADDRESS, "hub").await.version, 1);
        if engine == "postgres" {
            foreign(&url, "TRUNCATE policy_reviewed").await;
            assert!(
                row(&store, POLICY, "p").await.version < 0,
                "a truncated link table"
            );
        }
    }
}

#[tokio::test]
async fn roster_writes_over_a_foreign_version_with_a_positive_one() {
    for (_, url) in crate::support::postgres::databases("over") {
        let store = fresh(&url).await;
        populate(&store).await;
        foreign(
            &url,
            "UPDATE users SET phone = '+1' WHERE external_id = 'u1'",
        )
        .await;
        let user = row(&store, USER, "u1").await;
        let mut draft = Draft::new(&read(&store).await);
        draft.change(StepVerb::Update, &user, &[("phone", Some(text("+46")))]);
        draft.apply(&store).await.expect("applied");
        let after = row(&store, USER, "u1").await;
        assert!(after.version > 0);
        let snapshot = read(&store).await;
        let claim = snapshot.claim("directory", &after.key).expect("a claim");
        assert_eq!(claim.seen_version, after.version);
    }
}

#[tokio::test]
async fn another_sources_claim_moves_unless_its_fields_changed() {
    for (_, url) in crate::support::postgres::databases("others") {
        let store = fresh(&url).await;
        populate(&store).await;
        for (source, field) in [("erp", "company"), ("crm", "phone")] {
            let user = row(&store, USER, "u1").await;
            let mut draft = Draft::of(source, &read(&store).await);
            draft.change(StepVerb::Adopt, &user, &[(field, Some(text(source)))]);
            draft.apply(&store).await.expect("applied");
        }
        let before = row(&store, USER, "u1").await;
        let mut draft = Draft::new(&read(&store).await);
        draft.change(StepVerb::Update, &before, &[("phone", Some(text("+46")))]);
        draft.apply(&store).await.expect("applied");
        let (after, snapshot) = (row(&store, USER, "u1").await, read(&store).await);
        let seen = |source| {
            snapshot
                .claim(source, &after.key)
                .map(|claim| claim.seen_version)
        };
        assert_eq!(seen("directory"), Some(after.version));
        assert_eq!(
            seen("erp"),
            Some(after.version),
            "it declares another field"
        );
        assert_eq!(seen("crm"), Some(before.version), "it declares the field");
        assert_eq!(recorded_of(&store, "crm").await.0, ["User/u1"]);
        assert_eq!(recorded_of(&store, "erp").await.0, [""; 0]);
        assert_eq!(recorded(&store).await.0, [""; 0]);
    }
}

#[tokio::test]
async fn a_saved_plan_is_applied_once() {
    for (_, url) in crate::support::postgres::databases("once") {
        let store = fresh(&url).await;
        populate(&store).await;
        let mut draft = Draft::new(&read(&store).await);
        draft.create(TAG, "gold", &[("name", text("Gold"))]);
        draft.single_use = true;
        let error = draft.apply(&store).await.expect_err("used");
        assert_eq!(
            error.to_string(),
            "the plan is stale: it was already applied"
        );
    }
}

#[tokio::test]
async fn the_history_verifies_also_after_erasure_and_names_a_forged_run() {
    for (engine, url) in crate::support::postgres::databases("chain") {
        let store = fresh(&url).await;
        populate(&store).await;
        let user = row(&store, USER, "u1").await;
        let mut draft = Draft::new(&read(&store).await);
        draft.change(
            StepVerb::Update,
            &user,
            &[
                ("phone", Some(text("+46"))),
                ("company", Some(text("Acme"))),
            ],
        );
        draft.apply(&store).await.expect("applied");
        let sound = HistoryVerification::Sound {
            runs: 2,
            changes: 10,
        };
        assert_eq!(store.verify().await.expect("verified"), sound, "{engine}");
        let history = store.history(Some(&user.key), 10).await.expect("a history");
        assert_eq!(history.len(), 2);
        assert_eq!(history[0].fields["phone"], serde_json::json!([null, "+46"]));
        assert_eq!(
            history[0].fields["company"],
            serde_json::json!([null, "Acme"])
        );
        assert_eq!(
            history[1].fields["email"],
            serde_json::json!(["u1@acme.example"])
        );
        let accounts = serde_json::json!([[{"account": "acme", "level": "user"}]]);
        assert_eq!(history[1].fields["accounts"], accounts);
        assert_eq!(store.changes_after(8, 10).await.expect("changes").len(), 2);
        assert_eq!(store.runs(10).await.expect("runs").len(), 2);

        foreign(
            &url,
            "DELETE FROM change_values; UPDATE changes SET external_id = NULL WHERE kind = 'User'",
        )
        .await;
        assert_eq!(store.verify().await.expect("verified"), sound, "{engine}");
        let erased = store.changes_after(9, 1).await.expect("changes").remove(0);
        assert_eq!(
            (erased.external_id, erased.fields.get("phone")),
            (None, None)
        );

        foreign(&url, "UPDATE changes SET verb = 'adopt' WHERE seq = 2").await;
        let verified = store.verify().await.expect("verified");
        assert!(
            matches!(verified, HistoryVerification::Broken { run: 1, .. }),
            "{verified:?}"
        );
    }
}

#[tokio::test]
async fn a_shortened_history_is_found() {
    for (_, url) in crate::support::postgres::databases("shortened") {
        let store = fresh(&url).await;
        populate(&store).await;
        foreign(&url, "DELETE FROM changes; DELETE FROM runs").await;
        let verified = store.verify().await.expect("verified");
        assert!(
            matches!(verified, HistoryVerification::Broken { run: 1, .. }),
            "{verified:?}"
        );
    }
}

async fn login_names(store: &Store) -> u64 {
    read(store)
        .await
        .logins
        .get("1001")
        .copied()
        .unwrap_or_default()
        .into()
}

#[tokio::test]
async fn a_login_number_is_never_given_out_twice() {
    for (engine, url) in crate::support::postgres::databases("logins") {
        let store = fresh(&url).await;
        let mut draft = Draft::new(&read(&store).await);
        draft.create(
            SETTINGS,
            "settings",
            &[
                ("loginMode", text("customer-number")),
                ("firstUser", text("off")),
                ("accountApproval", Value::Bool(true)),
            ],
        );
        draft.apply(&store).await.expect("applied");
        populate_two(&store).await;
        let acme = row(&store, ACCOUNT, "acme").await;
        assert_eq!(fact(&acme, "approval"), Some("pending"));
        assert_eq!(login_names(&store).await, 2, "{engine}");

        for accounts in [set(&[]), member("acme")] {
            let accounts = match accounts {
                Value::List(_) => linked(USER, "accounts", &[]),
                accounts => accounts,
            };
            let user = row(&store, USER, "u1").await;
            let mut draft = Draft::new(&read(&store).await);
            draft.change(StepVerb::Update, &user, &[("accounts", Some(accounts))]);
            draft.apply(&store).await.expect("applied");
        }
        assert_eq!(login_names(&store).await, 3);
        let taken = "DELETE FROM user_logins WHERE user_id = 'u1' AND name = '1001-3'";
        assert_eq!(foreign(&url, taken).await, 1, "{engine}");

        let mut draft = Draft::new(&read(&store).await);
        draft.change(
            StepVerb::Update,
            &acme,
            &[("customerNumber", Some(text("2002")))],
        );
        draft.apply(&store).await.expect("applied");
        let renamed = "DELETE FROM user_logins WHERE name IN ('2002-1', '2002-2')";
        assert_eq!(foreign(&url, renamed).await, 2, "{engine}");
        let numbers = read(&store).await.customer_numbers;
        assert_eq!(numbers.len(), 2, "both numbers are taken for ever");
    }
}

async fn populate_two(store: &Store) {
    let mut draft = Draft::new(&read(store).await);
    draft.create(
        ACCOUNT,
        "acme",
        &[("name", text("Acme")), ("customerNumber", text("1001"))],
    );
    for id in ["u1", "u2"] {
        draft.create(USER, id, &[("accounts", member("acme"))]);
    }
    draft.apply(store).await.expect("applied");
}

#[tokio::test]
async fn nobody_takes_the_last_active_user_or_approver() {
    for (engine, url) in crate::support::postgres::databases("invariants") {
        let store = fresh(&url).await;
        populate(&store).await;
        let approver = row(&store, USER, "u2").await;
        let mut draft = Draft::new(&read(&store).await);
        draft.change(
            StepVerb::Deactivate,
            &approver,
            &[("status", Some(text("inactive")))],
        );
        let error = draft.apply(&store).await.expect_err("the last approver");
        assert!(
            matches!(
                &error,
                ApplyError::Invariant {
                    code: "policy-approvers",
                    ..
                }
            ),
            "{engine}: {error}"
        );

        let mut draft = Draft::new(&read(&store).await);
        let policy = row(&store, POLICY, "p").await;
        draft.change(
            StepVerb::Deactivate,
            &policy,
            &[("status", Some(text("inactive")))],
        );
        draft.change(
            StepVerb::Deactivate,
            &approver,
            &[("status", Some(text("inactive")))],
        );
        draft
            .apply(&store)
            .await
            .expect("the policy goes with its approver");

        let last = row(&store, USER, "u1").await;
        let mut draft = Draft::new(&read(&store).await);
        draft.change(
            StepVerb::Update,
            &last,
            &[("accounts", Some(linked(USER, "accounts", &[])))],
        );
        let error = draft.apply(&store).await.expect_err("the last user");
        let expected = "would take the last active user of the active account acme";
        assert_eq!(error.to_string(), expected, "{engine}");
        assert_eq!(row(&store, USER, "u1").await, last, "nothing was written");
    }
}

fn holder(name: &str, pid: i64) -> LeaseHolder {
    LeaseHolder {
        name: name.into(),
        host: "here".into(),
        pid,
    }
}

#[tokio::test]
async fn an_apply_under_a_lost_lease_writes_nothing() {
    for (engine, url) in crate::support::postgres::databases("leases") {
        let store = fresh(&url).await;
        let me = holder("eva", i64::from(std::process::id()));
        let scope = "source:directory";
        let lease = store
            .acquire(scope, &me, Duration::ZERO)
            .await
            .expect("free");
        let other = holder("ivan", i64::from(std::process::id()));
        let error = store
            .acquire(scope, &other, Duration::ZERO)
            .await
            .expect_err("taken");
        assert!(
            matches!(&error, LeaseError::Timeout(held) if held.holder == me),
            "{error}"
        );
        assert!(store.renew(&lease).await.expect("renewed"), "{engine}");
        assert_eq!(store.leases().await.expect("leases").len(), 1);

        assert!(store.break_lease(scope).await.expect("broken"));
        assert!(!store.renew(&lease).await.expect("lost"));
        let newer = store
            .acquire(scope, &other, Duration::ZERO)
            .await
            .expect("free again");
        assert!(newer.token > lease.token);
        let mut draft = Draft::new(&read(&store).await);
        draft.create(TAG, "gold", &[("name", text("Gold"))]);
        draft.lease = Some(lease);
        let error = draft.apply(&store).await.expect_err("fenced");
        assert!(matches!(error, ApplyError::Fenced { .. }), "{error}");
        draft.lease = Some(newer.clone());
        draft.apply(&store).await.expect("applied");

        store.release(&newer).await.expect("released");
        let crashed = store
            .acquire(scope, &holder("gone", 999_999_999), Duration::ZERO)
            .await;
        let crashed = crashed.expect("free");
        let next = store
            .acquire(scope, &me, Duration::ZERO)
            .await
            .expect("its process is gone");
        assert!(next.token > crashed.token);
        store.release(&next).await.expect("released");

        // What another machine or container of the same name calls its processes says nothing here.
        let apart = LeaseHolder {
            host: "there".into(),
            ..holder("apart", 999_999_999)
        };
        let apart = store.acquire(scope, &apart, Duration::ZERO).await;
        apart.expect("free");
        let error = store.acquire(scope, &me, Duration::ZERO).await;
        assert!(matches!(error, Err(LeaseError::Timeout(_))), "{engine}");
    }
}

#[tokio::test]
async fn a_lease_does_not_outlast_a_clock_that_was_set_back() {
    for (engine, url) in crate::support::postgres::databases("set_back") {
        let store = fresh(&url).await;
        let me = holder("eva", i64::from(std::process::id()));
        let scope = "source:directory";
        let lease = store.acquire(scope, &me, Duration::ZERO).await;
        let lease = lease.expect("free");
        let before = store.leases().await.expect("leases")[0].expires_at;
        foreign(&url, "UPDATE leases SET expires_at = expires_at + 3600000").await;
        let error = store.acquire(scope, &me, Duration::ZERO).await;
        assert!(matches!(error, Err(LeaseError::Timeout(_))), "{engine}");
        // Seen, and let go again: a try that does not succeed changes nothing but that.
        let after = store.leases().await.expect("leases")[0].expires_at;
        assert!(after < before + 60_000, "{engine}: {before} {after}");
        assert!(store.renew(&lease).await.expect("still held"), "{engine}");
    }
}

#[tokio::test]
async fn a_new_document_resets_its_acceptances_without_drift() {
    for (_, url) in crate::support::postgres::databases("terms") {
        let store = fresh(&url).await;
        populate(&store).await;
        for accepted in [
            "('u1', 'main', 'old', '2026-01-01')",
            "('u1', 'other', 'old', '2026-01-01')",
        ] {
            let sql = format!(
                "INSERT INTO terms_acceptances (user_id, terms_id, version, at) VALUES {accepted}"
            );
            foreign(&url, &sql).await;
        }
        let before = row(&store, USER, "u1").await;
        let mut draft = Draft::new(&read(&store).await);
        let file = text("terms.pdf sha256:abc");
        draft.create(
            TERMS,
            "main",
            &[("title", text("Terms")), ("file", file.clone())],
        );
        draft.contents.insert(key(TERMS, "main"), b"%PDF".to_vec());
        draft.passwords.insert(key(USER, "u9"), "unused".into());
        draft.apply(&store).await.expect("applied");
        assert_eq!(value(&row(&store, TERMS, "main").await, "file"), Some(file));
        assert_eq!(
            store
                .count_acceptances("main", "old")
                .await
                .expect("a count"),
            0
        );
        assert_eq!(
            store
                .count_acceptances("other", "old")
                .await
                .expect("a count"),
            1
        );
        let after = row(&store, USER, "u1").await;
        assert_eq!(after.version, before.version, "an acceptance is no drift");
    }
}

#[tokio::test]
async fn approvals_are_read_back_until_they_lapse() {
    for (_, url) in crate::support::postgres::databases("approvals") {
        let store = fresh(&url).await;
        store
            .approve_hold("h1", None, "eva", "checked")
            .await
            .expect("recorded");
        store
            .approve_hold("h2", Some(&key(USER, "u1")), "eva", "checked")
            .await
            .expect("recorded");
        let approved = read(&store).await.approved_holds;
        assert_eq!(approved, ["h1".to_owned(), "h2 User/u1".to_owned()].into());
        let query = SnapshotQuery {
            source: "directory",
            approved_since: i64::MAX,
            ..SnapshotQuery::default()
        };
        assert!(
            store
                .read(&query)
                .await
                .expect("a snapshot")
                .approved_holds
                .is_empty()
        );
        store
            .approve_source("erp", "eva", "checked")
            .await
            .expect("recorded");
        assert!(store.source_approved("erp").await.expect("approved"));
        assert!(!store.source_approved("crm").await.expect("not approved"));
    }
}

#[tokio::test]
async fn budgets_are_summed_up_within_the_window() {
    for (_, url) in crate::support::postgres::databases("budgets") {
        let store = fresh(&url).await;
        for tag in ["a", "b"] {
            let mut draft = Draft::new(&read(&store).await);
            draft.create(TAG, tag, &[("name", text(tag))]);
            draft.plan.budget_use.insert("User.deactivate".into(), 3);
            draft.apply(&store).await.expect("applied");
        }
        assert_eq!(
            read(&store).await.budget_use,
            [("User.deactivate".to_owned(), 6)].into()
        );
        let query = SnapshotQuery {
            source: "directory",
            spent_since: i64::MAX,
            ..SnapshotQuery::default()
        };
        assert!(
            store
                .read(&query)
                .await
                .expect("a snapshot")
                .budget_use
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_reader_reads_and_cannot_write() {
    for (engine, url) in crate::support::postgres::databases("reader") {
        let store = fresh(&url).await;
        populate(&store).await;
        let reader = Store::open(&url, StoreAccess::Read)
            .await
            .expect("a reader");
        assert_eq!(read(&reader).await.rows.len(), 9, "{engine}");
        let mut draft = Draft::new(&read(&reader).await);
        draft.create(TAG, "gold", &[("name", text("Gold"))]);
        draft.apply(&reader).await.expect_err("read only");
        assert_eq!(read(&store).await.rows.len(), 9, "{engine}");
    }
}

#[tokio::test]
async fn a_schema_is_made_once() {
    for (_, url) in crate::support::postgres::databases("schema") {
        let store = Store::open(&url, StoreAccess::Write)
            .await
            .expect("a database");
        assert_eq!(store.schema().await.expect("a schema"), SchemaState::None);
        let first = store.migrate(Some("test")).await.expect("a schema");
        let second = store.migrate(None).await.expect("a schema");
        assert_eq!((second.identity, second.changed), (first.identity, false));
        assert_eq!(
            store.schema().await.expect("a schema"),
            SchemaState::Current
        );
        foreign(&url, "UPDATE meta SET schema_version = 99").await;
        assert_eq!(
            store.schema().await.expect("a schema"),
            SchemaState::Newer { found: 99 }
        );
        assert!(store.read(&SnapshotQuery::default()).await.is_err());
    }
}

#[tokio::test]
async fn a_first_load_leaves_everything_in_place() {
    for (engine, url) in crate::support::postgres::databases("load") {
        let store = fresh(&url).await;
        let mut draft = Draft::new(&read(&store).await);
        draft.create(ACCOUNT, "acme", &[("name", text("Acme"))]);
        for number in 0..10_100 {
            let id = format!("u{number:05}");
            let fields = [
                ("firstName", text(&id)),
                ("accounts", member("acme")),
                ("groups", set(&["A"])),
            ];
            draft.create(USER, &id, &fields);
        }
        let applied = draft.apply(&store).await.expect("applied");
        assert_eq!(
            (applied.written, applied.claims),
            (10_101, 10_101),
            "{engine}"
        );
        let snapshot = read(&store).await;
        assert_eq!(
            (snapshot.rows.len(), snapshot.claims.len()),
            (10_101, 10_101)
        );
        let last = row(&store, USER, "u10099").await;
        assert_eq!(value(&last, "firstName"), Some(text("u10099")));
        assert_eq!(value(&last, "accounts"), Some(member("acme")));
        assert_eq!(value(&last, "groups"), Some(set(&["A"])));

        let indexes = if engine == "sqlite" {
            "SELECT 1 FROM users INDEXED BY users_email WHERE lower(email) = ''"
        } else {
            "DROP INDEX users_email; DROP INDEX user_accounts_account_id"
        };
        foreign(&url, indexes).await;
        foreign(&url, "DELETE FROM user_groups WHERE user_id = 'u10099'").await;
        assert!(
            row(&store, USER, "u10099").await.version < 0,
            "{engine}: the triggers are back"
        );
        let sound = HistoryVerification::Sound {
            runs: 1,
            changes: 10_101,
        };
        assert_eq!(store.verify().await.expect("verified"), sound);

        let users: Vec<Row> = snapshot
            .rows
            .iter()
            .filter(|row| row.key.kind == USER)
            .cloned()
            .collect();
        let mut draft = Draft::new(&snapshot);
        for user in &users[..500] {
            draft.change(
                StepVerb::Update,
                user,
                &[("groups", Some(set(&["B"]))), ("phone", Some(text("+46")))],
            );
        }
        draft.apply(&store).await.expect("applied");
        let first = row(&store, USER, "u00000").await;
        assert_eq!(
            (first.version, value(&first, "groups")),
            (2, Some(set(&["B"])))
        );
        assert_eq!(row(&store, USER, "u00500").await.version, 1);
    }
}

/// What the releases since version 4 added, taken away again.
const BEFORE: [&str; 42] = [
    "DROP VIEW visible_users",
    "DROP VIEW visible_organisations",
    "DROP VIEW visible_accounts",
    "DROP VIEW usable_users",
    "DROP VIEW usable_accounts",
    "DROP INDEX accounts_pending",
    "ALTER TABLE settings DROP COLUMN initial_access",
    "ALTER TABLE users DROP COLUMN password_applied",
    "DROP TABLE terms_acceptances",
    "DROP TABLE approval_notices",
    "DROP TABLE act_keys",
    "DROP TABLE unnamed_links",
    "DROP TABLE invitations",
    "DROP TABLE customer_tokens",
    "DROP TABLE job_files",
    "DROP TABLE jobs",
    "DROP TABLE orders",
    "DROP TABLE removed_files",
    "DROP TABLE tag_offers",
    "DROP TABLE erased_ids",
    "DROP TABLE dropped_records",
    "DROP TABLE import_holds",
    "DROP TABLE foreign_writes",
    "DROP TABLE row_counts",
    "DROP TABLE export_row_sets",
    "DROP TABLE export_rows",
    "DROP TABLE reverted_fields",
    "DROP TABLE hold_approvers",
    "DROP TABLE run_causes",
    "DROP TABLE revert_holds",
    "DROP INDEX accounts_effective_until",
    "DROP INDEX users_effective_until",
    "DROP INDEX policies_effective_until",
    "ALTER TABLE accounts DROP COLUMN effective_from",
    "ALTER TABLE accounts DROP COLUMN effective_until",
    "ALTER TABLE users DROP COLUMN effective_from",
    "ALTER TABLE users DROP COLUMN effective_until",
    "ALTER TABLE policies DROP COLUMN effective_from",
    "ALTER TABLE policies DROP COLUMN effective_until",
    "DROP TABLE user_dated_links",
    "CREATE VIEW usable_accounts AS SELECT * FROM accounts WHERE status = 'active'",
    "CREATE VIEW usable_users AS SELECT * FROM users WHERE status = 'active' AND access = 'enabled'",
];

/// Takes the triggers of later releases away, which each engine names in its own way.
async fn drop_later_triggers(url: &str) {
    let triggers: &[&str] = if url.starts_with("postgres") {
        &[
            "DROP TRIGGER user_accounts_unnamed ON user_accounts",
            "DROP FUNCTION roster_unnamed_link",
        ]
    } else {
        &[
            "DROP TRIGGER user_accounts_unnamed",
            "DROP TRIGGER user_accounts_renamed",
        ]
    };
    for undo in triggers {
        foreign(url, undo).await;
    }
    drop_record_triggers(url).await;
}

/// Takes the triggers away that record foreign writes, which came with version 15.
async fn drop_record_triggers(url: &str) {
    let is_postgres = url.starts_with("postgres");
    for kind in kinds::ALL {
        let table = kind.table;
        let events = ["insert", "update", "delete", "move"];
        let truncate = is_postgres.then_some("truncate");
        for event in events.into_iter().chain(truncate) {
            let on = if is_postgres {
                format!(" ON {table}")
            } else {
                String::new()
            };
            foreign(url, &format!("DROP TRIGGER {table}_recorded_{event}{on}")).await;
        }
    }
    if is_postgres {
        foreign(url, RELEASE_14).await;
    }
}

/// On PostgreSQL: gives the links of users to groups their trigger of version 14, and takes away
/// those that took its place.
const RELEASE_14: &str = "
DROP FUNCTION roster_foreign_rows; DROP FUNCTION roster_foreign_kind;
DROP FUNCTION roster_foreign_links CASCADE;
CREATE FUNCTION roster_foreign_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN UPDATE users SET version = -1 WHERE external_id = OLD.user_id; END IF;
  IF TG_OP <> 'DELETE' THEN UPDATE users SET version = -1 WHERE external_id = NEW.user_id; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER user_groups_changed AFTER INSERT OR UPDATE OR DELETE ON user_groups
FOR EACH ROW EXECUTE FUNCTION roster_foreign_link('users', 'user_id')";

#[tokio::test]
async fn a_schema_of_an_earlier_release_is_brought_up_with_its_views() {
    for (engine, url) in crate::support::postgres::databases("upgrade") {
        let store = fresh(&url).await;
        let mut draft = Draft::new(&read(&store).await);
        draft.create(TAG, "gold", &[("name", text("Gold"))]);
        draft.create(ACCOUNT, "acme", &[("name", text("Acme"))]);
        draft.create(USER, "u1", &[("accounts", member("acme"))]);
        draft.apply(&store).await.expect("applied");
        let facts = "UPDATE users SET access = 'enabled', password_hash = 'from a source'";
        foreign(&url, facts).await;
        let version = row(&store, USER, "u1").await.version;
        drop_later_triggers(&url).await;
        for undo in BEFORE {
            foreign(&url, undo).await;
        }
        foreign(&url, "UPDATE meta SET schema_version = 4").await;
        // In the older release, a blocked account kept nobody out.
        foreign(&url, "UPDATE accounts SET blocked = 'unpaid'").await;
        let user = Key::new(USER, "u1");

        let old = SchemaState::Old { found: 4 };
        assert_eq!(store.schema().await.expect("a schema"), old, "{engine}");
        // It lacks a column of this release.
        let refused = store.read(&SnapshotQuery::default()).await;
        let refused = refused.expect_err("an older schema").to_string();
        assert!(refused.contains("roster migrate"), "{engine}: {refused}");
        assert!(store.suspend("a", "eva", "no").await.is_err(), "{engine}");
        assert!(store.migrate(None).await.expect("brought up").changed);
        store.suspend("a", "eva", "audit").await.expect("written");
        assert_eq!(store.visible("u-1").await.expect("the view"), None);
        assert!(!store.migrate(None).await.expect("current").changed);
        assert_eq!(read(&store).await.rows.len(), 3, "{engine}");
        let record = store.record(&user).await.expect("read").expect("a user");
        assert_eq!(record.usable, Some(false), "{engine}: the new view");
        // Until now the password that a source set was the current one.
        let applied = fact(&record.row, "passwordApplied");
        assert_eq!(applied, Some("from a source"), "{engine}");
        assert_eq!(record.row.version, version, "{engine}");
        let pending = store.pending_account_ids(5).await.expect("read");
        assert_eq!(pending, (0, Vec::new()), "{engine}");
        assert_eq!(store.count_acceptances("a", "b").await.expect("read"), 0);
    }
}

/// The stale claims of the directory, and the number of rows that nobody claims.
pub(super) async fn recorded(store: &Store) -> (Vec<String>, u64) {
    recorded_of(store, "directory").await
}

pub(super) async fn recorded_of(store: &Store, source: &str) -> (Vec<String>, u64) {
    let transaction = store.read_transaction().await.expect("read");
    let mut transaction = transaction.expect("a schema");
    let stale = transaction.stale_claims(source).await.expect("read");
    let stale = stale.expect("few").into_iter();
    let mut stale: Vec<String> = stale.map(|claim| claim.key.to_string()).collect();
    stale.sort();
    (stale, transaction.unclaimed().await.expect("counted"))
}

#[tokio::test]
async fn what_changed_before_writes_were_recorded_is_found() {
    for (engine, url) in crate::support::postgres::databases("recorded") {
        let store = fresh(&url).await;
        populate(&store).await;
        drop_record_triggers(&url).await;
        for undo in [
            "DROP TABLE foreign_writes",
            "DROP TABLE row_counts",
            "DROP TABLE export_row_sets",
            "DROP TABLE export_rows",
            "DROP TABLE reverted_fields",
            "DROP TABLE hold_approvers",
            "DROP TABLE run_causes",
            "DROP TABLE revert_holds",
            "DROP VIEW visible_users",
            "DROP VIEW visible_organisations",
            "DROP VIEW visible_accounts",
            "DROP VIEW usable_users",
            "DROP VIEW usable_accounts",
            "DROP INDEX accounts_effective_until",
            "DROP INDEX users_effective_until",
            "DROP INDEX policies_effective_until",
            "ALTER TABLE accounts DROP COLUMN effective_from",
            "ALTER TABLE accounts DROP COLUMN effective_until",
            "ALTER TABLE users DROP COLUMN effective_from",
            "ALTER TABLE users DROP COLUMN effective_until",
            "ALTER TABLE policies DROP COLUMN effective_from",
            "ALTER TABLE policies DROP COLUMN effective_until",
            "DROP TABLE user_dated_links",
            "UPDATE meta SET schema_version = 14",
            "DELETE FROM user_groups WHERE user_id = 'u2'",
            "INSERT INTO tags (external_id, name) VALUES ('by-hand', 'By hand')",
        ] {
            foreign(&url, undo).await;
        }
        let found = (vec!["User/u2".to_owned()], 1);
        assert!(store.migrate(None).await.expect("brought up").changed);
        assert_eq!(recorded(&store).await, found, "{engine}: brought up");
        foreign(&url, "DELETE FROM user_groups WHERE user_id = 'u1'").await;
        let found = (vec!["User/u1".to_owned(), "User/u2".to_owned()], 1);
        assert_eq!(recorded(&store).await, found, "{engine}: a new write");

        // The next apply lists the claims one by one.
        let hub = row(&store, ADDRESS, "hub").await;
        let mut draft = Draft::new(&read(&store).await);
        draft.change(StepVerb::Update, &hub, &[("city", Some(text("Lund")))]);
        draft.apply(&store).await.expect("applied");
        assert_eq!(recorded(&store).await, found, "{engine}: applied");
        let listed = "DELETE FROM foreign_writes WHERE kind = 'User' AND external_id <> ''";
        assert_eq!(foreign(&url, listed).await, 2, "{engine}");
        let rest = foreign(&url, "DELETE FROM foreign_writes").await;
        assert_eq!(rest, 0, "{engine}: nothing else is recorded");
    }
}

#[tokio::test]
async fn what_was_accepted_in_an_earlier_release_stays_accepted() {
    for (engine, url) in crate::support::postgres::databases("accepted") {
        let store = fresh(&url).await;
        let mut draft = Draft::new(&read(&store).await);
        draft.create(ACCOUNT, "acme", &[("name", text("Acme"))]);
        for user in ["u1", "u2", "u3"] {
            draft.create(USER, user, &[("accounts", member("acme"))]);
        }
        draft.apply(&store).await.expect("applied");
        drop_later_triggers(&url).await;
        for undo in BEFORE {
            foreign(&url, undo).await;
        }
        // One acceptance of a user, by the version alone.
        for sql in [
            "UPDATE meta SET schema_version = 4",
            "ALTER TABLE users ADD COLUMN terms_accepted TEXT",
            "ALTER TABLE users ADD COLUMN terms_accepted_at TEXT",
            "INSERT INTO terms (external_id, title, file_sha256) VALUES ('sale', 'Sale', 'aa01'), \
             ('privacy', 'Privacy', 'bb02')",
            "UPDATE users SET terms_accepted = 'AA01', terms_accepted_at = '2025-03-31T10:00:00Z' \
             WHERE external_id = 'u1'",
            "UPDATE users SET terms_accepted = 'aa01', terms_accepted_at = 'last year' \
             WHERE external_id = 'u2'",
            "UPDATE users SET terms_accepted = 'cc03' WHERE external_id = 'u3'",
        ] {
            foreign(&url, sql).await;
        }
        assert!(store.migrate(None).await.expect("brought up").changed);
        let count = async |terms, version| store.count_acceptances(terms, version).await;
        assert_eq!(count("sale", "aa01").await.expect("read"), 2, "{engine}");
        // Another version than the stored one counts as open.
        assert_eq!(count("privacy", "bb02").await.expect("read"), 0, "{engine}");
        assert_eq!(count("sale", "cc03").await.expect("read"), 0, "{engine}");
        let user = Key::new(USER, "u1");
        let record = store.record(&user).await.expect("read").expect("a user");
        let terms: Vec<_> = record
            .terms
            .iter()
            .flatten()
            .map(|it| (&*it.accepted.terms, &*it.at))
            .collect();
        assert_eq!(terms, [("sale", "2025-03-31T10:00:00.000Z")], "{engine}");
    }
}

#[tokio::test]
async fn who_suspended_a_source_is_kept_and_recorded() {
    for (engine, url) in crate::support::postgres::databases("suspended") {
        let store = fresh(&url).await;
        store
            .suspend("erp", "eva", "stock-taking")
            .await
            .expect("written");
        let all = store.suspensions().await.expect("read");
        assert_eq!(all.len(), 1, "{engine}");
        assert_eq!((all[0].0.as_str(), all[0].1.actor.as_str()), ("erp", "eva"));
        assert!(store.resume("erp", "ivan", "done").await.expect("written"));
        assert!(
            !store
                .resume("erp", "ivan", "")
                .await
                .expect("there is none")
        );
        assert_eq!(store.suspensions().await.expect("read"), []);
        let acts = store.acts_before(None, 10).await.expect("read");
        let mut acts: Vec<_> = acts.iter().map(|act| (&*act.act, &*act.actor)).collect();
        acts.sort_unstable();
        assert_eq!(acts, [("resume", "ivan"), ("suspend", "eva")], "{engine}");
    }
}

#[tokio::test]
async fn a_state_is_kept_only_by_the_last_holder_of_the_lease() {
    for (engine, url) in crate::support::postgres::databases("kept") {
        let store = fresh(&url).await;
        let me = holder("eva", i64::from(std::process::id()));
        let old = store.acquire("source:a", &me, Duration::ZERO).await;
        let old = old.expect("free");
        assert!(
            store
                .save_source_state("a", "{}", Some(b"plan"), Some("first"), "one", &old)
                .await
                .expect("kept")
        );
        store.break_lease("source:a").await.expect("broken");
        let new = store.acquire("source:a", &me, Duration::ZERO).await;
        let new = new.expect("free");
        assert!(
            store
                .save_source_state("a", "{\"n\":2}", None, Some("second"), "two", &new)
                .await
                .expect("kept")
        );
        assert!(
            !store
                .save_source_state("a", "{\"n\":1}", None, Some("late"), "one", &old)
                .await
                .expect("too late")
        );
        let watched = store.source_states().await.expect("read");
        assert_eq!(watched[0].state, "{\"n\":2}", "{engine}");
        let plan = store.last_plan("a").await.expect("read");
        assert_eq!(plan.as_deref(), Some(&b"plan"[..]), "{engine}: it stays");
        let mut passes = store.passes(Some("a"), 0, 9).await.expect("read");
        passes.sort();
        assert_eq!(passes, ["first", "second"], "{engine}");
    }
}

#[tokio::test]
async fn a_notice_is_sent_by_one_and_tried_again_later() {
    for (engine, url) in crate::support::postgres::databases("outbox") {
        let store = fresh(&url).await;
        let entry = OutboxEntry {
            id: "n1".to_owned(),
            target: "ops".to_owned(),
            notice: "{}".to_owned(),
        };
        store.post(&entry).await.expect("put out");
        store.post(&entry).await.expect("there already");
        let taken = store.take_notice(60_000).await.expect("taken");
        let taken = taken.expect("one is due");
        assert_eq!((taken.id.as_str(), taken.attempts), ("n1", 0), "{engine}");
        assert_eq!(store.take_notice(60_000).await.expect("asked"), None);
        store
            .delay_notice("n1", -1, "refused")
            .await
            .expect("delayed");
        let waiting = store.waiting_notices().await.expect("counted");
        assert_eq!(waiting, (1, Some("refused".to_owned())), "{engine}");
        let again = store.take_notice(60_000).await.expect("taken");
        assert_eq!(again.map(|notice| notice.attempts), Some(1), "{engine}");
        store.drop_notice("n1").await.expect("sent");
        assert_eq!(store.waiting_notices().await.expect("counted").0, 0);
    }
}

#[tokio::test]
async fn a_query_that_was_abandoned_keeps_nobody_waiting() {
    for (engine, url) in crate::support::postgres::databases("abandoned") {
        // SQLite interrupts a query that nobody waits for.
        if engine != "postgres" {
            continue;
        }
        let store = fresh(&url).await;
        let abandoned = store.clone();
        let query = tokio::spawn(async move {
            let limit = Duration::from_mins(5);
            let sql = "SELECT id, pg_sleep(300)::text FROM deactivated";
            abandoned.impact(sql, &["u-1".into()].into(), limit).await
        });
        let running = "SELECT pid FROM pg_stat_activity WHERE state = 'active' \
                       AND query LIKE '%pg_sleep(300)%' AND pid <> pg_backend_pid()";
        while foreign(&url, running).await == 0 {
            assert!(!query.is_finished(), "{engine}: {:?}", query.await);
        }
        query.abort();
        // One after the other, as those of a command.
        for _ in 0..3 {
            read(&store).await;
        }
        assert_eq!(foreign(&url, running).await, 1, "{engine}");
        foreign(
            &url,
            &running.replace("pid FROM", "pg_terminate_backend(pid) FROM"),
        )
        .await;
    }
}

use super::*;
use crate::document::{OutputFormat, SavedPlanError, parse_plan, render, write_lines};
use crate::kinds;
use crate::model::{CompactText, FieldChange, Key, KindId, Link, Value};
use crate::plan::render::samples::{self, change, links, set, text};
use crate::plan::render::{PlanDetail, RenderOptions};
use crate::plan::visibility::PlanVisibility;
use crate::plan::{StepBody, StepVerb};
use proptest::prelude::*;

fn written(plan: &Plan) -> String {
    let mut out = Vec::new();
    write_plan(plan, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn lines(plan: &Plan) -> String {
    let mut out = Vec::new();
    write_lines(plan, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_document_has_a_line_a_step_and_its_keys_in_order() {
    let plan = samples::plan(
        vec![samples::updated("u2")],
        vec![samples::guarded("u8", 20)],
    );
    let id = plan_id(&plan);
    assert_eq!(
        written(&plan),
        r#"{
  "formatVersion": "1.0",
  "id": "ID",
  "source": {"name":"directory","revision":"abc123"},
  "database": null,
  "environment": null,
  "summary": {"create":0,"update":1,"adopt":0,"deactivate":0,"reactivate":0,"delete":0,"held":1,"unchanged":4,"unclaimed":0},
  "steps": [
    {"verb":"update","kind":"User","externalId":"u2","version":7,"reason":"declared","origin":{"path":"users.yaml","line":3,"column":5},"claim":{"digest":"DIGEST","fields":{"phone":"PHONE"}},"changes":[{"field":"phone","before":"+46","after":"+47"},{"field":"company","before":"Acme","after":null},{"field":"groups","added":["FOC_User"],"removed":["FOC_Admin"]},{"field":"accounts","added":[{"member":"new","level":"user"}],"removed":["gone"],"changed":[{"member":"acme","before":{"level":"user"},"after":{"level":"administrator"}}]},{"field":"passwordFrom","before":{"redacted":true},"after":{"redacted":true}},{"field":"notify","before":false,"after":true},{"field":"customFields.credit","before":1.5,"after":20}]}
  ],
  "held": [
    {"verb":"deactivate","kind":"User","externalId":"u8","code":"guard","message":"User.deactivate: 20 of 40 is more than the 4 that `guards.deactivate` allows at once; if this is intended, pass `--accept User.deactivate=20`","hold":"0123456789abcdef","count":20,"of":40,"limit":4,"override":"--accept User.deactivate=20","origin":{"path":"users.yaml","line":9,"column":5},"changes":[{"field":"status","before":"active","after":"inactive"}],"effects":[]}
  ],
  "orphans": [],
  "released": [],
  "accepted": [],
  "effects": [],
  "diagnostics": [],
  "errored": false
}
"#
        .replace("DIGEST", &samples::claim().digest.to_string())
        .replace("PHONE", &format!("{:016x}", samples::claim().fields.get("phone").unwrap()))
        .replace("ID", &id)
    );
}

#[test]
fn a_create_says_only_what_comes_and_never_a_secret() {
    let written = written(&samples::plan(vec![samples::created("u1")], Vec::new()));
    for expected in [
        r#"{"field":"firstName","after":"Eva"}"#,
        r#"{"field":"groups","added":["FOC_User"]}"#,
        r#"{"field":"accounts","added":[{"member":"acme","level":"administrator"}]}"#,
        r#"{"field":"passwordFrom","after":{"redacted":true}}"#,
        r#"{"field":"status","after":"active"}"#,
    ] {
        assert!(written.contains(expected), "{expected} in {written}");
    }
    assert!(!written.contains("ROSTER_SECRET_EVA"));
    assert!(!written.contains("\"version\""));
}

#[test]
fn link_attributes_that_are_booleans_are_booleans() {
    let account = kinds::ACCOUNT;
    let uses = change(
        account,
        "addresses",
        links(&[("hq", &[0, 1])]),
        links(&[("hq", &[1, 1])]),
    );
    let step = samples::step(StepVerb::Update, account, "acme", vec![uses]);
    let written = written(&samples::plan(vec![step], Vec::new()));
    assert!(written.contains(
        r#"{"member":"hq","before":{"shipping":false,"billing":true},"after":{"shipping":true,"billing":true}}"#
    ));
}

#[test]
fn each_line_says_what_it_is() {
    let lines = lines(&samples::full());
    let types: Vec<String> = lines
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["type"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(types.first().unwrap(), "plan");
    assert_eq!(types.iter().filter(|ty| *ty == "step").count(), 6);
    assert_eq!(types.iter().filter(|ty| *ty == "held").count(), 2);
    assert_eq!(types.iter().filter(|ty| *ty == "diagnostic").count(), 1);
    assert_eq!(types.last().unwrap(), "summary");
}

#[test]
fn several_plans_are_one_document() {
    let mut out = Vec::new();
    let plans = [samples::full(), Plan::default()];
    write(&PlanListDocument::new(plans.iter()), &mut out).unwrap();
    let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(read["formatVersion"], "1.0");
    assert_eq!(read["plans"].as_array().unwrap().len(), 2);
    assert_eq!(read["plans"][0]["id"], plan_id(&samples::full()));
    let mut none = Vec::new();
    write(&PlanListDocument::new(std::iter::empty()), &mut none).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&none).is_ok());
}

#[test]
fn the_id_does_not_depend_on_places_database_or_diagnostics() {
    let plan = samples::full();
    let mut other = plan.clone();
    other.database = None;
    other.diagnostics.clear();
    other.undeclared.clear();
    other.visibility = PlanVisibility::default();
    other.steps[0].origin = None;
    other.held[0].origin = None;
    assert_eq!(plan_id(&plan), plan_id(&other));
    other.source.revision = "def".into();
    assert_ne!(plan_id(&plan), plan_id(&other));
    assert_eq!(plan_id(&plan).len(), 64);
}

#[test]
fn the_id_can_be_made_out_of_the_document_by_anybody() {
    let plan = samples::full();
    let mut document: serde_json::Value = serde_json::from_str(&written(&plan)).unwrap();
    let top = document.as_object_mut().unwrap();
    for key in [
        "id",
        "database",
        "diagnostics",
        "undeclared",
        "visibility",
        "visibilityOmitted",
        "accounts",
    ] {
        top.shift_remove(key);
    }
    for list in ["steps", "held"] {
        for entry in top[list].as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().shift_remove("origin");
        }
    }
    let digest = Sha256::digest(serde_json::to_string(&document).unwrap());
    assert_eq!(format!("{digest:x}"), plan_id(&plan));
}

#[test]
fn a_saved_plan_reads_back_with_the_same_deltas() {
    let plan = samples::full();
    let (read, id) = parse_plan(&written(&plan)).unwrap();
    assert_eq!(id, plan_id(&plan));
    assert_eq!(written(&read), written(&plan));
    assert_eq!(lines(&read), lines(&plan));
    assert_eq!(read.diagnostics, plan.diagnostics);
    assert_eq!(read.undeclared, plan.undeclared);
    assert_eq!(read.visibility, plan.visibility);
    let user = kinds::USER;
    let changes = read.steps[1].changes();
    assert_eq!(
        changes[2],
        change(user, "groups", set(&["FOC_Admin"]), set(&["FOC_User"]))
    );
    assert_eq!(
        changes[3],
        change(
            user,
            "accounts",
            links(&[("acme", &[0]), ("gone", &[])]),
            links(&[("acme", &[1]), ("new", &[0])]),
        )
    );
    let StepBody::Changes(created) = &read.steps[0].body else {
        panic!("a saved create has changes")
    };
    assert!(created.iter().all(|change| change.before.is_none()));
}

#[test]
fn a_saved_plan_reads_the_same_in_every_format() {
    let plan = samples::full();
    let (read, _) = parse_plan(&written(&plan)).unwrap();
    for format in OutputFormat::all() {
        for detail in [PlanDetail::Summary, PlanDetail::Changes, PlanDetail::Full] {
            let options = RenderOptions {
                detail,
                ..RenderOptions::default()
            };
            let [was, is] = [&plan, &read].map(|plan| {
                let mut out = Vec::new();
                render(plan, format, &options, &mut out).unwrap();
                String::from_utf8(out).unwrap()
            });
            assert_eq!(was, is, "{format:?} {detail:?}");
        }
    }
}

#[test]
fn a_root_that_decides_the_exit_code_survives() {
    let mut held = samples::held(
        crate::diagnostic::codes::HELD_DEPENDENCY,
        StepVerb::Update,
        "u",
        "h",
    );
    held.root = crate::diagnostic::codes::PROTECTED;
    held.becomes = Some(Key::new(kinds::USER, "v"));
    let plan = samples::plan(Vec::new(), vec![held]);
    let (read, _) = parse_plan(&written(&plan)).unwrap();
    assert_eq!((plan.exit_code(true), read.exit_code(true)), (0, 0));
    assert_eq!(read.held[0].becomes, plan.held[0].becomes);
}

#[test]
fn a_plan_matches_its_schema() {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = settings
        .into_generator()
        .into_root_schema_for::<PlanDocument<'_>>();
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    for plan in [samples::full(), Plan::default()] {
        let document: serde_json::Value = serde_json::from_str(&written(&plan)).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(wrong, Vec::<String>::new());
    }
}

#[test]
fn what_was_changed_by_hand_is_refused() {
    let saved = written(&samples::full());
    let changed = saved.replace("\"after\":\"+47\"", "\"after\":\"+48\"");
    assert!(matches!(
        parse_plan(&changed),
        Err(SavedPlanError::Changed { .. })
    ));
    let unknown = saved.replace("\"errored\"", "\"note\": 1, \"errored\"");
    assert!(matches!(parse_plan(&unknown), Err(SavedPlanError::Form(_))));
    let newer = saved
        .replace("\"1.0\"", "\"2.0\"")
        .replace("\"steps\"", "\"acts\"");
    let message = parse_plan(&newer).unwrap_err().to_string();
    assert!(message.contains("format 2.0"), "{message}");
    let secret = saved.replace("{\"redacted\":true}", "\"hunter2\"");
    assert!(matches!(parse_plan(&secret), Err(SavedPlanError::Form(_))));
    assert!(parse_plan("").is_err());
    assert!(parse_plan("[]").is_err());
}

#[test]
fn a_fault_in_a_saved_plan_is_said_with_resource_and_field() {
    let saved = written(&samples::full()).replace("\"level\":\"user\"", "\"level\":\"owner\"");
    let message = parse_plan(&saved).unwrap_err().to_string();
    assert!(message.contains("User/u2, accounts"), "{message}");
    assert!(message.contains("owner"), "{message}");
}

/// Any value that a field may have, before and after.
fn any_change(kind: KindId, index: usize) -> BoxedStrategy<FieldChange> {
    let field = kinds::own_field(index);
    let ty = &kinds::get(kind).fields[index].ty;
    let value = match ty {
        kinds::FieldType::Set(_) => prop::collection::btree_set(".{0,8}", 0..4)
            .prop_map(|members| set(&members.iter().map(String::as_str).collect::<Vec<_>>()))
            .boxed(),
        kinds::FieldType::Links { attributes, .. } => {
            let count = attributes.len();
            prop::collection::btree_map(".{0,8}", any::<[bool; 2]>(), 0..4)
                .prop_map(move |links| {
                    let links = links.into_iter().map(|(target, choices)| Link {
                        target: target.into(),
                        attributes: std::array::from_fn(|i| {
                            (i < count).then(|| u8::from(choices[i]))
                        }),
                    });
                    Some(Value::links(links))
                })
                .boxed()
        }
        kinds::FieldType::Secret => Just(text("")).boxed(),
        kinds::FieldType::Bool => prop::option::of(any::<bool>().prop_map(Value::Bool)).boxed(),
        kinds::FieldType::Int(..) => prop::option::of(any::<i64>().prop_map(Value::Int)).boxed(),
        kinds::FieldType::Ordered(_) => prop::option::of(
            prop::collection::vec(".{0,8}", 1..4)
                .prop_map(|all| Value::List(all.iter().map(CompactText::new).collect())),
        )
        .boxed(),
        _ => prop::option::of("\\PC{0,12}".prop_map(Value::text)).boxed(),
    };
    (value.clone(), value)
        .prop_map(move |(before, after)| FieldChange {
            field: field.clone(),
            before,
            after,
        })
        .boxed()
}

/// Any number that a custom field takes, in its canonical spelling.
fn any_number() -> impl Strategy<Value = Option<Value>> {
    let digits = prop_oneof![
        "-?[1-9][0-9]{0,14}(000){0,30}",
        "-?[1-9][0-9]{0,5}\\.[0-9]{0,8}[1-9]",
        "-?0\\.(000){0,30}[1-9]{1,15}",
        Just("0".to_owned()),
    ];
    digits.prop_map(|text| Some(Value::Number(text.into())))
}

/// A change without the members of lists that stay, and without what nobody may see: the form in
/// which it is applied.
fn applied(kind: KindId, created: bool, change: &FieldChange) -> FieldChange {
    let kind = kinds::get(kind);
    let some = |value: Option<Value>| value.filter(|value| !value.is_empty_list());
    let reduced = match kind.field(&change.field) {
        Some(field) if field.ty.has_link_table() => change.clone().reduced(),
        _ => change.clone(),
    };
    // Of a link that goes only the target matters.
    let kept = reduced.after.clone();
    let before = reduced.before.map(|before| match before {
        Value::Links(links) => Value::links(links.into_iter().map(|link| {
            Link {
                attributes: match &kept {
                    Some(kept)
                        if kept
                            .as_links()
                            .iter()
                            .any(|after| after.target == link.target) =>
                    {
                        link.attributes
                    }
                    _ => [None; 2],
                },
                target: link.target,
            }
        })),
        other => other,
    });
    FieldChange {
        before: some(before),
        // An empty list that is created stands in the place of a default.
        after: if created {
            reduced.after
        } else {
            some(reduced.after)
        },
        ..reduced
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    (0..kinds::ALL.len(), 0..StepVerb::ALL.len(), ".{1,12}").prop_flat_map(|(kind, verb, id)| {
        let kind = kinds::ALL[kind];
        let own: Vec<_> = (0..kind.fields.len())
            .map(|at| any_change(kind.id, at))
            .collect();
        let custom = kind.applies_to_word.is_some();
        (own, any_number(), any_number()).prop_map(move |(mut changes, before, after)| {
            if custom {
                changes.push(change(kind.id, "customFields.n", before, after));
            }
            let verb = StepVerb::ALL[verb];
            if verb == StepVerb::Create {
                for change in &mut changes {
                    change.before = None;
                }
            }
            samples::step(verb, kind.id, &id, changes)
        })
    })
}

proptest! {
    #[test]
    fn any_plan_reads_back_as_it_was(steps in prop::collection::vec(any_step(), 0..4)) {
        let plan = samples::plan(steps, Vec::new());
        let saved = written(&plan);
        let (read, _) = parse_plan(&saved).unwrap();
        prop_assert_eq!(written(&read), saved);
        prop_assert_eq!(lines(&read), lines(&plan));
        for (read, step) in read.steps.iter().zip(&plan.steps) {
            let created = step.verb == StepVerb::Create;
            let of = |step: &Step| -> Vec<FieldChange> {
                let changes = step.changes();
                changes.iter().map(|change| applied(step.key.kind, created, change)).collect()
            };
            prop_assert_eq!(of(read), of(step));
            let claim = |step: &Step| step.claim.as_ref().map(|claim| claim.digests().into_owned());
            prop_assert_eq!(claim(read), claim(step));
            prop_assert_eq!((&read.key, read.version, read.reason), (&step.key, step.version, step.reason));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}") {
        let _ = parse_plan(&text);
    }
}

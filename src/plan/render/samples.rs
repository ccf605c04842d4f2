//! Plans written by hand, for the tests of this module.

use crate::diagnostic::{Code, Diagnostic, Origin, codes};
use crate::kinds;
use crate::model::{
    Cell, CompactText, DeclaredResource, Digest, FieldChange, FieldDigests, Key, KindId,
    LineColumn, Link, StatedField, Value,
};
use crate::plan::visibility::{PlanVisibility, VisibilityChange, VisibilityDelta, VisibleIds};
use crate::plan::{
    ClaimDigests, HoldEntry, Plan, PlanEffects, PlanSummary, RuntimeChanges, SourceRef, Step,
    StepBody, StepClaim, StepReason, StepVerb,
};
use std::sync::Arc;

pub(crate) fn text(text: &str) -> Option<Value> {
    Some(Value::text(text))
}

pub(crate) fn set(members: &[&str]) -> Option<Value> {
    Some(Value::set(members.iter().map(CompactText::new)))
}

/// Links with the given choices.
pub(crate) fn links(links: &[(&str, &[u8])]) -> Option<Value> {
    Some(Value::links(links.iter().map(|(target, choices)| {
        let mut attributes = [None; 2];
        for (attribute, choice) in attributes.iter_mut().zip(*choices) {
            *attribute = Some(*choice);
        }
        Link {
            target: CompactText::new(target),
            attributes,
        }
    })))
}

pub(crate) fn change(
    kind: KindId,
    field: &str,
    before: Option<Value>,
    after: Option<Value>,
) -> FieldChange {
    let field = kinds::get(kind).field_ref(field);
    FieldChange {
        field: field.expect("the table has it"),
        before,
        after,
    }
}

pub(crate) fn origin(path: &str, line: u32, column: u32) -> Origin {
    Origin {
        path: path.into(),
        at: LineColumn { line, column },
    }
}

pub(crate) fn step(verb: StepVerb, kind: KindId, id: &str, changes: Vec<FieldChange>) -> Step {
    Step {
        verb,
        key: Key::new(kind, id),
        version: (verb != StepVerb::Create).then_some(7),
        reason: match verb {
            StepVerb::Deactivate | StepVerb::Delete => StepReason::Removed,
            StepVerb::Adopt => StepReason::Adopted,
            StepVerb::Reactivate => StepReason::Returned,
            StepVerb::Create | StepVerb::Update => StepReason::Declared,
        },
        origin: Some(origin("users.yaml", 3, 5)),
        claim: None,
        body: StepBody::Changes(changes),
        accounts: Box::default(),
        consequences: Box::default(),
        impact: Box::default(),
        undoes: Box::default(),
        is_on_base: false,
        runtime: RuntimeChanges::default(),
    }
}

/// A user that does not exist yet.
pub(crate) fn created(id: &str) -> Step {
    let kind = kinds::get(kinds::USER);
    let mut cells: Vec<StatedField> = [
        ("firstName", Value::text("Eva")),
        ("groups", set(&["FOC_User"]).unwrap()),
        ("accounts", links(&[("acme", &[1])]).unwrap()),
        ("passwordFrom", Value::text("env:ROSTER_SECRET_EVA")),
    ]
    .into_iter()
    .map(|(name, value)| StatedField {
        field: kind.field_ref(name).unwrap(),
        cell: Cell::Value(value),
        position: LineColumn::default(),
    })
    .collect();
    cells.sort_by(|a, b| a.field.cmp(&b.field));
    let declared = DeclaredResource {
        key: Key::new(kinds::USER, id),
        path: "users.yaml".into(),
        position: LineColumn { line: 3, column: 5 },
        cells,
    };
    Step {
        body: StepBody::Create {
            declared: Arc::new(declared),
            derived: Box::new([change(kinds::USER, "status", None, text("active"))]),
        },
        ..step(StepVerb::Create, kinds::USER, id, Vec::new())
    }
}

pub(crate) fn claim() -> ClaimDigests {
    let mut fields = FieldDigests::default();
    fields.insert("phone", &Cell::Value(Value::text("+47")));
    ClaimDigests {
        digest: Digest::of(b"declared"),
        fields,
    }
}

/// An update of a user, with every way in which a field can change.
pub(crate) fn updated(id: &str) -> Step {
    let user = kinds::USER;
    let changes = vec![
        change(user, "phone", text("+46"), text("+47")),
        change(user, "company", text("Acme"), None),
        change(user, "groups", set(&["FOC_Admin"]), set(&["FOC_User"])),
        change(
            user,
            "accounts",
            links(&[("acme", &[0]), ("gone", &[])]),
            links(&[("acme", &[1]), ("new", &[0])]),
        ),
        change(
            user,
            "passwordFrom",
            text("env:OLD_S3CRET"),
            text("env:NEW_S3CRET"),
        ),
        change(
            user,
            "notify",
            Some(Value::Bool(false)),
            Some(Value::Bool(true)),
        ),
        change(
            user,
            "customFields.credit",
            Some(Value::Number("1.5".into())),
            Some(Value::Number("20".into())),
        ),
    ];
    Step {
        claim: Some(StepClaim::Digests(claim())),
        ..step(StepVerb::Update, user, id, changes)
    }
}

pub(crate) fn held(code: Code, verb: StepVerb, id: &str, hold: &str) -> HoldEntry {
    HoldEntry {
        verb,
        key: Key::new(kinds::USER, id),
        code,
        root: code,
        message: format!("{code} says no"),
        hold: hold.into(),
        count: None,
        total: None,
        limit: None,
        accept_option: None,
        origin: Some(origin("users.yaml", 9, 5)),
        changes: Vec::new(),
        becomes: None,
        consequences: Box::default(),
        impact: Box::default(),
        undoes: Box::default(),
        is_on_base: false,
        effects: PlanEffects::default(),
        approvals_needed: 1,
    }
}

/// An entry of a hold by a guard that holds `count` resources.
pub(crate) fn guarded(id: &str, count: u64) -> HoldEntry {
    HoldEntry {
        message: format!(
            "User.deactivate: {count} of 40 is more than the 4 that `guards.deactivate` allows at once; if this is intended, pass `--accept User.deactivate={count}`"
        ),
        count: Some(count),
        total: Some(40),
        limit: Some(4),
        accept_option: Some(format!("--accept User.deactivate={count}")),
        changes: vec![change(
            kinds::USER,
            "status",
            text("active"),
            text("inactive"),
        )],
        ..held(codes::GUARD, StepVerb::Deactivate, id, "0123456789abcdef")
    }
}

/// A plan of these steps and holds, with the counts that belong to them.
pub(crate) fn plan(steps: Vec<Step>, held: Vec<HoldEntry>) -> Plan {
    let summary = PlanSummary {
        unchanged: 4,
        ..PlanSummary::default()
    };
    let summary = summary.count(&steps, &held);
    Plan {
        source: SourceRef {
            name: "directory".into(),
            revision: "abc123".into(),
        },
        summary,
        steps,
        held,
        ..Plan::default()
    }
}

/// A plan with every verb, holds and diagnostics.
/// A user gains an organisation, and loses one with more users than are named.
fn seen_less(user: &str) -> PlanVisibility {
    let ids = |named: &[&str], omitted| VisibleIds {
        named: named.iter().map(CompactText::new).collect(),
        omitted,
    };
    PlanVisibility {
        changes: vec![VisibilityChange {
            user: user.into(),
            gains: VisibilityDelta {
                organisations: ids(&["south"], 0),
                ..VisibilityDelta::default()
            },
            loses: VisibilityDelta {
                users: ids(&["u7", "u8"], 3),
                organisations: ids(&["north"], 0),
                accounts: ids(&[], 0),
            },
        }],
        omitted: 2,
    }
}

pub(crate) fn full() -> Plan {
    let status = |before, after| change(kinds::USER, "status", text(before), text(after));
    let finding = Diagnostic::new(codes::VAT_FORMAT, "`X` is not a VAT number")
        .help("Write it as `DE123456789`")
        .for_resource(&Key::new(kinds::ACCOUNT, "acme"))
        .field("vatNumber")
        .at(origin("accounts/acme.yaml", 4, 3))
        .related([origin("accounts/other.yaml", 0, 0)]);
    Plan {
        database: Some("db-1".into()),
        environment: Some("staging".into()),
        orphans: vec![Key::new(kinds::ADDRESS, "hq")],
        released: vec![Key::new(kinds::USER, "u7")],
        accepted: vec!["User.delete=2".into()],
        diagnostics: vec![finding],
        undeclared: vec![(Key::new(kinds::USER, "u1"), "phone".into())],
        visibility: seen_less("u2"),
        ..plan(
            vec![
                created("u1"),
                updated("u2"),
                step(StepVerb::Adopt, kinds::ACCOUNT, "acme", Vec::new()),
                step(
                    StepVerb::Reactivate,
                    kinds::USER,
                    "u3",
                    vec![status("inactive", "active")],
                ),
                step(StepVerb::Delete, kinds::USER, "u4", Vec::new()),
                step(
                    StepVerb::Deactivate,
                    kinds::USER,
                    "u5",
                    vec![status("active", "inactive")],
                ),
            ],
            vec![guarded("u8", 20), guarded("u9", 20)],
        )
    }
}

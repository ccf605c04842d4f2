//! Plans made by hand, for the tests of this module.

use crate::diagnostic::{Code, Diagnostic, Origin, codes};
use crate::kinds;
use crate::model::{
    Cell, Change, Declared, Digest, FieldDigests, Key, KindId, Link, Pos, Stated, Text, Value,
};
use crate::plan::{Body, Claimed, Held, Plan, Reason, SourceRef, Step, StepClaim, Summary, Verb};
use std::sync::Arc;

pub(super) fn text(text: &str) -> Option<Value> {
    Some(Value::text(text))
}

pub(super) fn set(members: &[&str]) -> Option<Value> {
    Some(Value::set(members.iter().map(Text::new)))
}

/// Links with the given choices.
pub(super) fn links(links: &[(&str, &[u8])]) -> Option<Value> {
    Some(Value::links(links.iter().map(|(target, choices)| {
        let mut attributes = [None; 2];
        for (attribute, choice) in attributes.iter_mut().zip(*choices) {
            *attribute = Some(*choice);
        }
        Link {
            target: Text::new(target),
            attributes,
        }
    })))
}

pub(super) fn change(
    kind: KindId,
    field: &str,
    before: Option<Value>,
    after: Option<Value>,
) -> Change {
    let field = kinds::get(kind).field_ref(field);
    Change {
        field: field.expect("the table has it"),
        before,
        after,
    }
}

pub(super) fn origin(path: &str, line: u32, column: u32) -> Origin {
    Origin {
        path: path.into(),
        at: Pos { line, column },
    }
}

pub(super) fn step(verb: Verb, kind: KindId, id: &str, changes: Vec<Change>) -> Step {
    Step {
        verb,
        key: Key::new(kind, id),
        version: (verb != Verb::Create).then_some(7),
        reason: match verb {
            Verb::Deactivate | Verb::Delete => Reason::Removed,
            Verb::Adopt => Reason::Adopted,
            Verb::Reactivate => Reason::Returned,
            Verb::Create | Verb::Update => Reason::Declared,
        },
        origin: Some(origin("users.yaml", 3, 5)),
        claim: None,
        body: Body::Changes(changes),
    }
}

/// A user that does not exist yet.
pub(super) fn created(id: &str) -> Step {
    let kind = kinds::get(kinds::USER);
    let mut cells: Vec<Stated> = [
        ("firstName", Value::text("Eva")),
        ("groups", set(&["FOC_User"]).unwrap()),
        ("accounts", links(&[("acme", &[1])]).unwrap()),
        ("passwordFrom", Value::text("env:ROSTER_SECRET_EVA")),
    ]
    .into_iter()
    .map(|(name, value)| Stated {
        field: kind.field_ref(name).unwrap(),
        cell: Cell::Value(value),
        at: Pos::default(),
    })
    .collect();
    cells.sort_by(|a, b| a.field.cmp(&b.field));
    let declared = Declared {
        key: Key::new(kinds::USER, id),
        path: "users.yaml".into(),
        at: Pos { line: 3, column: 5 },
        cells,
    };
    Step {
        body: Body::Create {
            declared: Arc::new(declared),
            derived: Box::new([change(kinds::USER, "status", None, text("active"))]),
        },
        ..step(Verb::Create, kinds::USER, id, Vec::new())
    }
}

pub(super) fn claim() -> Claimed {
    let mut fields = FieldDigests::default();
    fields.insert("phone", &Cell::Value(Value::text("+47")));
    Claimed {
        digest: Digest::of(b"declared"),
        fields,
    }
}

/// A user that changes in every way that a field can.
pub(super) fn updated(id: &str) -> Step {
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
        claim: Some(StepClaim::Known(claim())),
        ..step(Verb::Update, user, id, changes)
    }
}

pub(super) fn held(code: Code, verb: Verb, id: &str, hold: &str) -> Held {
    Held {
        verb,
        key: Key::new(kinds::USER, id),
        code,
        root: code,
        message: format!("{code} says no"),
        hold: hold.into(),
        count: None,
        of: None,
        limit: None,
        over: None,
        origin: Some(origin("users.yaml", 9, 5)),
        changes: Vec::new(),
        becomes: None,
    }
}

/// A hold by a guard, one of `count` resources.
pub(super) fn guarded(id: &str, count: u64) -> Held {
    Held {
        message: format!(
            "User.deactivate: {count} of 40 is more than the 4 that `guards.deactivate` allows at once; if that is meant, `--accept User.deactivate={count}`"
        ),
        count: Some(count),
        of: Some(40),
        limit: Some(4),
        over: Some(format!("--accept User.deactivate={count}")),
        changes: vec![change(
            kinds::USER,
            "status",
            text("active"),
            text("inactive"),
        )],
        ..held(codes::GUARD, Verb::Deactivate, id, "0123456789abcdef")
    }
}

/// A plan of these steps and holds, with the counts that belong to them.
pub(super) fn plan(steps: Vec<Step>, held: Vec<Held>) -> Plan {
    let count = |verb| steps.iter().filter(|step| step.verb == verb).count() as u64;
    let summary = Summary {
        create: count(Verb::Create),
        update: count(Verb::Update),
        adopt: count(Verb::Adopt),
        deactivate: count(Verb::Deactivate),
        reactivate: count(Verb::Reactivate),
        delete: count(Verb::Delete),
        held: held.len() as u64,
        unchanged: 4,
        unclaimed: 0,
    };
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

/// A plan in which there is something of everything.
pub(super) fn full() -> Plan {
    let status = |before, after| change(kinds::USER, "status", text(before), text(after));
    let finding = Diagnostic::new(codes::VAT_FORMAT, "`X` is no VAT number")
        .help("write it as `DE123456789`")
        .of(&Key::new(kinds::ACCOUNT, "acme"))
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
        ..plan(
            vec![
                created("u1"),
                updated("u2"),
                step(Verb::Adopt, kinds::ACCOUNT, "acme", Vec::new()),
                step(
                    Verb::Reactivate,
                    kinds::USER,
                    "u3",
                    vec![status("inactive", "active")],
                ),
                step(Verb::Delete, kinds::USER, "u4", Vec::new()),
                step(
                    Verb::Deactivate,
                    kinds::USER,
                    "u5",
                    vec![status("active", "inactive")],
                ),
            ],
            vec![guarded("u8", 20), guarded("u9", 20)],
        )
    }
}

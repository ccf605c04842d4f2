//! Builds small test cases from rows and declarations written as
//! `field=value;field=a,b;link=x:1:0`.
//!
//! A [`CheckCase`] has stored rows, declared resources and effects. Its methods add to them and can
//! be chained; `finds` runs the rules and compares.

use crate::check::{
    CustomFieldDefinitions, PlannedChange, PlannedOutcome, PlannedState, RuleDiagnostic,
    definitions, run, subjects,
};
use crate::kinds::{self, ADDRESS, FieldType};
use crate::model::{
    Cell, CompactText, DeclaredResource, Desired, FieldChange, FieldRef, Key, KeyedList, KindId,
    LineColumn, Link, Row, Snapshot, StatedField, Value,
};
use std::sync::Arc;

/// Values for required fields that a test does not care about.
const REQUIRED: &[(&str, &str)] = &[
    ("Store", "name=N"),
    ("Tag", "name=N"),
    ("CustomField", "appliesTo=address;name=N;type=text"),
    (
        "Address",
        "fullName=F;street=S;city=C;zipCode=211 20;country=SE",
    ),
    (
        "Account",
        "name=N;companyRegistrationName=N;businessRegistrationNumber=1",
    ),
    ("Organisation", "name=N"),
    (
        "User",
        "civility=MR;firstName=F;lastName=L;phone=1;groups=FOC_User",
    ),
    ("Policy", "name=N"),
    ("Settings", ""),
];

#[derive(Default)]
pub struct CheckCase {
    pub stored: Snapshot,
    pub desired: Desired,
    pub effects: KeyedList<PlannedChange>,
    line: u32,
}

fn value(kind: KindId, field: &FieldRef, text: &str) -> Value {
    let Some(field) = kinds::get(kind).field(field) else {
        return Value::text(text);
    };
    let members = || text.split(',').filter(|member| !member.is_empty());
    match &field.ty {
        FieldType::Bool => Value::Bool(text == "true"),
        FieldType::Int(..) => Value::Int(text.parse().expect("a number")),
        FieldType::Set(_) => Value::set(members().map(CompactText::new)),
        FieldType::Ordered(_) => Value::List(members().map(CompactText::new).collect()),
        FieldType::Links { .. } => Value::links(members().map(|member| {
            let mut parts = member.split(':');
            let mut link = field.ty.plain_link(parts.next().unwrap_or_default());
            for (choice, part) in link.attributes.iter_mut().zip(parts) {
                *choice = Some(part.parse().expect("a choice"));
            }
            link
        })),
        _ => Value::text(text),
    }
}

/// Parses fields, sorted. A field without `=` is blank.
fn fields(kind: KindId, text: &str) -> Vec<(FieldRef, Option<Value>)> {
    let mut fields: Vec<(FieldRef, Option<Value>)> = text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, text) = part.split_once('=').unwrap_or((part, "\0"));
            let field = kinds::get(kind).field_ref(name).expect(name);
            let value = (text != "\0").then(|| value(kind, &field, text));
            (field, value)
        })
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

impl CheckCase {
    /// Stores a row.
    pub fn row(mut self, kind: KindId, id: &str, text: &str) -> Self {
        let mut row = Row {
            key: Key::new(kind, id),
            version: 1,
            values: vec![None; kinds::get(kind).fields.len()],
            custom_values: crate::model::SmallMap::default(),
            // Everybody can log in, unless a test is about somebody who cannot.
            facts: (kind == kinds::USER)
                .then(|| ("access", "enabled".into()))
                .into_iter()
                .collect(),
        };
        for (index, field) in kinds::get(kind).fields.iter().enumerate() {
            let empty = field.default.value().or_else(|| match &field.ty {
                FieldType::Set(_) => Some(Value::List(Box::default())),
                FieldType::Links { .. } => Some(Value::Links(Box::<[Link]>::default())),
                _ => None,
            });
            row.values[index] = empty;
        }
        for (field, value) in fields(kind, text) {
            row.set(&field, value);
        }
        self.stored.rows.insert(row).expect("one row a key");
        self
    }

    /// Declares a resource without an effect.
    pub fn declare(mut self, kind: KindId, id: &str, text: &str) -> Self {
        self.line += 10;
        let cells = fields(kind, text).into_iter().zip(1..);
        let declared = DeclaredResource {
            key: Key::new(kind, id),
            path: "a.yaml".into(),
            position: LineColumn {
                line: self.line,
                column: 1,
            },
            cells: cells
                .map(|((field, value), column)| StatedField {
                    field,
                    cell: value.map_or(Cell::Blank, Cell::Value),
                    position: LineColumn {
                        line: self.line + 1,
                        column,
                    },
                })
                .collect(),
        };
        let added = self.desired.resources.insert(Arc::new(declared));
        added.expect("declared once");
        self
    }

    /// Declares a resource and creates it with exactly these fields.
    pub fn bare(mut self, kind: KindId, id: &str, text: &str) -> Self {
        self = self.declare(kind, id, text);
        let key = Key::new(kind, id);
        let declared = self.desired.resources.get(&key).expect("declared").clone();
        self.effect(
            key,
            PlannedOutcome::Create {
                declared,
                derived: Vec::new(),
            },
        )
    }

    /// Like `bare`, with all other fields that its kind requires.
    pub fn create(self, kind: KindId, id: &str, text: &str) -> Self {
        let name = kinds::get(kind).name;
        let more = REQUIRED.iter().find(|(of, _)| *of == name);
        let said = |part: &&str| {
            let name = part.split('=').next().unwrap_or_default();
            text.split(';')
                .any(|said| said.trim().split('=').next() == Some(name))
        };
        let mut all = text.to_owned();
        for part in more.map_or("", |(_, more)| more).split(';') {
            if !said(&part) {
                all = format!("{all};{part}");
            }
        }
        if kind == kinds::USER && !text.contains("email=") {
            all = format!("{all};email={id}@x.example");
        }
        self.bare(kind, id, &all)
    }

    /// Changes a stored row that is not declared.
    pub fn change(self, kind: KindId, id: &str, text: &str) -> Self {
        let key = Key::new(kind, id);
        let row = self.stored.rows.get(&key).expect("a row");
        let changes = fields(kind, text)
            .into_iter()
            .map(|(field, after)| FieldChange {
                before: row.value(&field).cloned(),
                field,
                after,
            });
        let changes = changes.collect();
        self.effect(key, PlannedOutcome::Change(changes))
    }

    /// Deletes a stored row.
    pub fn delete(self, kind: KindId, id: &str) -> Self {
        self.effect(Key::new(kind, id), PlannedOutcome::Delete(Box::default()))
    }

    fn effect(mut self, key: Key, outcome: PlannedOutcome) -> Self {
        let added = self.effects.insert(PlannedChange { key, outcome });
        added.expect("one effect a key");
        self
    }

    /// Stores an account with an address and an active user.
    pub fn company(self, id: &str) -> Self {
        let (hq, user) = (format!("{id}-hq"), format!("{id}-user"));
        self.row(
            ADDRESS,
            &hq,
            "fullName=F;street=S;city=C;zipCode=211 20;country=SE",
        )
        .row(kinds::ACCOUNT, id, &format!("name=N;addresses={hq}"))
        .row(
            kinds::USER,
            &user,
            &format!("email={user}@x.example;accounts={id};groups=FOC_User"),
        )
    }

    pub fn run(&self) -> Vec<RuleDiagnostic> {
        let world = PlannedState::new(&self.stored, &self.desired, &self.effects);
        run(&world, &subjects(&world))
    }

    /// Runs the rules on the same subjects, but without the effects.
    pub fn run_before(&self) -> Vec<RuleDiagnostic> {
        let world = PlannedState::new(&self.stored, &self.desired, &self.effects);
        let subjects = subjects(&world);
        let nothing = KeyedList::default();
        run(
            &PlannedState::new(&self.stored, &self.desired, &nothing),
            &subjects,
        )
    }

    pub fn definitions(&self) -> CustomFieldDefinitions {
        definitions(&self.desired, &self.stored)
    }

    /// Asserts that exactly these are found, each as `code severity Kind/id field`.
    #[track_caller]
    pub fn finds(&self, expected: &[&str]) {
        assert_eq!(told(&self.run()), expected, "{:#?}", self.run());
    }

    /// Asserts that nothing is found.
    #[track_caller]
    pub fn is_fine(&self) {
        self.finds(&[]);
    }

    /// Asserts that the rule reports only the plan and not what is stored.
    #[track_caller]
    pub fn finds_nothing_before(&self) {
        assert_eq!(told(&self.run_before()), [""; 0]);
    }
}

pub fn told(findings: &[RuleDiagnostic]) -> Vec<String> {
    let lines = findings.iter().map(|finding| {
        let diagnostic = &finding.diagnostic;
        assert!(
            diagnostic.help.is_some(),
            "{} has no way out",
            diagnostic.code
        );
        let key = diagnostic.key.as_ref().expect("a key");
        let field = diagnostic.field.as_deref().unwrap_or("-");
        format!("{} {} {key} {field}", diagnostic.code, diagnostic.severity)
    });
    lines.collect()
}

//! The values that a step gives its fields, borrowed from the plan. [`Step::changes`] copies them;
//! for a first load, those copies would cost more than inserting the rows.

use super::types::{Step, StepBody};
use crate::kinds;
use crate::model::{FieldChange, FieldRef, StatedField, Value};

/// The old and the new value of one field.
#[derive(Clone, Copy, Debug)]
pub struct BorrowedChange<'s> {
    pub field: &'s FieldRef,
    pub before: Option<&'s Value>,
    pub after: Option<&'s Value>,
}

impl Step {
    /// The values the step gives its fields, sorted by field; equal to [`Step::changes`].
    #[must_use]
    pub fn borrowed_changes(&self) -> Vec<BorrowedChange<'_>> {
        match &self.body {
            StepBody::Changes(changes) => changes.iter().map(BorrowedChange::from).collect(),
            StepBody::Create { declared, derived } => {
                let mut all = Vec::with_capacity(declared.cells.len() + derived.len());
                let cells = declared.cells.iter();
                all.extend(cells.filter_map(|stated| created(self, stated)));
                all.extend(derived.iter().map(BorrowedChange::from));
                // Declared cells and derived fields are each sorted already; most creates have
                // nothing derived.
                if !all.is_sorted_by(|a, b| a.field <= b.field) {
                    all.sort_by(|a, b| a.field.cmp(b.field));
                }
                all
            }
        }
    }

    /// The value a step gives one field; equal to [`Step::change`].
    #[must_use]
    pub fn borrowed_change(&self, field: &FieldRef) -> Option<BorrowedChange<'_>> {
        let (said, changes) = match &self.body {
            StepBody::Changes(changes) => (None, &changes[..]),
            StepBody::Create { declared, derived } => (declared.stated(field), &derived[..]),
        };
        let said = said.and_then(|stated| created(self, stated));
        said.or_else(|| {
            let mut changes = changes.iter();
            changes
                .find(|change| change.field == *field)
                .map(BorrowedChange::from)
        })
    }
}

/// What a declared cell of a create writes. An empty list is left out because a new row has no
/// members anyway, unless the field has a default that it must override.
fn created<'s>(step: &Step, stated: &'s StatedField) -> Option<BorrowedChange<'s>> {
    let value = stated.cell.value()?;
    let field = &stated.field;
    let says = !value.is_empty_list() || {
        let field = kinds::get(step.key.kind).field(field);
        field.is_some_and(|field| field.default.value().is_some())
    };
    says.then_some(BorrowedChange {
        field,
        before: None,
        after: Some(value),
    })
}

impl<'s> From<&'s FieldChange> for BorrowedChange<'s> {
    fn from(change: &'s FieldChange) -> Self {
        Self {
            field: &change.field,
            before: change.before.as_ref(),
            after: change.after.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::USER;
    use crate::model::{Cell, DeclaredResource, Key, LineColumn};
    use crate::plan::{StepReason, StepVerb};
    use std::sync::Arc;

    fn stated(field: FieldRef, cell: Cell) -> StatedField {
        let at = LineColumn::default();
        StatedField {
            field,
            cell,
            position: at,
        }
    }

    /// A user with every kind of cell.
    fn create() -> Step {
        let kind = kinds::get(USER);
        let own = |name: &str| kinds::own_field(kind.expect_index(name));
        let mut cells = vec![
            stated(own("email"), Cell::Value(Value::text("eva@example.org"))),
            stated(own("groups"), Cell::Value(Value::List([].into()))),
            stated(own("accounts"), Cell::Value(Value::Links([].into()))),
            stated(own("company"), Cell::Blank),
            stated(own("civility"), Cell::Clear),
            stated(
                FieldRef::Custom("size".into()),
                Cell::Value(Value::Bool(true)),
            ),
        ];
        cells.sort_by(|a, b| a.field.cmp(&b.field));
        let derived = FieldChange {
            field: own("status"),
            before: None,
            after: Some(Value::text("active")),
        };
        let key = Key::new(USER, "u1");
        Step {
            verb: StepVerb::Create,
            key: key.clone(),
            version: None,
            reason: StepReason::Declared,
            origin: None,
            claim: None,
            body: StepBody::Create {
                declared: Arc::new(DeclaredResource {
                    key,
                    path: "users.yaml".into(),
                    position: LineColumn::default(),
                    cells,
                }),
                derived: [derived].into(),
            },
            accounts: Box::default(),
            consequences: Box::default(),
            impact: Box::default(),
            undoes: Box::default(),
            is_on_base: false,
            runtime: crate::plan::RuntimeChanges::default(),
        }
    }

    fn owned(given: BorrowedChange<'_>) -> FieldChange {
        FieldChange {
            field: given.field.clone(),
            before: given.before.cloned(),
            after: given.after.cloned(),
        }
    }

    #[test]
    fn borrowed_changes_equal_the_changes_of_a_step() {
        let create = create();
        let changes = create.changes().into_owned();
        let update = Step {
            verb: StepVerb::Update,
            body: StepBody::Changes(changes.clone()),
            ..create.clone()
        };
        for step in [&create, &update] {
            let given: Vec<FieldChange> = step.borrowed_changes().into_iter().map(owned).collect();
            assert_eq!(given, changes);
            for index in 0..kinds::get(USER).fields.len() {
                let field = kinds::own_field(index);
                let change = step.change(&field).map(std::borrow::Cow::into_owned);
                assert_eq!(step.borrowed_change(&field).map(owned), change);
            }
        }
    }
}

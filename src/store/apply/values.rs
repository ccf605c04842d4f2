//! What a step gives its fields, borrowed from the plan: of a create, copies of all values would
//! cost more than its row.

use crate::kinds;
use crate::model::{FieldRef, Stated, Text, Value};
use crate::plan::{Body, Step};

/// What one field was and becomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'s> {
    pub(super) field: &'s FieldRef,
    pub(super) before: Option<&'s Value>,
    pub(super) after: Option<&'s Value>,
}

/// What a step gives its fields, sorted by field; the same as [`Step::changes`].
pub(super) fn all(step: &Step) -> Vec<Given<'_>> {
    match &step.body {
        Body::Changes(changes) => changes.iter().map(Given::of).collect(),
        Body::Create { declared, derived } => {
            let mut all = Vec::with_capacity(declared.cells.len() + derived.len());
            let cells = declared.cells.iter();
            all.extend(cells.filter_map(|stated| created(step, stated)));
            all.extend(derived.iter().map(Given::of));
            if !all.is_sorted_by(|a, b| a.field <= b.field) {
                all.sort_by(|a, b| a.field.cmp(b.field));
            }
            all
        }
    }
}

/// What a step gives one field; the same as [`Step::change`].
pub(super) fn of<'s>(step: &'s Step, field: &FieldRef) -> Option<Given<'s>> {
    let (said, changes) = match &step.body {
        Body::Changes(changes) => (None, &changes[..]),
        Body::Create { declared, derived } => (declared.stated(field), &derived[..]),
    };
    let said = said.and_then(|stated| created(step, stated));
    said.or_else(|| {
        let mut changes = changes.iter();
        changes.find(|change| change.field == *field).map(Given::of)
    })
}

/// What a stated cell of a create writes. No members is what a new list has anyway, unless it has
/// a default.
fn created<'s>(step: &Step, stated: &'s Stated) -> Option<Given<'s>> {
    let value = stated.cell.value()?;
    let field = &stated.field;
    let says = !value.is_empty_list() || {
        let field = kinds::get(step.key.kind).field(field);
        field.is_some_and(|field| field.default.value().is_some())
    };
    says.then_some(Given {
        field,
        before: None,
        after: Some(value),
    })
}

impl<'s> Given<'s> {
    fn of(change: &'s crate::model::Change) -> Self {
        Self {
            field: &change.field,
            before: change.before.as_ref(),
            after: change.after.as_ref(),
        }
    }
}

/// The custom values among some of a create, sorted by id.
pub(super) fn custom<'g>(
    given: &'g [Given<'g>],
) -> impl Iterator<Item = (&'g Text, &'g Value)> + use<'g> {
    given.iter().filter_map(|given| match given.field {
        FieldRef::Custom(id) => Some((id, given.after?)),
        FieldRef::Own(_) => None,
    })
}

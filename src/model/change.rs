//! The change of one field.

use super::{FieldRef, Value};

/// A field, with its values before and after a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldChange {
    pub field: FieldRef,
    /// The stored value, or `None` without one.
    pub before: Option<Value>,
    /// The new value, or `None` if the plan clears the field.
    pub after: Option<Value>,
}

impl FieldChange {
    /// Leaves out the members of lists that stay. `before` keeps those that go or change, `after`
    /// those that come or change. Reducing twice changes nothing.
    #[must_use]
    pub fn reduced(self) -> Self {
        let (before, after) = match (self.before, self.after) {
            (Some(Value::List(old)), Some(Value::List(new))) => {
                let went: Vec<_> = old.iter().filter(|m| !new.contains(m)).cloned().collect();
                let came: Vec<_> = new.iter().filter(|m| !old.contains(m)).cloned().collect();
                (
                    Some(Value::List(went.into())),
                    Some(Value::List(came.into())),
                )
            }
            // Whole links are compared, so a member whose level changes is in both lists.
            (Some(Value::Links(old)), Some(Value::Links(new))) => {
                let went: Vec<_> = old.iter().filter(|l| !new.contains(l)).cloned().collect();
                let came: Vec<_> = new.iter().filter(|l| !old.contains(l)).cloned().collect();
                (
                    Some(Value::Links(went.into())),
                    Some(Value::Links(came.into())),
                )
            }
            other => other,
        };
        Self {
            field: self.field,
            before,
            after,
        }
    }
}

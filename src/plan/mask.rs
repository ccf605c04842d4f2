//! A plan for somebody who may not read the directory: what is stored about persons is left out.

use super::types::{Body, Plan};
use crate::kinds;
use crate::model::{Change, FieldRef, KindId, Text, Value};

/// Stands for a stored value that is not shown.
pub const MASKED: &str = "•••";

impl Plan {
    /// The plan without the stored values of personal and custom fields. What the sender of the
    /// tree wrote himself stays.
    #[must_use]
    pub fn masked(mut self) -> Self {
        for step in &mut self.steps {
            if let Body::Changes(changes) = &mut step.body {
                changes
                    .iter_mut()
                    .for_each(|change| mask(step.key.kind, change));
            }
        }
        for held in &mut self.held {
            let kind = held.key.kind;
            held.changes
                .iter_mut()
                .for_each(|change| mask(kind, change));
        }
        self.undeclared.clear();
        self
    }
}

fn mask(kind: KindId, change: &mut Change) {
    let personal = match &change.field {
        FieldRef::Own(_) => kinds::get(kind)
            .field(&change.field)
            .is_some_and(|field| field.personal),
        FieldRef::Custom(_) => true,
    };
    if personal && change.before.is_some() {
        change.before = Some(Value::Text(Text::new(MASKED)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::USER;
    use crate::model::Key;
    use crate::plan::{Reason, Step, Verb};

    #[test]
    fn what_is_stored_about_a_person_is_left_out_and_the_rest_stays() {
        let user = kinds::get(USER);
        let change = |name: &str, before: &str, after: &str| Change {
            field: user.field_ref(name).expect("a field"),
            before: Some(Value::text(before)),
            after: Some(Value::text(after)),
        };
        let changes = vec![
            change("email", "old@a.example", "new@a.example"),
            change("status", "active", "inactive"),
        ];
        let plan = Plan {
            steps: vec![Step {
                verb: Verb::Deactivate,
                key: Key::new(USER, "u-1"),
                version: Some(1),
                reason: Reason::Declared,
                origin: None,
                claim: None,
                body: Body::Changes(changes),
            }],
            ..Plan::default()
        };
        let masked = plan.masked();
        let shown: Vec<_> = masked.steps[0]
            .changes()
            .iter()
            .map(|change| change.before.clone())
            .collect();
        assert_eq!(
            shown,
            [Some(Value::text(MASKED)), Some(Value::text("active"))]
        );
        assert_eq!(
            masked.steps[0].changes()[0].after,
            Some(Value::text("new@a.example"))
        );
    }
}

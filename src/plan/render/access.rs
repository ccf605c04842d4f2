//! Finds who gains and who loses access by a plan, from the fields that the table of kinds marks
//! with `grants_access`.
//!
//! The Markdown form lists these first, because a reviewer of a pull request should not have to
//! look for the new administrator among hundreds of phone numbers.

use super::delta::FieldDelta;
use crate::kinds;
use crate::model::{FieldChange, KindId, Link, Value};
use crate::plan::{Step, StepVerb};

/// The changes of a step that grant access, and those that take it away.
#[derive(Default)]
pub(super) struct AccessChanges {
    pub gains: Vec<FieldChange>,
    pub losses: Vec<FieldChange>,
}

impl AccessChanges {
    /// Returns the changes of a step. Removals have none, because they are listed as such.
    pub fn of(step: &Step) -> Self {
        let mut access = Self::default();
        if matches!(step.verb, StepVerb::Deactivate | StepVerb::Delete) {
            return access;
        }
        let kind = kinds::get(step.key.kind);
        for change in step.changes().iter() {
            if kind
                .field(&change.field)
                .is_some_and(|field| field.grants_access)
            {
                access.split(kind.id, change, step.verb == StepVerb::Create);
            }
        }
        access
    }

    fn split(&mut self, kind: KindId, change: &FieldChange, created: bool) {
        let part = |before, after| FieldChange {
            field: change.field.clone(),
            before,
            after,
        };
        match FieldDelta::of(kind, change) {
            FieldDelta::Redacted => {}
            // Nearly every new resource is active. Only its groups and accounts are worth a line.
            FieldDelta::Scalar { .. } if created => {}
            // Everything that is not clearly a gain is listed as a loss, so that nothing is left
            // out.
            FieldDelta::Scalar { after, .. } => {
                let gains = after.and_then(Value::as_text) == Some("active");
                let side = if gains {
                    &mut self.gains
                } else {
                    &mut self.losses
                };
                side.push(change.clone());
            }
            FieldDelta::Set { added, removed } => {
                let list = |all: Vec<&crate::model::CompactText>| {
                    Value::List(all.into_iter().cloned().collect())
                };
                if !added.is_empty() {
                    self.gains.push(part(None, Some(list(added))));
                }
                if !removed.is_empty() {
                    self.losses.push(part(Some(list(removed)), None));
                }
            }
            FieldDelta::Links {
                added,
                removed,
                changed,
                ..
            } => {
                // The table lists the choices of an attribute from the least to the most access.
                let (up, down): (Vec<_>, Vec<_>) = changed
                    .into_iter()
                    .partition(|(before, after)| after.attributes > before.attributes);
                self.gains
                    .extend(partial_change(&part, Vec::new(), up, added));
                self.losses
                    .extend(partial_change(&part, removed, down, Vec::new()));
            }
        }
    }
}

fn partial_change(
    part: &impl Fn(Option<Value>, Option<Value>) -> FieldChange,
    removed: Vec<&Link>,
    changed: Vec<(&Link, &Link)>,
    added: Vec<&Link>,
) -> Option<FieldChange> {
    if removed.is_empty() && changed.is_empty() && added.is_empty() {
        return None;
    }
    let (old, new): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
    let links = |all: Vec<&Link>, more: Vec<&Link>| {
        Some(Value::links(all.into_iter().chain(more).cloned()))
    };
    Some(part(links(removed, old), links(added, new)))
}

//! Who gains and who loses access by a plan: by the fields that the table says give it.

use super::delta::Delta;
use crate::kinds;
use crate::model::{Change, KindId, Link, Value};
use crate::plan::{Step, Verb};

/// The parts of a step that give access, and those that take it.
#[derive(Default)]
pub(super) struct Access {
    pub gains: Vec<Change>,
    pub losses: Vec<Change>,
}

impl Access {
    /// What a step gives and takes. A removal takes everything; that is said elsewhere.
    pub fn of(step: &Step) -> Self {
        let mut access = Self::default();
        if matches!(step.verb, Verb::Deactivate | Verb::Delete) {
            return access;
        }
        let kind = kinds::get(step.key.kind);
        for change in step.changes().iter() {
            if kind.field(&change.field).is_some_and(|field| field.grants) {
                access.split(kind.id, change, step.verb == Verb::Create);
            }
        }
        access
    }

    fn split(&mut self, kind: KindId, change: &Change, created: bool) {
        let part = |before, after| Change {
            field: change.field.clone(),
            before,
            after,
        };
        match Delta::of(kind, change) {
            Delta::Redacted => {}
            // What is new is active, unless it says otherwise: only lists tell anything.
            Delta::Scalar { .. } if created => {}
            Delta::Scalar { after, .. } => {
                let gains = after.and_then(Value::as_text) == Some("active");
                let side = if gains {
                    &mut self.gains
                } else {
                    &mut self.losses
                };
                side.push(change.clone());
            }
            Delta::Set { added, removed } => {
                let list =
                    |all: Vec<&crate::model::Text>| Value::List(all.into_iter().cloned().collect());
                if !added.is_empty() {
                    self.gains.push(part(None, Some(list(added))));
                }
                if !removed.is_empty() {
                    self.losses.push(part(Some(list(removed)), None));
                }
            }
            Delta::Links {
                added,
                removed,
                changed,
                ..
            } => {
                // The choices of an attribute stand in the order of what they allow.
                let (up, down): (Vec<_>, Vec<_>) = changed
                    .into_iter()
                    .partition(|(before, after)| after.attributes > before.attributes);
                self.gains.extend(side(&part, Vec::new(), up, added));
                self.losses.extend(side(&part, removed, down, Vec::new()));
            }
        }
    }
}

fn side(
    part: &impl Fn(Option<Value>, Option<Value>) -> Change,
    removed: Vec<&Link>,
    changed: Vec<(&Link, &Link)>,
    added: Vec<&Link>,
) -> Option<Change> {
    if removed.is_empty() && changed.is_empty() && added.is_empty() {
        return None;
    }
    let (old, new): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
    let links = |all: Vec<&Link>, more: Vec<&Link>| {
        Some(Value::links(all.into_iter().chain(more).cloned()))
    };
    Some(part(links(removed, old), links(added, new)))
}

//! The counts of a plan, and the stored fields that no source declares.

use super::context::PlanContext;
use super::types::{HoldEntry, Plan, PlanSummary, Step, StepVerb};
use crate::kinds;
use crate::model::{FieldRef, Key};
use std::collections::HashSet;

impl PlanSummary {
    /// Counts steps and holds: by steps for the verbs, but by resources for what is held, since one
    /// resource may be in several holds.
    #[must_use]
    pub(super) fn count(self, steps: &[Step], held: &[HoldEntry]) -> Self {
        let held: HashSet<&Key, foldhash::fast::FixedState> =
            held.iter().map(|held| &held.key).collect();
        let mut summary = Self {
            held: held.len() as u64,
            unchanged: self.unchanged,
            unclaimed: self.unclaimed,
            ..Self::default()
        };
        for step in steps {
            *match step.verb {
                StepVerb::Create => &mut summary.create,
                StepVerb::Update => &mut summary.update,
                StepVerb::Adopt => &mut summary.adopt,
                StepVerb::Deactivate => &mut summary.deactivate,
                StepVerb::Reactivate => &mut summary.reactivate,
                StepVerb::Delete => &mut summary.delete,
            } += 1;
        }
        summary
    }
}

/// How many resources each verb concerns, how many are equal, and how many no source claims.
pub(super) fn summary(context: &PlanContext<'_>, plan: &Plan) -> PlanSummary {
    let held = plan.held.iter().map(|held| &held.key);
    let steps = plan.steps.iter().map(|step| &step.key);
    let busy: HashSet<&Key, foldhash::fast::FixedState> = steps.chain(held).collect();
    let declared = &context.desired.resources;
    let quiet = declared
        .iter()
        .filter(|declared| !busy.contains(&declared.key))
        .count();
    let claimed = |key: &Key| {
        context
            .stored
            .claims
            .get(key)
            .is_some_and(|claims| !claims.is_empty())
    };
    let unclaimed = context.stored.rows.iter().map(|row| &row.key);
    let unclaimed = unclaimed
        .filter(|key| !claimed(key) && !declared.contains(key))
        .count();
    PlanSummary {
        unchanged: quiet as u64,
        unclaimed: unclaimed as u64,
        ..PlanSummary::default()
    }
    .count(&plan.steps, &plan.held)
}

/// Every stored field of a declared resource that no source declares.
pub(super) fn undeclared(context: &PlanContext<'_>) -> Vec<(Key, String)> {
    let mut found = Vec::new();
    for declared in &context.desired.resources {
        let Some(row) = context.stored.rows.get(&declared.key) else {
            continue;
        };
        let kind = kinds::get(row.key.kind);
        let own = kind.fields.iter().enumerate().filter(|(index, field)| {
            row.values[*index].as_ref().is_some_and(|value| {
                // A default is not worth listing: nobody wrote it.
                !value.is_empty_list() && field.default.value().as_ref() != Some(value)
            })
        });
        let own = own.map(|(index, _)| kinds::own_field(index));
        let custom = row.custom_values.keys().cloned().map(FieldRef::Custom);
        for field in own
            .chain(custom)
            .filter(|field| declared.stated(field).is_none())
        {
            let name = kind.field_name(&field);
            let claims = context.stored.claims.get(&row.key);
            let other = claims.is_some_and(|claims| {
                claims.iter().any(|claim| {
                    claim.source != context.desired.source && claim.fields.get(&name).is_some()
                })
            });
            if !other {
                found.push((declared.key.clone(), name));
            }
        }
    }
    found
}

//! Finds who sees more or less by a plan. Only what its steps can affect is read: most plans affect
//! nothing of it.

use super::phase::PhaseTimer;
use crate::kinds::USER;
use crate::plan::visibility::{self, PlanVisibility, VisibilityReach};
use crate::plan::{Plan, Step, StepVerb};
use crate::store::{Store, StoreError};

/// Returns who sees more or less by some steps, after the plans before them in the same pass.
pub async fn plan_visibility(
    store: &Store,
    earlier: &[Plan],
    steps: &[Step],
) -> Result<PlanVisibility, StoreError> {
    let mut reach = VisibilityReach::of(steps);
    if reach.is_empty() {
        return Ok(PlanVisibility::default());
    }
    let _phase = PhaseTimer::begin("comparing who sees what");
    for plan in earlier {
        reach = reach.with(VisibilityReach::of(&plan.steps));
    }
    for plan in earlier {
        reach.resolve_created(&plan.steps);
    }
    let mut before = store.visibility_state(&reach).await?;
    for plan in earlier {
        before.advance(&plan.steps);
    }
    let mut after = before.clone();
    // Those who are new are not compared.
    let is_new_user = |step: &&Step| step.key.kind == USER && step.verb == StepVerb::Create;
    after.advance(steps.iter().filter(|step| !is_new_user(step)));
    Ok(visibility::compare(&before, &after))
}

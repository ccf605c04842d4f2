//! One pass of one source, from its plan to its record: plan, decide, apply.
//!
//! Everything that applies what a source declares comes through [`run`]: `roster apply`, imports by
//! hand, the daemon, and pushes. They differ in who decides about the plan, a person at a terminal
//! or the windows of the configuration; that is their [`PlanConsent`].

use super::{ApplySummary, LeaseGuard, Pass, PassError, apply};
use crate::document::PassOutcome;
use crate::plan::Plan;
use crate::store::Store;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanDecision {
    Apply,
    Leave {
        /// The outcome of the pass.
        outcome: PassOutcome,
        /// Why the plan is not applied. Empty if the plan itself says so.
        why: String,
    },
}

impl PlanDecision {
    /// The most that the plan and its source allow.
    fn allowed(pass: &Pass<'_>, index: usize, plan: &Plan) -> Self {
        if plan.errored {
            return Self::Leave {
                outcome: PassOutcome::Refused,
                why: String::new(),
            };
        }
        match pass.readings[index].why_not_applied() {
            Some(why) => Self::Leave {
                outcome: PassOutcome::Planned,
                why,
            },
            None => Self::Apply,
        }
    }
}

/// The one who decides about a plan: a person at a terminal, or the daemon.
pub trait PlanConsent: Send {
    /// The error of a failed decision.
    type Error: From<PassError>;

    /// Who applies the plan, for the history.
    fn actor(&self) -> String;

    /// Decides about a plan. If `allowed` is `Leave`, the answer must be too.
    fn decide(
        &mut self,
        pass: &mut Pass<'_>,
        index: usize,
        plan: &Plan,
        allowed: PlanDecision,
    ) -> impl Future<Output = Result<PlanDecision, Self::Error>> + Send;
}

/// The result of a pass whose plan was made.
pub struct PassResult<E> {
    pub plan: Plan,
    pub done: Result<PassDone, E>,
}

#[derive(Debug)]
pub enum PassDone {
    /// It was applied, with what was written.
    Applied(ApplySummary),
    /// Nothing was written, and why.
    Left(PassOutcome),
}

impl PassDone {
    /// The outcome of the pass. A plan without steps changes nothing, although it is recorded.
    #[must_use]
    pub fn outcome(&self, plan: &Plan) -> PassOutcome {
        match self {
            Self::Applied(_) if plan.steps.is_empty() => PassOutcome::Unchanged,
            Self::Applied(_) => PassOutcome::Applied,
            Self::Left(outcome) => *outcome,
        }
    }

    /// The run that changed something, if any.
    #[must_use]
    pub fn run(&self, plan: &Plan) -> Option<i64> {
        match self {
            Self::Applied(applied) => applied.run.filter(|_| !plan.steps.is_empty()),
            Self::Left(_) => None,
        }
    }
}

/// Plans a source that was read, has the plan decided, and applies it, all under the lease of the
/// source: another apply in between would make the plan stale.
pub async fn run<C: PlanConsent>(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    lease: &LeaseGuard,
    consent: &mut C,
) -> Result<PassResult<C::Error>, PassError> {
    let plan = pass.plan(index, store, &[]).await?;
    let done = decide_and_apply(pass, index, store, lease, consent, &plan).await;
    Ok(PassResult { plan, done })
}

async fn decide_and_apply<C: PlanConsent>(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    lease: &LeaseGuard,
    consent: &mut C,
    plan: &Plan,
) -> Result<PassDone, C::Error> {
    let allowed = PlanDecision::allowed(pass, index, plan);
    match consent.decide(pass, index, plan, allowed).await? {
        PlanDecision::Apply => {
            let applied = apply(pass, index, store, plan, lease, &consent.actor()).await?;
            Ok(PassDone::Applied(applied))
        }
        PlanDecision::Leave { outcome, .. } => Ok(PassDone::Left(outcome)),
    }
}

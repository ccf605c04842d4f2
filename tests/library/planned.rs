//! What tests of passes do with a plan.

use roster::document;
use roster::plan::Plan;
use roster::reconcile::{self, LeaseGuard, Pass};
use roster::store::Store;
use std::time::Duration;

/// Applies a plan as a command does, under the lease of its source.
pub async fn apply(pass: &Pass<'_>, index: usize, store: &Store, plan: &Plan) {
    let wait = Duration::from_secs(5);
    let lease = LeaseGuard::take(store, &plan.source.name, wait).await;
    let lease = lease.unwrap();
    let applied = reconcile::apply(pass, index, store, plan, &lease, "test").await;
    lease.release(store).await;
    applied.unwrap();
}

/// A plan as programs read it.
pub fn plan_json(plan: &Plan) -> String {
    let mut text = Vec::new();
    document::write_plan(plan, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

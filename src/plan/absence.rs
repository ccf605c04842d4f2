//! When a resource that a source does not name counts as gone, and the notes when it does not.
//!
//! A tree that people write names everything, so what it leaves out is gone at once. An export may forget
//! somebody once: it has to leave a resource out of several files in a row. `removal.rs` is the caller.

use super::context::PlanContext;
use crate::diagnostic::{Diagnostic, agreed, codes};
use crate::model::Key;

/// How many reasons are named.
const NAMED: usize = 5;

/// Whether a source that may forget somebody once has not named a resource often enough.
pub(super) fn counts_as_absent(context: &PlanContext<'_>, key: &Key) -> bool {
    let Some(times) = context.rules.absent_after else {
        // An export takes nobody away unless it is said when.
        return !context.desired.partial;
    };
    let missed = context
        .stored
        .missed_exports
        .get(key)
        .copied()
        .unwrap_or_default();
    missed + u32::from(context.rules.is_new_export) >= times
}

/// That what is missing may stand in a row whose id cannot be read.
pub(super) fn hidden_keys(context: &PlanContext<'_>, missing: usize) -> Diagnostic {
    let whys: Vec<&str> = context
        .desired
        .hidden_kinds
        .values()
        .map(String::as_str)
        .collect();
    let what = format!("that source {} does not name", context.desired.source);
    let message = format!(
        "{}: a row has no readable id ({})",
        resources_stay(missing, &what),
        whys.join("; ")
    );
    Diagnostic::new(codes::REMOVALS_OFF, message)
        .help("Fix the row. Missing resources are counted again with the next export.")
}

/// `1 resource that it no longer declares stays`.
fn resources_stay(missing: usize, what: &str) -> String {
    let one = format!("resource {what}");
    let several = format!("resources {what}");
    agreed(missing, (&one, &several), ("stays", "stay"))
}

/// That nothing is removed, and why.
pub(super) fn removals_off(context: &PlanContext<'_>, missing: usize) -> Diagnostic {
    let all = &context.desired.removals_off;
    let mut reasons = all[..all.len().min(NAMED)].join("; ");
    if all.len() > NAMED {
        reasons = format!("{reasons}; and {} more", all.len() - NAMED);
    }
    let message = format!(
        "no removals from source {} in this pass; {}: {reasons}",
        context.desired.source,
        resources_stay(missing, "that it no longer declares")
    );
    Diagnostic::new(codes::REMOVALS_OFF, message)
        .help("Fix the errors above. Removals resume on the next pass.")
}

/// That what is missing here may be declared by another source of which not everything is known.
pub(super) fn hidden_elsewhere(
    context: &PlanContext<'_>,
    peer: &str,
    why: &str,
    missing: usize,
) -> Diagnostic {
    let source = &context.desired.source;
    let stay = resources_stay(missing, &format!("that source {source} no longer declares"));
    let message = format!("{stay}: source {peer} may declare more than Roster could read ({why})");
    Diagnostic::new(codes::REMOVALS_OFF, message).help(format!(
        "Fix source {peer}; see `roster plan --source {peer}`. Removals resume on the next pass."
    ))
}

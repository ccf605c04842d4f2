//! Decides when a resource that a source does not name counts as gone, and writes the notes for
//! when it does not.
//!
//! A tree that people write names everything, so what it leaves out is gone at once. An export may
//! forget a customer once, so it has to leave a resource out of several exports in a row. The
//! caller is `removal.rs`.

use super::context::PlanContext;
use crate::diagnostic::{Diagnostic, agreed, codes};
use crate::model::Key;

/// How many reasons a note lists before it only counts the rest.
const NAMED: usize = 5;

/// Whether the source has left the resource out often enough for it to count as gone.
pub(super) fn counts_as_absent(context: &PlanContext<'_>, key: &Key) -> bool {
    let Some(times) = context.rules.absent_after else {
        // Exports do not remove anything unless `absence.after` says when.
        return !context.desired.partial;
    };
    let missed = context
        .stored
        .missed_exports
        .get(key)
        .copied()
        .unwrap_or_default();
    // Planning the same export again is no further absence.
    missed + u32::from(context.rules.is_new_export) >= times
}

/// Says that missing resources stay, because they may be in a row whose id cannot be read.
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

/// Says that nothing is removed, and why.
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

/// Says that missing resources stay, because another source that cannot be read whole may declare
/// them.
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

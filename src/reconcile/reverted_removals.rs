//! Says in a plan what the source had removed and a revert brought back. A removal happens once, so no pass
//! removes it again, whatever git says since.

use crate::diagnostic::{self, Diagnostic, codes, plural};
use crate::model::{Desired, Key, KindId};
use crate::plan::Plan;
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// How many resources a note names.
const NAMED: usize = 5;

const WAY_OUT: &str = "To remove it for good, declare it with `status: inactive`. To keep it under the source, declare it as it should be";

/// Notes what no source declares and stays active because of a revert.
pub(super) async fn note_reverted_removals(
    store: &Store,
    desired: &Desired,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    let mut groups: BTreeMap<(i64, KindId), Vec<Key>> = BTreeMap::new();
    let found = store.reverted_removals(&plan.source.name).await?;
    if found.is_empty() {
        return Ok(());
    }
    // What is declared again, or goes for another reason, does not stay as it is.
    let steps = plan.steps.iter().map(|step| &step.key);
    let planned: BTreeSet<&Key> = steps
        .chain(plan.held.iter().map(|held| &held.key))
        .collect();
    for removal in found {
        let key = removal.key;
        if !planned.contains(&key) && !desired.resources.contains(&key) {
            let group = groups.entry((removal.run, key.kind)).or_default();
            group.push(key);
        }
    }
    let source = &plan.source.name;
    let notes = groups.into_iter().map(|((run, _), keys)| {
        let message = format!(
            "{}: active since run {run} reverted the removal by source {source}, which no pass repeats",
            named(&keys)
        );
        Diagnostic::new(codes::REVERTED, message).help(WAY_OUT)
    });
    let notes: Vec<Diagnostic> = notes.collect();
    plan.diagnostics.extend(notes);
    diagnostic::sort(&mut plan.diagnostics);
    Ok(())
}

fn named(keys: &[Key]) -> String {
    let named: Vec<String> = keys.iter().take(NAMED).map(Key::to_string).collect();
    let named = named.join(", ");
    match keys.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {}", plural(more, "other")),
    }
}

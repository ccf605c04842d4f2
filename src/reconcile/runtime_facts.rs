//! Adds to a plan what only the database knows of runtime facts: how many acceptances new terms
//! reset, and which accounts still wait for an approval that the settings no longer ask for. The
//! planner itself compares only what sources declare.

use crate::diagnostic::{self, Diagnostic, agreed, codes};
use crate::kinds::{self, TERMS};
use crate::model::{FieldRef, Value};
use crate::plan::{Plan, Step};
use crate::store::{Store, StoreError};

/// How many accounts a note names.
const NAMED: u32 = 5;

/// The plan of one source, in a pass that plans several.
pub(super) struct PlanInPass<'p> {
    pub(super) plan: &'p mut Plan,
    /// The plans before it.
    pub(super) earlier: &'p [Plan],
    /// Whether it is the first of the pass.
    pub(super) is_first: bool,
}

/// Adds the number of acceptances to steps with new terms, and the note about waiting accounts.
pub(super) async fn add_runtime_facts(
    store: &Store,
    of: &mut PlanInPass<'_>,
) -> Result<(), StoreError> {
    let steps = of.plan.steps.iter_mut();
    for step in steps.filter(|step| step.key.kind == TERMS) {
        if let Some(version) = step.replaced_file() {
            let accepted = store.count_acceptances(&step.key.id, version).await?;
            step.runtime.resets = Some(accepted);
        }
    }
    note_pending(store, of).await
}

/// Notes that accounts wait although the settings ask for no approval any more: switching the
/// setting off approves nobody.
async fn note_pending(store: &Store, of: &mut PlanInPass<'_>) -> Result<(), StoreError> {
    let switch = of.plan.steps.iter().find_map(approval_setting);
    // Once a pass: in the plan that switches it off or, after that, in the first one.
    let waits = match switch {
        Some((approval, _)) => approval,
        None if of.is_first => stored_approval(store).await?,
        None => return Ok(()),
    };
    let earlier = of.earlier.iter().flat_map(|plan| &plan.steps);
    let is_noted = earlier.filter_map(approval_setting).any(|(on, _)| !on);
    if waits || is_noted {
        return Ok(());
    }
    let (count, ids) = store.pending_account_ids(NAMED).await?;
    if count == 0 {
        return Ok(());
    }
    let waiting = agreed(
        usize::try_from(count).unwrap_or(usize::MAX),
        ("account", "accounts"),
        ("waits", "wait"),
    );
    let mut named = ids.join(", ");
    let more = count.saturating_sub(ids.len() as u64);
    if more > 0 {
        named.push_str(&format!(" and {more} more"));
    }
    let message = format!(
        "{waiting} for an approval although `accountApproval` is off, which approves nobody: {named}"
    );
    let id = match &ids[..] {
        [only] => only,
        _ => "ID",
    };
    let note = Diagnostic::new(codes::ACCOUNT_PENDING, message)
        .help(format!(
            "List them with `roster get Account --pending`. Decide with `roster approve account {id} --reason TEXT` or `roster reject account {id} --reason TEXT`"
        ))
        .for_resource(&kinds::settings_key())
        .field("accountApproval");
    let note = match switch.and_then(|(_, step)| step.origin.clone()) {
        Some(origin) => note.at(origin),
        None => note,
    };
    of.plan.diagnostics.push(note);
    diagnostic::sort(&mut of.plan.diagnostics);
    Ok(())
}

fn approval_field() -> FieldRef {
    let kind = kinds::get(kinds::SETTINGS);
    kinds::own_field(kind.expect_index("accountApproval"))
}

/// The value that a step gives `accountApproval`, if it changes it.
fn approval_setting(step: &Step) -> Option<(bool, &Step)> {
    if step.key != kinds::settings_key() {
        return None;
    }
    let change = step.change(&approval_field())?;
    Some((change.after == Some(Value::Bool(true)), step))
}

async fn stored_approval(store: &Store) -> Result<bool, StoreError> {
    let row = store.row(&kinds::settings_key()).await?;
    let value = row.and_then(|row| row.value(&approval_field()).cloned());
    Ok(value == Some(Value::Bool(true)))
}

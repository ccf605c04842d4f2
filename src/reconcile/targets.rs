//! Checks that the targets of a request exist: a mistyped one would otherwise give an empty plan
//! that looks fine.

use super::{Pass, PassError, SourceReading};
use crate::diagnostic::did_you_mean;
use crate::model::Key;
use crate::store::Store;

/// Fails when a target is neither declared nor stored.
pub(super) async fn check_targets_exist(pass: &Pass<'_>, store: &Store) -> Result<(), PassError> {
    // A source that cannot be read may declare the target, and has an error of its own.
    if pass.readings.iter().any(may_hide_resources) {
        return Ok(());
    }
    for target in &pass.request.targets {
        let declared = pass
            .readings
            .iter()
            .any(|reading| declares_key(reading, target));
        if !declared && store.row(target).await?.is_none() {
            return Err(unknown(pass, store, target).await?);
        }
    }
    Ok(())
}

fn may_hide_resources(reading: &SourceReading) -> bool {
    let desired = &reading.desired;
    !desired.removals_off.is_empty() || !desired.hidden_kinds.is_empty()
}

fn declares_key(reading: &SourceReading, key: &Key) -> bool {
    let desired = &reading.desired;
    desired.resources.contains(key)
        || desired.shielded_keys.contains(key)
        || desired
            .faulty_fields
            .iter()
            .any(|(faulty, _)| faulty == key)
}

async fn unknown(pass: &Pass<'_>, store: &Store, key: &Key) -> Result<PassError, PassError> {
    let mut ids: Vec<String> = store
        .list(key.kind)
        .await?
        .into_iter()
        .map(|row| row.key.id.to_string())
        .collect();
    let declared = pass
        .readings
        .iter()
        .flat_map(|reading| reading.desired.resources.iter());
    let alike = declared.filter(|declared| declared.key.kind == key.kind);
    ids.extend(alike.map(|declared| declared.key.id.to_string()));
    let kind = crate::kinds::get(key.kind).name;
    let near = did_you_mean(&key.id, ids.iter().map(String::as_str));
    let help = near.map_or_else(String::new, |near| {
        format!("; did you mean `{kind}/{near}`?")
    });
    Ok(PassError::Refused(format!(
        "no source declares `{key}`, and it does not exist{help}"
    )))
}

//! Files that were emptied. Many tools truncate a file before they write it anew, so a pass may see
//! it empty for a moment: what it declared counts as hidden, not as removed.

use super::SourceReading;
use crate::diagnostic::visible;
use crate::model::{ClaimState, Desired, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

impl SourceReading {
    /// Turns removals off when an empty file is where a resource that is now missing was declared.
    pub(super) fn keep_emptied(&self, desired: &mut Arc<Desired>, stored: &Snapshot, alone: bool) {
        if self.files.blank.is_empty() {
            return;
        }
        let mut missing: BTreeMap<&str, usize> =
            self.files.blank.iter().map(|path| (&**path, 0)).collect();
        for (key, claims) in &stored.claims {
            // Only own active claims: another source's resources do not disappear with this file,
            // and a resource that is already gone is not missed again.
            let own = claims.iter().find(|claim| claim.source == self.source.name);
            let own = own.filter(|claim| claim.state == ClaimState::Active);
            let count = own.and_then(|claim| missing.get_mut(&*claim.path));
            // A resource that moved to another file is still declared.
            if let Some(count) = count.filter(|_| !desired.resources.contains(key)) {
                *count += 1;
            }
        }
        let reasons: Vec<String> = missing
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(path, count)| reason(path, count))
            .collect();
        if reasons.is_empty() {
            return;
        }
        if alone && desired.resources.is_empty() {
            // An emptied source is the hold `empty-source`, which a person decides. With a second
            // source that declares the same resources, they would change hands instead.
            return;
        }
        let removals_off = &mut Arc::make_mut(desired).removals_off;
        for reason in reasons {
            if !removals_off.contains(&reason) {
                removals_off.push(reason);
            }
        }
    }
}

fn reason(path: &str, count: usize) -> String {
    let resources = match count {
        1 => "1 resource".to_owned(),
        many => format!("{many} resources"),
    };
    let path = visible(path);
    format!("{path} is empty; it declared {resources}. To remove them, delete {path}")
}

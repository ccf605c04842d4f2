//! Files that were emptied: a file is cut to nothing before it is written anew, so what it declared is
//! hidden, not gone.

use super::SourceReading;
use crate::diagnostic::visible;
use crate::model::{ClaimState, Desired, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

impl SourceReading {
    /// Turns removals off when a file without a document declared what is now missing.
    pub(super) fn keep_emptied(&self, desired: &mut Arc<Desired>, stored: &Snapshot, alone: bool) {
        if self.files.blank.is_empty() {
            return;
        }
        let mut missing: BTreeMap<&str, usize> =
            self.files.blank.iter().map(|path| (&**path, 0)).collect();
        for (key, claims) in &stored.claims {
            let own = claims.iter().find(|claim| claim.source == self.source.name);
            let own = own.filter(|claim| claim.state == ClaimState::Active);
            let count = own.and_then(|claim| missing.get_mut(&*claim.path));
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
            // Nothing is left: that is the hold `empty-source`, which somebody decides. With another
            // source, what that one declares would not be held but handed over.
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

//! Which changes cause that somebody sees more or fewer people: those of the viewer, of the people
//! seen, of the organisations between them, of their accounts and of the settings.

use super::found::EffectCause;
use super::sight::sight_fields;
use super::{EffectComparison, cause};
use crate::kinds::{self, ACCOUNT, ORGANISATION, SETTINGS, USER};
use crate::model::{CompactText, KindId};
use crate::plan::visibility::{ReachingChange, VisibilityState};
use std::collections::{BTreeMap, BTreeSet};

type CausesById = BTreeMap<CompactText, BTreeSet<EffectCause>>;

pub(super) struct SightCauses<'s> {
    users: CausesById,
    organisations: CausesById,
    accounts: CausesById,
    settings: BTreeSet<EffectCause>,
    sides: [&'s VisibilityState; 2],
}

impl<'s> SightCauses<'s> {
    pub fn new(
        comparison: &EffectComparison<'_>,
        before: &'s VisibilityState,
        after: &'s VisibilityState,
    ) -> Self {
        let mut accounts = changed(comparison, ACCOUNT);
        let other = comparison.with_other_use(ACCOUNT);
        accounts.retain(|account, _| other.contains(account));
        let settings = changed(comparison, SETTINGS).into_values().flatten();
        let is_other = before.admin_sees_account != after.admin_sees_account;
        Self {
            users: changed(comparison, USER),
            organisations: changed(comparison, ORGANISATION),
            accounts,
            settings: settings.filter(|_| is_other).collect(),
            sides: [before, after],
        }
    }

    /// The causes why a viewer sees these people on one side only.
    pub fn of(
        &self,
        viewer: &CompactText,
        seen: &[CompactText],
        side: &VisibilityState,
    ) -> BTreeSet<EffectCause> {
        let mut causes = BTreeSet::new();
        let own = [viewer];
        for user in own.into_iter().chain(seen) {
            causes.extend(self.users.get(user).into_iter().flatten().cloned());
        }
        for sight in self.sides {
            let links = sight.users.get(viewer).into_iter();
            for (account, is_administrator) in links.clone().flat_map(|user| &user.accounts) {
                causes.extend(self.accounts.get(account).into_iter().flatten().cloned());
                let is_administrator =
                    *is_administrator || links.clone().any(|user| user.in_admin_group);
                causes.extend(self.settings.iter().filter(|_| is_administrator).cloned());
            }
        }
        if !self.organisations.is_empty() {
            // A viewer whose own organisation moves may see those without one, so both sides count.
            for (user, sight) in self.sides.into_iter().map(|sight| (viewer, sight)) {
                self.add_organisations(user, sight, &mut causes);
            }
            for user in seen {
                self.add_organisations(user, side, &mut causes);
            }
        }
        causes
    }

    /// Adds the changed organisations of a user and those above them.
    fn add_organisations(
        &self,
        user: &CompactText,
        sight: &VisibilityState,
        causes: &mut BTreeSet<EffectCause>,
    ) {
        let own = sight.users.get(user).into_iter();
        let mut open: Vec<&CompactText> = own.flat_map(|user| &user.organisations).collect();
        let mut walked = BTreeSet::new();
        while let Some(organisation) = open.pop() {
            if !walked.insert(organisation) {
                continue;
            }
            let changes = self.organisations.get(organisation).into_iter();
            causes.extend(changes.flatten().cloned());
            let place = sight.organisations.get(organisation);
            open.extend(place.and_then(|place| place.parent.as_ref()));
        }
    }
}

/// The changes of a kind that can change who sees whom, by resource.
fn changed(comparison: &EffectComparison<'_>, kind: KindId) -> CausesById {
    let fields = sight_fields(&comparison.before, kind);
    let mut all = CausesById::new();
    for delta in comparison.changes.of_kind(kind) {
        let changed = fields.iter().filter(|index| {
            let field = kinds::own_field(**index);
            delta.is_whole() || delta.change_of(&field).is_some()
        });
        let status = kinds::get(kind).status_index();
        let causes = changed.map(|index| EffectCause {
            field: cause(delta, *index).field.filter(|_| *index != status),
            key: delta.key.clone(),
        });
        let causes: BTreeSet<EffectCause> = causes.collect();
        if !causes.is_empty() {
            all.entry(delta.key.id.clone()).or_default().extend(causes);
        }
    }
    all
}

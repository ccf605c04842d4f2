//! What users can do: have access, buy for an account, administer it, approve, be reviewed, use a
//! store. Gains are losses with both sides exchanged.

use super::found::{EffectCause, EffectFilter, EffectList, EffectName};
use super::policy_index::PolicyIndex;
use super::state::{ResourceDelta, ResourceFacts};
use super::user_side::{PolicyRole, UserSide};
use super::{EffectComparison, cause};
use crate::kinds::{self, ACCOUNT, POLICY, STORE, USER};
use crate::model::{CompactText, Key, KindId};
use crate::plan::visibility::ReachingChange;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// The number of users in one parallel task.
const CHUNK: usize = 4096;

/// The names of what a user loses, or gains.
struct RelationNames {
    access: EffectName,
    buying: EffectName,
    administrator: EffectName,
    approver: EffectName,
    reviewed: EffectName,
    store: EffectName,
}

const LOST: RelationNames = RelationNames {
    access: EffectName::AccessLost,
    buying: EffectName::BuyingLost,
    administrator: EffectName::AdministratorLost,
    approver: EffectName::ApproverLost,
    reviewed: EffectName::ReviewedLost,
    store: EffectName::StoreLost,
};

const GAINED: RelationNames = RelationNames {
    access: EffectName::AccessGained,
    buying: EffectName::BuyingGained,
    administrator: EffectName::AdministratorGained,
    approver: EffectName::ApproverGained,
    reviewed: EffectName::ReviewedGained,
    store: EffectName::StoreGained,
};

impl EffectComparison<'_> {
    pub(super) fn add_user_effects(&self, found: &mut EffectList) {
        let mut policies = PolicyIndex::of_changes(self);
        let users: Vec<Key> = self.affected_users(&policies).into_iter().collect();
        if users.is_empty() {
            return;
        }
        policies.add_accounts(self);
        // Batch by batch: beyond what is listed, a first plan of a million users is only counted.
        for batch in users.chunks(CHUNK * 4) {
            let so_far: &EffectList = found;
            let parts = batch.par_chunks(CHUNK).map(|users| {
                let mut part = so_far.next();
                for user in users {
                    self.add_effects_of(user, &policies, &mut part);
                }
                part
            });
            let parts: Vec<EffectList> = parts.collect();
            for part in parts {
                found.append(part);
            }
        }
    }

    /// The users of whom something may change, with the changes or what they refer to.
    fn affected_users(&self, policies: &PolicyIndex) -> BTreeSet<Key> {
        let fields = self.before.fields;
        let granting = [
            kinds::get(USER).status_index(),
            fields.user_accounts,
            fields.user_stores,
        ]
        .map(kinds::own_field);
        let own = self.changes.of_kind(USER).iter();
        let own = own.filter(|delta| {
            let counts = self.filter != EffectFilter::Budgeted || !delta.creates();
            counts && (delta.is_whole() || granting.iter().any(|it| delta.change(it).is_some()))
        });
        let mut users: BTreeSet<Key> = own.map(|delta| delta.key.clone()).collect();
        let accounts = self.with_other_use(ACCOUNT);
        users.extend(self.before.referrers(USER, fields.user_accounts, &accounts));
        let stores = self.with_other_use(STORE);
        users.extend(self.before.referrers(USER, fields.user_stores, &stores));
        users.extend(policies.users().map(|id| Key::new(USER, id)));
        if self.filter == EffectFilter::Budgeted {
            // No budget limits what is given to somebody new.
            users.retain(|user| self.before.facts(user).is_some());
        }
        users
    }

    /// The ids of a kind that are usable on one side only. Nothing else refers to one that is new.
    pub(super) fn with_other_use(&self, kind: KindId) -> BTreeSet<CompactText> {
        let is_used = |state: &super::EffectState<'_>, id: &str| match kind {
            ACCOUNT => state.is_usable(id),
            kind => state.is_in_use(kind, id),
        };
        let all = self.changes.of_kind(kind).iter();
        let all = all
            .filter(|delta| !delta.creates())
            .map(|delta| &delta.key.id);
        let other = all.filter(|id| is_used(&self.before, id) != is_used(&self.after, id));
        other.cloned().collect()
    }

    fn add_effects_of(&self, user: &Key, policies: &PolicyIndex, found: &mut EffectList) {
        let before = UserSide::new(&self.before, user);
        let after = UserSide::new(&self.after, user);
        let losses = UserRelations {
            comparison: self,
            user,
            from: &before,
            to: &after,
            names: &LOST,
        };
        let gains = UserRelations {
            from: &after,
            to: &before,
            names: &GAINED,
            ..losses
        };
        let named = self.policies_of(user, [&before, &after], policies);
        for relations in [losses, gains] {
            relations.add_access(found);
            relations.add_accounts(found);
            relations.add_policies(&named, found);
            relations.add_stores(found);
        }
    }

    /// The policies in which the part of a user may change.
    fn policies_of<'p>(
        &self,
        user: &Key,
        [before, after]: [&UserSide<'_, '_>; 2],
        policies: &'p PolicyIndex,
    ) -> BTreeSet<&'p CompactText> {
        let mut named: BTreeSet<&CompactText> = policies.naming(&user.id).collect();
        let (stored, field) = (self.before.stored(), self.before.fields.policy_account);
        for link in before.links.iter().chain(&after.links) {
            let account = &link.account;
            if before.buys_for(account) != after.buys_for(account) {
                named.extend(policies.of_account(stored, field, account));
            }
        }
        named
    }
}

/// What a user has on one side and not on the other.
#[derive(Clone, Copy)]
struct UserRelations<'c, 'a, 's> {
    comparison: &'c EffectComparison<'a>,
    user: &'c Key,
    from: &'c UserSide<'a, 's>,
    to: &'c UserSide<'a, 's>,
    names: &'c RelationNames,
}

type EffectCauses = BTreeSet<EffectCause>;

impl UserRelations<'_, '_, '_> {
    fn add_access(&self, found: &mut EffectList) {
        if !self.from.has_access() || self.to.has_access() {
            return;
        }
        found.add(self.names.access, self.user, "", || {
            let mut causes = self.causes_of_status();
            if !self.to.is_linked_to_usable() {
                let usable = self.from.links.iter().filter(|link| link.is_usable);
                usable.for_each(|link| causes.extend(self.causes_of_link(&link.account)));
            }
            causes
        });
    }

    fn add_accounts(&self, found: &mut EffectList) {
        for account in self.from.links.iter().map(|link| &link.account) {
            if self.from.buys_for(account) && !self.to.buys_for(account) {
                found.add(self.names.buying, self.user, account, || {
                    self.causes_of_buying(account)
                });
            }
        }
        for account in self.from.links.iter().map(|link| &link.account) {
            if self.from.administers(account) && !self.to.administers(account) {
                found.add(self.names.administrator, self.user, account, || {
                    let mut causes = self.causes_of_buying(account);
                    if self
                        .to
                        .link(account)
                        .is_some_and(|link| !link.is_administrator)
                    {
                        causes.extend(self.own(self.comparison.before.fields.user_accounts));
                    }
                    causes
                });
            }
        }
    }

    fn add_policies(&self, named: &BTreeSet<&CompactText>, found: &mut EffectList) {
        for role in PolicyRole::ALL {
            let name = match role {
                PolicyRole::Approver => self.names.approver,
                PolicyRole::Reviewed => self.names.reviewed,
            };
            for policy in named {
                let account = self.from.account_of_policy(self.user, policy, role);
                let Some(account) = account else { continue };
                if self.to.account_of_policy(self.user, policy, role).is_none() {
                    let causes = || self.causes_of_policy(policy, &account, role);
                    found.add(name, self.user, policy, causes);
                }
            }
        }
    }

    /// Of users with access on both sides: who loses access loses the stores with it.
    fn add_stores(&self, found: &mut EffectList) {
        if !self.from.has_access() || !self.to.has_access() {
            return;
        }
        let (from, to) = (self.from.stores(), self.to.stores());
        for store in from.difference(&to) {
            found.add(self.names.store, self.user, store, || {
                let mut causes = EffectCauses::new();
                if !self.to.listed_stores().contains(store) {
                    causes.extend(self.own(self.comparison.before.fields.user_stores));
                }
                if !self.to.state.is_in_use(STORE, store) {
                    causes.insert(EffectCause::whole(Key::new(STORE, store)));
                }
                causes
            });
        }
    }

    fn causes_of_status(&self) -> EffectCauses {
        let ends = self.from.is_live && !self.to.is_live;
        let cause = ends.then(|| EffectCause::whole(self.user.clone()));
        cause.into_iter().collect()
    }

    fn causes_of_link(&self, account: &str) -> EffectCauses {
        let mut causes = EffectCauses::new();
        if self.to.link(account).is_none() {
            causes.extend(self.own(self.comparison.before.fields.user_accounts));
        }
        if !self.to.state.is_usable(account) {
            causes.insert(EffectCause::whole(Key::new(ACCOUNT, account)));
        }
        causes
    }

    fn causes_of_buying(&self, account: &str) -> EffectCauses {
        let mut causes = self.causes_of_status();
        causes.extend(self.causes_of_link(account));
        causes
    }

    fn causes_of_policy(&self, policy: &str, account: &str, role: PolicyRole) -> EffectCauses {
        let mut causes = EffectCauses::new();
        if !self.to.buys_for(account) {
            causes.extend(self.causes_of_buying(account));
        }
        let (state, key) = (self.to.state, Key::new(POLICY, policy));
        let Some(facts) = state.facts(&key).filter(ResourceFacts::is_in_use) else {
            causes.insert(EffectCause::whole(Key::new(POLICY, policy)));
            return causes;
        };
        let mut fields = Vec::new();
        if facts.text(state.fields.policy_account).as_deref() != Some(account) {
            fields.push(state.fields.policy_account);
        }
        if !facts.members(role.field(state)).contains(&self.user.id) {
            fields.push(role.field(state));
        }
        for delta in self.comparison.changes.of(&key) {
            let fields = fields.iter();
            causes.extend(fields.map(|field| cause(&delta, *field)));
        }
        causes
    }

    /// The change of a field of the user.
    fn own(&self, field: usize) -> impl Iterator<Item = EffectCause> {
        let changes = self.comparison.changes.of(self.user);
        let changes: Vec<ResourceDelta<'_>> = changes.collect();
        let own = kinds::own_field(field);
        let changes = changes.into_iter();
        changes
            .filter(move |delta| delta.is_whole() || delta.change(&own).is_some())
            .map(move |delta| cause(&delta, field))
    }
}

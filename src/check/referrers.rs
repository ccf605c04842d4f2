//! An index of references, sorted by the digest of their target. One scan builds it, and each
//! question is a binary search: without it, checking a first load would compare every resource with
//! every other. Start reading at [`PlannedState::referrers`].

use super::field_index::user;
use super::planned_state::refers_to;
use super::{PlannedChange, PlannedState, ResourceView};
use crate::kinds::{self, USER};
use crate::model::{Key, KeyedList, KindId, SnapshotLookup, Value};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The references before and after a plan.
pub(super) struct ReferrerIndex<'a> {
    stored: Arc<References<'a>>,
    /// The references of the resources that the plan creates or changes.
    planned: References<'a>,
    /// The users whose documents name an account.
    declared_users: Arc<ReferenceList<'a>>,
}

/// The references by kind and index of the reference field.
type References<'a> = BTreeMap<(KindId, usize), ReferenceList<'a>>;

/// The digest of the target's id, and the referrer; sorted by digest.
type ReferenceList<'a> = Vec<(u64, &'a Key)>;

impl<'a> ReferrerIndex<'a> {
    pub fn of(world: &PlannedState<'a>) -> Self {
        let users = || {
            let declared = world.desired.resources.iter();
            let users = declared.filter(|declared| declared.key.kind == USER);
            sorted(users.flat_map(|declared| {
                let accounts = declared.value(user::ACCOUNTS).into_iter();
                let accounts = accounts.flat_map(Value::members);
                accounts.map(|account| (digest(account), &declared.key))
            }))
        };
        // The three scans are independent, so they run in parallel.
        let (stored, (planned, declared_users)) = rayon::join(
            || references(|kind| world.read_before(kind)),
            || rayon::join(|| references(|kind| world.affected(kind)), users),
        );
        Self {
            stored: Arc::new(stored),
            planned,
            declared_users: Arc::new(declared_users),
        }
    }

    /// The index of the same rows and documents without any effect.
    fn without_effects(&self) -> Self {
        Self {
            stored: Arc::clone(&self.stored),
            planned: References::new(),
            declared_users: Arc::clone(&self.declared_users),
        }
    }

    /// The resources that may refer to an id by a field of a kind, before the plan. Two ids may
    /// share a digest, so the caller compares the value.
    fn candidates_before<'s>(
        &'s self,
        kind: KindId,
        field: usize,
        id: &'s str,
    ) -> impl Iterator<Item = &'a Key> + use<'a, 's> {
        let stored = self.stored.get(&(kind, field));
        stored.into_iter().flat_map(move |list| matching(list, id))
    }

    /// The same after the plan. Some come twice, and some no longer refer to the id.
    fn candidates_after<'s>(
        &'s self,
        kind: KindId,
        field: usize,
        id: &'s str,
    ) -> impl Iterator<Item = &'a Key> + use<'a, 's> {
        let planned = self.planned.get(&(kind, field));
        let planned = planned.into_iter().flat_map(move |list| matching(list, id));
        self.candidates_before(kind, field, id).chain(planned)
    }

    fn candidate_users<'s>(&'s self, account: &str) -> impl Iterator<Item = &'a Key> + use<'a, 's> {
        matching(&self.declared_users, account)
    }
}

impl<'a> PlannedState<'a> {
    /// The state before the effects, as another state with `nothing` for its effects. It shares the
    /// index: without one, each error of a large plan would scan all rows again.
    #[must_use]
    pub fn without_effects(&self, nothing: &'a KeyedList<PlannedChange>) -> Self {
        Self {
            index: self.index.as_ref().map(ReferrerIndex::without_effects),
            ..Self::new(self.stored, self.desired, nothing)
        }
    }

    /// The resources of a kind that would refer to `key` by a field, sorted.
    pub fn referrers(&self, kind: KindId, field: usize, key: &Key) -> Vec<&'a Key> {
        self.ask_referrers(kind, field, key);
        let links = |view: &ResourceView<'a>| view.links_to(field, &key.id);
        let mut found: Vec<&Key> = match &self.index {
            Some(index) => {
                let candidates = index.candidates_after(kind, field, &key.id);
                let views = candidates.filter_map(|key| self.after(key));
                views.filter(links).map(|view| view.key).collect()
            }
            None => self
                .read_after(kind)
                .filter(links)
                .map(|view| view.key)
                .collect(),
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The same as stored, sorted.
    pub fn referrers_before(&self, kind: KindId, field: usize, key: &Key) -> Vec<&'a Key> {
        self.ask_referrers(kind, field, key);
        let links = |view: &ResourceView<'a>| view.links_to(field, &key.id);
        let mut found: Vec<&Key> = match &self.index {
            Some(index) => {
                let candidates = index.candidates_before(kind, field, &key.id);
                let views = candidates.filter_map(|key| self.before(key));
                views.filter(links).map(|view| view.key).collect()
            }
            None => self
                .read_before(kind)
                .filter(links)
                .map(|view| view.key)
                .collect(),
        };
        found.sort_unstable();
        found
    }

    /// The users whose documents name an account, sorted, including held ones: without the hold,
    /// the account would have them.
    pub fn declared_users(&self, account: &Key) -> Vec<&'a Key> {
        let declared = |key: &&Key| {
            let declared = self.desired.resources.get(key);
            let accounts = declared.and_then(|declared| declared.value(user::ACCOUNTS));
            accounts.is_some_and(|accounts| refers_to(accounts, &account.id))
        };
        let mut found: Vec<&Key> = if let Some(index) = &self.index {
            let candidates = index.candidate_users(&account.id);
            candidates.filter(declared).collect()
        } else {
            let keys = self.desired.resources.iter().map(|declared| &declared.key);
            let users = keys.filter(|key| key.kind == kinds::USER);
            users.filter(declared).collect()
        };
        found.sort_unstable();
        found
    }

    fn ask_referrers(&self, kind: KindId, field: usize, key: &Key) {
        let rows = &self.stored.rows;
        rows.note_lookup(|| SnapshotLookup::Referrers(kind, field, key.clone()));
    }

    /// All resources that would refer to `key`, each with the index of its field.
    pub fn all_referrers(&self, key: &Key) -> Vec<(&'a Key, usize)> {
        let mut found = Vec::new();
        for kind in kinds::ALL {
            for (field, target) in kind.references() {
                if target == key.kind {
                    let referrers = self.referrers(kind.id, field, key);
                    found.extend(referrers.into_iter().map(|referrer| (referrer, field)));
                }
            }
        }
        found
    }
}

fn references<'a, I>(views: impl Fn(KindId) -> I + Sync) -> References<'a>
where
    I: Iterator<Item = ResourceView<'a>>,
{
    let fields = kinds::ALL.into_par_iter().flat_map_iter(|kind| {
        let fields = kind.references();
        fields.map(|(field, _)| (kind.id, field))
    });
    let list = |(kind, field)| {
        let views = views(kind);
        let pairs = views.flat_map(move |view| {
            let targets = view.targets(field);
            targets.map(move |target| (digest(target), view.key))
        });
        ((kind, field), sorted(pairs))
    };
    fields.map(list).collect()
}

fn sorted<'a>(pairs: impl Iterator<Item = (u64, &'a Key)>) -> ReferenceList<'a> {
    let mut list: ReferenceList<'a> = pairs.collect();
    list.sort_unstable_by_key(|(digest, _)| *digest);
    list
}

fn matching<'a, 'l>(
    list: &'l [(u64, &'a Key)],
    id: &str,
) -> impl Iterator<Item = &'a Key> + use<'a, 'l> {
    let digest = digest(id);
    let start = list.partition_point(|(known, _)| *known < digest);
    let from = list[start..].iter();
    from.take_while(move |(known, _)| *known == digest)
        .map(|(_, key)| *key)
}

fn digest(id: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(id)
}

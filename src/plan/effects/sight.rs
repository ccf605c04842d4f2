//! Who sees more or fewer people. The rules are those of `plan::visibility`; here they are asked of
//! users who have access on both sides, about users who are stored on both.

use super::EffectComparison;
use super::found::{EffectFilter, EffectList, EffectName};
use super::sight_causes::SightCauses;
use super::state::{EffectState, links};
use super::user_side::UserSide;
use crate::check::ADMINISTRATOR;
use crate::kinds::{self, ACCOUNT, ADMIN_GROUP, ORGANISATION, SETTINGS, USER};
use crate::model::{CompactText, Key, KindId, SnapshotLookup, Value};
use crate::plan::visibility::{
    AccountUse, OrganisationPlace, ReachingChange, UserPlace, VisibilityReach, VisibilityState,
    seen_users,
};
use std::collections::BTreeSet;
use std::sync::Arc;

type Ids = BTreeSet<CompactText>;

impl EffectComparison<'_> {
    pub(super) fn add_sight_effects(&self, found: &mut EffectList) {
        let kinds = [SETTINGS, ACCOUNT, ORGANISATION, USER];
        let changes = kinds
            .into_iter()
            .flat_map(|kind| self.changes.of_kind(kind));
        // Nobody new sees anybody or is seen.
        let changes = changes.filter(|it| it.key.kind != USER || !it.creates());
        let changes: Vec<_> = changes.copied().collect();
        let reach = VisibilityReach::of(&changes);
        if reach.is_empty() {
            return;
        }
        let users = self.users_in_reach(&reach);
        let [before, after] = self.sight_states(&users);
        let causes = SightCauses::new(self, &before, &after);
        let mut sights = Vec::new();
        seen_users(&before, &after, |viewer, [gains, loses]| {
            let key = Key::new(USER, viewer);
            let has_access = |state| UserSide::new(state, &key).has_access();
            if has_access(&self.before) && has_access(&self.after) {
                sights.push((key, gains, loses));
            }
        });
        for (viewer, gains, loses) in sights {
            if !gains.is_empty() {
                let of = || causes.of(&viewer.id, &gains, &after);
                found.add_sight(EffectName::VisibilityWidened, &viewer, &gains, of);
            }
            // No budget limits what is seen less.
            if !loses.is_empty() && self.filter != EffectFilter::Budgeted {
                let of = || causes.of(&viewer.id, &loses, &before);
                found.add_sight(EffectName::VisibilityNarrowed, &viewer, &loses, of);
            }
        }
    }

    /// The users stored on both sides who see somebody or are seen in an account in reach.
    fn users_in_reach(&self, reach: &VisibilityReach) -> BTreeSet<Key> {
        let fields = self.before.fields;
        let sides = [&self.before, &self.after];
        let mut users: BTreeSet<Key> = reach.users.iter().map(|id| Key::new(USER, id)).collect();
        if reach.everything {
            let rows = &self.before.stored().rows;
            rows.note_lookup(|| SnapshotLookup::Everything);
            let all = rows.iter().map(|row| &row.key);
            users.extend(all.filter(|key| key.kind == USER).cloned());
            users.extend(sides.iter().flat_map(|state| state.touched(USER)).cloned());
        } else {
            let mut accounts = reach.accounts.clone();
            for state in sides {
                accounts.extend(accounts_of(state, &reach.organisations));
                for user in &reach.administrators {
                    let user = UserSide::new(state, &Key::new(USER, user));
                    accounts.extend(user.links.into_iter().map(|link| link.account));
                }
            }
            for state in sides {
                users.extend(state.referrers(USER, fields.user_accounts, &accounts));
                let account = fields.organisation_account;
                let inside = state.referrers(ORGANISATION, account, &accounts);
                let inside: Ids = inside.into_iter().map(|key| key.id).collect();
                users.extend(state.referrers(USER, fields.user_organisations, &inside));
            }
        }
        users.retain(|user| sides.iter().all(|state| state.facts(user).is_some()));
        users
    }

    /// What decides who of these users sees whom, on both sides.
    fn sight_states(&self, users: &BTreeSet<Key>) -> [VisibilityState; 2] {
        let [mut before, mut after] = [&self.before, &self.after].map(|state| {
            let mut sight = VisibilityState {
                admin_sees_account: state.setting(state.fields.admin_sees_account)
                    != Some(Value::Bool(false)),
                ..VisibilityState::default()
            };
            for user in users {
                let place = user_place(state, user);
                sight.users.insert(user.id.clone(), Arc::new(place));
            }
            sight
        });
        for (state, sight) in [(&self.before, &mut before), (&self.after, &mut after)] {
            add_accounts(state, sight);
        }
        before.organisations = organisations(&self.before, &before);
        after.organisations = organisations(&self.after, &after);
        [before, after]
    }
}

fn user_place(state: &EffectState<'_>, user: &Key) -> UserPlace {
    let Some(facts) = state.facts(user) else {
        return UserPlace::default();
    };
    let accounts = facts.value(state.fields.user_accounts);
    let accounts = links(accounts.as_deref()).iter();
    UserPlace {
        in_admin_group: facts
            .members(state.fields.user_groups)
            .contains(ADMIN_GROUP),
        accounts: accounts
            .map(|link| (link.target.clone(), link.attributes[0] == ADMINISTRATOR))
            .collect(),
        organisations: facts
            .members(state.fields.user_organisations)
            .into_iter()
            .collect(),
    }
}

fn add_accounts(state: &EffectState<'_>, sight: &mut VisibilityState) {
    let linked = sight.users.values().flat_map(|user| &user.accounts);
    let accounts: Ids = linked.map(|(account, _)| account.clone()).collect();
    for account in accounts {
        let known = AccountUse {
            active: state.is_usable(&account),
            allowed: true,
        };
        sight.accounts.insert(account, known);
    }
}

/// The accounts of organisations, as far as they exist.
fn accounts_of(state: &EffectState<'_>, organisations: &Ids) -> Ids {
    let facts = organisations
        .iter()
        .filter_map(|id| state.facts_of(ORGANISATION, id));
    let accounts = facts.filter_map(|it| it.text(state.fields.organisation_account));
    accounts.collect()
}

/// All organisations of the accounts in which these users have one: what lies between two
/// organisations decides whether one sees the other.
fn organisations(
    state: &EffectState<'_>,
    sight: &VisibilityState,
) -> std::collections::BTreeMap<CompactText, OrganisationPlace> {
    let own = sight.users.values().flat_map(|user| &user.organisations);
    let accounts = accounts_of(state, &own.cloned().collect());
    let kind: KindId = ORGANISATION;
    let all = state.referrers(kind, state.fields.organisation_account, &accounts);
    let places = all.into_iter().filter_map(|key| {
        let facts = state.facts(&key)?;
        let place = OrganisationPlace {
            account: facts.text(state.fields.organisation_account)?,
            parent: facts.text(state.fields.organisation_parent),
        };
        Some((key.id, place))
    });
    places
        .filter(|(_, place)| accounts.contains(&place.account))
        .collect()
}

/// Whether a step that changes a field of this kind can change who sees whom.
pub(super) fn sight_fields(state: &EffectState<'_>, kind: KindId) -> Vec<usize> {
    let fields = state.fields;
    match kind {
        USER => vec![
            fields.user_accounts,
            fields.user_groups,
            fields.user_organisations,
        ],
        ORGANISATION => vec![fields.organisation_account, fields.organisation_parent],
        SETTINGS => vec![fields.admin_sees_account],
        _ => vec![kinds::get(kind).status_index()],
    }
}

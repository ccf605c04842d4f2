//! Who sees more or less by a plan, against plain loops over the directory before and after it.

use super::random_directory::{self, Account, Directory, Organisation, User};
use crate::support::dice::Dice;
use crate::support::postgres;
use roster::kinds::{self, ACCOUNT, ORGANISATION, USER};
use roster::model::{CompactText, FieldChange, Key, KindId, Link, Value};
use roster::plan::visibility::{PlanVisibility, VisibilityDelta, VisibleIds};
use roster::plan::{Plan, RuntimeChanges, Step, StepBody, StepReason, StepVerb};
use roster::reconcile;
use std::collections::{BTreeMap, BTreeSet};

const ROUNDS: usize = 400;

/// By viewer: users, organisations and accounts gained, and the same lost.
type Sight = BTreeMap<String, [BTreeSet<String>; 6]>;

/// The fields of a resource that decide who sees what.
type Fields = BTreeMap<&'static str, Option<Value>>;

/// What a plan does to a directory.
fn edit(it: &mut Directory, dice: &mut Dice, new: &mut usize) {
    let (account, user) = (dice.roll(it.accounts.len()), dice.roll(it.users.len()));
    let organisation = dice.roll(it.organisations.len().max(1));
    let has_organisations = !it.organisations.is_empty();
    *new += 1;
    match dice.roll(14) {
        0 => {
            let status = &mut it.accounts[account].status;
            *status = if *status == "active" {
                "inactive"
            } else {
                "active"
            };
        }
        1 if has_organisations => {
            let parent = (!dice.once_in(3)).then(|| dice.roll(it.organisations.len()));
            it.organisations[organisation].parent = parent;
        }
        2 if has_organisations => it.organisations[organisation].account = account,
        3 => {
            it.organisations.push(Organisation {
                id: format!("o-new-{new}"),
                account,
                parent: has_organisations.then_some(organisation),
            });
        }
        4 if has_organisations => it.remove_organisation(organisation),
        5 => it.users[user].accounts.retain(|(id, _)| *id != account),
        6 => {
            let links = &mut it.users[user].accounts;
            match links.iter_mut().find(|(id, _)| *id == account) {
                Some((_, administrator)) => *administrator = !*administrator,
                None => links.push((account, dice.once_in(3))),
            }
        }
        7 => it.users[user].admin_group ^= true,
        8 | 9 if has_organisations => {
            let own = &mut it.users[user].organisations;
            if !own.remove(&organisation) {
                own.insert(organisation);
            }
        }
        10 => it.users.push(User {
            id: format!("u-new-{new}"),
            accounts: vec![(account, dice.once_in(2))],
            ..it.users[user].clone()
        }),
        11 if it.users.len() > 1 => _ = it.users.remove(user),
        12 => it.accounts.push(Account {
            id: format!("a-new-{new}"),
            blocked: false,
            approval: dice.one_of(&["approved", "pending"]),
            ..it.accounts[account].clone()
        }),
        13 if it.accounts.len() > 1 => it.remove_account(account),
        _ => it.admin_sees_account = Some(it.admin_sees_account == Some(false)),
    }
}

impl Directory {
    fn remove_organisation(&mut self, gone: usize) {
        self.organisations.remove(gone);
        let moved = |at: usize| at - usize::from(at > gone);
        for it in &mut self.organisations {
            it.parent = it.parent.filter(|parent| *parent != gone).map(moved);
        }
        for user in &mut self.users {
            let own = user.organisations.iter().copied();
            user.organisations = own.filter(|it| *it != gone).map(moved).collect();
        }
    }

    fn remove_account(&mut self, gone: usize) {
        while let Some(at) = self.organisations.iter().position(|it| it.account == gone) {
            self.remove_organisation(at);
        }
        self.accounts.remove(gone);
        let moved = |at: usize| at - usize::from(at > gone);
        for it in &mut self.organisations {
            it.account = moved(it.account);
        }
        for user in &mut self.users {
            let links = user.accounts.iter().copied();
            let links = links.filter(|(account, _)| *account != gone);
            user.accounts = links
                .map(|(account, level)| (moved(account), level))
                .collect();
        }
    }

    /// Every resource with the fields that decide who sees what.
    fn fields(&self) -> BTreeMap<Key, Fields> {
        let mut all = BTreeMap::new();
        let sees = self.admin_sees_account.map(Value::Bool);
        let settings = Fields::from([("adminSeesAccount", sees)]);
        all.insert(kinds::settings_key(), settings);
        for it in &self.accounts {
            let status = Some(Value::text(it.status));
            all.insert(Key::new(ACCOUNT, &it.id), [("status", status)].into());
        }
        for it in &self.organisations {
            let parent = it.parent.map(|at| Value::text(&self.organisations[at].id));
            let account = Some(Value::text(&self.accounts[it.account].id));
            let fields = [("account", account), ("parent", parent)];
            all.insert(Key::new(ORGANISATION, &it.id), fields.into());
        }
        for it in &self.users {
            let links = it.accounts.iter().map(|(account, administrator)| Link {
                target: CompactText::new(&self.accounts[*account].id),
                attributes: [Some(u8::from(*administrator)), None],
            });
            let own = it.organisations.iter();
            let own = own.map(|at| CompactText::new(&self.organisations[*at].id));
            let group = if it.admin_group {
                "FOC_Admin"
            } else {
                "FOC_User"
            };
            let fields = [
                ("accounts", Some(Value::links(links))),
                ("organisations", Some(Value::set(own))),
                ("groups", Some(Value::set([group.into()]))),
            ];
            all.insert(Key::new(USER, &it.id), fields.into());
        }
        all
    }

    /// The steps from this directory to another one.
    fn steps_to(&self, other: &Self) -> Vec<Step> {
        let (before, after) = (self.fields(), other.fields());
        let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
        let none = Fields::new();
        let steps = keys.into_iter().filter_map(|key| {
            let verb = match (before.contains_key(key), after.contains_key(key)) {
                (false, _) => StepVerb::Create,
                (_, false) => StepVerb::Delete,
                _ => StepVerb::Update,
            };
            let was = before.get(key).unwrap_or(&none);
            let is = after.get(key).unwrap_or(&none);
            let changes = changes(key.kind, was, is);
            let pending = other
                .accounts
                .iter()
                .any(|it| *it.id == *key.id && it.approval == "pending");
            (verb != StepVerb::Update || !changes.is_empty()).then(|| Step {
                verb,
                key: key.clone(),
                version: None,
                reason: StepReason::Declared,
                origin: None,
                claim: None,
                body: StepBody::Changes(changes),
                runtime: RuntimeChanges {
                    awaits_approval: verb == StepVerb::Create && key.kind == ACCOUNT && pending,
                    resets: None,
                },
                accounts: Box::default(),
                consequences: Box::default(),
                impact: Box::default(),
                undoes: Box::default(),
                is_on_base: false,
            })
        });
        steps.collect()
    }

    fn everybody(&self) -> BTreeMap<String, [BTreeSet<String>; 3]> {
        let all = self.users.iter().enumerate();
        all.map(|(at, user)| (user.id.clone(), self.seen_by(at)))
            .collect()
    }
}

fn changes(kind: KindId, was: &Fields, is: &Fields) -> Vec<FieldChange> {
    let names: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
    let changes = names.into_iter().filter_map(|name| {
        let change = FieldChange {
            field: kinds::own_field(kinds::get(kind).expect_index(name)),
            before: was.get(name).cloned().flatten(),
            after: is.get(name).cloned().flatten(),
        };
        (change.before != change.after).then(|| change.reduced())
    });
    let mut changes: Vec<_> = changes.collect();
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    changes
}

/// What those who are in both directories see more and less, by loops.
fn expected(before: &Directory, after: &Directory) -> Sight {
    let (was, is) = (before.everybody(), after.everybody());
    let mut sight = Sight::new();
    for (viewer, before) in &was {
        let Some(after) = is.get(viewer) else {
            continue;
        };
        let both = |id: &&String| was.contains_key(*id) && is.contains_key(*id);
        let only = |these: &[BTreeSet<String>; 3], others: &[BTreeSet<String>; 3]| {
            let mut only: Vec<BTreeSet<String>> = Vec::new();
            for (these, others) in these.iter().zip(others) {
                only.push(these.difference(others).cloned().collect());
            }
            only[0] = only[0].iter().filter(both).cloned().collect();
            only
        };
        let changed = [only(after, before), only(before, after)].concat();
        if changed.iter().any(|ids| !ids.is_empty()) {
            sight.insert(viewer.clone(), changed.try_into().expect("six"));
        }
    }
    sight
}

fn found(visibility: &PlanVisibility) -> Sight {
    assert_eq!(visibility.omitted, 0);
    let ids = |ids: &VisibleIds| {
        assert!(ids.named.is_sorted() && ids.omitted == 0, "{ids:?}");
        ids.named.iter().map(ToString::to_string).collect()
    };
    let delta = |it: &VisibilityDelta| [ids(&it.users), ids(&it.organisations), ids(&it.accounts)];
    let changes = visibility.changes.iter();
    let changes = changes.map(|change| {
        let [gains, loses] = [delta(&change.gains), delta(&change.loses)];
        let all = [gains.to_vec(), loses.to_vec()].concat();
        (change.user.to_string(), all.try_into().expect("six"))
    });
    changes.collect()
}

#[tokio::test]
async fn a_plan_says_what_plain_loops_find() {
    for (engine, url) in postgres::databases("sight") {
        let store = random_directory::database(&url).await;
        let mut dice = Dice(12);
        let (mut new, mut says) = (0, [0; 6]);
        for round in 0..ROUNDS {
            let stored = Directory::random(&mut dice);
            stored.write(&url).await;
            let mut before = stored.clone();
            for _ in 0..dice.roll(4) {
                edit(&mut before, &mut dice, &mut new);
            }
            let mut after = before.clone();
            for _ in 0..=dice.roll(4) {
                edit(&mut after, &mut dice, &mut new);
            }
            let earlier = [Plan {
                steps: stored.steps_to(&before),
                ..Plan::default()
            }];
            let steps = before.steps_to(&after);
            let visibility = reconcile::plan_visibility(&store, &earlier, &steps).await;
            let visibility = visibility.expect("read");
            let expected = expected(&before, &after);
            for (count, ids) in expected.values().flat_map(|it| it.iter().enumerate()) {
                says[count] += ids.len();
            }
            assert_eq!(
                found(&visibility),
                expected,
                "{engine}, round {round}: {:?}\n{steps:#?}",
                earlier[0].steps
            );
        }
        assert!(says.iter().all(|count| *count > ROUNDS / 10), "{says:?}");
    }
}

//! Who can do what in a directory, by plain loops over all its rows, and what differs between two.

use roster::kinds::{self, ACCOUNT, ORGANISATION, POLICY, SETTINGS, STORE, TAG, USER};
use roster::model::{CompactText, KindId, Link, Row, Snapshot, Value};
use roster::plan::{EffectBudget, EffectName, PlanEffect};
use std::collections::{BTreeMap, BTreeSet};

type Set = BTreeSet<String>;

/// Who can do what.
#[derive(Default)]
pub struct Abilities {
    users: Set,
    access: Set,
    /// Pairs of a user and something else, by the first word of the effect.
    pairs: BTreeMap<&'static str, BTreeSet<(String, String)>>,
    sees: BTreeMap<String, Set>,
    prices: BTreeMap<String, Set>,
    watched: BTreeMap<String, Option<String>>,
}

fn value<'r>(row: &'r Row, name: &str) -> Option<&'r Value> {
    row.values[kinds::get(row.key.kind).expect_index(name)].as_ref()
}

fn text(row: &Row, name: &str) -> String {
    value(row, name)
        .and_then(Value::as_text)
        .unwrap_or_default()
        .to_owned()
}

fn members(row: &Row, name: &str) -> Set {
    let all = value(row, name).into_iter().flat_map(Value::members);
    all.map(ToString::to_string).collect()
}

fn links(row: &Row) -> &[Link] {
    value(row, "accounts").map_or(&[], Value::as_links)
}

fn is_administrator(link: &Link) -> bool {
    link.attributes[0] == Some(1)
}

/// A row with what matters of it.
struct Facts<'s> {
    row: &'s Row,
    id: &'s str,
    in_use: bool,
    /// Of a user the organisations, of an account the tags.
    members: Set,
    /// Of an organisation or policy its account.
    account: String,
    is_usable: bool,
}

/// The rows of a directory, by kind.
struct Rows<'s> {
    users: Vec<Facts<'s>>,
    accounts: Vec<Facts<'s>>,
    organisations: Vec<Facts<'s>>,
    policies: Vec<Facts<'s>>,
    tags: Vec<Facts<'s>>,
    stores: Vec<Facts<'s>>,
    admin_sees_account: bool,
}

fn facts(stored: &Snapshot, kind: KindId) -> Vec<Facts<'_>> {
    let rows = stored.rows.iter().filter(|row| row.key.kind == kind);
    let facts = rows.map(|row| {
        let in_use = text(row, "status") == "active" && row.facts.get("blocked").is_none();
        let approved = row.facts.get("approval").is_some_and(|it| it == "approved");
        let list = [(USER, "organisations"), (ACCOUNT, "tags")];
        let list = list.into_iter().find(|(of, _)| *of == kind);
        let has_account = [ORGANISATION, POLICY].contains(&kind);
        Facts {
            row,
            id: &row.key.id,
            in_use,
            members: list.map_or_else(Set::new, |(_, name)| members(row, name)),
            account: if has_account {
                text(row, "account")
            } else {
                String::new()
            },
            is_usable: in_use && approved,
        }
    });
    facts.collect()
}

fn is_used(all: &[Facts<'_>], id: &str) -> bool {
    all.iter().any(|it| it.id == id && it.in_use)
}

impl<'s> Rows<'s> {
    fn of(stored: &'s Snapshot) -> Self {
        let mut settings = stored.rows.iter().filter(|row| row.key.kind == SETTINGS);
        Self {
            users: facts(stored, USER),
            accounts: facts(stored, ACCOUNT),
            organisations: facts(stored, ORGANISATION),
            policies: facts(stored, POLICY),
            tags: facts(stored, TAG),
            stores: facts(stored, STORE),
            admin_sees_account: !settings
                .any(|row| value(row, "adminSeesAccount") == Some(&Value::Bool(false))),
        }
    }

    fn is_usable(&self, account: &str) -> bool {
        self.accounts
            .iter()
            .any(|it| it.id == account && it.is_usable)
    }

    fn buys(&self, user: &Facts<'_>, account: &str) -> bool {
        let is_linked = links(user.row).iter().any(|link| link.target == account);
        user.in_use && is_linked && self.is_usable(account)
    }

    fn organisations_in(&self, user: &Facts<'_>, account: &str) -> Set {
        let own = self.organisations.iter();
        let own = own.filter(|it| it.account == account && user.members.contains(it.id));
        own.map(|it| it.id.to_owned()).collect()
    }

    /// Whether an organisation is one of these, or below one of them in the same account.
    fn is_below(&self, organisation: &Facts<'_>, above: &Set) -> bool {
        let account = &organisation.account;
        let (mut at, mut walked) = (Some(organisation), Set::new());
        while let Some(it) = at {
            if above.contains(it.id) {
                return true;
            }
            if !walked.insert(it.id.to_owned()) {
                return false;
            }
            let parent = text(it.row, "parent");
            let mut all = self.organisations.iter();
            at = all.find(|it| it.id == parent && it.account == *account);
        }
        false
    }

    /// The users whom a user sees, without oneself.
    fn seen_by(&self, viewer: &Facts<'_>) -> Set {
        let in_group = members(viewer.row, "groups").contains("FOC_Admin");
        let mut all = Set::new();
        for link in links(viewer.row)
            .iter()
            .filter(|link| self.is_usable(&link.target))
        {
            let account = link.target.as_str();
            let own = self.organisations_in(viewer, account);
            let everything = self.admin_sees_account && (is_administrator(link) || in_group);
            for seen in self.users.iter().filter(|seen| seen.id != viewer.id) {
                let is_linked = links(seen.row).iter().any(|link| link.target == account);
                let theirs = self.organisations.iter();
                let mut theirs =
                    theirs.filter(|it| it.account == account && seen.members.contains(it.id));
                let is_seen = if everything {
                    is_linked || theirs.next().is_some()
                } else if own.is_empty() {
                    is_linked && theirs.next().is_none()
                } else {
                    theirs.any(|it| self.is_below(it, &own))
                };
                if is_seen {
                    all.insert(seen.id.to_owned());
                }
            }
        }
        all
    }
}

impl Abilities {
    pub fn of(stored: &Snapshot) -> Self {
        let rows = Rows::of(stored);
        let mut all = Self::default();
        for user in &rows.users {
            let id = user.id.to_owned();
            all.users.insert(id.clone());
            for link in links(user.row) {
                if rows.buys(user, &link.target) {
                    all.access.insert(id.clone());
                    all.add("buying", &id, &link.target);
                    if is_administrator(link) {
                        all.add("administrator", &id, &link.target);
                    }
                }
            }
            for store in members(user.row, "stores") {
                if is_used(&rows.stores, &store) {
                    all.add("store", &id, &store);
                }
            }
            all.sees.insert(id.clone(), rows.seen_by(user));
            let tier = user.row.custom_values.get(&CompactText::new("tier"));
            all.watched.insert(id, tier.map(|tier| format!("{tier:?}")));
        }
        for policy in rows.policies.iter().filter(|policy| policy.in_use) {
            for (word, field) in [("approver", "approvers"), ("reviewed", "reviewed")] {
                let named = members(policy.row, field);
                for user in rows.users.iter().filter(|user| named.contains(user.id)) {
                    if rows.buys(user, &policy.account) {
                        all.add(word, user.id, policy.id);
                    }
                }
            }
        }
        for account in rows.accounts.iter().filter(|account| account.is_usable) {
            let mut tags = account.members.clone();
            tags.retain(|tag| is_used(&rows.tags, tag));
            all.prices.insert(account.id.to_owned(), tags);
        }
        all
    }

    fn add(&mut self, word: &'static str, user: &str, object: &str) {
        let pairs = self.pairs.entry(word).or_default();
        pairs.insert((user.to_owned(), object.to_owned()));
    }

    /// What differs from these abilities to those after, a line each.
    pub fn effects_to(&self, after: &Self) -> BTreeSet<String> {
        let mut effects = BTreeSet::new();
        for (word, from, to) in [("lost", self, after), ("gained", after, self)] {
            for user in from.access.difference(&to.access) {
                effects.insert(format!("access.{word} {user}"));
            }
            for (name, pairs) in &from.pairs {
                let others = to.pairs.get(name).cloned().unwrap_or_default();
                let stays =
                    |user: &String| self.access.contains(user) && after.access.contains(user);
                for (user, object) in pairs.difference(&others) {
                    if *name != "store" || stays(user) {
                        effects.insert(format!("{name}.{word} {user} {object}"));
                    }
                }
            }
        }
        for (word, from, to) in [("narrowed", self, after), ("widened", after, self)] {
            for (viewer, seen) in &from.sees {
                let Some(others) = to.sees.get(viewer) else {
                    continue;
                };
                let only: Vec<&String> = seen
                    .difference(others)
                    .filter(|id| to.users.contains(*id))
                    .collect();
                let has_access = self.access.contains(viewer) && after.access.contains(viewer);
                if has_access && !only.is_empty() {
                    effects.insert(format!("visibility.{word} {viewer} {only:?}"));
                }
            }
        }
        for (account, before) in &self.prices {
            if let Some(after) = after.prices.get(account).filter(|after| *after != before) {
                let (before, after) = (Vec::from_iter(before), Vec::from_iter(after));
                effects.insert(format!("price.changed {account} {before:?} {after:?}"));
            }
        }
        for (user, before) in &self.watched {
            if after.watched.get(user).is_some_and(|after| after != before) {
                effects.insert(format!("field.changed User/{user} customFields.tier"));
            }
        }
        effects
    }

    /// Of how many a budget is a share.
    pub fn base(&self, budget: EffectBudget) -> u64 {
        let who = |word| {
            let pairs = self.pairs.get(word).into_iter().flatten();
            pairs.map(|(user, _)| user).collect::<BTreeSet<_>>().len()
        };
        let count = match budget {
            EffectBudget::AccessGained
            | EffectBudget::AccessLost
            | EffectBudget::VisibilityWidened => self.access.len(),
            EffectBudget::AdministratorLost => who("administrator"),
            EffectBudget::ApproverLost => who("approver"),
            EffectBudget::PriceChanged => self.prices.len(),
        };
        count as u64
    }

    /// How many count under a budget, by these effects.
    pub fn count(&self, budget: EffectBudget, effects: &BTreeSet<String>) -> u64 {
        let of_budget = effects.iter().filter_map(|line| {
            let mut words = line.split(' ');
            (words.next() == Some(budget.name())).then(|| words.next().unwrap())
        });
        // Whoever is new has nothing to lose, and is not counted as given access.
        let stored =
            of_budget.filter(|id| budget == EffectBudget::PriceChanged || self.users.contains(*id));
        stored.collect::<BTreeSet<_>>().len() as u64
    }
}

/// An effect of a plan as a line.
pub fn line(effect: &PlanEffect) -> String {
    let (name, id) = (effect.name.word(), &effect.key.id);
    let ids = |ids: &[CompactText]| {
        format!(
            "{:?}",
            ids.iter().map(CompactText::as_str).collect::<Vec<_>>()
        )
    };
    match effect.name {
        EffectName::AccessGained | EffectName::AccessLost => format!("{name} {id}"),
        EffectName::VisibilityNarrowed | EffectName::VisibilityWidened => {
            format!("{name} {id} {}", ids(&effect.before))
        }
        EffectName::PriceChanged => {
            format!("{name} {id} {} {}", ids(&effect.before), ids(&effect.after))
        }
        EffectName::FieldChanged => format!("{name} {} {}", effect.key, effect.object),
        _ => format!("{name} {id} {}", effect.object),
    }
}

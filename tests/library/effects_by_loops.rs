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
    value(row, name).and_then(Value::as_text).unwrap_or_default().to_owned()
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

/// The rows of a directory.
struct Rows<'s>(&'s Snapshot);

impl<'s> Rows<'s> {
    fn of(&self, kind: KindId) -> impl Iterator<Item = &'s Row> {
        self.0.rows.iter().filter(move |row| row.key.kind == kind)
    }

    fn is_in_use(&self, kind: KindId, id: &str) -> bool {
        let mut rows = self.of(kind);
        rows.any(|row| {
            row.key.id == id
                && text(row, "status") == "active"
                && row.facts.get("blocked").is_none()
        })
    }

    fn is_usable(&self, account: &str) -> bool {
        let mut rows = self.of(ACCOUNT);
        let approved = |row: &Row| row.facts.get("approval").is_some_and(|it| it == "approved");
        self.is_in_use(ACCOUNT, account) && rows.any(|row| row.key.id == account && approved(row))
    }

    fn buys(&self, user: &Row, account: &str) -> bool {
        self.is_in_use(USER, &user.key.id)
            && links(user).iter().any(|link| link.target == account)
            && self.is_usable(account)
    }

    fn organisations_in(&self, user: &Row, account: &str) -> Set {
        let own = members(user, "organisations");
        let rows = self.of(ORGANISATION);
        let here = rows.filter(|it| own.contains(it.key.id.as_str()) && text(it, "account") == account);
        here.map(|it| it.key.id.to_string()).collect()
    }

    /// Whether an organisation is one of these, or below one of them in the same account.
    fn is_below(&self, organisation: &Row, above: &Set) -> bool {
        let account = text(organisation, "account");
        let (mut at, mut walked) = (Some(organisation), Set::new());
        while let Some(row) = at {
            if above.contains(row.key.id.as_str()) {
                return true;
            }
            if !walked.insert(row.key.id.to_string()) {
                return false;
            }
            let parent = text(row, "parent");
            at = self.of(ORGANISATION).find(|it| it.key.id == parent && text(it, "account") == account);
        }
        false
    }

    fn admin_sees_account(&self) -> bool {
        let mut settings = self.of(SETTINGS);
        !settings.any(|row| value(row, "adminSeesAccount") == Some(&Value::Bool(false)))
    }

    fn sees(&self, viewer: &Row, seen: &Row) -> bool {
        links(viewer).iter().filter(|link| self.is_usable(&link.target)).any(|link| {
            let account = link.target.as_str();
            let is_linked = links(seen).iter().any(|link| link.target == account);
            let in_group = members(viewer, "groups").contains("FOC_Admin");
            if self.admin_sees_account() && (is_administrator(link) || in_group) {
                return is_linked || !self.organisations_in(seen, account).is_empty();
            }
            let own = self.organisations_in(viewer, account);
            if own.is_empty() {
                return is_linked && self.organisations_in(seen, account).is_empty();
            }
            let theirs = members(seen, "organisations");
            let theirs = self.of(ORGANISATION).filter(|it| theirs.contains(it.key.id.as_str()));
            theirs.filter(|it| text(it, "account") == account).any(|it| self.is_below(it, &own))
        })
    }
}

impl Abilities {
    pub fn of(stored: &Snapshot) -> Self {
        let rows = Rows(stored);
        let mut all = Self::default();
        for user in rows.of(USER) {
            let id = user.key.id.to_string();
            all.users.insert(id.clone());
            for link in links(user) {
                if rows.buys(user, &link.target) {
                    all.access.insert(id.clone());
                    all.add("buying", &id, &link.target);
                    if is_administrator(link) {
                        all.add("administrator", &id, &link.target);
                    }
                }
            }
            for policy in rows.of(POLICY) {
                let applies = rows.is_in_use(POLICY, &policy.key.id)
                    && rows.buys(user, &text(policy, "account"));
                for (word, field) in [("approver", "approvers"), ("reviewed", "reviewed")] {
                    if applies && members(policy, field).contains(&id) {
                        all.add(word, &id, &policy.key.id);
                    }
                }
            }
            for store in members(user, "stores") {
                if rows.is_in_use(STORE, &store) {
                    all.add("store", &id, &store);
                }
            }
            let seen = rows.of(USER).filter(|seen| seen.key != user.key && rows.sees(user, seen));
            let seen = seen.map(|seen| seen.key.id.to_string()).collect();
            all.sees.insert(id.clone(), seen);
            let tier = user.custom_values.get(&CompactText::new("tier"));
            all.watched.insert(id, tier.map(|tier| format!("{tier:?}")));
        }
        for account in rows.of(ACCOUNT) {
            if rows.is_usable(&account.key.id) {
                let mut tags = members(account, "tags");
                tags.retain(|tag| rows.is_in_use(TAG, tag));
                all.prices.insert(account.key.id.to_string(), tags);
            }
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
                let stays = |user: &String| self.access.contains(user) && after.access.contains(user);
                for (user, object) in pairs.difference(&others) {
                    if *name != "store" || stays(user) {
                        effects.insert(format!("{name}.{word} {user} {object}"));
                    }
                }
            }
        }
        for (word, from, to) in [("narrowed", self, after), ("widened", after, self)] {
            for (viewer, seen) in &from.sees {
                let Some(others) = to.sees.get(viewer) else { continue };
                let only: Vec<&String> = seen.difference(others).filter(|id| to.users.contains(*id)).collect();
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
        let stored = of_budget.filter(|id| budget == EffectBudget::PriceChanged || self.users.contains(*id));
        stored.collect::<BTreeSet<_>>().len() as u64
    }
}

/// An effect of a plan as a line.
pub fn line(effect: &PlanEffect) -> String {
    let (name, id) = (effect.name.word(), &effect.key.id);
    let ids = |ids: &[CompactText]| format!("{:?}", ids.iter().map(CompactText::as_str).collect::<Vec<_>>());
    match effect.name {
        EffectName::AccessGained | EffectName::AccessLost => format!("{name} {id}"),
        EffectName::VisibilityNarrowed | EffectName::VisibilityWidened => {
            format!("{name} {id} {}", ids(&effect.before))
        }
        EffectName::PriceChanged => format!("{name} {id} {} {}", ids(&effect.before), ids(&effect.after)),
        EffectName::FieldChanged => format!("{name} {} {}", effect.key, effect.object),
        _ => format!("{name} {id} {}", effect.object),
    }
}

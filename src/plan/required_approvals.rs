//! How many people have to approve a hold, as `approvals:` of the configuration says for each effect.
//! An approval that is not enough is as good as none.

use super::commit_approvals::GivenApprovals;
use super::effects::{EffectName, PlanEffect, PlanEffects};
use super::person_name::distinct_people;
use super::rules::PlanRules;
use super::types::{HoldEntry, Plan};
use crate::model::{Key, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Plans with the approvals that are enough. `make` plans with the holds whose approval counts.
///
/// What a hold does to people is known from a plan that holds it. So approvals by few people are left
/// out at first, and the plan is made again with those that turn out to be enough.
pub(super) fn plan_with_enough(
    stored: &Snapshot,
    approvals: &GivenApprovals<'_>,
    rules: &PlanRules,
    make: impl Fn(&BTreeSet<String>) -> Plan,
) -> Plan {
    let Some(most) = rules.approvals.values().max() else {
        return make(&approvals.holds);
    };
    let people = |approval: &String| people(approvals, approval);
    let (enough, mut open): (BTreeSet<_>, BTreeSet<_>) =
        (approvals.holds.iter()).partition(|approval| people(approval) >= *most);
    let mut approved: BTreeSet<String> = enough.into_iter().cloned().collect();
    // What the approvals let through that were found to be enough, although not for every effect.
    let mut few: BTreeMap<&String, BTreeSet<Key>> = BTreeMap::new();
    loop {
        let mut plan = make(&approved);
        // Two holds may take something from people only together, which neither shows alone.
        let lacks = |(approval, keys): &(&&String, &BTreeSet<Key>)| {
            people(approval) < needed_by(rules, &plan.effects, |effect| is_caused(effect, keys))
        };
        if let Some(lacking) = few.iter().rfind(lacks).map(|(approval, _)| *approval) {
            few.remove(lacking);
            approved.remove(lacking);
            continue;
        }
        let more: Vec<&String> = (open.iter().copied())
            .filter(|approval| {
                needed_for(stored, rules, &plan, approval)
                    .is_some_and(|needed| people(approval) >= needed)
            })
            .collect();
        if more.is_empty() {
            mark(rules, &mut plan.held);
            return plan;
        }
        for approval in more {
            open.remove(approval);
            few.insert(approval, let_through(stored, &plan, approval));
            approved.insert(approval.clone());
        }
    }
}

/// Whether resources are among what causes an effect.
fn is_caused(effect: &PlanEffect, by: &BTreeSet<Key>) -> bool {
    effect.because.iter().any(|key| by.contains(key))
}

/// The people behind an approval of a hold (`HOLD`), or of a resource of it (`HOLD KIND/ID`). Whoever
/// approved the whole has approved the part.
#[must_use]
pub fn approving_people<'a>(
    approvers: &'a BTreeMap<String, BTreeSet<String>>,
    approval: &str,
) -> Vec<&'a String> {
    let whole = approval.split(' ').next().unwrap_or_default();
    let of = |name: &str| approvers.get(name).into_iter().flatten();
    distinct_people(of(approval).chain(of(whole)))
}

/// Their number. An approval of an older release has no name here.
fn people(approvals: &GivenApprovals<'_>, approval: &str) -> u32 {
    let people = approving_people(&approvals.people, approval).len();
    u32::try_from(people).unwrap_or(u32::MAX).max(1)
}

/// How many people an approval takes; `None` if nothing in the plan is held that it is about.
fn needed_for(stored: &Snapshot, rules: &PlanRules, plan: &Plan, approval: &str) -> Option<u32> {
    let held = held_entries(stored, plan, approval).into_iter();
    held.map(|held| needed(rules, held)).max()
}

/// The resources that an approval lets through, with what goes or changes because of them.
fn let_through(stored: &Snapshot, plan: &Plan, approval: &str) -> BTreeSet<Key> {
    let held = held_entries(stored, plan, approval).into_iter();
    let keys = held.flat_map(|held| {
        let consequences = held.consequences.iter().map(|it| &it.key);
        consequences.chain([&held.key])
    });
    keys.cloned().collect()
}

/// What is held in a plan that an approval is about.
fn held_entries<'p>(stored: &Snapshot, plan: &'p Plan, approval: &str) -> Vec<&'p HoldEntry> {
    let (hold, part) = match approval.split_once(' ') {
        Some((hold, part)) => (hold, Key::parse(part)),
        None => (approval, None),
    };
    // A step may be held by another hold today than by the one that was approved.
    let earlier: BTreeSet<&Key> = stored
        .held_steps
        .iter()
        .filter(|step| step.hold == hold)
        .map(|step| &step.key)
        .collect();
    let is_about = |held: &&HoldEntry| match &part {
        Some(part) => held.key == *part,
        None => held.hold == hold || earlier.contains(&held.key),
    };
    plan.held.iter().filter(is_about).collect()
}

/// How many people an entry takes by its effects.
fn needed(rules: &PlanRules, held: &HoldEntry) -> u32 {
    needed_by(rules, &held.effects, |_| true)
}

/// How many people some effects take. Those that are not listed count too.
fn needed_by(
    rules: &PlanRules,
    effects: &PlanEffects,
    counts: impl Fn(&PlanEffect) -> bool,
) -> u32 {
    let of = |name: &EffectName| rules.approvals.get(name).copied();
    let listed = effects.listed.iter().filter(|effect| counts(effect));
    let listed = listed.filter_map(|effect| of(&effect.name));
    let omitted = effects.omitted.keys();
    let omitted = omitted.filter_map(|word| of(&EffectName::by_word(word)?));
    listed.chain(omitted).max().unwrap_or(1)
}

/// Notes with each entry how many people its hold takes.
fn mark(rules: &PlanRules, held: &mut [HoldEntry]) {
    let mut of_holds: BTreeMap<String, u32> = BTreeMap::new();
    for entry in held.iter() {
        let most = of_holds.entry(entry.hold.clone()).or_insert(1);
        *most = needed(rules, entry).max(*most);
    }
    for entry in held {
        entry.approvals_needed = of_holds.get(&entry.hold).copied().unwrap_or(1);
    }
}

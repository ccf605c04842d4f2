//! Approvals that people gave in signed commits: the trailer `Roster-Accept: User.deactivate=104`
//! approves the hold whose override is exactly that, in the name of who signed. Whether a commit may
//! do so was decided before; here it is only matched with what the plan holds.

use super::rules::PlanRules;
use super::types::{HoldEntry, Plan};
use crate::diagnostic::codes;
use crate::model::Snapshot;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The overrides that a person gave in a signed commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitAccept {
    pub person: String,
    pub commit: String,
    /// Each as in `--accept`: `User.deactivate=104`.
    pub overrides: BTreeSet<String>,
}

/// The approval of a hold by a signed commit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CommitApproval {
    pub hold: String,
    pub person: String,
    pub commit: String,
    /// The overrides that it takes.
    pub overrides: BTreeSet<String>,
}

/// How the reason of an approval by a commit begins, and what is before the commit.
const REASON: [&str; 2] = ["Roster-Accept: ", " in commit "];

impl CommitApproval {
    /// The reason of the approval, which the audit log keeps.
    #[must_use]
    pub fn reason(&self) -> String {
        let overrides: Vec<&str> = self.overrides.iter().map(String::as_str).collect();
        let [lead, of] = REASON;
        format!("{lead}{}{of}{}", overrides.join(", "), self.commit)
    }

    /// Whether one of its overrides was used before, by the reasons of the approvals that name its
    /// commit.
    #[must_use]
    pub fn is_used(&self, reasons: &[String]) -> bool {
        let mut overrides = self.overrides.iter();
        overrides.any(|one| is_used(one, &self.commit, reasons))
    }
}

/// Whether an override of a commit was used before, by the reasons of the approvals that name it. A
/// reason that cannot be read counts as a use: it may have been written over.
#[must_use]
pub fn is_used(one: &str, commit: &str, reasons: &[String]) -> bool {
    let [lead, of] = REASON;
    reasons.iter().any(|reason| {
        let rest = reason.strip_prefix(lead);
        let parts = rest.and_then(|rest| rest.rsplit_once(of));
        match parts {
            Some((used, by)) if by == commit => used.split(", ").any(|used| used == one),
            _ => true,
        }
    })
}

/// The approvals that count for a plan.
pub(super) struct GivenApprovals<'a> {
    /// The approved holds, or parts of them.
    pub holds: Cow<'a, BTreeSet<String>>,
    /// Who approved each.
    pub people: Cow<'a, BTreeMap<String, BTreeSet<String>>>,
}

impl<'a> GivenApprovals<'a> {
    pub fn stored(stored: &'a Snapshot) -> Self {
        Self {
            holds: Cow::Borrowed(&stored.approved_holds),
            people: Cow::Borrowed(&stored.approvers),
        }
    }

    fn add(&mut self, approval: &CommitApproval) {
        let people = self.people.to_mut();
        // An approval of an older release has no name. It stays one, beside this one.
        self.holds.to_mut().insert(approval.hold.clone());
        let people = people.entry(approval.hold.clone()).or_default();
        people.insert(approval.person.clone());
    }
}

/// Plans with the approvals of signed commits. Which holds there are is known only from a plan that
/// holds them, so it is made again with what was found.
pub(super) fn plan_with_commits(
    stored: &Snapshot,
    rules: &PlanRules,
    make: impl Fn(&GivenApprovals<'_>) -> Plan,
) -> Plan {
    let mut given = GivenApprovals::stored(stored);
    let mut left = rules.commit_accepts.clone();
    let mut used = Vec::new();
    loop {
        let mut plan = make(&given);
        let more = approvals(&plan, &mut left);
        if more.is_empty() {
            plan.commit_approvals = used;
            return plan;
        }
        more.iter().for_each(|approval| given.add(approval));
        used.extend(more);
    }
}

/// The approvals that commits give to what a plan holds. An override counts once, so it is taken out
/// of what is left.
fn approvals(plan: &Plan, left: &mut [CommitAccept]) -> Vec<CommitApproval> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for held in plan.held.iter().filter(|held| seen.insert(&held.hold)) {
        let Some(needed) = needed_overrides(held) else {
            continue;
        };
        for accept in &mut *left {
            if !needed.is_subset(&accept.overrides) {
                continue;
            }
            accept.overrides.retain(|given| !needed.contains(given));
            found.push(CommitApproval {
                hold: held.hold.clone(),
                person: accept.person.clone(),
                commit: accept.commit.clone(),
                overrides: needed.clone(),
            });
        }
    }
    found
}

/// The overrides that an entry of a hold takes together; `None` if it takes none that a commit can
/// give.
#[must_use]
pub fn needed_overrides(held: &HoldEntry) -> Option<BTreeSet<String>> {
    let by_number = [codes::GUARD, codes::EMPTY_SOURCE].contains(&held.code);
    let option = held.accept_option.as_ref();
    let option = option.filter(|_| by_number && held.is_approvable())?;
    let all = option.split("--accept ").map(str::trim);
    let all: BTreeSet<String> = all
        .filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect();
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::render::samples;

    fn accept(person: &str, overrides: &[&str]) -> CommitAccept {
        CommitAccept {
            person: person.to_owned(),
            commit: format!("commit of {person}"),
            overrides: overrides.iter().map(ToString::to_string).collect(),
        }
    }

    /// A plan in which a guard holds five users until somebody approves.
    fn plan(given: &GivenApprovals<'_>) -> Plan {
        let held = samples::guarded("u-1", 5);
        let is_approved = given.holds.contains(&held.hold);
        samples::plan(Vec::new(), if is_approved { vec![] } else { vec![held] })
    }

    #[test]
    fn only_the_exact_override_approves_and_only_once() {
        let stored = Snapshot::default();
        let made = |accepts: &[CommitAccept]| {
            let rules = PlanRules {
                commit_accepts: accepts.to_vec(),
                ..PlanRules::default()
            };
            plan_with_commits(&stored, &rules, plan)
        };
        let approved = made(&[accept("eva", &["User.deactivate=5", "Tag.deactivate=2"])]);
        assert!(approved.held.is_empty());
        assert_eq!(approved.commit_approvals.len(), 1);
        assert_eq!(approved.commit_approvals[0].person, "eva");
        for other in ["User.deactivate=4", "User.deactivate=50", "access.lost=5"] {
            let held = made(&[accept("eva", &[other])]);
            assert_eq!(held.held.len(), 1, "{other}");
            assert_eq!(held.commit_approvals, [], "{other}");
        }
    }

    #[test]
    fn an_override_is_used_up_by_one_hold() {
        let mut two = samples::guarded("u-2", 5);
        two.hold = "fedcba9876543210".to_owned();
        let plan = samples::plan(Vec::new(), vec![samples::guarded("u-1", 5), two]);
        let mut left = [accept("eva", &["User.deactivate=5"])];
        assert_eq!(approvals(&plan, &mut left).len(), 1);
        assert_eq!(approvals(&plan, &mut left), []);
    }

    #[test]
    fn a_hold_with_several_overrides_takes_all_of_them() {
        let mut held = samples::guarded("u-1", 5);
        held.accept_option = Some("--accept User.deactivate=5 --accept User.unlink=7".to_owned());
        let plan = samples::plan(Vec::new(), vec![held]);
        assert_eq!(
            approvals(&plan, &mut [accept("eva", &["User.deactivate=5"])]),
            []
        );
        let both = accept("eva", &["User.deactivate=5", "User.unlink=7"]);
        assert_eq!(approvals(&plan, &mut [both]).len(), 1);
    }
}

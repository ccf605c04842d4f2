//! What a plan shares with the plan of its base: a branch is planned against the database, so its plan
//! also has what the main branch would do already. [`Plan::mark_base`] marks that, and
//! [`Plan::parts`] takes the two apart for readers.

use super::types::{HoldEntry, Plan, PlanSummary, Step, StepVerb};
use super::visibility::PlanVisibility;
use crate::diagnostic::{Code, Diagnostic, Severity, codes, plural};
use crate::model::{CompactText, Key};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// How many resources a note names.
const NAMED: usize = 5;

/// The base that a plan was compared with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlanBase {
    pub revision: Arc<str>,
    /// The users whose sight changes just so at the base already.
    pub sight: BTreeSet<CompactText>,
}

/// A plan in two parts.
pub struct PlanParts {
    /// What it adds to its base.
    pub own: Plan,
    /// What waits at the base already.
    pub waiting: Plan,
}

/// What a diagnostic says, wherever it stands: other lines of the same file move it.
type StatedFault<'d> = (
    Code,
    Severity,
    &'d str,
    Option<&'d Key>,
    Option<&'d str>,
    Option<&'d str>,
);

fn stated(found: &Diagnostic) -> StatedFault<'_> {
    (
        found.code,
        found.severity,
        &found.message,
        found.key.as_ref(),
        found.field.as_deref(),
        found.origin.as_ref().map(|origin| &*origin.path),
    )
}

impl Plan {
    /// Marks what the plan of the base has already, with the same changes.
    pub fn mark_base(&mut self, base: &Self) {
        let steps: HashMap<&Key, &Step> = base.steps.iter().map(|it| (&it.key, it)).collect();
        for step in &mut self.steps {
            let same = steps.get(&step.key);
            step.is_on_base =
                same.is_some_and(|same| same.verb == step.verb && same.changes() == step.changes());
        }
        let mut held: HashMap<&Key, Vec<&HoldEntry>> = HashMap::new();
        for entry in &base.held {
            held.entry(&entry.key).or_default().push(entry);
        }
        for entry in &mut self.held {
            let mut same = held.get(&entry.key).into_iter().flatten();
            entry.is_on_base = same.any(|same| {
                (same.code, same.verb) == (entry.code, entry.verb) && same.changes == entry.changes
            });
        }
        // One decision covers all of a hold: who approves it approves what waits at the base too.
        let anew = self.held.iter().filter(|entry| !entry.is_on_base);
        let anew: HashSet<String> = anew.map(|entry| entry.hold.clone()).collect();
        for entry in &mut self.held {
            entry.is_on_base &= !entry.is_approvable() || !anew.contains(&entry.hold);
        }
        let mut found: HashMap<StatedFault<'_>, usize> = HashMap::new();
        for known in &base.diagnostics {
            *found.entry(stated(known)).or_default() += 1;
        }
        let marks = self.diagnostics.iter().map(|own| {
            let left = found.get_mut(&stated(own)).filter(|left| **left > 0);
            let is_known = left.map(|left| *left -= 1).is_some();
            // An error decides about the branch too.
            is_known && own.severity != Severity::Error
        });
        let marks: Vec<bool> = marks.collect();
        for (own, is_on_base) in self.diagnostics.iter_mut().zip(marks) {
            own.is_on_base = is_on_base;
        }
        self.diagnostics.extend(self.not_in_plan(base));
        let sight = self.visibility.changes.iter();
        let sight = sight.filter(|change| base.visibility.changes.contains(change));
        self.base = Some(PlanBase {
            revision: base.source.revision.clone(),
            sight: sight.map(|change| change.user.clone()).collect(),
        });
    }

    /// A note about what the base changes and this plan leaves as it is.
    fn not_in_plan(&self, base: &Self) -> Option<Diagnostic> {
        let keys = |plan: &Self| -> BTreeMap<Key, StepVerb> {
            let steps = plan.steps.iter().map(|step| (step.key.clone(), step.verb));
            let held = plan.held.iter().filter(|held| !held.root.is_standing());
            steps
                .chain(held.map(|held| (held.key.clone(), held.verb)))
                .collect()
        };
        let own = keys(self);
        let mut left = keys(base);
        left.retain(|key, _| !own.contains_key(key));
        // A refused plan has no steps at all.
        if left.is_empty() || self.errored {
            return None;
        }
        let named: Vec<String> = left
            .iter()
            .take(NAMED)
            .map(|(key, verb)| format!("{} {key}", verb.word()))
            .collect();
        let (wait, are) = match left.len() {
            1 => ("waits", "is"),
            _ => ("wait", "are"),
        };
        let message = format!(
            "{} that {wait} to be changed at the base {are} not changed by this plan: {}",
            plural(left.len(), "resource"),
            named.join(", ")
        );
        let more = left.len() - named.len();
        let message = match more {
            0 => message,
            more => format!("{message} and {more} more"),
        };
        let help = "If the branch is behind its base, merge the base. Otherwise the merge of the branch takes that back";
        Some(Diagnostic::new(codes::NOT_IN_PLAN, message).help(help))
    }

    /// Whether anything of it waits at its base already.
    #[must_use]
    pub fn waits_at_base(&self) -> bool {
        self.base.is_some()
            && (self.steps.iter().any(|step| step.is_on_base)
                || self.held.iter().any(|held| held.is_on_base)
                || self.diagnostics.iter().any(|found| found.is_on_base))
    }

    /// What it adds to its base, and what waits there already; `None` if nothing waits.
    #[must_use]
    pub fn parts(&self) -> Option<PlanParts> {
        let base = self.base.as_ref().filter(|_| self.waits_at_base())?;
        let steps = |on_base: bool| -> Vec<Step> {
            let steps = self.steps.iter().filter(|it| it.is_on_base == on_base);
            steps.cloned().collect()
        };
        let held = |on_base: bool| -> Vec<HoldEntry> {
            let held = self.held.iter().filter(|it| it.is_on_base == on_base);
            held.cloned().collect()
        };
        let diagnostics = |on_base: bool| -> Vec<Diagnostic> {
            let found = self.diagnostics.iter();
            let found = found.filter(|it| it.is_on_base == on_base);
            found.cloned().collect()
        };
        let (waiting_steps, waiting_held) = (steps(true), held(true));
        let waiting: BTreeSet<&Key> = waiting_steps.iter().map(|step| &step.key).collect();
        // An effect that this plan helps to cause is its own.
        let waits = |because: &[Key]| {
            !because.is_empty() && because.iter().all(|key| waiting.contains(key))
        };
        let (mut own_effects, mut waiting_effects) = (self.effects.clone(), self.effects.clone());
        own_effects.retain(|effect| !waits(&effect.because));
        waiting_effects.retain(|effect| waits(&effect.because));
        waiting_effects.omitted.clear();
        let mut own = Self {
            steps: steps(false),
            held: held(false),
            effects: own_effects,
            visibility: self.sight(|user| !base.sight.contains(user)),
            diagnostics: diagnostics(false),
            is_part: true,
            ..self.without_lists()
        };
        own.summary = self.summary.count(&own.steps, &own.held);
        let mut waiting = Self {
            source: self.source.clone(),
            environment: self.environment.clone(),
            steps: waiting_steps,
            held: waiting_held,
            effects: waiting_effects,
            diagnostics: diagnostics(true),
            visibility: PlanVisibility {
                omitted: 0,
                ..self.sight(|user| base.sight.contains(user))
            },
            ..Self::default()
        };
        waiting.summary = PlanSummary::default().count(&waiting.steps, &waiting.held);
        Some(PlanParts { own, waiting })
    }

    fn sight(&self, is_shown: impl Fn(&CompactText) -> bool) -> PlanVisibility {
        let changes = self.visibility.changes.iter();
        PlanVisibility {
            changes: changes
                .filter(|change| is_shown(&change.user))
                .cloned()
                .collect(),
            omitted: self.visibility.omitted,
        }
    }

    /// Everything that is shown beside steps, holds and what they do.
    fn without_lists(&self) -> Self {
        Self {
            source: self.source.clone(),
            database: self.database.clone(),
            environment: self.environment.clone(),
            orphans: self.orphans.clone(),
            released: self.released.clone(),
            accepted: self.accepted.clone(),
            errored: self.errored,
            partial: self.partial,
            undeclared: self.undeclared.clone(),
            accounts: self.accounts.clone(),
            base: self.base.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Origin;
    use crate::kinds::USER;
    use crate::model::LineColumn;
    use crate::plan::StepVerb;
    use crate::plan::render::samples::{self, change, step, text};

    fn phone(id: &str, before: &str, after: &str) -> Step {
        let changes = vec![change(USER, "phone", text(before), text(after))];
        step(StepVerb::Update, USER, id, changes)
    }

    #[test]
    fn what_the_base_does_just_so_waits_there_and_everything_else_is_new() {
        let base = samples::plan(
            vec![phone("same", "+1", "+2"), phone("other", "+1", "+2")],
            vec![samples::guarded("held", 5), samples::guarded("freed", 5)],
        );
        let mut plan = samples::plan(
            vec![
                phone("same", "+1", "+2"),
                phone("other", "+1", "+3"),
                phone("new", "+1", "+2"),
            ],
            vec![samples::guarded("held", 6), samples::guarded("more", 6)],
        );
        plan.mark_base(&base);
        let parts = plan.parts().expect("something waits");
        let ids = |plan: &Plan| -> Vec<String> {
            let steps = plan.steps.iter().map(|step| step.key.id.to_string());
            let held = plan.held.iter().map(|held| held.key.id.to_string());
            steps.chain(held).collect()
        };
        // What is held twice is decided once, with what is new of it.
        assert_eq!(ids(&parts.own), ["other", "new", "held", "more"]);
        assert_eq!(ids(&parts.waiting), ["same"]);
        let counts = |plan: &Plan| (plan.summary.update, plan.summary.held);
        assert_eq!(
            (counts(&parts.own), counts(&parts.waiting)),
            ((2, 2), (1, 0))
        );
        assert!(parts.own.parts().is_none());
    }

    #[test]
    fn what_the_base_says_already_is_marked_as_often_as_it_says_it() {
        let warning = |line: u32| {
            let at = Origin {
                path: "users.yaml".into(),
                at: LineColumn { line, column: 1 },
            };
            Diagnostic::new(codes::NOT_REVERTED, "it stays").at(at)
        };
        let error = Diagnostic::new(codes::DUPLICATE_KEY, "twice");
        let mut base = samples::plan(Vec::new(), Vec::new());
        base.diagnostics = vec![warning(3), error.clone()];
        let mut plan = samples::plan(Vec::new(), Vec::new());
        plan.diagnostics = vec![warning(5), warning(9), error];
        plan.mark_base(&base);
        let marked: Vec<bool> = plan.diagnostics.iter().map(|it| it.is_on_base).collect();
        assert_eq!(marked, [true, false, false]);
        let parts = plan.parts().expect("something waits");
        assert_eq!(parts.own.diagnostics.len(), 2);
        assert_eq!(parts.waiting.diagnostics.len(), 1);
    }

    #[test]
    fn what_waits_at_the_base_does_not_decide_the_exit_code() {
        let base = samples::plan(Vec::new(), vec![samples::guarded("held", 5)]);
        let mut plan = samples::plan(Vec::new(), vec![samples::guarded("held", 5)]);
        assert_eq!(plan.exit_code(false), 3);
        plan.mark_base(&base);
        assert_eq!(plan.exit_code(true), 0);
        plan.held.push(samples::guarded("more", 6));
        assert_eq!(plan.exit_code(true), 3);
    }
}

//! Masks a plan for readers who may not see the directory, such as the sender of a tree: stored
//! personal values are left out. What the sender wrote stays.

use super::impact::StepImpact;
use super::types::{Plan, StepBody};
use super::visibility::PlanVisibility;
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::kinds::{self, USER};
use crate::model::{CompactText, FieldChange, FieldRef, Key, KindId, Value};

/// Replaces a stored value that is not shown.
pub(super) const MASKED: &str = "•••";

/// The rules whose messages name other resources, with what they say instead.
const OTHERS: &[(Code, &str)] = &[
    (
        codes::EMAIL_DUPLICATE,
        "the e-mail is also used by another user",
    ),
    (
        codes::CUSTOMER_NUMBER_DUPLICATE,
        "the customer number belongs or once belonged to another account",
    ),
    (codes::LOGIN_TAKEN, "the login cannot be taken over"),
    (
        codes::ID_CASE,
        "the id differs only in how it is written from another one",
    ),
    (
        codes::ID_ZEROS,
        "the id looks like another one that a spreadsheet shortened",
    ),
    (
        codes::MATCH_UNCLEAR,
        "the row has no externalId, and it is not clear who is meant",
    ),
];

impl Plan {
    /// Returns the plan without the stored values of personal and custom fields. New values stay,
    /// because the sender of the tree wrote them.
    #[must_use]
    pub fn masked(self) -> Self {
        // Who gains and who loses access is what a review is for. It names people by their ids, as
        // the steps do.
        self.without_values(|_| true).with_effects(|_| true)
    }

    /// Returns the plan without these values of some resources only, and without what happens to
    /// these.
    #[must_use]
    pub fn masked_where(self, is_hidden: impl Fn(&Key) -> bool) -> Self {
        self.without_values(&is_hidden)
            .with_effects(|key| !is_hidden(key))
    }

    /// Leaves only the effects on some resources, and nothing about who sees whom: that names people
    /// whom no step is about.
    fn with_effects(mut self, is_shown: impl Fn(&Key) -> bool) -> Self {
        let held = self.held.iter_mut().map(|held| &mut held.effects);
        for effects in held.chain([&mut self.effects]) {
            effects.retain(|effect| !effect.name.is_sight() && is_shown(&effect.key));
            for effect in &mut effects.listed {
                effect.because.retain(&is_shown);
            }
        }
        for step in &mut self.steps {
            keep_shown_impact(&step.key, &mut step.impact, &is_shown);
        }
        for held in &mut self.held {
            keep_shown_impact(&held.key, &mut held.impact, &is_shown);
            if held.code == codes::IMPACT && !is_shown(&held.key) {
                "a number of `impact` is over its limit".clone_into(&mut held.message);
            }
        }
        self
    }

    fn without_values(mut self, is_hidden: impl Fn(&Key) -> bool) -> Self {
        for step in self.steps.iter_mut().filter(|step| is_hidden(&step.key)) {
            // It says what was stored before.
            step.undoes = Box::default();
            if let StepBody::Changes(changes) = &mut step.body {
                changes
                    .iter_mut()
                    .for_each(|change| mask(step.key.kind, change));
            }
        }
        for held in self.held.iter_mut().filter(|held| is_hidden(&held.key)) {
            let kind = held.key.kind;
            held.undoes = Box::default();
            held.changes
                .iter_mut()
                .for_each(|change| mask(kind, change));
        }
        self.logins
            .retain(|login| !is_hidden(&Key::new(USER, &login.user)));
        // Even the names of filled fields tell something about a person.
        self.undeclared.retain(|(key, _)| !is_hidden(key));
        // It names stored people, and not only those in the tree.
        self.visibility = PlanVisibility::default();
        // It names stored accounts.
        self.diagnostics
            .retain(|found| found.code != codes::ACCOUNT_PENDING);
        self
    }

    /// Returns the plan with diagnostics that name no resource which the sender did not write.
    #[must_use]
    pub fn without_others(mut self) -> Self {
        self.diagnostics.iter_mut().for_each(conceal_others);
        self
    }

    /// Returns the plan with the messages of its diagnostics and holds rewritten. They may name
    /// places on the server.
    #[must_use]
    pub fn with_messages(mut self, reword: impl Fn(&str) -> String) -> Self {
        for found in &mut self.diagnostics {
            found.message = reword(&found.message);
            found.help = found.help.as_deref().map(&reword);
        }
        for held in &mut self.held {
            held.message = reword(&held.message);
        }
        self
    }
}

/// Leaves only what the operator's queries say of some resources.
fn keep_shown_impact(step: &Key, impact: &mut Box<[StepImpact]>, is_shown: &impl Fn(&Key) -> bool) {
    let all = std::mem::take(impact).into_iter();
    let shown = all.filter(|it| is_shown(it.of.as_ref().unwrap_or(step)));
    *impact = shown.collect();
}

/// Leaves out of a diagnostic which stored resource a value collides with.
pub fn conceal_others(found: &mut Diagnostic) {
    let told = OTHERS.iter().find(|(code, _)| *code == found.code);
    let Some((_, message)) = told else { return };
    (*message).clone_into(&mut found.message);
    found.help = None;
    found.related.clear();
}

fn mask(kind: KindId, change: &mut FieldChange) {
    // Whether a custom field is personal is not known, so all of them are masked.
    let personal = match &change.field {
        FieldRef::Own(_) => kinds::get(kind)
            .field(&change.field)
            .is_some_and(|field| field.personal || field.locates_person),
        FieldRef::Custom(_) => true,
    };
    if personal && change.before.is_some() {
        change.before = Some(Value::Text(CompactText::new(MASKED)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::ADDRESS;
    use crate::plan::{Step, StepReason, StepVerb};

    #[test]
    fn where_a_person_lives_is_left_out_and_the_country_stays() {
        let address = kinds::get(ADDRESS);
        for (name, hidden) in [
            ("fullName", true),
            ("street", true),
            ("zipCode", true),
            ("city", true),
            ("state", true),
            ("label", true),
            ("phone", true),
            ("country", false),
        ] {
            let mut change = FieldChange {
                field: address.field_ref(name).expect("a field"),
                before: Some(Value::text("stored")),
                after: Some(Value::text("sent")),
            };
            mask(ADDRESS, &mut change);
            let masked = change.before == Some(Value::text(MASKED));
            assert_eq!(masked, hidden, "{name}");
            assert_eq!(change.after, Some(Value::text("sent")));
        }
    }

    #[test]
    fn who_sees_more_or_less_and_which_accounts_wait_is_left_out() {
        let mut full = crate::plan::render::samples::full();
        let waits = "1 account waits: secret";
        let note = crate::diagnostic::Diagnostic::new(codes::ACCOUNT_PENDING, waits);
        let others = full.diagnostics.clone();
        full.diagnostics.push(note);
        assert!(!full.visibility.is_empty());
        let masked = full.masked();
        assert!(masked.visibility.is_empty());
        assert_eq!(masked.diagnostics, others);
    }

    #[test]
    fn what_is_stored_about_a_person_is_left_out_and_the_rest_stays() {
        let user = kinds::get(USER);
        let change = |name: &str, before: &str, after: &str| FieldChange {
            field: user.field_ref(name).expect("a field"),
            before: Some(Value::text(before)),
            after: Some(Value::text(after)),
        };
        let changes = vec![
            change("email", "old@a.example", "new@a.example"),
            change("status", "active", "inactive"),
        ];
        let plan = Plan {
            steps: vec![Step {
                verb: StepVerb::Deactivate,
                key: Key::new(USER, "u-1"),
                version: Some(1),
                reason: StepReason::Declared,
                origin: None,
                claim: None,
                body: StepBody::Changes(changes),
                accounts: Box::default(),
                consequences: Box::default(),
                impact: Box::default(),
                undoes: Box::default(),
                is_on_base: false,
                runtime: crate::plan::RuntimeChanges::default(),
            }],
            ..Plan::default()
        };
        let masked = plan.masked();
        let shown: Vec<_> = masked.steps[0]
            .changes()
            .iter()
            .map(|change| change.before.clone())
            .collect();
        assert_eq!(
            shown,
            [Some(Value::text(MASKED)), Some(Value::text("active"))]
        );
        assert_eq!(
            masked.steps[0].changes()[0].after,
            Some(Value::text("new@a.example"))
        );
    }
}

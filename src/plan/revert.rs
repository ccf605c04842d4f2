//! Plans the undoing of a run: what it changed and nobody has changed since is set back, by steps
//! with the reason `requested`. [`revert`] works out what these steps would be (`set_back.rs` does
//! so for a field) and hands them to the same stages as any other plan, so rules, holds and guards
//! apply. What cannot be set back is named in a warning each.

use super::commit_approvals::GivenApprovals;
use super::context::PlanContext;
use super::drafts::PlanDrafts;
use super::planner::plan_drafts;
use super::required_approvals;
use super::rules::PlanRules;
use super::set_back::{LaterChanges, SetBackField, set_back};
use super::types::Plan;
use crate::check::{self, PlannedChange, PlannedOutcome};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds;
use crate::model::{
    Desired, FieldChange, FieldRef, Key, RecordedChange, RecordedValues, RecordedVerb, Row,
    Snapshot, Value,
};
use std::collections::HashMap;
use std::sync::Arc;

/// A run to undo.
#[derive(Clone, Debug)]
pub struct RevertedRun {
    pub id: i64,
    /// Its source.
    pub source: Arc<str>,
    /// The revision that the source was last applied at.
    pub revision: Arc<str>,
    /// What it changed.
    pub changes: Vec<RecordedChange>,
    /// What later runs decided about the same resources.
    pub later: Vec<RecordedChange>,
}

/// The plan that undoes a run.
#[derive(Clone, Debug, Default)]
pub struct RevertPlan {
    pub plan: Plan,
    /// The fields that stay as they are, although the run changed them.
    pub skipped: Vec<RunField>,
    /// These, and the fields that somebody has set back before.
    pub left_alone: Vec<RunField>,
}

/// A field that a run changed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RunField {
    pub key: Key,
    /// Its name, as in plans.
    pub field: String,
}

/// Plans to set back what a run changed.
#[must_use]
pub fn revert(run: &RevertedRun, stored: &Snapshot, rules: &PlanRules) -> RevertPlan {
    let desired = Desired {
        source: run.source.clone(),
        revision: run.revision.clone(),
        ..Desired::default()
    };
    let definitions = check::definitions(&desired, stored);
    let mut undo = UndoDrafts {
        run: run.id,
        drafts: PlanDrafts::default(),
        skipped: Vec::new(),
        left_alone: Vec::new(),
        warnings: Vec::new(),
        later: LaterChanges::by_field(&run.later),
    };
    let mut changes: Vec<&RecordedChange> = run.changes.iter().collect();
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    for change in changes {
        undo.add(stored, change);
    }
    let (drafts, warnings) = (undo.drafts, &undo.warnings);
    let given = GivenApprovals::stored(stored);
    let mut plan = required_approvals::plan_with_enough(stored, &given, rules, |approved| {
        let context = PlanContext {
            desired: &desired,
            stored,
            rules,
            approved,
            definitions: &definitions,
            fingerprint: rules.fingerprint(),
        };
        plan_drafts(&context, warnings, drafts.clone())
    });
    // What is held here is decided here: a pass of the source does not plan these steps.
    plan.remembered_steps.clear();
    plan.forgotten_steps.clear();
    undo.skipped.sort();
    undo.skipped.dedup();
    let mut left_alone = undo.left_alone;
    left_alone.extend(undo.skipped.iter().cloned());
    RevertPlan {
        plan,
        skipped: undo.skipped,
        left_alone,
    }
}

/// Collects what would be set back.
struct UndoDrafts<'r> {
    run: i64,
    drafts: PlanDrafts,
    skipped: Vec<RunField>,
    left_alone: Vec<RunField>,
    warnings: Vec<Diagnostic>,
    later: HashMap<(&'r Key, &'r FieldRef), LaterChanges>,
}

impl UndoDrafts<'_> {
    fn add(&mut self, stored: &Snapshot, change: &RecordedChange) {
        let key = &change.key;
        if change.verb == RecordedVerb::Delete {
            let message = format!(
                "{key} was deleted by run {}; a deletion cannot be undone, because a deleted id is never used again",
                self.run
            );
            self.warn(key, None, message);
            return;
        }
        let Some(row) = stored.rows.get(key) else {
            let message = format!("{key} is not stored any more, so nothing of it is set back");
            self.warn(key, None, message);
            return;
        };
        let changes = match change.verb {
            RecordedVerb::Create => self.undo_create(row, change),
            _ => self.undo_changes(stored, row, change),
        };
        if !changes.is_empty() {
            self.drafts.request(PlannedChange {
                key: key.clone(),
                outcome: PlannedOutcome::Change(changes),
            });
        }
    }

    /// What takes a created resource out of use again: it is deactivated, if it still is as it was
    /// created.
    fn undo_create(&mut self, row: &Row, change: &RecordedChange) -> Vec<FieldChange> {
        let kind = kinds::get(row.key.kind);
        if !kind.has_status {
            let message = format!(
                "{} was created by run {} and stays: {} cannot be deactivated",
                row.key,
                self.run,
                kind.with_article()
            );
            self.warn(&row.key, None, message);
            return Vec::new();
        }
        let status = kinds::own_field(kind.status_index());
        let recorded = change.fields.iter().find(|it| it.field == status);
        let created = match recorded.map(|it| &it.values) {
            Some(RecordedValues::Known { after, .. }) => after.clone(),
            _ => kind.fields[kind.status_index()].default.value(),
        };
        let inactive = Some(Value::text("inactive"));
        let now = row.value(&status).cloned();
        if now == inactive {
            self.leave_alone(&row.key, "status");
            return Vec::new();
        }
        if now != created || self.later.contains_key(&(&row.key, &status)) {
            self.skip_changed(&row.key, "status");
            return Vec::new();
        }
        vec![FieldChange {
            field: status,
            before: now,
            after: inactive,
        }]
    }

    fn undo_changes(
        &mut self,
        stored: &Snapshot,
        row: &Row,
        change: &RecordedChange,
    ) -> Vec<FieldChange> {
        let (key, kind) = (&row.key, kinds::get(row.key.kind));
        let mut changes = Vec::new();
        for recorded in &change.fields {
            let name = kind.field_name(&recorded.field);
            let RecordedValues::Known { before, after } = &recorded.values else {
                let message = format!(
                    "{key}: {name} stays, because the history does not have the value that it had before run {}",
                    self.run
                );
                self.skip(key, &name, message);
                continue;
            };
            let SetBackField {
                value,
                is_changed_since,
                gone,
            } = set_back(
                stored,
                row,
                &recorded.field,
                before.as_ref(),
                after.as_ref(),
                self.later.get(&(key, &recorded.field)),
            );
            if is_changed_since {
                self.skip_changed(key, &name);
            } else if value.is_none() {
                self.leave_alone(key, &name);
            }
            for target in gone {
                let message = format!(
                    "{key}: {name} is not set back to {target}, which is not stored any more"
                );
                self.skip(key, &name, message);
            }
            if let Some(value) = value {
                changes.push(FieldChange {
                    before: super::compare::stored(row.value(&recorded.field)),
                    field: recorded.field.clone(),
                    after: value,
                });
            }
        }
        changes.sort_by(|a, b| a.field.cmp(&b.field));
        changes
    }

    fn skip_changed(&mut self, key: &Key, name: &str) {
        let message = format!(
            "{key}: {name} was changed after run {} and stays as it is",
            self.run
        );
        self.skip(key, name, message);
    }

    fn leave_alone(&mut self, key: &Key, name: &str) {
        self.left_alone.push(run_field(key, name));
    }

    fn skip(&mut self, key: &Key, name: &str, message: String) {
        self.skipped.push(run_field(key, name));
        self.warn(key, Some(name), message);
    }

    fn warn(&mut self, key: &Key, field: Option<&str>, message: String) {
        let warning = Diagnostic::new(codes::NOT_REVERTED, message).for_resource(key);
        self.warnings.push(match field {
            Some(name) => warning.field(name),
            None => warning,
        });
    }
}

fn run_field(key: &Key, name: &str) -> RunField {
    RunField {
        key: key.clone(),
        field: name.to_owned(),
    }
}

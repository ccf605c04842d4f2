//! Checks the sources without a database. Rules on stored state are left to a plan.

use super::phase::PhaseTimer;
use super::{Pass, SourceReading};
use crate::check::{self, RuleDiagnostic};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::kinds;
use crate::manifest;
use crate::model::{Key, Snapshot};
use crate::plan::{self, AccountFolders, PeerSource, PlanRules};
use crate::store::latest_day;
use std::collections::{BTreeSet, HashSet};

/// Rules that fail on a create but not on an update of a stored resource.
pub(super) const CREATE_ONLY: &[Code] = &[
    codes::REQUIRED,
    codes::CUSTOM_FIELD_REQUIRED,
    codes::ACCOUNT_WITHOUT_USER,
    codes::ACCOUNT_WITHOUT_ADDRESS,
    codes::USER_WITHOUT_ACCOUNT,
];

/// Rules that warn because of runtime facts. Without a database nobody knows these.
const AT_RUN_TIME: &[Code] = &[codes::POLICY_APPROVERS];

impl Pass<'_> {
    /// The diagnostics of all rules that need no database.
    ///
    /// Where only the database can tell a create from an update, a diagnostic is a warning; where
    /// another source may declare what is missing, it is a note.
    pub fn validate(&mut self, index: usize) -> Vec<Diagnostic> {
        let _phase = PhaseTimer::begin("checking");
        let stored = self.rules_of_other_sources(index);
        let mut found = self.readings[index].diagnostics.clone();
        found.extend(self.typed_beside(index, &stored));
        let rules = PlanRules {
            only: self.selected_keys(index, &stored, &self.readings[index].desired),
            witnesses: self.witnesses(index),
            severities: self.config.severities.clone(),
            folders: AccountFolders {
                without_database: true,
                ..self.account_folders(&self.readings[index].source)
            },
            ..PlanRules::default()
        };
        let mut diagnostics =
            plan::diagnostics(&self.readings[index].desired, &stored, &rules, &found);
        diagnostics.retain(|diagnostic| {
            diagnostic.severity != Severity::Warning || !AT_RUN_TIME.contains(&diagnostic.code)
        });
        let several = self.readings.len() > 1;
        for diagnostic in &mut diagnostics {
            // The address may come from another source.
            if several && diagnostic.code == codes::NOTIFY_NO_EMAIL {
                diagnostic.severity = Severity::Note;
            }
        }
        manifest::locate(&self.readings[index].tree, &mut diagnostics);
        let of_reader: HashSet<&Diagnostic> = found.iter().collect();
        let complete = self
            .other_readings(index)
            .all(super::SourceReading::is_fully_known);
        let partial: BTreeSet<Key> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.code == codes::REQUIRED)
            .filter_map(|diagnostic| diagnostic.key.clone())
            .collect();
        // A user who keeps their stored accounts may be the one that the account needs.
        let someone_partial = partial.iter().any(|key| key.kind == kinds::USER);
        for diagnostic in diagnostics
            .iter_mut()
            .filter(|diagnostic| diagnostic.is_error())
        {
            if of_reader.contains(&*diagnostic) {
                // Faults found while reading are wrong on a create and on an update.
                continue;
            }
            let create_only = CREATE_ONLY.contains(&diagnostic.code);
            let may_be_stored = create_only
                && diagnostic.key.as_ref().is_some_and(|key| {
                    partial.contains(key)
                        || diagnostic.code == codes::ACCOUNT_WITHOUT_USER && someone_partial
                });
            let group = diagnostic.code == codes::ENUM;
            // An unknown group may be defined by a source that could not be read.
            let elsewhere = several && (create_only || diagnostic.code == codes::REFERENCE)
                || group && !complete;
            if elsewhere {
                diagnostic.severity = Severity::Note;
            } else if may_be_stored {
                diagnostic.severity = Severity::Warning;
            }
        }
        diagnostics
    }

    /// Types the custom values of a source by its own definitions and those of the others.
    fn typed_beside(&mut self, index: usize, stored: &Snapshot) -> Vec<Diagnostic> {
        let complete = self
            .other_readings(index)
            .all(super::SourceReading::is_fully_known);
        let reading = &mut self.readings[index];
        let definitions = check::definitions(&reading.as_read, stored);
        let mut findings = Vec::new();
        reading.desired = check::type_custom(&reading.as_read, &definitions, &mut findings);
        let told = |finding: RuleDiagnostic| {
            let found = finding.diagnostic;
            // The definition may be in a file that cannot be read.
            if found.code == codes::CUSTOM_FIELD_UNKNOWN && !complete {
                found.severity(Severity::Note)
            } else {
                found
            }
        };
        findings.into_iter().map(told).collect()
    }

    /// The other sources, with the resources of theirs that have errors.
    fn witnesses(&self, index: usize) -> Vec<PeerSource> {
        let others = self.readings.iter().enumerate();
        let others = others.filter(|(at, _)| *at != index);
        let witness = |(_, reading): (usize, &SourceReading)| {
            let errors = reading.diagnostics.iter().filter(|found| found.is_error());
            PeerSource {
                held: errors.filter_map(|found| found.key.clone()).collect(),
                ..reading.standing().peer()
            }
        };
        others.map(witness).collect()
    }

    /// The other sources of manifests. Exports define no settings or custom fields.
    fn other_readings(&self, index: usize) -> impl Iterator<Item = &SourceReading> {
        let readings = self.readings.iter().enumerate();
        let others = readings.filter(move |(at, _)| *at != index);
        others
            .map(|(_, reading)| reading)
            .filter(|reading| reading.source.feed().is_none())
    }

    /// The settings and custom fields that only other sources declare, as if they were applied.
    fn rules_of_other_sources(&self, index: usize) -> Snapshot {
        let own = &self.readings[index].as_read.resources;
        let mut stored = Snapshot {
            today: latest_day(),
            ..Snapshot::default()
        };
        let declared = self
            .other_readings(index)
            .flat_map(|it| &it.as_read.resources);
        let judges = declared.filter(|it| kinds::RULE_KINDS.contains(&it.key.kind));
        for declared in judges.filter(|it| !own.contains(&it.key)) {
            let mut row = plan::default_row(&declared.key);
            for stated in &declared.cells {
                if let Some(value) = stated.cell.value() {
                    row.set(&stated.field, Some(value.clone()));
                }
            }
            // Of two sources that declare the same one, either may come first; the first one read
            // is taken.
            let _ = stored.rows.insert(row);
        }
        stored
    }
}

//! What can be said of the sources without a database.

use super::Pass;
use super::phase::Phase;
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::kinds;
use crate::manifest;
use crate::model::{Key, Snapshot};
use crate::plan::{self, Rules};
use std::collections::{BTreeSet, HashSet};

/// Rules that fire on a create and that an update of a stored resource would not break.
const CREATE_ONLY: &[Code] = &[
    codes::REQUIRED,
    codes::CUSTOM_FIELD_REQUIRED,
    codes::ACCOUNT_WITHOUT_USER,
    codes::ACCOUNT_WITHOUT_ADDRESS,
    codes::USER_WITHOUT_ACCOUNT,
];

impl Pass<'_> {
    /// What every rule that needs no database says of a source.
    ///
    /// Where only the database can tell a create from an update, a finding is a warning; where
    /// another source may declare what is missing, it is a note.
    pub fn validate(&mut self, index: usize) -> Vec<Diagnostic> {
        let _phase = Phase::begin("checking");
        let stored = Snapshot::default();
        let mut found = self.readings[index].diagnostics.clone();
        let reading = &mut self.readings[index];
        found.extend(reading.type_custom(&stored));
        let rules = Rules {
            only: self.only(index, &stored),
            ..Rules::default()
        };
        let mut diagnostics =
            plan::findings(&self.readings[index].desired, &stored, &rules, &found);
        manifest::locate(&self.readings[index].tree, &mut diagnostics);
        let of_reader: HashSet<&Diagnostic> = found.iter().collect();
        let several = self.readings.len() > 1;
        let partial: BTreeSet<Key> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.code == codes::REQUIRED)
            .filter_map(|diagnostic| diagnostic.key.clone())
            .collect();
        // A user who keeps the accounts they have may be the one that an account needs.
        let someone_partial = partial.iter().any(|key| key.kind == kinds::USER);
        for diagnostic in diagnostics
            .iter_mut()
            .filter(|diagnostic| diagnostic.is_error())
        {
            if of_reader.contains(&*diagnostic) {
                // Whatever the reader reports is wrong on a create and on an update.
                continue;
            }
            let create_only = CREATE_ONLY.contains(&diagnostic.code);
            let may_be_stored = create_only
                && diagnostic.key.as_ref().is_some_and(|key| {
                    partial.contains(key)
                        || diagnostic.code == codes::ACCOUNT_WITHOUT_USER && someone_partial
                });
            let elsewhere = several && (create_only || diagnostic.code == codes::REFERENCE);
            if elsewhere {
                diagnostic.severity = Severity::Note;
            } else if may_be_stored {
                diagnostic.severity = Severity::Warning;
            }
        }
        diagnostics
    }
}

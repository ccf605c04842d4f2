//! Gives the custom values of every source the types of their fields, for one plan.

use super::Pass;
use crate::check::{self, RuleDiagnostic};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::{Desired, Snapshot};
use std::sync::Arc;

impl Pass<'_> {
    /// What every source declares, with typed custom cells. The types come from the stored custom
    /// fields, from the planned source, which declares `planned`, and from the source itself.
    /// Errors of the planned source are added to `found`; those of the others are left to their
    /// own plans.
    pub(super) fn type_custom(
        &self,
        index: usize,
        planned: &Arc<Desired>,
        stored: &Snapshot,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<Arc<Desired>> {
        let definitions = check::definitions(planned, stored);
        let alone = self.readings.len() == 1;
        let mut all = Vec::with_capacity(self.readings.len());
        for (at, reading) in self.readings.iter().enumerate() {
            let as_read = if at == index {
                planned
            } else {
                &reading.as_read
            };
            let definitions = definitions.with_declared(as_read, stored);
            let mut findings = Vec::new();
            let mut desired = check::type_custom(as_read, &definitions, &mut findings);
            reading.keep_emptied(&mut desired, stored, alone);
            all.push(desired);
            if at == index {
                let findings = findings.into_iter();
                found.extend(
                    findings.map(|finding| self.custom_value_diagnostic(index, stored, finding)),
                );
            }
        }
        all
    }

    /// The diagnostic of a custom value. If another source defines the field, the help says so.
    fn custom_value_diagnostic(
        &self,
        index: usize,
        stored: &Snapshot,
        finding: RuleDiagnostic,
    ) -> Diagnostic {
        let found = finding.diagnostic;
        let unknown = found.code == codes::CUSTOM_FIELD_UNKNOWN;
        let definition = finding.involves.into_iter().find(|_| unknown);
        let Some(definition) = definition.filter(|key| !stored.rows.has_read(key)) else {
            return found;
        };
        let others = self.readings.iter().enumerate();
        let mut others = others.filter(|(at, _)| *at != index);
        match others.find(|(_, other)| other.as_read.resources.contains(&definition)) {
            Some((_, other)) => found.help(format!(
                "Source {} defines it. Put that source first under `sources:` in roster.yaml, or apply it first",
                other.source.name
            )),
            None => found,
        }
    }
}

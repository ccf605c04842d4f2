//! Custom values of every source, typed for one plan.

use super::Pass;
use crate::check::{self, RuleDiagnostic};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::Snapshot;

impl Pass<'_> {
    /// Types the custom cells of every source by the custom fields that are stored or declared by
    /// the planned source or itself. What is wrong with another source's is for its own plan to say.
    pub(super) fn type_custom(
        &mut self,
        index: usize,
        stored: &Snapshot,
        found: &mut Vec<Diagnostic>,
    ) {
        let planned = check::definitions(&self.readings[index].as_read, stored);
        let mut own = Vec::new();
        let alone = self.readings.len() == 1;
        for (at, reading) in self.readings.iter_mut().enumerate() {
            let mut findings = Vec::new();
            let definitions = planned.with_declared(&reading.as_read, stored);
            reading.desired = check::type_custom(&reading.as_read, &definitions, &mut findings);
            reading.keep_emptied(stored, alone);
            if at == index {
                own = findings;
            }
        }
        found.extend(
            own.into_iter()
                .map(|finding| self.custom_value_diagnostic(index, stored, finding)),
        );
    }

    /// What is wrong with a value; of a custom field that another source defines, what to do.
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
                "source {} defines it; put that source first under `sources:` in roster.yaml, or apply it first",
                other.source.name
            )),
            None => found,
        }
    }
}

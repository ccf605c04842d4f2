//! A directory in memory, planned and applied without a database.

use roster::check;
use roster::diagnostic::{Code, Diagnostic};
use roster::kinds;
use roster::manifest::{self, LoadOptions, Tree};
use roster::model::{Desired, Key, Snapshot, Value};
use roster::plan::{self, Plan, PlanRules};
use std::sync::Arc;

/// One account with its address.
pub const ACME: &str = "
accounts:
  - externalId: acme
    name: Acme
    companyRegistrationName: Acme AB
    businessRegistrationNumber: 556012-3456
    addresses: [{externalId: acme-hq, fullName: Acme AB, street: Storgatan 1, city: Malmö, zipCode: 211 20, country: SE}]
";

/// The stored state, and the rules of the source under test.
#[derive(Default)]
pub struct Directory {
    pub stored: Snapshot,
    pub rules: PlanRules,
}

/// Reads files as the source called `source`.
pub fn read_files(
    source: &str,
    stored: &Snapshot,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> (Desired, Vec<Diagnostic>) {
    let loaded = manifest::load(
        &Tree::from_files(files),
        &LoadOptions {
            source: source.into(),
            ..LoadOptions::default()
        },
    );
    let mut found = loaded.diagnostics;
    let definitions = check::definitions(&loaded.desired, stored);
    let mut typed = Vec::new();
    let desired = check::type_custom(&Arc::new(loaded.desired), &definitions, &mut typed);
    found.extend(typed.into_iter().map(|finding| finding.diagnostic));
    (Arc::unwrap_or_clone(desired), found)
}

/// Reads one file as the source called `source`.
pub fn read(source: &str, stored: &Snapshot, yaml: &str) -> (Desired, Vec<Diagnostic>) {
    read_files(
        source,
        stored,
        [("all.yaml".to_owned(), yaml.as_bytes().to_vec())],
    )
}

impl Directory {
    /// An empty directory and a pruning source.
    pub fn new() -> Self {
        Self {
            rules: PlanRules {
                prune: true,
                ..PlanRules::default()
            },
            ..Self::default()
        }
    }

    pub fn plan_as(&self, source: &str, yaml: &str) -> Plan {
        let (desired, found) = read(source, &self.stored, yaml);
        plan::plan(&desired, &self.stored, &self.rules, &found)
    }

    pub fn plan(&self, yaml: &str) -> Plan {
        self.plan_as("directory", yaml)
    }

    /// Applies, and checks that planning again finds nothing to do.
    pub fn apply_as(&mut self, source: &str, yaml: &str) -> Plan {
        let plan = self.plan_as(source, yaml);
        assert!(!plan.errored, "{:#?}", plan.diagnostics);
        plan::advance(&mut self.stored, &plan);
        let again = self.plan_as(source, yaml);
        assert_eq!(steps(&again), Vec::<String>::new(), "planning again");
        plan
    }

    pub fn apply(&mut self, yaml: &str) -> Plan {
        self.apply_as("directory", yaml)
    }

    /// Changes a row as somebody else would.
    pub fn edit(&mut self, key: &Key, field: &str, value: Option<Value>) {
        let field = kinds::get(key.kind).field_ref(field).unwrap();
        let row = self.stored.rows.get_mut(key).unwrap();
        row.set(&field, value);
        row.version = -12345 - row.version.abs();
    }
}

/// The steps of a plan in words.
pub fn steps(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| format!("{} {}", step.verb, step.key))
        .collect()
}

/// The holds of a plan: rule and resource.
pub fn held(plan: &Plan) -> Vec<(Code, String)> {
    plan.held
        .iter()
        .map(|held| (held.code, held.key.to_string()))
        .collect()
}

/// Whether a plan has a finding of a rule.
pub fn found(plan: &Plan, code: Code) -> bool {
    plan.diagnostics
        .iter()
        .any(|diagnostic| diagnostic.code == code)
}

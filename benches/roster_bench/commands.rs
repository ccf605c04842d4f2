//! Commands that people wait for, an export of everything, and a plan for review: what scopes, effects
//! and impact cost.

use super::corpus;
use super::measure::Cost;
use super::rows::{Bench, Engine};
use super::table::Table;
use std::fs;

/// What a review asks of a plan, beyond the plan itself.
const REVIEWED: &str = "apiVersion: roster/v1\n\
    sources:\n  - {name: directory, directory: manifests}\n\
    scopes: [{path: '**', owners: ['@acme/platform']}]\n\
    effects: {fields: [User.phone]}\n";
/// How often each command runs.
const TIMES: usize = 11;
/// How long a command about one resource may take, in milliseconds.
const TARGET: f64 = 50.0;

impl Bench {
    /// Measures them on a database that is in sync with the manifests.
    pub fn commands(&self, engine: &Engine, database: &str, table: &mut Table) {
        let user = format!("User/u-{:07}", self.size.users / 2);
        for arguments in [["get", user.as_str()], ["why", &user], ["history", &user]] {
            let mut times: Vec<f64> = (0..TIMES)
                .map(|_| self.roster(database, &arguments).cost.wall * 1000.0)
                .collect();
            times.sort_by(f64::total_cmp);
            let what = format!("roster {}, a user: p50", arguments[0]);
            table.amount(engine.name, what, times[TIMES / 2], "ms", Some(TARGET));
        }
        self.export(engine, database, table);
        self.review(engine, database, table);
    }

    fn export(&self, engine: &Engine, database: &str, table: &mut Table) {
        let file = self.path("accounts.csv");
        let arguments = [
            "export",
            "--preset",
            "djust-accounts",
            "-q",
            "-o",
            "accounts.csv",
        ];
        let export = self.best(|| engine.cost(|| self.roster(database, &arguments).cost));
        let what = "export of all accounts, every row read back";
        self.cost(engine, what, export, table);
        fs::remove_file(file).expect("the export");
    }

    /// A change of every hundredth user touches every file: all are read, with and without what a
    /// review asks.
    fn review(&self, engine: &Engine, database: &str, table: &mut Table) {
        fs::write(self.path("reviewed.yaml"), REVIEWED).expect("the configuration");
        let manifests = self.path("manifests");
        corpus::change(self.size, &manifests, self.size.users / 100, true).expect("the corpus");
        let plan = |config: &str| {
            let all = ["plan", "-q", "--detailed-exitcode", "--output", "markdown"];
            self.best(|| engine.cost(|| self.roster_by(config, database, &all).cost))
        };
        let (reviewed, plain) = (plan("reviewed.yaml"), plan("roster.yaml"));
        let what = "plan, 1 % of the users changed, scopes and effects / without";
        table.ratio(engine.name, what, reviewed, plain, None);
        corpus::change(self.size, &manifests, self.size.users / 100, false).expect("the corpus");
    }

    fn cost(&self, engine: &Engine, what: &str, cost: Cost, table: &mut Table) {
        let mut amount = |which: &str, value, unit| {
            table.amount(engine.name, format!("{what}: {which}"), value, unit, None);
        };
        amount("processor", cost.cpu, "s");
        amount("wall", cost.wall, "s");
        amount("peak", self.per_resource(cost.peak, 0), "bytes a resource");
    }
}

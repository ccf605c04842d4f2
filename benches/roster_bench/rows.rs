//! What is measured, row by row.

use super::corpus::{self, Size};
use super::dba::{self, Client};
use super::measure::{self, Cost, Ran};
use super::postgres::{self, Cluster};
use super::table::Table;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Which databases are measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Engines {
    /// Embedded.
    Sqlite,
    /// A server's.
    Postgres,
    /// One after the other.
    Both,
}

/// One size on one machine.
pub struct Bench {
    pub size: Size,
    runs: usize,
    /// A Python that has DuckDB, if it is measured.
    pub duckdb: Option<PathBuf>,
    directory: TempDir,
    bytes: u64,
    resources: f64,
}

/// One engine: how it is reached, and what its server costs.
pub struct Engine {
    pub name: &'static str,
    pub client: Client,
    pub cluster: Option<Cluster>,
}

/// Measures everything for one size.
pub fn measure(size: Size, engines: Engines, runs: usize, duckdb: Option<&Path>) -> Table {
    let bench = Bench {
        duckdb: duckdb.map(Path::to_owned),
        ..Bench::new(size, runs)
    };
    let mut table = Table::new(bench.describe());
    let events = bench.validate(&mut table);
    if engines != Engines::Postgres {
        let sqlite = Engine {
            name: "sqlite",
            client: Client::Sqlite,
            cluster: None,
        };
        bench.engine(&sqlite, events, &mut table);
    }
    if engines != Engines::Sqlite {
        let cluster = Cluster::start();
        if cluster.is_some() {
            let postgres = Engine {
                name: "postgres",
                client: Client::Psql,
                cluster,
            };
            bench.engine(&postgres, events, &mut table);
        }
    }
    table
}

/// How time grows from one size to the next: beyond the growth of the corpus, with n log n allowed.
pub fn growth(sizes: &[Size], tables: &[Table]) {
    for (pair, tables) in sizes.windows(2).zip(tables.windows(2)) {
        for (engine, work) in [
            ("-", VALIDATE),
            ("sqlite", FIRST),
            ("sqlite", WARM),
            ("postgres", FIRST),
            ("postgres", WARM),
        ] {
            let (Some(small), Some(large)) =
                (tables[0].cpu(engine, work), tables[1].cpu(engine, work))
            else {
                continue;
            };
            let n = |size: &Size| size.users as f64 * (size.users as f64).log2();
            let ratio = large / small / (n(&pair[1]) / n(&pair[0]));
            println!(
                "growth {} -> {}: {engine:9} {work:44} {ratio:5.2} x n log n",
                pair[0].name, pair[1].name
            );
        }
    }
}

const VALIDATE: &str = "validate, cold / events";
const FIRST: &str = "first plan / events";
const WARM: &str = "plan, nothing changed / hash and read";

impl Bench {
    fn new(size: Size, runs: usize) -> Self {
        let directory = TempDir::with_prefix("roster-bench-").expect("a temporary directory");
        let bytes = corpus::write(size, &directory.path().join("manifests")).expect("the corpus");
        let config =
            "apiVersion: roster/v1\nsources:\n  - name: directory\n    directory: manifests\n";
        fs::write(directory.path().join("roster.yaml"), config).expect("the configuration");
        let mut bench = Self {
            size,
            runs,
            duckdb: None,
            directory,
            bytes,
            resources: 0.0,
        };
        let checked = bench.roster("sqlite:none.db", &["validate", "--output", "json"]);
        let report: Value = serde_json::from_str(&checked.stdout).expect("JSON");
        assert_eq!(
            report["summary"]["errors"], 0,
            "{}",
            report["diagnostics"][0]
        );
        bench.resources = report["summary"]["resources"].as_f64().expect("a number");
        bench
    }

    fn describe(&self) -> Value {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        json!({
            "size": self.size.name, "users": self.size.users, "accounts": self.size.accounts(),
            "organisations": self.size.organisations(), "policies": self.size.policies(), "tags": self.size.tags(),
            "resources": self.resources, "bytes": self.bytes, "cores": cores,
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The roster of this build, in the directory of the run.
    pub fn roster(&self, database: &str, arguments: &[&str]) -> Ran {
        self.roster_by("roster.yaml", database, arguments)
    }

    /// The same under another configuration.
    pub fn roster_by(&self, config: &str, database: &str, arguments: &[&str]) -> Ran {
        let all = [&["--config", config, "--database", database][..], arguments].concat();
        let ran = measure::run(
            Path::new(env!("CARGO_BIN_EXE_roster")),
            &all,
            self.directory.path(),
        );
        assert!(
            matches!(ran.code, Some(0 | 2)),
            "roster {arguments:?}: {:?}\n{}\n{}",
            ran.code,
            ran.stdout,
            ran.stderr
        );
        ran
    }

    /// The best of some runs, by CPU.
    pub fn best(&self, mut run: impl FnMut() -> Cost) -> Cost {
        let costs = (0..self.runs.max(1)).map(|_| run());
        costs
            .min_by(|a, b| a.cpu.total_cmp(&b.cpu))
            .expect("at least one run")
    }

    /// A part of this program in a process of its own; what it says it cost.
    pub fn part(&self, arguments: &[&str]) -> Cost {
        let this = std::env::current_exe().expect("the path of this program");
        let ran = measure::run(
            &this,
            &[&["--part"], arguments].concat(),
            self.directory.path(),
        );
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        Cost {
            peak: ran.cost.peak,
            ..Cost::from_json(&ran.stdout)
        }
    }

    pub fn per_resource(&self, peak: u64, beyond: u64) -> f64 {
        peak.saturating_sub(beyond) as f64 / self.resources
    }

    fn validate(&self, table: &mut Table) -> Cost {
        let events = self.best(|| self.part(&["events", "manifests"]));
        let validate = self.best(|| self.roster("sqlite:none.db", &["validate", "-q"]).cost);
        table.ratio("-", VALIDATE, validate, events, Some(1.3));
        let one = self.best(|| self.threads("1"));
        let two = self.best(|| self.threads("2"));
        table.amount(
            "-",
            "validate: two threads faster by (wall)",
            one.wall / two.wall,
            "x (1.7 or more)",
            None,
        );
        table.amount(
            "-",
            "validate: peak beyond the text",
            self.per_resource(validate.peak, self.bytes),
            "bytes a resource",
            None,
        );
        events
    }

    fn threads(&self, count: &str) -> Cost {
        let roster = env!("CARGO_BIN_EXE_roster");
        let variable = format!("RAYON_NUM_THREADS={count}");
        let arguments = [
            &variable,
            roster,
            "--config",
            "roster.yaml",
            "validate",
            "-q",
        ];
        measure::run(Path::new("/usr/bin/env"), &arguments, self.directory.path()).cost
    }

    fn engine(&self, engine: &Engine, events: Cost, table: &mut Table) {
        let database = engine.database(self, "full");
        let first = self.first(engine, &database, events, table);
        let warm = self.warm(engine, &database, table);
        self.load(engine, &database, &first, table);
        self.dba(engine, &database, &first, &warm, table);
        self.commands(engine, &database, table);
        self.latency(engine, &database, table);
        self.resident(engine, table);
        self.feeds(engine, table);
    }

    /// The first plan and its apply.
    fn first(&self, engine: &Engine, database: &str, events: Cost, table: &mut Table) -> First {
        let name = engine.name;
        if engine.cluster.is_some() {
            self.roster(database, &["migrate"]);
        }
        let plan = self.best(|| engine.cost(|| self.roster(database, PLAN).cost));
        table.ratio(name, FIRST, plan, events, Some(1.6));
        table.amount(
            name,
            "first plan: peak beyond the text",
            self.per_resource(plan.peak, self.bytes),
            "bytes a resource",
            Some(1200.0),
        );
        let mut phases = Vec::new();
        let apply = engine.cost(|| {
            let ran = self.roster(database, &["-v", "apply", "--yes", "--detail", "summary"]);
            phases = timings(&ran.stderr);
            ran.cost
        });
        table.amount(
            name,
            "apply: peak beyond the text",
            self.per_resource(apply.peak, self.bytes),
            "bytes a resource",
            Some(1200.0),
        );
        for (phase, seconds) in phases {
            table.amount(
                name,
                format!("first load: {phase}"),
                seconds,
                "s (wall)",
                None,
            );
        }
        First { plan, apply }
    }

    /// Plans of what the database holds already.
    fn warm(&self, engine: &Engine, database: &str, table: &mut Table) -> Warm {
        let name = engine.name;
        let plan = || {
            engine.cost(|| {
                self.roster(database, &["plan", "-q", "--detailed-exitcode"])
                    .cost
            })
        };
        let unchanged = self.best(plan);
        let read = self.best(|| {
            let hash = self.part(&["hash", "manifests"]);
            hash.and(engine.cost(|| self.part(&engine.digests(self, database))))
        });
        table.ratio(name, WARM, unchanged, read, Some(1.5));
        table.amount(
            name,
            "plan, nothing changed: peak",
            self.per_resource(unchanged.peak, 0),
            "bytes a resource",
            Some(200.0),
        );
        for (phase, seconds) in timings(&self.roster(database, &["-v", "plan"]).stderr) {
            table.amount(
                name,
                format!("nothing changed: {phase}"),
                seconds,
                "s (wall)",
                None,
            );
        }
        let scrub = self.best(|| {
            let scrub = ["plan", "--scrub", "-q", "--detailed-exitcode"];
            engine.cost(|| self.roster(database, &scrub).cost)
        });
        table.amount(
            name,
            "plan --scrub, nothing changed: peak",
            self.per_resource(scrub.peak, 0),
            "bytes a resource",
            None,
        );
        corpus::change(self.size, &self.path("manifests"), 10, true).expect("the corpus");
        let changed = self.best(plan);
        corpus::change(self.size, &self.path("manifests"), 10, false).expect("the corpus");
        table.amount(
            name,
            "plan, 10 changed: beyond the no-change plan",
            changed.cpu - unchanged.cpu,
            "s (CPU)",
            Some(0.2),
        );
        Warm {
            unchanged,
            scrub,
            changed,
        }
    }

    /// What the database takes to be filled at best.
    fn load(&self, engine: &Engine, database: &str, first: &First, table: &mut Table) {
        let empty = engine.database(self, "floor");
        let (floor, target) = if engine.cluster.is_some() {
            let [bare, rest] = postgres::schema(database);
            let files = self.path("copies");
            fs::create_dir(&files).expect("a directory");
            postgres::unload(database, &files);
            let post = self.path("post.sql");
            fs::write(&post, rest).expect("the schema");
            postgres::script(&empty, bare);
            let part = ["postgres-load", &empty, &text(&files), &text(&post)];
            (engine.cost(|| self.part(&part)), 1.4)
        } else {
            self.roster(&empty, &["migrate"]);
            (self.part(&["sqlite-load", "full.db", "floor.db"]), 1.3)
        };
        table.ratio(
            engine.name,
            "apply beyond its plan / bare load",
            first.apply.beyond(first.plan),
            floor,
            Some(target),
        );
    }

    /// The competent DBA's way.
    fn dba(&self, engine: &Engine, database: &str, first: &First, warm: &Warm, table: &mut Table) {
        let csv = self.path(&format!("csv-{}", engine.name));
        fs::create_dir(&csv).expect("a directory");
        let theirs = engine.database(self, "dba");
        let run = |database: &str, name: &str, sql: String| {
            let file = self.path(name);
            fs::write(&file, sql).expect("a script");
            engine.cost(|| self.client(engine, database, &file))
        };
        run(database, "unload.sql", dba::unload(engine.client, &csv));
        run(&theirs, "schema.sql", dba::schema(engine.client));
        let load = run(&theirs, "load.sql", dba::load(engine.client, &csv));
        let again = self.best(|| run(&theirs, "load.sql", dba::load(engine.client, &csv)));
        let query = self.best(|| run(&theirs, "query.sql", dba::query(engine.client, &csv)));
        let name = engine.name;
        table.ratio(
            name,
            "first apply, YAML and all / DBA's full load",
            first.apply,
            load,
            Some(3.0),
        );
        table.ratio(
            name,
            "plan, nothing changed / DBA's no-op",
            warm.unchanged,
            again,
            Some(0.5),
        );
        table.ratio(
            name,
            "plan --scrub, nothing changed / DBA's \"what would change\"",
            warm.scrub,
            query,
            None,
        );
        table.ratio(
            name,
            "plan, 10 changed / DBA's no-op",
            warm.changed,
            again,
            Some(0.5),
        );
        table.ratio(
            name,
            "plan, 10 changed / DBA's \"what would change\"",
            warm.changed,
            query,
            None,
        );
    }

    pub fn client(&self, engine: &Engine, database: &str, script: &Path) -> Cost {
        let script = text(script);
        let read = format!(".read {script}");
        let (program, arguments) = match engine.client {
            Client::Sqlite => (
                "sqlite3",
                vec!["-bail", database.trim_start_matches("sqlite:"), &read],
            ),
            Client::Psql => (
                "psql",
                vec!["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", &script, database],
            ),
        };
        let ran = measure::run(Path::new(program), &arguments, self.directory.path());
        assert_eq!(ran.code, Some(0), "{program} {script}: {}", ran.stderr);
        ran.cost
    }
}

const PLAN: &[&str] = &["plan", "-q", "--detail", "summary"];

struct First {
    plan: Cost,
    apply: Cost,
}

struct Warm {
    unchanged: Cost,
    scrub: Cost,
    changed: Cost,
}

impl Engine {
    /// The URL of a database that is empty.
    pub fn database(&self, bench: &Bench, name: &str) -> String {
        match &self.cluster {
            Some(cluster) => cluster.database(&format!("{name}_{}", bench.size.name)),
            None => format!("sqlite:{name}.db"),
        }
    }

    /// Adds what the server did.
    pub fn cost(&self, run: impl FnOnce() -> Cost) -> Cost {
        let cpu = || self.cluster.as_ref().map_or(0.0, Cluster::cpu);
        let before = cpu();
        let cost = run();
        Cost {
            cpu: cost.cpu + cpu() - before,
            ..cost
        }
    }

    pub fn digests<'a>(&self, _: &Bench, database: &'a str) -> [&'a str; 2] {
        match self.client {
            Client::Sqlite => ["sqlite-digests", database.trim_start_matches("sqlite:")],
            Client::Psql => ["postgres-digests", database],
        }
    }
}

pub fn text(path: &Path) -> String {
    path.to_str()
        .expect("the paths of this program are UTF-8")
        .to_owned()
}

/// The phases of a pass that roster logged: `read took 0.12 s`.
fn timings(log: &str) -> Vec<(String, f64)> {
    let phase = |line: &str| {
        let (phase, rest) = line.split_once(" took ")?;
        let seconds = rest.strip_suffix(" s")?.parse().ok()?;
        Some((
            phase
                .trim_start_matches(|c: char| !c.is_lowercase())
                .to_owned(),
            seconds,
        ))
    };
    log.lines().filter_map(phase).collect()
}

//! The export of the next night: ten rows changed, a hundred gone, one in a hundred with something to
//! report. Beside it the floor, the DBA's script on the same file, and DuckDB where it is asked for.

use super::dba::Client;
use super::feeds::{HEAD, NEXT, USUAL};
use super::measure::{self, Cost};
use super::rows::{Bench, Engine, text};
use super::table::Table;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const APPLY: [&str; 7] = [
    "apply", "--source", "erp", "--yes", "-q", "--detail", "summary",
];

impl Bench {
    /// Measures the next export of a source whose last one, the usual one, was applied.
    pub fn next_export(&self, engine: &Engine, database: &str, table: &mut Table) {
        let name = engine.name;
        let apply = |night| {
            self.write_export(night);
            engine.cost(|| self.roster_by("feeds.yaml", database, &APPLY).cost)
        };
        // Every export is another one than that before.
        let next = self.best(|| {
            apply(USUAL);
            apply(NEXT)
        });
        let floor = self.best(|| {
            let rows = self.part(&["rows", "erp.csv"]);
            rows.and(engine.cost(|| self.part(&engine.digests(self, database))))
        });
        let target = if self.size.users < 1_000_000 {
            2.0
        } else {
            1.5
        };
        let work = "export, 10 rows changed / rows and digests";
        table.ratio(name, work, next, floor, Some(target));
        let bytes = next.peak as f64 / self.size.users as f64;
        table.amount(
            name,
            "export, 10 rows changed: peak",
            bytes,
            "bytes a row",
            Some(120.0),
        );
        let script = self.export_by_hand(engine);
        table.ratio(
            name,
            "export, 10 rows changed / DBA's script",
            next,
            script,
            Some(0.35),
        );
        if let Some(python) = &self.duckdb {
            let diff = self.export_by_duckdb(python);
            table.ratio(
                name,
                "export, 10 rows changed / DuckDB's diff",
                next,
                diff,
                Some(1.0),
            );
        }
        apply(USUAL);
    }

    /// The DBA's way: stage, upsert, delete the rest.
    fn export_by_hand(&self, engine: &Engine) -> Cost {
        let theirs = engine.database(self, "dba_export");
        let run = |sql: &str| {
            let file = self.path("export.sql");
            fs::write(&file, sql).expect("a script");
            engine.cost(|| self.client(engine, &theirs, &file))
        };
        run(&format!("CREATE TABLE erp ({});\n", columns(" text")));
        let load = script(engine.client, &self.path("erp.csv"));
        self.best(|| {
            self.write_export(USUAL);
            run(&load);
            self.write_export(NEXT);
            run(&load)
        })
    }

    fn export_by_duckdb(&self, python: &Path) -> Cost {
        let file = self.path("duckdb_diff.py");
        fs::write(&file, include_str!("duckdb_diff.py")).expect("a script");
        let run = || {
            let arguments = [&text(&file), "erp.csv", "erp.duckdb"];
            let ran = measure::run(python, &arguments, &self.path(""));
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            Cost {
                peak: ran.cost.peak,
                ..Cost::from_json(&ran.stdout)
            }
        };
        self.write_export(USUAL);
        run();
        self.write_export(NEXT);
        self.best(run)
    }
}

/// Installs DuckDB for Python in a directory; the Python that has it.
pub fn install_duckdb(directory: &Path) -> PathBuf {
    let run = |program: &Path, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).status();
        assert!(status.expect("Python starts").success(), "{arguments:?}");
    };
    run(Path::new("python3"), &["-m", "venv", &text(directory)]);
    let python = directory.join("bin/python");
    run(&python, &["-m", "pip", "install", "-q", "duckdb==2.0.1"]);
    python
}

/// The columns of the export as SQL; the first one is the key.
fn columns(each: &str) -> String {
    let mut names = HEAD.trim_end().split(';');
    let key = names.next().unwrap_or_default();
    let rest = names.map(|name| format!(", {name}{each}"));
    let unique = if each.is_empty() { "" } else { " PRIMARY KEY" };
    format!("{key}{each}{unique}") + &rest.collect::<String>()
}

fn script(client: Client, csv: &Path) -> String {
    let (all, csv) = (columns(""), csv.display());
    let (key, values) = all.split_once(", ").unwrap_or_default();
    let import = match client {
        Client::Sqlite => format!(
            ".mode csv\n.separator ; \"\\r\\n\"\n.import --skip 1 --schema temp {csv} staged\n"
        ),
        Client::Psql => {
            format!("\\copy staged from '{csv}' csv header delimiter ';'\nANALYZE staged;\n")
        }
    };
    let differ = match client {
        Client::Sqlite => "IS NOT",
        Client::Psql => "IS DISTINCT FROM",
    };
    let of = |table: &str| {
        let names = values.split(", ").map(|name| format!("{table}.{name}"));
        names.collect::<Vec<_>>().join(", ")
    };
    let set = values
        .split(", ")
        .map(|name| format!("{name} = excluded.{name}"));
    format!(
        "BEGIN;\nCREATE TEMP TABLE staged ({});\n{import}\
         INSERT INTO erp ({all}) SELECT {all} FROM staged WHERE true ON CONFLICT ({key}) DO UPDATE SET {} \
         WHERE ({}) {differ} ({});\n\
         DELETE FROM erp WHERE NOT EXISTS (SELECT 1 FROM staged WHERE staged.{key} = erp.{key});\nCOMMIT;\n",
        columns(" text"),
        set.collect::<Vec<_>>().join(", "),
        of("erp"),
        of("excluded")
    )
}

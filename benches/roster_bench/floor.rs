//! The floors: the least work that can be done, each in a process of its own.

use super::measure::Stopwatch;
use granit_parser::{Event, Parser};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

/// Runs a part by name; each prints what it cost.
pub fn part(name: &str, arguments: &[String]) {
    let path = |at: usize| PathBuf::from(&arguments[at]);
    match name {
        "events" => events(&path(0)),
        "hash" => hash(&arguments.iter().map(PathBuf::from).collect::<Vec<_>>()),
        "rows" => rows(&path(0)),
        "sqlite-digests" => sqlite_digests(&path(0)),
        "sqlite-load" => sqlite_load(&path(0), &path(1)),
        "postgres-digests" => super::postgres::digests(&arguments[0]),
        "postgres-load" => super::postgres::load(&arguments[0], &path(1), &path(2)),
        other => panic!("no part is called {other}"),
    }
}

/// The files of a tree in order.
fn files(root: &Path) -> Vec<PathBuf> {
    if root.is_file() {
        return vec![root.to_owned()];
    }
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the corpus") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort();
    files
}

/// Every event of every file, by one thread.
fn events(root: &Path) {
    let mut watch = Stopwatch::default();
    let scalars = watch.time(|| {
        let mut scalars = 0_u64;
        for file in files(root) {
            let text = fs::read_to_string(file).expect("the corpus");
            let mut parser = Parser::new_from_str(&text);
            while let Some(event) = parser.next_event() {
                if let (Event::Scalar(text, ..), _) = event.expect("the corpus is YAML") {
                    scalars += u64::from(!black_box(&text).is_empty());
                }
            }
        }
        scalars
    });
    assert!(scalars > 0, "the corpus has scalars");
    watch.print();
}

/// Every byte read and hashed, by one thread.
fn hash(roots: &[PathBuf]) {
    let mut watch = Stopwatch::default();
    watch.time(|| {
        for file in roots.iter().flat_map(|root| files(root)) {
            black_box(blake3::hash(&fs::read(file).expect("the corpus")));
        }
    });
    watch.print();
}

/// Every row of an export told apart, hashed, and sorted by its hash, by one thread.
fn rows(export: &Path) {
    let mut watch = Stopwatch::default();
    watch.time(|| {
        let reader = csv::ReaderBuilder::new().delimiter(b';').from_path(export);
        let mut reader = reader.expect("the export");
        let (mut row, mut digests) = (csv::ByteRecord::new(), Vec::new());
        while reader
            .read_byte_record(&mut row)
            .expect("the export is CSV")
        {
            digests.push(*blake3::hash(row.as_slice()).as_bytes());
        }
        digests.sort_unstable();
        black_box(digests);
    });
    watch.print();
}

/// What tells whether anything moved: of every claim its digest, of every row its version.
pub const CLAIMS: &str = "SELECT external_id, declared_digest, seen_version FROM claims";
/// The tables of the kinds.
pub const KINDS: [&str; 7] = [
    "tags",
    "custom_fields",
    "addresses",
    "accounts",
    "organisations",
    "users",
    "policies",
];

fn sqlite_digests(database: &Path) {
    let mut watch = Stopwatch::default();
    watch.time(|| {
        let connection = Connection::open(database).expect("the database");
        let mut claims = connection.prepare(CLAIMS).expect("the claims");
        let mut rows = claims.query([]).expect("the claims");
        while let Some(row) = rows.next().expect("a claim") {
            black_box((
                row.get_ref(0).expect("an id"),
                row.get_ref(1).expect("a digest"),
                row.get_ref(2).expect("a version"),
            ));
        }
        for table in KINDS {
            let sql = format!("SELECT external_id, version FROM {table}");
            let mut versions = connection.prepare(&sql).expect(table);
            let mut rows = versions.query([]).expect(table);
            while let Some(row) = rows.next().expect(table) {
                black_box((
                    row.get_ref(0).expect("an id"),
                    row.get_ref(1).expect("a version"),
                ));
            }
        }
    });
    watch.print();
}

/// How many rows are read, which does not count, before they are inserted, which does.
const ROWS: usize = 20_000;

/// Copies every row of a database into another that has the schema: one transaction of prepared
/// inserts, indexes in place.
fn sqlite_load(full: &Path, empty: &Path) {
    let from = Connection::open(full).expect("the full database");
    let to = Connection::open(empty).expect("the empty database");
    to.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA cache_size = -65536;",
    )
    .expect("settings");
    let mut watch = Stopwatch::default();
    let begin =
        "BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON; INSERT INTO writing (id) VALUES (1);";
    watch
        .time(|| to.execute_batch(begin))
        .expect("a transaction");
    for table in tables(&from) {
        to.execute(&format!("DELETE FROM \"{table}\""), [])
            .expect("what a migration writes goes");
        copy(&from, &to, &table, &mut watch);
    }
    let end = "DELETE FROM writing; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);";
    watch.time(|| to.execute_batch(end)).expect("a commit");
    watch.print();
}

fn tables(from: &Connection) -> Vec<String> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'writing' ORDER BY name";
    let mut tables = from.prepare(sql).expect("the schema");
    let names = tables.query_map([], |row| row.get(0)).expect("the schema");
    names.collect::<Result<_, _>>().expect("names")
}

fn copy(from: &Connection, to: &Connection, table: &str, watch: &mut Stopwatch) {
    let mut select = from
        .prepare(&format!("SELECT * FROM \"{table}\""))
        .expect("a table");
    let columns = select.column_count();
    let marks = vec!["?"; columns].join(",");
    let sql = format!("INSERT OR ROLLBACK INTO \"{table}\" VALUES ({marks})");
    let mut insert = to.prepare(&sql).expect("an insert");
    let mut rows = select.query([]).expect("the rows");
    loop {
        let mut batch: Vec<Vec<Value>> = Vec::with_capacity(ROWS);
        while batch.len() < ROWS
            && let Some(row) = rows.next().expect("a row")
        {
            batch.push(
                (0..columns)
                    .map(|at| row.get(at).expect("a value"))
                    .collect(),
            );
        }
        if batch.is_empty() {
            return;
        }
        watch.time(|| {
            for row in &batch {
                insert
                    .execute(rusqlite::params_from_iter(row))
                    .expect("an insert");
            }
        });
    }
}

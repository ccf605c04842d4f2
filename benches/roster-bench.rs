//! `cargo bench --bench roster-bench -- --size 10k`: every work beside its floor, in one run.

// A benchmark is a report, not an interface: counts become floats, text is put together as it comes.
#![allow(clippy::pedantic)]

#[path = "roster_bench/commands.rs"]
mod commands;
#[path = "roster_bench/corpus.rs"]
mod corpus;
#[path = "roster_bench/dba.rs"]
mod dba;
#[path = "roster_bench/exports.rs"]
mod exports;
#[path = "roster_bench/feeds.rs"]
mod feeds;
#[path = "roster_bench/floor.rs"]
mod floor;
#[path = "roster_bench/latency.rs"]
mod latency;
#[path = "roster_bench/lcg.rs"]
mod lcg;
#[path = "roster_bench/measure.rs"]
mod measure;
#[path = "roster_bench/postgres.rs"]
mod postgres;
#[path = "roster_bench/rows.rs"]
mod rows;
#[path = "../tests/support/postgres.rs"]
mod support;
#[path = "roster_bench/table.rs"]
mod table;
#[path = "roster_bench/yaml.rs"]
mod yaml;

use clap::Parser;
use corpus::{SIZES, Size};
use rows::Engines;
use std::path::PathBuf;

/// Measures roster beside its floors.
#[derive(Parser)]
struct Options {
    /// How many users: 1k, 10k, 100k, 1m; several with commas between show the growth.
    #[arg(long, value_delimiter = ',', default_value = "10k", value_parser = size)]
    size: Vec<Size>,
    /// Which databases.
    #[arg(long, value_enum, default_value = "both")]
    engine: Engines,
    /// How often each is measured; the best counts.
    #[arg(long, default_value_t = 2)]
    runs: usize,
    /// Writes the numbers to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measures DuckDB beside the next export: installs it for Python, in a directory of its own.
    #[arg(long)]
    duckdb: bool,
    /// Writes the corpus to this directory and ends.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn size(text: &str) -> Result<Size, String> {
    let found = SIZES.into_iter().find(|size| size.name == text);
    found.ok_or_else(|| format!("sizes are {}", SIZES.map(|size| size.name).join(", ")))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--between") => std::process::exit(measure::between(&arguments[1..])),
        Some("--part") => floor::part(&arguments[1], &arguments[2..]),
        _ => measured(&Options::parse()),
    }
}

fn measured(options: &Options) {
    if let Some(directory) = &options.corpus {
        let bytes = corpus::write(options.size[0], directory).expect("the corpus");
        println!("{bytes} bytes");
        return;
    }
    let tools = tempfile::TempDir::new().expect("a temporary directory");
    let duckdb = options
        .duckdb
        .then(|| exports::install_duckdb(tools.path()));
    if duckdb.is_none() {
        eprintln!("DuckDB is not measured; `--duckdb` installs and measures it");
    }
    let of_size = |size| rows::measure(size, options.engine, options.runs, duckdb.as_deref());
    let tables: Vec<table::Table> = options.size.iter().copied().map(of_size).collect();
    tables.iter().for_each(table::Table::print);
    rows::growth(&options.size, &tables);
    if let Some(file) = &options.json {
        let all: Vec<_> = tables.iter().map(table::Table::to_json).collect();
        let text = serde_json::to_string_pretty(&all).expect("JSON");
        std::fs::write(file, text + "\n").expect("the file of numbers");
    }
}

//! What is written about Roster is true: specs, rule pages, schemas, the API document, the tree of sources.
//! `SNAPSHOTS=overwrite cargo test --test documents` writes the generated ones anew.

mod layering;
mod named_commands;
mod openapi;
mod rule_pages;
mod schema;
mod specs;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

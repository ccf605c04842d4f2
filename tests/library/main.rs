//! The library below the program: planner, passes, store, transports and the HTTP server, called directly.

mod account_deletion;
mod corpora;
mod effects;
mod effects_by_loops;
mod effects_world;
mod foreign_writes;
mod holds;
mod http;
mod incremental;
mod incremental_exports;
mod incremental_pushes;
mod markdown_at_size;
mod passes;
mod plan_visibility;
mod planned;
mod planner;
mod policies;
mod properties;
mod random_directory;
mod search;
mod store;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;
mod transport;
mod visibility;

//! Roster keeps a directory of B2B customers equal to what its sources say.
//!
//! ```text
//!  directory ─┐                                                    ┌─ text, json, markdown, …
//!  git commit ─┤→ Tree → manifest ─┐                               │
//!  push (API) ─┘                   ├→ desired ─┐                   │
//!  ERP export ──→ feed ────────────┘  + origins├→ plan (pure) → Plan ─→ store.apply (one transaction)
//!                                      Snapshot ┘                        │
//!                 database → store.read ───┘                            history, claims, events
//! ```
//!
//! Data at the edges becomes one canonical form, a pure planner compares two of them, and effects
//! live in one place. A dry run is simply not calling apply.

pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod diagnostic;
pub mod document;
pub mod feed;
pub mod git;
pub mod http;
pub mod incremental;
pub mod kinds;
pub mod manifest;
pub mod model;
pub mod own_folder;
pub mod plan;
pub mod process;
pub mod reconcile;
pub mod secrets;
pub mod stop_flag;
pub mod store;
pub mod tls;
pub mod transport;

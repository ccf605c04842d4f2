//! The daemon: `roster serve` keeps the database equal to its sources.
//!
//! Each source has a worker (`worker`) that waits for a trigger and makes a pass (`pass`), the same
//! as `roster apply`. A trigger has a name but no content: the pass reads the source itself, so
//! triggers can be merged and repeated without harm, and none is lost. The result of a pass is kept
//! in the database (`state_document`), so every replica and every restart knows it. `api` and
//! `page` show it and accept decisions. Start reading at `serve`, then `worker` and `pass`.

pub mod api;
mod blocking;
mod counters;
pub mod feed;
mod handle;
mod idle_policies;
pub mod invitation;
mod leased_pass;
mod login_guard;
mod metrics;
pub mod notice;
mod outbox;
mod outcome_text;
mod page;
mod pass;
mod pass_decision;
mod pass_progress;
mod pass_readiness;
mod pass_turns;
pub mod path_segment;
pub mod push;
mod readiness;
pub mod schedule;
mod serve;
mod setup;
mod signals;
mod source_waits;
mod source_worker;
mod stable_read;
pub mod state;
mod state_document;
mod systemd;
pub mod view;
mod watcher;
pub mod webhook;
mod worker;

pub use handle::DaemonHandle;
pub use serve::{ServeError, serve};
pub use source_worker::SourceWorker;

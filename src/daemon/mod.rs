//! The daemon: `roster serve` keeps the database equal to its sources.
//!
//! Each source has a worker that waits for a trigger and makes a pass (`pass`), the same as
//! `roster apply`; triggers carry nothing, are coalesced and never lost. What a pass came to is
//! kept in the database (`state`), so that every replica and every restart knows it.

pub mod api;
pub mod feed;
mod memory;
mod metrics;
pub mod notice;
mod page;
mod part;
mod pass;
pub mod push;
mod ready;
mod reason;
pub mod schedule;
mod serve;
mod settle;
pub mod state;
mod systemd;
mod tell;
pub mod view;
mod waits;
mod watcher;
pub mod webhook;
mod worker;

pub use serve::{Daemon, ServeError, serve};
pub use worker::{Activity, Worker};

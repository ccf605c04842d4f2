//! The daemon: when a source is looked at, what may be applied when, and who is told.

pub mod notice;
pub mod schedule;
pub mod webhook;

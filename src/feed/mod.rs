//! Exports of other systems: from bytes to what a source says.

pub mod format;

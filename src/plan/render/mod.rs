//! How a plan reads: for people, for programs, for pull requests. Pure: the words go to the writer
//! that the caller gives.

mod delta;
mod frame;
pub mod json;
mod saved;

pub use saved::{ParseError, parse};

#[cfg(test)]
mod samples;

//! How a plan reads: for people, for programs, for pull requests. Pure: the words go to the writer
//! that the caller gives.

mod delta;
mod frame;
mod groups;
mod holds;
pub mod json;
mod saved;
pub mod text;
mod words;

pub use saved::{ParseError, parse};

/// How much of a plan is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Detail {
    /// How many of each kind, and what is held.
    Summary,
    /// What changes; of what is created only the ids.
    #[default]
    Changes,
    /// Everything.
    Full,
}

/// How a plan is shown.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How much of it.
    pub detail: Detail,
    /// Whether text has colours.
    pub color: bool,
    /// Markdown: at most so many bytes.
    pub max_bytes: Option<usize>,
    /// GitHub: the folder of the source within the repository, before the paths of findings.
    pub root: String,
}

#[cfg(test)]
mod samples;

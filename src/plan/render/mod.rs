//! How a plan reads: for people and for pull requests. Pure: the words go to the writer that the caller
//! gives. Programs read `document::PlanDocument`.

mod access;
pub(crate) mod delta;
pub mod github;
mod groups;
pub mod holds;
pub mod markdown;
mod notes;
pub mod text;
mod wording;

/// How much of a plan is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum PlanDetail {
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
pub struct RenderOptions {
    /// How much of it.
    pub detail: PlanDetail,
    /// Whether text has colours.
    pub color: bool,
    /// Markdown: at most so many bytes.
    pub max_bytes: Option<usize>,
    /// GitHub: the folder of the source within the repository, before the paths of findings.
    pub root: String,
}

#[cfg(test)]
// The sides of a change are optional, and so is what makes them.
#[allow(clippy::unnecessary_wraps)]
pub(crate) mod samples;

//! Writes a plan for people: as text, as Markdown for pull requests, and as annotations of a
//! workflow run. All of it is pure and goes to the writer of the caller. Programs read
//! `document::PlanDocument` instead.

mod access;
mod code_span;
pub(crate) mod delta;
pub mod github;
mod groups;
pub mod holds;
pub mod markdown;
mod notes;
pub mod text;
pub mod visibility;
mod wording;

/// How much of a plan is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum PlanDetail {
    /// The counts of each kind, and what is held.
    Summary,
    /// The changes; of created resources only the ids.
    #[default]
    Changes,
    Full,
}

#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// How much of it.
    pub detail: PlanDetail,
    /// Whether text has colours.
    pub color: bool,
    /// The most bytes of Markdown, since pull request comments are limited.
    pub max_bytes: Option<usize>,
    /// For GitHub: the folder of the source in the repository, put before paths.
    pub root: String,
}

#[cfg(test)]
// The sides of a change are optional, and so is what makes them.
#[allow(clippy::unnecessary_wraps)]
pub(crate) mod samples;

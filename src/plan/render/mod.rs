//! Writes a plan for people: as text, as Markdown for pull requests, and as annotations of a
//! workflow run. All of it is pure and goes to the writer of the caller. Programs read
//! `document::PlanDocument` instead.

mod access;
mod accounts;
mod code_span;
pub(crate) mod delta;
mod diff;
pub mod effects;
pub mod github;
mod groups;
pub mod holds;
pub mod markdown;
mod markdown_items;
mod markdown_risks;
mod markdown_writer;
pub mod marker;
mod notes;
mod personal;
pub mod text;
pub mod visibility;
mod waiting;
mod wording;

pub use personal::{PersonalData, PseudonymKey};
pub use wording::{counted, joined};

use crate::diagnostic::visible;

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

/// What a published plan says about how to apply it.
#[derive(Clone, Debug, Default)]
pub enum NextStep {
    /// The command for its source.
    #[default]
    OfSource,
    /// This command.
    Command(String),
    /// The merge of the branch, after which the plan is applied.
    Merge,
    /// Nothing, because it is being applied.
    Omitted,
}

#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// How much of it.
    pub detail: PlanDetail,
    /// Whether text has colours.
    pub color: bool,
    /// The most bytes of Markdown. Default: what every platform takes as a comment.
    pub max_bytes: Option<usize>,
    /// The folder of the source in the repository, which reports put before paths.
    pub root: String,
    pub next: NextStep,
    /// How personal data is shown in what is published.
    pub personal: PersonalData,
}

impl RenderOptions {
    /// Returns the path of a file of the source in the repository.
    #[must_use]
    pub fn path(&self, of: &str) -> String {
        let root = self.root.trim_end_matches('/');
        let slash = if root.is_empty() { "" } else { "/" };
        format!("{root}{slash}{}", visible(of))
    }
}

#[cfg(test)]
// The sides of a change are optional, and so is what makes them.
#[allow(clippy::unnecessary_wraps)]
pub(crate) mod samples;

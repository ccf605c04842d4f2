//! What a search finds beside resources: runs by number or revision, commits by id, subject or
//! author, and holds by id.

use super::{holds, link};
use crate::diagnostic::visible;
use crate::document::{CommitSummary, HoldView, RunCause};
use crate::store::{Store, StoreError};
use maud::{Markup, html};

/// How many commits and how many runs are listed.
const LISTED: usize = 8;
/// The fewest characters of a commit or hold that name it. Fewer begin the ids of too many.
const MIN_ID: usize = 4;

/// The runs, commits and holds that a search found.
#[derive(Default)]
pub(super) struct FoundRuns {
    runs: Vec<i64>,
    /// Each with its run, if it led to one.
    commits: Vec<(CommitSummary, Option<i64>)>,
    holds: Vec<HoldView>,
}

impl FoundRuns {
    /// Looks for words, of holds among those that wait.
    pub async fn search(
        store: &Store,
        waiting: Vec<HoldView>,
        words: &str,
    ) -> Result<Self, StoreError> {
        if words.is_empty() {
            return Ok(Self::default());
        }
        let number = words.trim_start_matches("run ").parse::<i64>().ok();
        let mut runs = match number {
            Some(number) => store.run(number).await?.into_iter().collect(),
            None => Vec::new(),
        };
        if is_id(words) {
            let revision = words.to_lowercase();
            runs.extend(store.runs_of_revision(&revision, LISTED).await?);
        }
        let mut runs: Vec<i64> = runs.into_iter().map(|run| run.id).collect();
        runs.dedup();
        let causes = store.run_causes_with(words).await?.into_iter();
        let of_runs = causes.flat_map(|(run, cause)| {
            let cause: RunCause = serde_json::from_str(&cause).unwrap_or_default();
            let listed = cause.commits.map(|commits| commits.listed);
            let listed = listed.into_iter().flatten();
            listed.map(move |commit| (commit, Some(run)))
        });
        let held = waiting.iter().flat_map(|view| &view.hold.commits);
        let held = held.flat_map(|commits| commits.listed.iter().cloned());
        let all = of_runs.chain(held.map(|commit| (commit, None)));
        let mut commits: Vec<(CommitSummary, Option<i64>)> = Vec::new();
        for (commit, run) in all.filter(|(commit, _)| is_meant(commit, words)) {
            let mut known = commits.iter();
            if commits.len() < LISTED && known.all(|(other, _)| other.revision != commit.revision) {
                commits.push((commit, run));
            }
        }
        let mut holds = waiting;
        holds.retain(|view| {
            let id = view.hold.hold.as_ref();
            words.len() >= MIN_ID && id.is_some_and(|id| id.starts_with(words))
        });
        Ok(Self {
            runs,
            commits,
            holds,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.commits.is_empty() && self.holds.is_empty()
    }

    pub fn sections(&self) -> Markup {
        html! {
            @if !self.holds.is_empty() {
                h2 { "Holds" }
                ul { @for view in &self.holds { li {
                    a href={ (holds::own_page(view)) "#" (holds::element_id(view)) } { (super::hold_sentence::sentence(&view.hold)) }
                    " " code { (view.hold.hold.as_deref().unwrap_or_default()) } " of " (view.source)
                } } }
            }
            @if !self.runs.is_empty() { h2 { "Runs" } ul { @for run in &self.runs { li { (link::run(*run)) } } } }
            @if !self.commits.is_empty() {
                h2 { "Commits" }
                ul { @for (commit, run) in &self.commits { li {
                    (visible(&commit.subject)) " by " (visible(&commit.author)) " " (link::revision(&commit.revision)) ", "
                    @if let Some(run) = run { (link::run(*run)) } @else { "held" }
                } } }
            }
        }
    }
}

fn is_id(words: &str) -> bool {
    words.len() >= MIN_ID && words.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_meant(commit: &CommitSummary, words: &str) -> bool {
    let words = words.to_lowercase();
    let text = format!("{} {}", commit.subject, commit.author).to_lowercase();
    is_id(&words) && commit.revision.starts_with(&words)
        || words.split_whitespace().all(|word| text.contains(word))
}

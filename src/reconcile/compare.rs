//! Plans the way from one revision of the sources to another, without a database. What the first
//! one declares counts as stored, as if it had been applied to an empty database.

use super::fetch::{FetchError, fetch};
use super::source_reading::{self, SourceReading};
use super::{ManualExport, Pass, PassError, PassRequest, feeds};
use crate::config::{Config, Source, SourceLocation};
use crate::diagnostic::Severity;
use crate::git::{self, GitError};
use crate::manifest::Tree;
use crate::model::Snapshot;
use crate::plan::{self, Plan, PlanPreview};
use crate::store::latest_day;
use std::path::Path;

/// The plans between two revisions.
pub struct RevisionComparison {
    /// One for each selected source, in their order.
    pub plans: Vec<Plan>,
    /// Every source at the later revision.
    pub readings: Vec<SourceReading>,
    /// The number of errors at the earlier revision. What they affect counts as not declared there.
    pub errors_before: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A revision of a source cannot be read.
    #[error("source {name} cannot be read at `{revision}`: {message}")]
    Revision {
        name: String,
        revision: String,
        message: String,
        /// What to do about it.
        help: String,
    },
    #[error("no source is in a git repository, so there are no revisions to compare")]
    NoRepository,
    #[error(transparent)]
    Pass(#[from] PassError),
}

/// Compares two revisions of the sources in git: of the named one, or of all.
pub fn compare(
    config: &Config,
    only: Option<&str>,
    before: &str,
    after: &str,
) -> Result<RevisionComparison, CompareError> {
    Pass::check_source_exists(
        config,
        &PassRequest {
            source: only.map(str::to_owned),
            ..PassRequest::default()
        },
    )?;
    let mut sources = config.sources.iter();
    if !sources.any(|source| is_compared(&source.name, only) && source.feed().is_none()) {
        return Err(CompareError::NoRepository);
    }
    let mut earlier = config_at(config, only, before);
    for source in &mut earlier.sources {
        // One wrong resource must not make all others look new.
        source.hold_errors = true;
    }
    let (mut stored, errors_before) = state_of(&pass_at(&earlier, only, before, true)?);
    let later = config_at(config, only, after);
    let pass = pass_at(&later, only, after, false)?;
    let mut plans = Vec::new();
    for index in pass.selected_sources()? {
        let mut plan = pass.plan_on(index, &stored).plan;
        plan.preview = Some(PlanPreview::Comparison);
        plan::advance(&mut stored, &plan);
        plans.push(plan);
    }
    Ok(RevisionComparison {
        plans,
        readings: pass.readings,
        errors_before,
    })
}

/// The configuration in which the compared repositories are at a revision.
pub(super) fn config_at(config: &Config, only: Option<&str>, revision: &str) -> Config {
    let mut config = config.clone();
    let sources = config.sources.iter_mut();
    for source in sources.filter(|source| is_compared(&source.name, only)) {
        if let SourceLocation::Git(place) = &mut source.place {
            *place = place.at(revision);
        }
    }
    config
}

/// Reads every source, the compared ones at a revision.
pub(super) fn pass_at<'c>(
    config: &'c Config,
    only: Option<&str>,
    revision: &str,
    is_earlier: bool,
) -> Result<Pass<'c>, CompareError> {
    let request = PassRequest {
        source: only.map(str::to_owned),
        ignores_passwords: true,
        ..PassRequest::default()
    };
    let fetched = fetch(config, None);
    for (name, result) in &fetched {
        if let (Err(error), true) = (result, is_compared(name, only)) {
            let help = match error {
                FetchError::Git(error) => help_for(error),
                error => error.help(),
            };
            return Err(unread(name, revision, error.to_string(), help));
        }
    }
    let request = request.with_fetch_results(&fetched);
    let read = |source: &Source| {
        if let Some(feed) = source.feed() {
            return Ok(feeds::read(config, source, feed, &request));
        }
        let is_compared = is_compared(&source.name, only);
        let tree = match &source.place {
            SourceLocation::Directory(folder) if is_compared => {
                folder_at(source, folder, revision, is_earlier)?
            }
            _ => source_reading::source_tree(config, source, &request),
        };
        let reading = source_reading::read_tree(config, source, tree, &request.stop);
        let error = reading.diagnostics.iter().find(|found| found.is_error());
        match error.filter(|_| is_compared && reading.is_unreadable()) {
            Some(error) => {
                let help = error.help.clone().unwrap_or_default();
                Err(unread(&source.name, revision, error.message.clone(), help))
            }
            None => Ok(reading),
        }
    };
    let readings = config.sources.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Pass {
        config,
        readings,
        request,
        by_hand: ManualExport::NotManual,
    })
}

/// The manifests of a folder as a commit has them.
fn folder_at(
    source: &Source,
    folder: &Path,
    revision: &str,
    is_earlier: bool,
) -> Result<Tree, CompareError> {
    match git::local_tree(folder, revision) {
        Ok(Some(tree)) => Ok(tree),
        // The folder is new, so everything in it is.
        Ok(None) if is_earlier => Ok(Tree::of_sent([])),
        Ok(None) => {
            let message = format!("the commit has no folder {}", folder.display());
            let help = "Choose a commit that has it".to_owned();
            Err(unread(&source.name, revision, message, help))
        }
        Err(error) => {
            let help = help_for(&error);
            Err(unread(&source.name, revision, error.to_string(), help))
        }
    }
}

fn is_compared(source: &str, only: Option<&str>) -> bool {
    only.is_none_or(|name| source == name)
}

/// What to do about a repository or a revision that whoever compares has named.
fn help_for(error: &GitError) -> String {
    match error {
        GitError::Repository { .. } => "Run this in a clone of the repository".to_owned(),
        GitError::Reference { .. } => {
            "Choose a branch, a tag or a commit that the repository has".to_owned()
        }
        error => error.help(),
    }
}

fn unread(name: &str, revision: &str, message: String, help: String) -> CompareError {
    CompareError::Revision {
        name: name.to_owned(),
        revision: revision.to_owned(),
        message,
        help,
    }
}

/// What would be stored once these sources had been applied, and the number of their errors.
fn state_of(pass: &Pass<'_>) -> (Snapshot, usize) {
    let mut stored = Snapshot {
        today: latest_day(),
        environment: pass.config.environment.clone(),
        ..Snapshot::default()
    };
    let mut errors = 0;
    for index in 0..pass.readings.len() {
        let mut plan = pass.plan_on(index, &stored).plan;
        errors += plan.count(Severity::Error);
        for step in &mut plan.steps {
            // Whoever compares revisions asks about customers who were let in long ago.
            step.runtime.awaits_approval = false;
        }
        plan::advance(&mut stored, &plan);
    }
    (stored, errors)
}

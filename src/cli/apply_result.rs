//! What an apply came to: a result for each source, and the document about all of them.

use super::output::{self, PlanOutput};
use super::plan::first_code;
use super::{CommandFailure, CommandResult};
use crate::document::{
    self, ApplyDocument, ApplyListDocument, ApplyResultDocument, DocumentList, FORMAT_VERSION,
    OutputFormat, PlanDocument,
};
use crate::plan::Plan;
use crate::reconcile::PassOutcome;
use std::io::{self, Write};

/// The result for one source.
pub struct SourceResult {
    source: String,
    /// Its plan, unless something failed before.
    pub plan: Option<Plan>,
    pub run: Option<i64>,
    pub outcome: PassOutcome,
    pub failure: Option<CommandFailure>,
}

impl SourceResult {
    /// A source that has not been planned yet.
    pub fn of(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            plan: None,
            run: None,
            outcome: PassOutcome::Failed,
            failure: None,
        }
    }
}

/// Writes the result of `wanted` sources; returns the exit code, or the failure.
pub fn finish(output: &PlanOutput<'_>, ended: &mut [SourceResult], wanted: usize) -> CommandResult {
    let plans: Vec<&Plan> = ended.iter().filter_map(|one| one.plan.as_ref()).collect();
    // Before a failure is returned: the sources that were applied must be reported in any case.
    match output.global.output() {
        OutputFormat::Json => {
            let mut out = output::stdout();
            write_document(ended, wanted, &mut out)?;
            out.flush()?;
        }
        format if format.is_one_document() => output.print(&plans)?,
        _ => {}
    }
    let written = output.write_files(&plans, |out| write_document(ended, wanted, out));
    if let Some(failure) = ended.last_mut().and_then(|ended| ended.failure.take()) {
        return Err(failure);
    }
    written?;
    Ok(first_code(
        ended.iter().filter_map(|ended| ended.plan.as_ref()),
        false,
    ))
}

/// One document; several sources are its members.
fn write_document(ended: &[SourceResult], wanted: usize, out: &mut dyn Write) -> io::Result<()> {
    match ended {
        [one] if wanted == 1 => match &one.plan {
            Some(plan) => {
                document::write(&ApplyDocument::new(plan, one.run, one.outcome.name()), out)
            }
            None => Ok(()),
        },
        all => {
            let plans = all.iter().filter_map(|one| one.plan.as_ref());
            let applied = ApplyListDocument {
                format_version: FORMAT_VERSION,
                plans: plans.map(PlanDocument::from).collect(),
                results: DocumentList::of(all, ApplyResultDocument::from),
            };
            document::write(&applied, out)
        }
    }
}

impl<'a> From<&'a SourceResult> for ApplyResultDocument<'a> {
    fn from(result: &'a SourceResult) -> Self {
        let failure = result.failure.as_ref();
        Self {
            source: &result.source,
            run: result.run,
            outcome: result.outcome.name(),
            error: failure.map(|failure| &*failure.message),
        }
    }
}

//! Clears away the exports of a drop folder once they were applied or refused, and writes a report
//! of the faulty rows beside each.

use super::PassError;
use super::source_reading::SourceReading;
use crate::config::FeedLocation;
use crate::plan::Plan;
use crate::transport;
use std::fs::File;
use std::sync::Arc;

/// Moves an export that was dealt with out of its drop folder, with a report of its faulty rows
/// beside it. An export that waits for a decision stays, so that the approval finds the same bytes.
pub(super) fn settle(reading: &SourceReading, plan: &Plan) -> Result<(), PassError> {
    let (Some(facts), Some(judged)) = (reading.export_facts(), &reading.judged.export) else {
        return Ok(());
    };
    let (Some(feed), (path, Some(fetched))) = (reading.source.feed(), &facts.body) else {
        return Ok(());
    };
    let FeedLocation::Remote(place) = &feed.body else {
        return Ok(());
    };
    // Writing the report reads the export once more.
    if !place.is_drop_folder() {
        return Ok(());
    }
    // An approvable doubt without holds left means that somebody let the export through.
    let accepted = match &judged.doubt {
        None => true,
        Some((code, _)) if code.is_approvable() && !plan.held.is_empty() => return Ok(()),
        Some((code, _)) => code.is_approvable(),
    };
    let told = |error: std::io::Error| {
        PassError::Refused(format!(
            "cannot write the report of {}: {error}",
            fetched.name
        ))
    };
    let mut report = Vec::new();
    let name: Arc<str> = fetched.name.as_str().into();
    let input = File::open(path).map_err(told)?;
    crate::feed::report::write(input, &name, &feed.mapping, &plan.diagnostics, &mut report)
        .map_err(told)?;
    let reports = [("report.csv", report)];
    transport::settle(place, fetched, accepted, &reports)
        .map_err(|error| PassError::Refused(error.to_string()))
}

//! Exports that came in a drop folder, once they are dealt with.

use super::PassError;
use super::source_reading::SourceReading;
use crate::config::FeedLocation;
use crate::plan::Plan;
use crate::transport;
use std::fs::File;
use std::sync::Arc;

/// Puts an export out of the way that came in a drop folder and has been dealt with, with what is wrong
/// with its rows beside it. One that waits for a decision stays.
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

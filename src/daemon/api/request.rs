//! What requests share: the source in their path, which sources a caller sees, and how long texts
//! may be.

use crate::config::Config;
use crate::diagnostic::none_called;
use crate::document::{MAX_REASON_LENGTH, MAX_RECORD_ID_LENGTH};
use crate::http::Caller;
use crate::http::problem::{self, HttpProblem};
use crate::model::Key;
use schemars::JsonSchema;
use serde::Deserialize;

/// The most characters of an external id in a request.
pub(super) const MAX_ID_LENGTH: usize = MAX_RECORD_ID_LENGTH;

/// A source by name.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SourceParam {
    /// The name of the source in the configuration.
    pub(super) source: String,
}

/// Fails unless the source is configured and the caller may see it.
pub(in crate::daemon) fn require_visible_source(
    config: &Config,
    caller: &Caller,
    source: &str,
) -> Result<(), HttpProblem> {
    let sources = config.sources.iter();
    // A source that the caller may not see must look like one that does not exist, and suggestions
    // must not name it.
    let seen = sources.map(|known| &*known.name);
    let seen: Vec<&str> = seen.filter(|name| caller.may_access_source(name)).collect();
    if seen.contains(&source) {
        return Ok(());
    }
    let why = none_called("source", source, seen);
    Err(HttpProblem::not_found(why))
}

/// The problem that resources are not stored, naming all of them.
pub(super) fn not_stored(keys: &[Key]) -> HttpProblem {
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let verb = if keys.len() == 1 { "is" } else { "are" };
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let names = names.join(", ");
    HttpProblem::not_found(format!("{names} {verb} not stored; nothing was changed"))
        .with("ids", ids)
}

/// The problem of a question about a resource that is not stored.
pub(super) fn unknown_resource(key: &Key) -> HttpProblem {
    HttpProblem::not_found(format!("{key} is not stored; check the spelling of its id"))
}

/// Checks the reason of an act, which must not be blank.
pub(super) fn require_reason(given: &str) -> Result<&str, HttpProblem> {
    let given = require_max_length(MAX_REASON_LENGTH, "reason", given)?.trim();
    if given.is_empty() {
        return Err(HttpProblem::new(
            problem::INVALID,
            "`reason` is empty; say why",
        ));
    }
    Ok(given)
}

/// Fails if a text is longer than the OpenAPI document allows.
pub(super) fn require_max_length<'t>(
    most: usize,
    name: &str,
    text: &'t str,
) -> Result<&'t str, HttpProblem> {
    if text.chars().count() > most {
        let detail = format!("`{name}` is longer than {most} characters");
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    Ok(text)
}

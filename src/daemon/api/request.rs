//! What every request must keep to: the sources that its caller sees, and the length of its texts.

use crate::config::Config;
use crate::diagnostic::none_called;
use crate::http::Caller;
use crate::http::problem::{self, HttpProblem};

/// A source that is configured and that the caller may see.
pub(in crate::daemon) fn require_visible_source(
    config: &Config,
    caller: &Caller,
    source: &str,
) -> Result<(), HttpProblem> {
    let sources = config.sources.iter();
    // Whoever may not see a source does not learn its name.
    let seen = sources.map(|known| &*known.name);
    let seen: Vec<&str> = seen.filter(|name| caller.may_access_source(name)).collect();
    if seen.contains(&source) {
        return Ok(());
    }
    let why = none_called("source", source, seen);
    Err(HttpProblem::not_found(why))
}

/// How long a reason may be.
pub(super) const MAX_REASON_LENGTH: usize = 2000;
/// That a reason says something; what a pattern takes for a space is not all that is one.
pub(super) const NOT_BLANK: &str = r"[^\s\u0085]";

/// The reason of an act: it must say something.
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

/// A text that is not longer than the document says.
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

//! The body of a push before it is stored: whether it can be used, and what of it is kept. Passwords
//! are taken out, and so are records that name users who were erased.

use super::push_messages::PushBody;
use crate::config::Source;
use crate::daemon::handle::HandlerError;
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::feed::{self, RecordKeys, format::ExportFormat};
use crate::http::problem::{self, HttpProblem};
use crate::kinds::USER;
use crate::model::Key;
use crate::store::{DroppedRecord, Store};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

/// Errors in the form of a body, which leave no records to tell apart.
const FORM_PROBLEMS: &[(Code, &problem::ProblemKind)] = &[
    (codes::JSON_NOT_LIST, problem::NOT_A_LIST),
    (codes::FEED_NOT_DATA, problem::NOT_DATA),
    (codes::FEED_TRUNCATED, problem::TRUNCATED),
];
/// Errors that concern a whole body although it can be read.
const CONTENT_PROBLEMS: &[(Code, &problem::ProblemKind)] = &[
    (codes::HEADER_BLANK, problem::UNREADABLE),
    (codes::HEADER_DUPLICATE, problem::UNREADABLE),
    (codes::COLUMN_MISSING, problem::UNREADABLE),
    (codes::ENCODING, problem::UNREADABLE),
    (codes::SOURCE_UNREADABLE, problem::UNREADABLE),
];

/// A body that can be used.
pub(super) struct ReadBody {
    pub(super) records: u64,
    /// The body without passwords, if it has any.
    masked: Option<Vec<u8>>,
    /// The resources that each record names.
    listed: Vec<RecordKeys>,
    name: Arc<str>,
}

/// A body as it is kept.
pub(super) struct KeptBody<'s> {
    /// As it was sent, without the dropped records.
    pub(super) sent: Cow<'s, [u8]>,
    /// The same without passwords, if it has any.
    pub(super) masked: Option<Vec<u8>>,
    pub(super) dropped: Vec<DroppedRecord>,
}

impl ReadBody {
    /// The body without the records that name users who were erased.
    pub(super) async fn without_erased<'s>(
        &self,
        source: &Source,
        sent: &'s PushBody,
        store: &Store,
    ) -> Result<KeptBody<'s>, HandlerError> {
        let Some(feed) = source.feed() else {
            return Err(HttpProblem::not_found("").into());
        };
        let (mapping, names) = (&feed.mapping, (&self.name, &source.name));
        let terms = feed::match_terms(Cursor::new(&*sent.bytes), mapping);
        let matches = store.row_matches(&terms).await?;
        let listed = if terms.is_empty() {
            Cow::Borrowed(&self.listed)
        } else {
            let input = Cursor::new(&*sent.bytes);
            let matches = Some(&matches);
            Cow::Owned(feed::read_with_keys(input, names.0, names.1, mapping, matches).1)
        };
        let keys = listed.iter().flat_map(|record| &record.keys);
        let users: BTreeSet<&Key> = keys.filter(|key| key.kind == USER).collect();
        let erased = store.erased(&users).await?;
        if !listed.iter().any(|record| record.names_any(&erased)) {
            return Ok(KeptBody {
                sent: Cow::Borrowed(&sent.bytes),
                masked: self.masked.clone(),
                dropped: Vec::new(),
            });
        }
        let without = |bytes: &[u8]| {
            feed::without_records(bytes, &listed, &erased, names, mapping, Some(&matches))
                .map_err(|why| HttpProblem::new(problem::UNREADABLE, why))
        };
        let listed = listed.iter().enumerate();
        let dropped = listed.filter(|(_, record)| record.names_any(&erased));
        Ok(KeptBody {
            sent: Cow::Owned(without(&sent.bytes)?),
            masked: self.masked.as_deref().map(without).transpose()?,
            dropped: dropped
                .map(|(position, record)| DroppedRecord {
                    position,
                    line: record.at.line,
                })
                .collect(),
        })
    }
}

/// Reads a body. Fails if the body as a whole cannot be used.
pub(super) fn read_body(source: &Source, sent: &PushBody) -> Result<ReadBody, HttpProblem> {
    let Some(feed) = source.feed() else {
        return Err(HttpProblem::not_found(""));
    };
    let name: Arc<str> = format!("body.{}", sent.ending).into();
    let input = Cursor::new(&*sent.bytes);
    let (read, listed) = feed::read_with_keys(input, &name, &source.name, &feed.mapping, None);
    let first = sent.bytes.trim_ascii_start().first();
    if sent.format == ExportFormat::Json && !matches!(first, Some(b'[' | b'{')) {
        let why = Diagnostic::new(codes::JSON_NOT_LIST, "the body is not valid JSON")
            .help("send a list of objects: `[{…}]`");
        return Err(diagnostic_problem(problem::NOT_A_LIST, &why));
    }
    // Form before content: if a body is truncated, any other error may be only a consequence.
    for (code, kind) in FORM_PROBLEMS.iter().chain(CONTENT_PROBLEMS) {
        let mut found = read.diagnostics.iter();
        if let Some(found) = found.find(|found| found.key.is_none() && found.code == *code) {
            return Err(diagnostic_problem(kind, found));
        }
    }
    // Half a body must not be taken for a small one.
    if !read.complete {
        let why = format!("the body ends after {} records", read.records);
        return Err(HttpProblem::new(problem::TRUNCATED, why));
    }
    let masked = feed::without_passwords(&sent.bytes, &read, &name, &feed.mapping);
    let masked = masked.map_err(|why| HttpProblem::new(problem::UNREADABLE, why))?;
    Ok(ReadBody {
        records: read.records,
        masked,
        listed,
        name,
    })
}

/// A problem with the place of the error.
fn diagnostic_problem(kind: &'static problem::ProblemKind, found: &Diagnostic) -> HttpProblem {
    let at = found.origin.as_ref().map(|origin| origin.at);
    let at = at.filter(|at| at.line > 0);
    let place = at.map_or_else(String::new, |at| {
        format!("line {}, column {}: ", at.line, at.column)
    });
    let help = found.help.as_deref();
    let help = help.map_or_else(String::new, |help| format!("; {help}"));
    let mut problem = HttpProblem::new(kind, format!("{place}{}{help}", found.message))
        .with("rule", found.code.name())
        .with("djustCode", found.code.rule().djust);
    if let Some(at) = at {
        problem = problem.with("line", at.line).with("column", at.column);
    }
    problem
}

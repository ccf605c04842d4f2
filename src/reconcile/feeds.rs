//! Reads exports and judges whether they can be believed. An export passes through three steps:
//! [`read`] parses the fetched file, [`judge`] compares it with the exports accepted before, and
//! [`accepted`] says what to remember after the apply.
//!
//! In doubt nothing of an export is applied, because a truncated export looks exactly like one from
//! which customers were removed.

use super::columns;
use super::completeness::{out_of_time, why_stale, why_unlike_earlier};
use super::source_reading::{SourceContent, SourceJudgement, SourceReading};
use super::{ManualExport, PassError, PassRequest, push_reading};
use crate::config::{Config, FeedConfig, FeedLocation, Source};
use crate::diagnostic::{Code, Diagnostic, Origin, codes, plural};
use crate::feed::ParsedExport;
use crate::incremental::{IncrementalRead, ReadFiles};
use crate::manifest::Tree;
use crate::model::{Claim, ClaimState, Desired, Digest, Key, LineColumn, Snapshot};
use crate::plan::{DoubtfulField, GuardLimit, Plan};
use crate::store::{AcceptedExport, FieldFillCounts, SourceCheckpoint, Store};
use crate::transport::{self, FetchedExport};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// How many accepted exports the median of the row counts is taken from. Odd, so that the median is
/// one of them.
const MEDIAN_EXPORTS: u32 = 9;

/// Faults that concern the whole export rather than one row of it.
const WHOLE_EXPORT_CODES: &[Code] = &[
    codes::FEED_NOT_DATA,
    codes::JSON_NOT_LIST,
    codes::HEADER_BLANK,
    codes::HEADER_DUPLICATE,
    codes::COLUMN_MISSING,
];

/// Facts about an export as a whole.
#[derive(Clone, Debug)]
pub struct ExportFacts {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many rows it has.
    pub records: u64,
    /// How many of the rows repeat an earlier one, for example because a page was sent twice.
    pub repeated: u64,
    /// How many rows its trailer announces.
    pub trailer: Option<u64>,
    /// Whether it was read to its end.
    pub complete: bool,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Whether the column names come from a header.
    pub headed: bool,
    /// For each field that it fills, how many resources have a value.
    pub filled: FieldFillCounts,
    /// When it was written, in milliseconds since 1970.
    pub modified_at: Option<i64>,
    /// For a push: whether it is looked at for the first time.
    pub is_first_look: Option<bool>,
    /// Where its bytes are, and the download they came from.
    pub body: (PathBuf, Option<FetchedExport>),
}

/// How an export is to be treated.
#[derive(Clone, Debug, Default)]
pub struct ExportVerdict {
    /// Whether it differs from the last accepted one.
    pub is_new: bool,
    /// Whether the source was approved, or an export of it was accepted before.
    pub is_started: bool,
    /// Why nothing of the export is believed.
    pub doubt: Option<(Code, String)>,
    /// The fields of which nothing is believed.
    pub doubtful_fields: Vec<DoubtfulField>,
    /// For each field, how many resources had a value in the last accepted export.
    filled_before: Option<FieldFillCounts>,
    /// How many exports in a row did not name each resource that the source claims, this one
    /// included.
    pub missed_counts: BTreeMap<Key, u32>,
}

impl SourceReading {
    /// Why the plan of the source is not applied, if it is not.
    #[must_use]
    pub fn why_not_applied(&self) -> Option<String> {
        if !self.source.apply {
            return Some("the source is in mode `plan`, so nothing is applied".to_owned());
        }
        // A mapping with one wrong column would rewrite the whole directory on its first pass, so a
        // person looks at the first plan of every export.
        let waits = self
            .judged
            .export
            .as_ref()
            .is_some_and(|judged| !judged.is_started);
        waits.then(|| {
            format!(
                "the first pass of an export only plans; approve it with `roster approve source {}`",
                self.source.name
            )
        })
    }
}

/// Reads the export that was fetched last, or the local file.
pub(super) fn read(
    config: &Config,
    source: &Source,
    feed: &FeedConfig,
    request: &PassRequest,
) -> SourceReading {
    let lost = |why: String, help: &str| {
        let name: Arc<str> = source.written.as_str().into();
        // A source that was not fetched is unreadable in this pass, although an older copy lies in
        // the cache: the copy may lack what was changed since.
        unreadable(source, &name, &why, help)
    };
    if let Some(why) = request.unreached.get(&source.name) {
        return lost(why.message.clone(), &why.help);
    }
    let (path, name, fetched) = match &feed.body {
        FeedLocation::Pushed => return push_reading::read(source, feed, request),
        FeedLocation::File(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (path.clone(), name.into_owned(), None)
        }
        FeedLocation::Remote(place) => match transport::last_fetched(place, &config.cache) {
            Ok((path, fetched)) => (path, fetched.name.clone(), Some(fetched)),
            Err(error) => return lost(error.to_string(), &error.help()),
        },
    };
    let name: Arc<str> = name.into();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => {
            let why = format!("{} cannot be read: {error}", path.display());
            return lost(why, "pass an existing file");
        }
    };
    let asked = request.source.as_deref() == Some(&*source.name);
    let matches = request.row_matches.as_deref().filter(|_| asked);
    let read = match (matches, &fetched) {
        // Only a fetched export is followed by another one of the same rows.
        (None, Some(_)) => crate::feed::read_recording(file, &name, &source.name, &feed.mapping),
        _ => crate::feed::read_matching(file, &name, &source.name, &feed.mapping, matches),
    };
    of_export(source, &name, read, (path, fetched))
}

/// The reading of an export.
pub(super) fn of_export(
    source: &Source,
    name: &Arc<str>,
    read: ParsedExport,
    (path, fetched): (PathBuf, Option<FetchedExport>),
) -> SourceReading {
    let facts = ExportFacts {
        digest: read.digest,
        records: read.records,
        repeated: read.repeated,
        trailer: read.trailer,
        complete: read.complete,
        headed: read.has_header,
        filled: columns::filled(&read),
        columns: read.columns,
        modified_at: fetched
            .as_ref()
            .and_then(|fetched| Some(fetched.modified?.timestamp_millis())),
        is_first_look: None,
        body: (path, fetched),
    };
    SourceReading {
        files: ReadFiles {
            digests: vec![(name.clone(), facts.digest)],
            reread_always: read.diagnostics.iter().map(|_| name.clone()).collect(),
            ..ReadFiles::default()
        },
        rows: read.rows.map(Arc::new),
        ..reading(source, read.desired, read.diagnostics, Some(facts))
    }
}

/// The digest of an export as it was fetched last.
pub(super) fn digest(config: &Config, feed: &FeedConfig) -> Option<Digest> {
    let (_, fetched) = fetched(config, feed)?;
    Some(fetched.digest)
}

/// Whether the export that was fetched last is within `maxAge`.
pub(super) fn is_fresh(config: &Config, feed: &FeedConfig) -> bool {
    let fetched = fetched(config, feed);
    let written = fetched.and_then(|(_, fetched)| Some(fetched.modified?.timestamp_millis()));
    written.is_none_or(|written| out_of_time(written, feed).is_none())
}

pub(super) fn fetched(config: &Config, feed: &FeedConfig) -> Option<(PathBuf, FetchedExport)> {
    match &feed.body {
        FeedLocation::Remote(place) => transport::last_fetched(place, &config.cache).ok(),
        FeedLocation::File(_) | FeedLocation::Pushed => None,
    }
}

/// The reading of an export that is unchanged since it was last applied: no row is parsed.
pub(super) fn unchanged(
    config: &Config,
    source: &Source,
    feed: &FeedConfig,
    (remembered, last): (SourceCheckpoint, AcceptedExport),
) -> SourceReading {
    tracing::info!("source {}: the export is already applied", source.name);
    // `partial`, because no resource is named here and none of them may count as removed.
    let desired = Desired {
        source: source.name.clone(),
        revision: remembered.revision.as_str().into(),
        partial: true,
        ..Desired::default()
    };
    let declared = Arc::new(desired.clone());
    let facts = fetched(config, feed).map(|(path, fetched)| ExportFacts {
        digest: last.digest,
        records: last.records,
        repeated: 0,
        trailer: None,
        complete: true,
        headed: false,
        columns: last.columns,
        filled: last.filled,
        modified_at: last.modified_at,
        is_first_look: None,
        body: (path, Some(fetched)),
    });
    let unread = IncrementalRead {
        is_open: !remembered.is_quiet(),
        since: remembered.revision,
        fingerprint: remembered.fingerprint,
        declared,
        ..IncrementalRead::default()
    };
    let started = ExportVerdict {
        is_started: true,
        ..ExportVerdict::default()
    };
    SourceReading {
        content: SourceContent::UnchangedExport(unread, facts.map(Box::new)),
        judged: SourceJudgement {
            export: Some(started),
            ..SourceJudgement::default()
        },
        ..reading(source, desired, Vec::new(), None)
    }
}

fn unreadable(source: &Source, name: &Arc<str>, why: &str, help: &str) -> SourceReading {
    let desired = Desired {
        source: source.name.clone(),
        partial: true,
        removals_off: vec![why.to_owned()],
        ..Desired::default()
    };
    let at = Origin {
        path: name.clone(),
        at: LineColumn::default(),
    };
    let found = Diagnostic::new(codes::SOURCE_UNREADABLE, why)
        .help(help)
        .at(at);
    reading(source, desired, vec![found], None)
}

pub(super) fn reading(
    source: &Source,
    desired: Desired,
    diagnostics: Vec<Diagnostic>,
    facts: Option<ExportFacts>,
) -> SourceReading {
    SourceReading {
        source: source.clone(),
        tree: Tree::default(),
        desired: Arc::default(),
        as_read: Arc::default(),
        diagnostics,
        files: ReadFiles::default(),
        content: SourceContent::Export(facts.map(Box::new)),
        rows: None,
        judged: SourceJudgement::default(),
        erased: BTreeSet::new(),
    }
    .with_desired(Arc::new(desired))
}

/// Judges an export by the exports that were accepted before. `missed_counts` are those if it is new,
/// or is not.
pub(super) async fn judge(
    reading: &SourceReading,
    missed_counts: impl FnOnce(bool) -> BTreeMap<Key, u32>,
    store: &Store,
    blank: GuardLimit,
    by_hand: ManualExport,
) -> Result<Option<ExportVerdict>, PassError> {
    let (Some(facts), Some(export)) = (reading.export_facts(), reading.source.feed()) else {
        return Ok(None);
    };
    let accepted = store
        .accepted_exports(&reading.source.name, MEDIAN_EXPORTS)
        .await?;
    // One accepted export is enough: the first pass was approved before it.
    let may_begin = !accepted.is_empty() || store.source_approved(&reading.source.name).await?;
    // A push holds some records only. Its size means nothing, and of what it does not name nothing
    // is known.
    if let Some(new) = facts.is_first_look {
        return Ok(Some(ExportVerdict {
            is_new: new,
            is_started: may_begin,
            doubt: why_unbelievable(reading, facts, export),
            ..ExportVerdict::default()
        }));
    }
    // A file given by hand as part of an export is not compared either, and does not become what
    // later exports are compared with.
    let measured = by_hand != ManualExport::Part;
    let new = measured
        && accepted
            .first()
            .is_none_or(|last| last.digest != facts.digest);
    let last = accepted.first();
    let regular = last.filter(|_| measured);
    Ok(Some(ExportVerdict {
        doubtful_fields: regular.map_or_else(Vec::new, |last| {
            columns::blank_fields(facts, export, last, blank)
        }),
        filled_before: last.map(|last| last.filled.clone()),
        is_new: new,
        is_started: by_hand != ManualExport::NotManual || may_begin,
        doubt: reason_for_doubt(reading, facts, export, &accepted, measured),
        missed_counts: missed_counts(new),
    }))
}

/// Why nothing of an export is believed. The same bytes were accepted before, so they can only have
/// become too old.
fn reason_for_doubt(
    reading: &SourceReading,
    facts: &ExportFacts,
    export: &FeedConfig,
    accepted: &[AcceptedExport],
    measured: bool,
) -> Option<(Code, String)> {
    let last = accepted.first().filter(|_| measured);
    if last.is_some_and(|last| last.digest == facts.digest) {
        return why_stale(facts, export, accepted);
    }
    why_unbelievable(reading, facts, export).or_else(|| {
        measured
            .then(|| why_unlike_earlier(facts, export, accepted))
            .flatten()
    })
}

/// Why nothing of an export is believed, judging by the export alone.
fn why_unbelievable(
    reading: &SourceReading,
    facts: &ExportFacts,
    export: &FeedConfig,
) -> Option<(Code, String)> {
    let mut found = reading.diagnostics.iter();
    // A quote that is never closed or a broken encoding hides all rows after it: with the end
    // unread, the diagnostic counts for the whole export.
    let cut = facts.complete.then_some(codes::FEED_TRUNCATED);
    let is_whole = |code: Code| WHOLE_EXPORT_CODES.contains(&code) || cut == Some(code);
    let whole = |found: &&Diagnostic| found.key.is_none() && is_whole(found.code);
    let broken = found.find(whole);
    let broken = broken.map(|found| (found.code, found.message.clone()));
    broken.or_else(|| why_truncated(reading, facts, export))
}

/// Reads an export without a database, with the reason why it is not believed, if there is one.
pub(super) fn read_without_database(
    config: &Config,
    source: &Source,
    feed: &FeedConfig,
    request: &PassRequest,
) -> (SourceReading, Option<String>) {
    let reading = read(config, source, feed, request);
    let why = match reading.export_facts() {
        None => Some("the export cannot be read".to_owned()),
        Some(facts) => {
            why_unbelievable(&reading, facts, feed).map(|(code, why)| format!("{code}: {why}"))
        }
    };
    (reading, why)
}

/// How many exports in a row did not name each claimed resource.
pub(super) fn missed_counts(
    reading: &SourceReading,
    before: &BTreeMap<Key, u32>,
    stored: &Snapshot,
    new: bool,
) -> BTreeMap<Key, u32> {
    let desired = &reading.desired;
    let mine = |claims: &[Claim]| {
        claims
            .iter()
            .any(|claim| *claim.source == *reading.source.name && claim.state == ClaimState::Active)
    };
    // A row that is there but faulty still names its customer: it is not an absence.
    let named = |key: &Key| {
        desired.resources.contains(key)
            || desired.shielded_keys.contains(key)
            || desired.blank_keys.contains(key)
            || desired.hidden_kinds.contains_key(&key.kind)
    };
    let claimed = stored.claims.iter().filter(|(_, claims)| mine(claims));
    let missing = claimed.filter(|(key, _)| !named(key));
    missing
        .map(|(key, _)| {
            // The same export seen again is no further absence; otherwise three passes over one
            // file would count as three exports.
            let before = before.get(key).copied().unwrap_or_default();
            (key.clone(), before + u32::from(new))
        })
        .collect()
}

/// Why an export is truncated, if it is.
fn why_truncated(
    reading: &SourceReading,
    facts: &ExportFacts,
    export: &FeedConfig,
) -> Option<(Code, String)> {
    let records = facts.records;
    if !facts.complete {
        let mut found = reading.diagnostics.iter();
        let found = found.find(|found| found.key.is_none() && found.code == codes::ENCODING);
        let message = match found {
            Some(found) if records == 0 => format!("the export cannot be read: {}", found.message),
            _ => format!("the export ends after {}", plural(records, "row")),
        };
        return Some((codes::FEED_TRUNCATED, message));
    }
    let wanted = export.mapping.trailer.is_some();
    match facts.trailer {
        Some(told) if told != records => {
            let message = format!(
                "the trailer of the export counts {}, but it has {records}",
                plural(told, "row")
            );
            Some((codes::FEED_TRUNCATED, message))
        }
        None if wanted => {
            let message = "the trailer of the export is missing".to_owned();
            Some((codes::FEED_TRUNCATED, message))
        }
        _ => None,
    }
}

/// What to remember of an applied export: nothing when it is in doubt, or was accepted before.
pub(super) fn accepted(reading: &SourceReading, plan: &Plan) -> Option<AcceptedExport> {
    let (facts, judged) = (reading.export_facts()?, reading.judged.export.as_ref()?);
    let believed = judged.doubt.as_ref().is_none_or(|(code, _)| {
        let mut held = plan.held.iter();
        // In doubt, but a person accepted it with this plan.
        !plan.accepted.is_empty() && !held.any(|held| held.code == *code)
    });
    (judged.is_new && believed).then(|| AcceptedExport {
        digest: facts.digest,
        // Without repeated rows: they would raise the median that later exports must reach.
        records: facts.records - facts.repeated,
        columns: facts.columns.clone(),
        filled: columns::remembered(facts, judged.filled_before.as_ref(), plan),
        modified_at: facts.modified_at,
        at: 0,
        missed: judged.missed_counts.clone(),
    })
}

//! Reads the records that were pushed to a source, in place of an export to fetch.

use super::feeds::{self, ExportFacts};
use super::source_reading::SourceReading;
use super::{PassRequest, columns};
use crate::config::{FeedConfig, Source};
use crate::diagnostic::Diagnostic;
use crate::model::{DeclaredResource, Desired, Key, KeyedList, RowLogin};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

/// The pushes to one source.
#[derive(Clone, Debug)]
pub struct SourcePushes {
    pub source: Arc<str>,
    /// The pushes, oldest first.
    pub bodies: Vec<PushedBody>,
}

/// One push.
#[derive(Clone, Debug)]
pub struct PushedBody {
    /// Its name in diagnostics.
    pub name: Arc<str>,
    pub bytes: Arc<[u8]>,
    /// For a push that was processed before: the resources that are still held. The others are
    /// done.
    pub only_keys: Option<BTreeSet<Key>>,
}

/// Reads the pushes. Without any, the source declares nothing, which removes nothing.
pub(super) fn read(source: &Source, feed: &FeedConfig, request: &PassRequest) -> SourceReading {
    let mut desired = Desired {
        source: source.name.clone(),
        partial: true,
        ..Desired::default()
    };
    let (mut found, mut facts) = (Vec::new(), None);
    let pushed = request.pushed.as_ref();
    let pushed = pushed.filter(|pushed| pushed.source == source.name);
    for sent in pushed.iter().flat_map(|pushed| &pushed.bodies) {
        let mut read = crate::feed::read_matching(
            Cursor::new(&*sent.bytes),
            &sent.name,
            &source.name,
            &feed.mapping,
            request.row_matches.as_deref(),
        );
        if let Some(only) = &sent.only_keys {
            retain_pending(&mut read.desired, &mut read.diagnostics, only);
        }
        facts = Some(ExportFacts {
            digest: read.digest,
            records: read.records,
            repeated: read.repeated,
            trailer: read.trailer,
            complete: read.complete,
            headed: false,
            filled: columns::filled(&read),
            columns: read.columns,
            modified_at: None,
            is_first_look: Some(sent.only_keys.is_none()),
            body: (PathBuf::new(), None),
        });
        found.extend(read.diagnostics);
        merge(&mut desired, read.desired);
    }
    feeds::reading(source, desired, found, facts)
}

/// Keeps only the resources of an earlier push that are still to be applied.
fn retain_pending(desired: &mut Desired, found: &mut Vec<Diagnostic>, only: &BTreeSet<Key>) {
    desired
        .resources
        .retain(|declared| only.contains(&declared.key));
    desired.faulty_fields.retain(|(key, _)| only.contains(key));
    desired.logins.retain(|login| only.contains(&login.user));
    desired.shielded_keys.clear();
    desired.hidden_kinds.clear();
    found.retain(|found| found.key.as_ref().is_some_and(|key| only.contains(key)));
}

/// Adds a later push. Where both state a field, the later one wins.
fn merge(all: &mut Desired, later: Desired) {
    all.revision = later.revision;
    all.faulty_fields.extend(later.faulty_fields);
    all.shielded_keys.extend(later.shielded_keys);
    all.hidden_kinds.extend(later.hidden_kinds);
    all.row_secrets.extend(later.row_secrets);
    let again = |login: &RowLogin| later.logins.iter().any(|it| it.user == login.user);
    all.logins.retain(|login| !again(login));
    all.logins.extend(later.logins);
    if all.resources.is_empty() {
        all.resources = later.resources;
        return;
    }
    let both = later
        .resources
        .iter()
        .map(|declared| match all.resources.get(&declared.key) {
            Some(earlier) => Arc::new(merge_declared(earlier, declared)),
            None => Arc::clone(declared),
        });
    let both: Vec<Arc<DeclaredResource>> = both.collect();
    let before = std::mem::take(&mut all.resources);
    let left = before
        .iter()
        .filter(|declared| !later.resources.contains(&declared.key));
    let mut merged: Vec<Arc<DeclaredResource>> = left.cloned().chain(both).collect();
    merged.sort_by(|a, b| a.key.cmp(&b.key));
    all.resources = merged.into_iter().collect::<KeyedList<_>>();
}

/// One resource with the cells of an earlier and a later push.
fn merge_declared(earlier: &DeclaredResource, later: &DeclaredResource) -> DeclaredResource {
    let mut all = later.clone();
    for stated in &earlier.cells {
        let place = all
            .cells
            .binary_search_by(|known| known.field.cmp(&stated.field));
        if let Err(place) = place {
            all.cells.insert(place, stated.clone());
        }
    }
    all
}

//! Users who were erased and whom a source still names: everything about them leaves a reading before
//! anything is planned, so that nothing of them is stored, compared or reported again. A note without
//! the id says where the source names them. Start at [`leave_out_erased`].
//!
//! [`places_naming`] lists these places right after an erasure.

use super::source_reading::{self, SourceContent, SourceReading};
use super::{PassError, PassRequest};
use crate::config::Config;
use crate::diagnostic::{self, Diagnostic, Origin, codes};
use crate::document::{NamingPlaceDocument, OriginDocument};
use crate::kinds::{self, USER};
use crate::model::{CompactText, DeclaredResource, Desired, Key};
use crate::plan;
use crate::store::Store;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A place where a source names a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamingPlace {
    pub source: Arc<str>,
    pub origin: Origin,
}

impl From<NamingPlace> for NamingPlaceDocument {
    fn from(place: NamingPlace) -> Self {
        Self {
            source: place.source.to_string(),
            origin: OriginDocument::from(&place.origin).into_owned(),
        }
    }
}

/// Leaves out of the readings what they say about users who were erased.
pub(super) async fn leave_out_erased(
    readings: &mut [SourceReading],
    store: &Store,
) -> Result<(), PassError> {
    // The keys of a large directory are not collected for nothing.
    if !store.has_erased().await? {
        return Ok(());
    }
    let named: Vec<BTreeSet<Key>> = readings.iter().map(|it| named(&it.as_read)).collect();
    let all: BTreeSet<&Key> = named.iter().flatten().collect();
    let erased = store.erased(&all).await?;
    if erased.is_empty() {
        return Ok(());
    }
    for (reading, named) in readings.iter_mut().zip(named) {
        let erased: BTreeSet<Key> = named.intersection(&erased).cloned().collect();
        if !erased.is_empty() {
            leave_out(reading, erased, store).await?;
        }
    }
    Ok(())
}

/// The users that a source names.
fn named(desired: &Desired) -> BTreeSet<Key> {
    let mut named: BTreeSet<Key> = plan::possibly_retired(desired).into_iter().collect();
    let declared = desired.resources.iter().map(|it| &it.key);
    let logins = desired.logins.iter().map(|login| &login.user);
    let faulty = desired.faulty_fields.iter().map(|(key, _)| key);
    let keys = declared.chain(&desired.shielded_keys).chain(logins);
    named.extend(keys.chain(faulty).filter(|key| key.kind == USER).cloned());
    named
}

async fn leave_out(
    reading: &mut SourceReading,
    erased: BTreeSet<Key>,
    store: &Store,
) -> Result<(), PassError> {
    let mut desired = Desired::clone(&reading.as_read);
    let mut origins = Vec::new();
    for key in &erased {
        if let Some(declared) = desired.resources.get(key) {
            origins.push((Origin::of_resource(declared), key.id.clone()));
        }
    }
    desired
        .resources
        .retain(|declared| !erased.contains(&declared.key));
    desired.secrets.retain(|key, _| !erased.contains(key));
    desired.row_secrets.retain(|key, _| !erased.contains(key));
    desired.logins.retain(|login| !erased.contains(&login.user));
    desired.shielded_keys.retain(|key| !erased.contains(key));
    desired
        .faulty_fields
        .retain(|(key, _)| !erased.contains(key));
    desired
        .salvaged_references
        .retain(|(key, _), _| !erased.contains(key));
    let owners = desired.resources.iter();
    let owners = owners.filter(|it| members(it, &erased).next().is_some());
    let owners: Vec<Key> = owners.map(|it| it.key.clone()).collect();
    for owner in owners {
        let is_stored = store.row(&owner).await?.is_some();
        let Some(resource) = desired.resources.get_mut(&owner) else {
            continue;
        };
        let left: Vec<(usize, Key)> = members(resource, &erased).collect();
        origins.extend(left.iter().map(|(field, key)| {
            let origin = Origin::of_field(resource, &kinds::own_field(*field));
            (origin, key.id.clone())
        }));
        plan::leave_out(Arc::make_mut(resource), &left, is_stored);
    }
    let found = &mut reading.diagnostics;
    // What is wrong with the person's own document may quote it.
    let places: BTreeSet<_> = origins
        .iter()
        .map(|(origin, _)| (&origin.path, origin.at))
        .collect();
    found.retain(|found| {
        let origin = found.origin.as_ref();
        let is_about = found.key.as_ref().is_some_and(|key| erased.contains(key));
        !is_about
            && !origin.is_some_and(|it| places.contains(&(&it.path, it.at)) && found.key.is_none())
    });
    for (origin, id) in &origins {
        found.push(note(origin, id));
        reading.files.reread_always.insert(origin.path.clone());
    }
    diagnostic::sort(found);
    forget_files(reading, &desired, &erased);
    let desired = Arc::new(desired);
    match &mut reading.content {
        SourceContent::ChangedFiles(unread)
        | SourceContent::ChangedRows(unread, _)
        | SourceContent::UnchangedExport(unread, _) => {
            unread.declared = Arc::clone(&desired);
        }
        SourceContent::Tree | SourceContent::Export(_) => {}
    }
    reading.desired = Arc::clone(&desired);
    reading.as_read = desired;
    reading.erased.extend(erased);
    Ok(())
}

/// The erased users in the lists of a resource, by the index of the field.
fn members(
    resource: &DeclaredResource,
    erased: &BTreeSet<Key>,
) -> impl Iterator<Item = (usize, Key)> {
    let named = plan::named_people(resource).into_iter();
    named.filter(|(_, key)| erased.contains(key))
}

/// The note about a place. It is stored, so it must not name the person, and neither may its path.
fn note(origin: &Origin, id: &CompactText) -> Diagnostic {
    let note = |message: String| {
        let help = "Remove it from the source. Nothing of it is stored";
        Diagnostic::new(codes::USER_ERASED, message).help(help)
    };
    if !names(&origin.path, id) {
        let message = "This names a user who was erased. It is ignored".to_owned();
        return note(message).at(origin.clone());
    }
    match origin
        .path
        .rsplit_once('/')
        .filter(|(folder, _)| !names(folder, id))
    {
        Some((folder, _)) => note(format!(
            "A file in {folder} names a user who was erased. It is ignored"
        )),
        None => note("A file names a user who was erased. It is ignored".to_owned()),
    }
}

fn names(path: &str, id: &str) -> bool {
    path.to_lowercase().contains(&id.to_lowercase())
}

/// Leaves out of the list of files those whose names name the person and that declare nothing else.
/// They are read again in every pass, which then has the note again.
fn forget_files(reading: &mut SourceReading, desired: &Desired, erased: &BTreeSet<Key>) {
    let files = &mut reading.files;
    files.repeated.retain(|key, _| !erased.contains(key));
    let named = files.digests.iter().map(|(path, _)| path);
    let named: BTreeSet<Arc<str>> = named
        .filter(|path| erased.iter().any(|key| names(path, &key.id)))
        .filter(|path| desired.resources.iter().all(|it| it.path != **path))
        .cloned()
        .collect();
    files.digests.retain(|(path, _)| !named.contains(path));
}

/// The places where the configured sources name a user, as they were fetched last. Blocks.
#[must_use]
pub fn places_naming(config: &Config, key: &Key) -> Vec<NamingPlace> {
    let erased = BTreeSet::from([key.clone()]);
    let mut places = Vec::new();
    for reading in source_reading::read_sources(config, &PassRequest::default()) {
        for declared in &reading.as_read.resources {
            let own = (declared.key == *key).then(|| Origin::of_resource(declared));
            let lists = members(declared, &erased);
            let lists =
                lists.map(|(field, _)| Origin::of_field(declared, &kinds::own_field(field)));
            places.extend(own.into_iter().chain(lists).map(|origin| NamingPlace {
                source: reading.source.name.clone(),
                origin,
            }));
        }
    }
    places
}

//! Fields that wait for another source, which decides them but writes nothing now. Drafting
//! collects them; they become one note for each source and kind.

use super::context::PlanContext;
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds;
use crate::model::{Key, KindId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A field left to another source that writes nothing now.
#[derive(Debug)]
pub(super) struct WaitingField {
    pub peer: Arc<str>,
    pub field: String,
    /// Whether this source's value is written until then; otherwise the stored one stays.
    pub written: bool,
}

/// The waiting fields of each kind, with their resources.
#[derive(Default)]
pub(super) struct WaitingFields(BTreeMap<WaitingGroup, (BTreeSet<String>, BTreeSet<Key>)>);

/// The other source, whether the values of this source are written until then, and the kind.
type WaitingGroup = (Arc<str>, bool, KindId);

impl WaitingFields {
    pub fn add(&mut self, key: &Key, fields: Vec<WaitingField>) {
        for WaitingField {
            peer,
            field,
            written,
        } in fields
        {
            let entry = self.0.entry((peer, written, key.kind));
            let (fields, keys) = entry.or_default();
            fields.insert(field);
            keys.insert(key.clone());
        }
    }

    /// One note for each source and kind: a note for each of 10,000 resources would bury the rest.
    pub fn notes(self, context: &PlanContext<'_>) -> Vec<Diagnostic> {
        let mut notes = Vec::new();
        for ((name, written, kind), (fields, keys)) in self.0 {
            let mut peers = context.rules.peers.iter();
            let peer = peers.find(|peer| peer.name == name);
            let Some(idle) = peer.and_then(|peer| peer.idle.as_ref()) else {
                continue;
            };
            let fields: Vec<String> = fields.into_iter().collect();
            let message = message(&name, &fields.join(", "), &resources(kind, &keys), written);
            let found =
                Diagnostic::new(codes::AUTHORITY_WAITS, format!("{message} ({})", idle.why));
            notes.push(found.help(&idle.help));
        }
        notes
    }
}

fn message(peer: &str, fields: &str, of: &str, written: bool) -> String {
    if written {
        format!(
            "source {peer} comes first in `order` and declares a different {fields} of {of}, but writes nothing now; until it does, the values of this source are written"
        )
    } else {
        format!(
            "source {peer} decides {fields} of {of}, but writes nothing now; the stored values stay, and those of this source are not written"
        )
    }
}

/// The resources in words: by name if there is only one, else by number.
fn resources(kind: KindId, keys: &BTreeSet<Key>) -> String {
    match keys.first() {
        Some(key) if keys.len() == 1 => key.to_string(),
        _ => format!("{} {}", keys.len(), kinds::get(kind).collection),
    }
}

//! People who are gone and whom somebody proposes again. A manifest stays in the history of git for
//! ever, so nothing of somebody who was erased gets there, and a deleted id is refused although the
//! plan of a source only holds or ignores it.

use super::{ProposalDraft, UnwrittenItem};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::kinds::{self, USER};
use crate::model::Key;
use crate::plan::{HoldEntry, Plan};
use crate::reconcile::{PassError, SourceReading, erased_users};
use crate::store::Store;
use std::slice;

/// Leaves what is said about erased people out of what was read, each time with a note.
pub(super) async fn leave_out_erased(
    from: &mut SourceReading,
    store: &Store,
) -> Result<(), PassError> {
    erased_users::leave_out_erased(slice::from_mut(from), store).await?;
    // The people of a document with errors have no place of their own, and are not passed over
    // without a word either.
    let is_told = from.diagnostics.iter().any(is_about_erased);
    if !from.erased.is_empty() && !is_told {
        let message = "What was sent names a user who was erased. It is ignored";
        let help = "Remove it from the source. Nothing of it is stored";
        let note = Diagnostic::new(codes::USER_ERASED, message).help(help);
        from.diagnostics.push(note);
    }
    Ok(())
}

pub(super) fn is_about_erased(found: &Diagnostic) -> bool {
    found.code == codes::USER_ERASED
}

/// The places with somebody who was erased, without any word about the person.
pub(super) fn unwritten(found: &[Diagnostic]) -> Vec<UnwrittenItem> {
    let erased = found.iter().filter(|found| is_about_erased(found));
    let placed = erased.filter_map(|found| Some((found, found.origin.as_ref()?)));
    let items = placed.map(|(found, origin)| UnwrittenItem {
        subject: kinds::get(USER).name.to_owned(),
        path: origin.path.to_string(),
        in_source: true,
        position: origin.at,
        why: format!("{}: {}", found.code.name(), found.message),
    });
    items.collect()
}

impl ProposalDraft {
    /// The deleted ids that are proposed, as errors.
    pub(super) fn deleted_ids(&self, plan: &Plan) -> Vec<Diagnostic> {
        let ignored = plan.diagnostics.iter();
        let ignored = ignored.filter(|found| found.code == codes::RETIRED_ID);
        let ignored = ignored.filter(|found| {
            let key = found.key.as_ref();
            key.is_some_and(|key| self.is_stated(key, found.field.as_deref()))
        });
        let ignored = ignored.map(|found| found.clone().severity(Severity::Error));
        let held = plan.held.iter();
        let held = held.filter(|held| self.is_stated(&held.key, None) && is_of_deleted(held));
        let held = held.map(|held| {
            Diagnostic::new(codes::RETIRED_ID, held.message.clone())
                .severity(Severity::Error)
                .for_resource(&held.key)
        });
        ignored.chain(held).collect()
    }

    /// Whether the proposal states this field of a resource, or the resource at all.
    fn is_stated(&self, key: &Key, field: Option<&str>) -> bool {
        let Some(field) = field else {
            return self.is_proposed(key);
        };
        let kind = kinds::get(key.kind);
        let own = self.found.edits.iter().filter(|made| made.edit.key == *key);
        let mut cells = own.flat_map(|made| &made.edit.cells);
        self.found.new.contains_key(key) || cells.any(|(said, _)| kind.field_name(said) == *field)
    }

    /// Whether the proposal says anything about a resource.
    pub(super) fn is_proposed(&self, key: &Key) -> bool {
        let mut edits = self.found.edits.iter();
        self.found.new.contains_key(key) || edits.any(|made| made.edit.key == *key)
    }
}

fn is_of_deleted(held: &HoldEntry) -> bool {
    held.code == codes::RETIRED_ID || held.root == codes::RETIRED_ID
}

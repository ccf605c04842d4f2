//! The dossier of a user: the records of the database, and from stored texts the parts that quote the
//! user. Command line and API both call [`dossier`].

use super::person_quotes::{PersonNames, quoted_parts};
use crate::document::{DossierDocument, QuoteDocument};
use crate::store::{Store, StoreError};

/// Returns everything that is stored about a user, also about one who was deleted; `None` if that is
/// nothing.
pub async fn dossier(store: &Store, id: &str) -> Result<Option<DossierDocument>, StoreError> {
    let mut names = None;
    let mut quotes = Vec::new();
    let records = store.person_records(id, |records, text| {
        let names = names.get_or_insert_with(|| PersonNames::new(records));
        let parts = quoted_parts(names, text);
        if !parts.is_empty() {
            quotes.push(QuoteDocument::new(text, parts));
        }
    });
    let records = records.await?;
    if records.is_empty() && quotes.is_empty() {
        return Ok(None);
    }
    Ok(Some(DossierDocument::new(records, quotes)))
}

//! The names that people know resources by, beside the ids in plans, runs and effects.
//!
//! What is stored gives them, with one query a kind, and only for callers who see every source: a
//! resource may belong to several.

use crate::diagnostic::visible;
use crate::document::{FieldChangeDocument, FieldHistory, FieldHistoryDocument, ValueDocument};
use crate::http::Caller;
use crate::kinds;
use crate::model::Key;
use crate::store::{Store, StoreError};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// How many names are looked up for a page.
const MAX_NAMES: usize = 500;

/// Names by resource.
#[derive(Debug, Default)]
pub(super) struct ResourceNames(BTreeMap<Key, String>);

impl ResourceNames {
    /// Reads the stored names of some resources. A caller who sees only some sources gets none.
    pub async fn read(
        store: &Store,
        caller: &Caller,
        keys: impl Iterator<Item = Key>,
    ) -> Result<Self, StoreError> {
        let keys: BTreeSet<Key> = keys.take(MAX_NAMES).collect();
        if caller.sources.is_some() || keys.is_empty() {
            return Ok(Self::default());
        }
        let rows = match store.read_transaction().await? {
            Some(mut transaction) => transaction.rows_of(&keys).await?,
            None => Vec::new(),
        };
        let names = rows.iter().filter_map(|row| {
            let name = kinds::json::name(row)?;
            // Of many resources the name is the id.
            (name != *row.key.id).then(|| (row.key.clone(), name))
        });
        Ok(Self(names.collect()))
    }

    pub fn get(&self, key: &Key) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Shows the name after a resource.
    pub fn beside(&self, key: &Key) -> Markup {
        beside(self.get(key))
    }

    /// Shows a sentence with the name after each resource that it mentions as `User/u-1`.
    pub fn sentence(&self, text: &str) -> Markup {
        html! {
            @for (at, word) in text.split(' ').enumerate() {
                @if at > 0 { " " }
                @let (key, end) = mentioned(word);
                @match key.as_ref().and_then(|key| self.get(key)) {
                    Some(name) => { (visible(&word[..end])) " (" (visible(name)) ")" (visible(&word[end..])) },
                    None => (visible(word)),
                }
            }
        }
    }
}

/// Shows a name after what it names.
pub(super) fn beside(name: Option<&str>) -> Markup {
    html! { @if let Some(name) = name { " " (visible(name)) } }
}

/// The resources that a sentence mentions as `User/u-1`.
pub(super) fn mentioned_in(text: &str) -> impl Iterator<Item = Key> {
    text.split(' ').filter_map(|word| mentioned(word).0)
}

/// The resource that a word names, and where that ends: a sentence has punctuation after it.
fn mentioned(word: &str) -> (Option<Key>, usize) {
    let name = word.trim_end_matches([',', ';', '.', ':', ')']);
    (Key::parse(name), name.len())
}

/// The name that a plan gives to what it creates.
pub(super) fn of_planned(changes: &[FieldChangeDocument<'_>]) -> Option<String> {
    let named = changes.iter().filter_map(|change| match &change.after {
        Some(ValueDocument::Text(text)) => Some((&*change.field, &**text)),
        _ => None,
    });
    joined(&named.collect())
}

/// The name that a committed change gave.
pub(super) fn of_committed(changes: &FieldHistory) -> Option<String> {
    let named = changes.0.iter().filter_map(|(name, change)| match change {
        FieldHistoryDocument::Created { after } => Some((&**name, after.as_str()?)),
        _ => None,
    });
    joined(&named.collect())
}

fn joined(fields: &BTreeMap<&str, &str>) -> Option<String> {
    kinds::json::joined_name(|field| fields.get(field).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::USER;

    #[test]
    fn a_sentence_names_whom_it_mentions() {
        let names = ResourceNames(BTreeMap::from([(
            Key::new(USER, "u-1"),
            "Eva <b>".to_owned(),
        )]));
        let shown = names.sentence("User/u-1 loses access; User/u-2, and (User/u-1).");
        assert_eq!(
            shown.into_string(),
            "User/u-1 (Eva &lt;b&gt;) loses access; User/u-2, and (User/u-1)."
        );
    }
}

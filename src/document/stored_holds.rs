//! The holds within the stored document of a source. The daemon writes the whole document after each
//! of its passes; a command that applies only replaces the holds in it. The holds of a revert are a list of
//! their own.

use super::HoldState;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Returns the holds in a stored document. A document that cannot be read has none: it is of another
/// release, and the next pass writes it anew.
#[must_use]
pub fn stored_holds(document: &str) -> Vec<HoldState> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct StoredState {
        held: Vec<HoldState>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct StoredDocument {
        state: StoredState,
    }
    let read: StoredDocument = serde_json::from_str(document).unwrap_or_default();
    read.state.held
}

/// Returns the holds in the stored list of a revert. A list that cannot be read has none: it is of
/// another release, and whoever wants the revert asks again.
#[must_use]
pub fn stored_revert_holds(list: &str) -> Vec<HoldState> {
    serde_json::from_str(list).unwrap_or_default()
}

/// Returns the list of a revert as it is stored; `None` if nothing is held.
#[must_use]
pub fn revert_holds_list(held: &[HoldState]) -> Option<String> {
    // Cannot fail: the documents have only text as keys.
    let text = || serde_json::to_string(held).unwrap_or_default();
    (!held.is_empty()).then(text)
}

/// Returns the document with other holds and everything else as it was.
#[must_use]
pub fn with_holds(document: Option<&str>, held: &[HoldState]) -> String {
    let read = document.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let mut document = read.unwrap_or_default();
    let state = document.entry("state").or_insert_with(|| Map::new().into());
    // Cannot fail: the documents have only text as keys.
    let held = serde_json::to_value(held).unwrap_or_default();
    match state.as_object_mut() {
        Some(state) => _ = state.insert("held".into(), held),
        None => *state = Map::from_iter([("held".to_owned(), held)]).into(),
    }
    Value::from(document).to_string()
}

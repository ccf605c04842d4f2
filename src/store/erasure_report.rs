//! What an erasure did, for its entries in the history and the audit log. The act writes them, and
//! its history must not know how a person is erased.

use serde_json::{Map, Value as Json, json};

/// What an erasure left, for its entries in the history and the audit log.
#[derive(Debug)]
pub(super) struct ErasureReport {
    /// A name for the person that says nothing about the person.
    pub(super) name: String,
    /// The reason of the act, without words that name the person.
    pub(super) reason: String,
    pub(super) reseal: HistoryReseal,
}

impl ErasureReport {
    /// What its entry in the history says of the chain.
    pub(super) fn changed_chain(&self) -> Map<String, Json> {
        let mut fields = Map::new();
        if let Some(from) = self.reseal.from {
            fields.insert("resealedFrom".to_owned(), json!([from]));
            fields.insert("head".to_owned(), json!(self.reseal.heads));
        }
        fields
    }
}

/// What an erasure changed in the chain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct HistoryReseal {
    /// The first run with a new head; `None` if the chain is as it was.
    pub(super) from: Option<i64>,
    /// The last head before and after, in hexadecimal.
    pub(super) heads: [String; 2],
    /// Why the chain could not be computed anew: it was broken before.
    pub(super) broken: Option<(i64, String)>,
}

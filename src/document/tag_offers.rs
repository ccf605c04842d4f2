//! The offers that use a tag.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The offers that use a tag.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TagOffers {
    /// The external id of the tag.
    pub tag: String,
    /// The ids of the offers, sorted. While there is one, the tag cannot be deleted.
    pub offers: Vec<String>,
}

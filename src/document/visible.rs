//! What a user sees.

use crate::store::VisibleResources;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a user sees, each by external id.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct VisibleDocument {
    /// The users, always with the user who sees them.
    pub users: Vec<String>,
    /// The organisations.
    pub organisations: Vec<String>,
    /// The accounts, all of them usable.
    pub accounts: Vec<String>,
}

impl From<VisibleResources> for VisibleDocument {
    fn from(seen: VisibleResources) -> Self {
        let VisibleResources {
            users,
            organisations,
            accounts,
        } = seen;
        Self {
            users,
            organisations,
            accounts,
        }
    }
}

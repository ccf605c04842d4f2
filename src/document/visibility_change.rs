//! Who sees more or less by a plan.

use crate::model::CompactText;
use crate::plan::visibility::{VisibilityChange, VisibilityDelta, VisibleIds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a user sees more and less.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct VisibilityChangeDocument<'a> {
    /// The external id of the user.
    pub user: Cow<'a, str>,
    /// What the user does not see now, and will see.
    pub gains: VisibilityDeltaDocument<'a>,
    /// What the user sees now, and will not see any more.
    pub loses: VisibilityDeltaDocument<'a>,
}

/// What a user gains or loses, by external id.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct VisibilityDeltaDocument<'a> {
    /// The users. Those whom the plan creates or deletes are left out.
    pub users: Vec<Cow<'a, str>>,
    /// The organisations.
    pub organisations: Vec<Cow<'a, str>>,
    /// The accounts.
    pub accounts: Vec<Cow<'a, str>>,
    /// How many more there are, where a list names only the first.
    #[serde(default, skip_serializing_if = "OmittedVisible::is_empty")]
    pub omitted: OmittedVisible,
}

/// How many external ids lists do not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(!deny_unknown_fields)]
pub struct OmittedVisible {
    /// Users.
    pub users: u64,
    /// Organisations.
    pub organisations: u64,
    /// Accounts.
    pub accounts: u64,
}

impl OmittedVisible {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl<'a> From<&'a VisibilityChange> for VisibilityChangeDocument<'a> {
    fn from(change: &'a VisibilityChange) -> Self {
        Self {
            user: Cow::Borrowed(&change.user),
            gains: (&change.gains).into(),
            loses: (&change.loses).into(),
        }
    }
}

impl<'a> From<&'a VisibilityDelta> for VisibilityDeltaDocument<'a> {
    fn from(delta: &'a VisibilityDelta) -> Self {
        let ids = |ids: &'a VisibleIds| {
            let named = ids.named.iter();
            named.map(|id| Cow::Borrowed(id.as_str())).collect()
        };
        Self {
            users: ids(&delta.users),
            organisations: ids(&delta.organisations),
            accounts: ids(&delta.accounts),
            omitted: OmittedVisible {
                users: delta.users.omitted,
                organisations: delta.organisations.omitted,
                accounts: delta.accounts.omitted,
            },
        }
    }
}

impl From<VisibilityChangeDocument<'_>> for VisibilityChange {
    fn from(read: VisibilityChangeDocument<'_>) -> Self {
        Self {
            user: CompactText::new(read.user),
            gains: read.gains.into(),
            loses: read.loses.into(),
        }
    }
}

impl From<VisibilityDeltaDocument<'_>> for VisibilityDelta {
    fn from(read: VisibilityDeltaDocument<'_>) -> Self {
        let ids = |named: Vec<Cow<'_, str>>, omitted| VisibleIds {
            named: named.into_iter().map(CompactText::new).collect(),
            omitted,
        };
        let omitted = read.omitted;
        Self {
            users: ids(read.users, omitted.users),
            organisations: ids(read.organisations, omitted.organisations),
            accounts: ids(read.accounts, omitted.accounts),
        }
    }
}

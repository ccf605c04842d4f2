//! What a plan does by account: people think in customers, and a saved plan is read without the database.

use crate::model::{CompactText, Key};
use crate::plan::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An account with the resources of the steps and the held entries that belong to it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct AccountEntriesDocument<'a> {
    /// The external id of the account.
    pub account: Cow<'a, str>,
    /// The resources, such as `User/u-1`, sorted.
    pub resources: Vec<Cow<'a, str>>,
}

impl<'a> AccountEntriesDocument<'a> {
    pub(super) fn all(plan: &'a Plan) -> Vec<Self> {
        let of = |(account, keys): (&'a CompactText, &'a Vec<Key>)| Self {
            account: Cow::Borrowed(account.as_str()),
            resources: keys.iter().map(|key| key.to_string().into()).collect(),
        };
        plan.accounts.iter().map(of).collect()
    }

    /// The accounts of a plan that is read back.
    pub(super) fn read(read: Vec<Self>) -> Result<BTreeMap<CompactText, Vec<Key>>, String> {
        let accounts = read.into_iter().map(|entry| {
            let keys = entry.resources.iter().map(|text| {
                Key::parse(text).ok_or_else(|| format!("`{text}` is not a resource; use KIND/ID"))
            });
            Ok((
                CompactText::new(&entry.account),
                keys.collect::<Result<_, _>>()?,
            ))
        });
        accounts.collect()
    }
}

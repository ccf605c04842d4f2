//! The answer to the creation of a user, as it is kept for a repetition of the request.

use super::customer::{AccountUser, SelfServiceReply};
use super::person::PersonalDetails;
use crate::kinds::{self, USER};
use crate::store::act_request::ActWarning;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
pub(super) struct KeptAnswer {
    user: KeptUser,
    warnings: Vec<ActWarning>,
}

#[derive(Serialize, Deserialize)]
struct KeptUser {
    external_id: String,
    details: BTreeMap<String, String>,
    level: String,
    login: Option<String>,
    status: String,
    access: String,
    is_blocked: bool,
    has_other_accounts: bool,
}

impl KeptAnswer {
    /// `None` if the answer is not about a user.
    pub(super) fn of(reply: &SelfServiceReply) -> Option<Self> {
        let user = reply.user.clone()?;
        let details = user.details.values.into_iter();
        Some(Self {
            user: KeptUser {
                external_id: user.details.external_id,
                details: details
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                level: user.level,
                login: user.login,
                status: user.status,
                access: user.access,
                is_blocked: user.is_blocked,
                has_other_accounts: user.has_other_accounts,
            },
            warnings: reply.warnings.clone(),
        })
    }

    /// The user and the warnings of the answer.
    pub(super) fn into_parts(self) -> (AccountUser, Vec<ActWarning>) {
        let (kind, user) = (kinds::get(USER), self.user);
        let details = user.details.into_iter();
        // A field that a later release no longer has cannot be shown.
        let values = details
            .filter_map(|(name, value)| Some((kind.fields[kind.index(&name)?].name, value)))
            .collect();
        let user = AccountUser {
            details: PersonalDetails {
                external_id: user.external_id,
                values,
            },
            level: user.level,
            login: user.login,
            status: user.status,
            access: user.access,
            is_blocked: user.is_blocked,
            has_other_accounts: user.has_other_accounts,
        };
        (user, self.warnings)
    }
}

//! What a customer asks for, and why it is refused.

use super::enforcement::EnforcedField;
use crate::store::act_request::IdempotentRequest;
use crate::store::error::{ApplyError, StoreError};
use std::collections::BTreeMap;

/// A change that a customer makes.
#[derive(Clone, Debug)]
pub enum SelfServiceOrder {
    /// The own details, by field. `None` clears one.
    ChangeSelf {
        details: BTreeMap<&'static str, Option<String>>,
    },
    /// The own password.
    ChangePassword {
        /// The hash that the current password was compared with.
        verified: String,
        new: String,
    },
    CreateUser {
        account: String,
        user: NewAccountUser,
        /// With it, the same request makes one user only.
        key: Option<IdempotentRequest>,
    },
    ChangeUser {
        account: String,
        user: String,
        changes: UserChanges,
    },
    /// Takes the user out of the account.
    RemoveUser {
        account: String,
        user: String,
    },
    BlockUser {
        account: String,
        user: String,
    },
}

impl SelfServiceOrder {
    /// The idempotency key, for a change that takes one.
    pub(super) fn key(&self) -> Option<&IdempotentRequest> {
        match self {
            Self::CreateUser { key, .. } => key.as_ref(),
            _ => None,
        }
    }

    /// The account whose users it changes; `None` if it changes the own user.
    pub(super) fn account(&self) -> Option<&str> {
        match self {
            Self::ChangeSelf { .. } | Self::ChangePassword { .. } => None,
            Self::CreateUser { account, .. }
            | Self::ChangeUser { account, .. }
            | Self::RemoveUser { account, .. }
            | Self::BlockUser { account, .. } => Some(account),
        }
    }
}

/// A user that an administrator of an account creates.
#[derive(Clone, Debug)]
pub struct NewAccountUser {
    pub external_id: String,
    /// The details, by field.
    pub details: BTreeMap<&'static str, String>,
    pub level: &'static str,
    /// Whether the user gets a link to set a password.
    pub notify: bool,
}

/// What an administrator of an account changes of a user.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    /// The details, by field. `None` clears one.
    pub details: BTreeMap<&'static str, Option<String>>,
    pub level: Option<&'static str>,
}

/// Why a change was refused. Nothing was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SelfServiceRefusal {
    /// The token is unknown, expired or void.
    Unauthorized,
    /// The customer has no such account, or it is not usable.
    NoAccount,
    /// The customer is no administrator of the account.
    NotAdministrator,
    /// The account has no such user.
    NoUser,
    /// The user has other accounts too.
    SeveralAccounts,
    /// Sources enforce these fields.
    Declared(Vec<EnforcedField>),
    /// Policies of the account name the user.
    InPolicies(Vec<String>),
    /// These details cannot be cleared.
    Needed(Vec<&'static str>),
    /// Another active user has the e-mail address, and people log in with it.
    EmailTaken,
    /// The idempotency key was used for another request.
    KeyReused,
    /// The user is blocked already.
    Blocked,
    /// The password was changed by somebody else in between.
    PasswordChanged,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum SelfServiceError {
    #[error("the change was refused")]
    Refused(SelfServiceRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection broke during the commit, and the run could not be looked up.
    #[error(transparent)]
    Unknown(#[from] ApplyError),
}

impl From<SelfServiceRefusal> for SelfServiceError {
    fn from(refused: SelfServiceRefusal) -> Self {
        Self::Refused(refused)
    }
}

//! What self-service requests share: the values that they give, the rules of sources, and why a
//! change was refused, as a problem.

use crate::config::Config;
use crate::daemon::path_segment;
use crate::document::MAX_RECORD_ID_LENGTH;
use crate::http::idempotency;
use crate::http::problem::{self, HttpProblem};
use crate::kinds::{self, USER, read};
use crate::model::Key;
use crate::store::{
    EnforcedField, EnforcementRules, IdempotentRequest, NewAccountUser, SelfServiceRefusal,
};
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const USERS: &str = "/api/v1/self/accounts/{account}/users";

/// An account of the customer.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AccountParam {
    /// The external id of the account. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_RECORD_ID_LENGTH))]
    pub(super) account: String,
}

/// A user of an account of the customer.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AccountUserParam {
    /// The external id of the account. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_RECORD_ID_LENGTH))]
    pub(super) account: String,
    /// The external id of the user. Write `~.` and `~..` for the ids `.` and `..`.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1, max = MAX_RECORD_ID_LENGTH))]
    pub(super) user: String,
}

/// What each source may write, by the configuration.
pub(super) fn enforcement(config: &Config) -> EnforcementRules {
    let sources = config.sources.iter();
    EnforcementRules {
        sources: sources
            .map(|source| (Arc::clone(&source.name), source.authority.clone()))
            .collect(),
        shop: config.shop.clone(),
    }
}

/// Brings details into their canonical form; `None` clears one. Fails if one of them is no such
/// value.
pub(super) fn checked(
    details: BTreeMap<&'static str, Option<String>>,
) -> Result<BTreeMap<&'static str, Option<String>>, HttpProblem> {
    let kind = kinds::get(USER);
    let invalid = |detail: String| HttpProblem::new(problem::INVALID, detail);
    let mut checked = BTreeMap::new();
    for (name, text) in details {
        let Some(text) = text else {
            checked.insert(name, None);
            continue;
        };
        if read::is_blank(&text) {
            return Err(invalid(format!(
                "`{name}` is blank; give a value, leave it out, or write null to clear it"
            )));
        }
        let field = &kind.fields[kind.expect_index(name)];
        let parsed = field.read(text.trim());
        let parsed = parsed.map_err(|fault| {
            let help = fault.help.map(|help| format!("; {help}"));
            invalid(format!(
                "`{name}`: {}{}",
                fault.message,
                help.unwrap_or_default()
            ))
        })?;
        if let Some(value) = parsed.value.as_text() {
            checked.insert(name, Some(value.to_owned()));
        }
    }
    Ok(checked)
}

/// Why a token does not work.
pub(super) fn unauthorized() -> HttpProblem {
    HttpProblem::new(
        problem::UNAUTHORIZED,
        "the token is unknown, expired or void; log in again",
    )
}

/// Why a change was refused, as a problem.
pub(super) fn refusal(refused: SelfServiceRefusal) -> HttpProblem {
    match refused {
        SelfServiceRefusal::Unauthorized => unauthorized(),
        SelfServiceRefusal::NoAccount => {
            HttpProblem::not_found("you have no such account; use one of `accounts`")
        }
        SelfServiceRefusal::NotAdministrator => HttpProblem::new(
            problem::NO_PERMISSION,
            "needs the level `administrator`; ask an administrator of the account",
        ),
        SelfServiceRefusal::NoUser => HttpProblem::not_found("the account has no such user"),
        SelfServiceRefusal::SeveralAccounts => HttpProblem::new(
            problem::SEVERAL_ACCOUNTS,
            "of a user of several accounts you can change the level, and take the user out of the \
             account; nothing was changed",
        ),
        SelfServiceRefusal::Declared(fields) => declared(&fields),
        SelfServiceRefusal::InPolicies(policies) => {
            let named = policies
                .iter()
                .map(|id| Key::new(kinds::POLICY, id).to_string());
            let named: Vec<String> = named.collect();
            let detail = format!(
                "{} names the user; nothing was changed; ask for another policy first",
                named.join(", ")
            );
            HttpProblem::new(problem::WRONG_STATE, detail).with("possible", vec!["block"])
        }
        SelfServiceRefusal::Needed(fields) => {
            let named: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
            let detail = format!(
                "{} cannot be cleared; nothing was changed; give a value or leave it out",
                named.join(", ")
            );
            HttpProblem::new(problem::INVALID, detail).with("fields", fields)
        }
        SelfServiceRefusal::EmailTaken => HttpProblem::new(
            problem::EMAIL_TAKEN,
            "another user logs in with this e-mail address; give a different one",
        ),
        SelfServiceRefusal::KeyReused => {
            HttpProblem::new(problem::KEY_REUSED, "use a new key for each request")
        }
        SelfServiceRefusal::Blocked => HttpProblem::new(
            problem::WRONG_STATE,
            "the user is blocked; nothing was changed",
        )
        .with("possible", Vec::<&str>::new()),
        SelfServiceRefusal::PasswordChanged => password_wrong(),
    }
}

/// The problem of a current password that is wrong.
pub(super) fn password_wrong() -> HttpProblem {
    HttpProblem::new(
        problem::PASSWORD_WRONG,
        "give the password with which you log in now",
    )
}

fn declared(fields: &[EnforcedField]) -> HttpProblem {
    let named = fields
        .iter()
        .map(|declared| format!("`{}` by the source `{}`", declared.field, declared.source));
    let named: Vec<String> = named.collect();
    let sources: Vec<&str> = fields.iter().map(|field| &*field.source).collect();
    let mut by_field: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for field in fields {
        by_field
            .entry(&field.field)
            .or_default()
            .push(&field.source);
    }
    let detail = format!(
        "set {}, which would undo the change; nothing was changed; ask for it there",
        named.join(", ")
    );
    HttpProblem::new(problem::DECLARED, detail)
        .with("source", sources.first().copied().unwrap_or_default())
        .with("fields", serde_json::json!(by_field))
}

/// The idempotency key of a request for a new user, if it has one. The id of the user is no part of
/// the request, because it is made anew each time.
pub(super) fn creation_key(
    headers: &HeaderMap,
    account: &str,
    user: &NewAccountUser,
) -> Result<Option<IdempotentRequest>, HttpProblem> {
    let parts = serde_json::json!([account, user.details, user.level, user.notify]);
    let digest = idempotency::digest("POST", USERS, parts.to_string().as_bytes());
    let key = idempotency::key(headers)?;
    Ok(key.map(|key| IdempotentRequest { key, digest }))
}

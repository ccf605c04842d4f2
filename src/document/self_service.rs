//! What customers send and get: the login, the own details, and the users of an account.

use super::ActWarningDocument;
use crate::store::{
    AccountUser, ActWarning, CustomerAccount, LoggedInCustomer, PersonalDetails, SelfServiceReply,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The most characters of a detail of a person.
const MAX_DETAIL_LENGTH: usize = 255;
/// The most characters of the name of a login.
const MAX_LOGIN_LENGTH: usize = 320;
/// The most characters of a password.
const MAX_PASSWORD_LENGTH: usize = 255;

/// A login.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The e-mail address, or the login name such as `1042-1`, as `loginMode` of the settings says.
    #[schemars(length(max = MAX_LOGIN_LENGTH))]
    pub login: String,
    /// The password.
    pub password: String,
}

/// The answer to a login: the user, the user's accounts, and a token for the other self-service routes.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginReply {
    /// The token. It works for 12 hours, and until the password changes or the access is taken away.
    pub token: String,
    /// Whether the password is temporary: ask for a new one.
    pub must_change_password: bool,
    /// The details of the person.
    pub user: PersonDocument,
    /// The accounts that can be used, by id.
    pub accounts: Vec<CustomerAccountDocument>,
}

/// The details of a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonDocument {
    /// The external id of the user.
    pub external_id: String,
    /// The form of address: `MISS`, `MRS` or `MR`.
    pub civility: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// The company, as free text.
    pub company: Option<String>,
}

/// An account of a customer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CustomerAccountDocument {
    /// The external id of the account.
    pub account: String,
    /// `administrator` or `user`.
    pub level: String,
    /// With what the customer logs in to it: the login name or the e-mail address. `null` if the
    /// account has no customer number yet.
    pub login: Option<String>,
}

/// The user to whom the token belongs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerDocument {
    /// The details of the person.
    #[serde(flatten)]
    pub person: PersonDocument,
    /// Whether the password is temporary: ask for a new one.
    pub must_change_password: bool,
    /// The accounts that can be used, by id.
    pub accounts: Vec<CustomerAccountDocument>,
}

/// Declares a request with new details of a person, what else it may have, and the details that it
/// gives. What is absent stays, `null` clears, and anything unknown is refused, which serde cannot do
/// for a struct within a struct.
macro_rules! changed_details {
    ($(#[$about:meta])* $name:ident { $($more:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "camelCase", default)]
        pub struct $name {
            /// The form of address: `MISS`, `MRS` or `MR`.
            #[serde(deserialize_with = "given_or_null", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>", length(max = MAX_DETAIL_LENGTH))]
            pub civility: Option<Option<String>>,
            /// First name.
            #[serde(deserialize_with = "given_or_null", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>", length(max = MAX_DETAIL_LENGTH))]
            pub first_name: Option<Option<String>>,
            /// Last name.
            #[serde(deserialize_with = "given_or_null", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>", length(max = MAX_DETAIL_LENGTH))]
            pub last_name: Option<Option<String>>,
            /// The e-mail address. It may be the login.
            #[serde(deserialize_with = "given_or_null", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>", length(max = MAX_DETAIL_LENGTH))]
            pub email: Option<Option<String>>,
            /// Telephone number.
            #[serde(deserialize_with = "given_or_null", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>", length(max = MAX_DETAIL_LENGTH))]
            pub phone: Option<Option<String>>,
            /// The company, as free text.
            #[serde(deserialize_with = "given_or_null", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>", length(max = MAX_DETAIL_LENGTH))]
            pub company: Option<Option<String>>,
            $($more)*
        }

        impl $name {
            /// The details that it gives, by field. `None` clears one.
            #[must_use]
            pub fn into_details(self) -> ChangedDetails {
                let given = [
                    ("civility", self.civility),
                    ("firstName", self.first_name),
                    ("lastName", self.last_name),
                    ("email", self.email),
                    ("phone", self.phone),
                    ("company", self.company),
                ];
                let given = given.into_iter();
                given.filter_map(|(field, value)| Some((field, value?))).collect()
            }
        }
    };
}

changed_details! {
    /// New details of the person who has the token. What is absent stays, and `null` clears a detail
    /// that nobody needs.
    OwnDetailsRequest {}
}

changed_details! {
    /// Changes of a user of an account. What is absent stays, and `null` clears a detail that nobody
    /// needs. Of a user of several accounts only the level can be changed.
    AccountUserRequest {
        /// The level in the account.
        pub level: Option<AccountLevel>,
    }
}

/// A new password of the person who has the token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasswordRequest {
    /// The current password.
    pub password: String,
    /// The new password: 8 to 255 characters with a lower-case letter, an upper-case letter and a
    /// digit.
    #[schemars(length(min = 8, max = MAX_PASSWORD_LENGTH), extend("allOf" = [
        {"pattern": "[a-z]"}, {"pattern": "[A-Z]"}, {"pattern": "[0-9]"},
    ]))]
    pub new: String,
}

/// The level of a user in an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountLevel {
    /// Buys, and changes own details.
    #[default]
    User,
    /// Manages the users of the account, too.
    Administrator,
}

impl AccountLevel {
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Administrator => "administrator",
        }
    }
}

/// A user to create in an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewAccountUserRequest {
    /// The form of address: `MISS`, `MRS` or `MR`.
    #[serde(default)]
    #[schemars(length(max = MAX_DETAIL_LENGTH))]
    pub civility: Option<String>,
    /// First name.
    #[schemars(length(min = 1, max = MAX_DETAIL_LENGTH))]
    pub first_name: String,
    /// Last name.
    #[schemars(length(min = 1, max = MAX_DETAIL_LENGTH))]
    pub last_name: String,
    /// The e-mail address. The link to set a password is sent to it.
    #[schemars(length(min = 1, max = MAX_DETAIL_LENGTH))]
    pub email: String,
    /// Telephone number.
    #[serde(default)]
    #[schemars(length(max = MAX_DETAIL_LENGTH))]
    pub phone: Option<String>,
    /// The company, as free text.
    #[serde(default)]
    #[schemars(length(max = MAX_DETAIL_LENGTH))]
    pub company: Option<String>,
    /// The level in the account.
    #[serde(default)]
    pub level: AccountLevel,
    /// Whether to send a link to set a password.
    #[serde(default = "yes")]
    pub notify: bool,
}

fn yes() -> bool {
    true
}

/// A user of an account, for its administrators.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountUserDocument {
    /// The details of the person.
    #[serde(flatten)]
    pub person: PersonDocument,
    /// `administrator` or `user`.
    pub level: String,
    /// With what the user logs in: the login name or the e-mail address.
    pub login: Option<String>,
    /// `active` or `inactive`.
    pub status: String,
    /// `unregistered`, `invited`, `pending`, `enabled` or `disabled`.
    pub access: String,
    /// Whether somebody blocked the user.
    pub blocked: bool,
    /// Whether the user has other accounts too. Then only the level and the link can be changed.
    pub other_accounts: bool,
}

/// A page of the users of an account.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountUserPage {
    /// The users of the page, by id.
    pub items: Vec<AccountUserDocument>,
    /// The `after` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A user of an account after a change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedUserDocument {
    /// The user.
    #[serde(flatten)]
    pub user: AccountUserDocument,
    /// What is wrong now because of the change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ActWarningDocument>,
}

/// A user who was taken out of an account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedUserDocument {
    /// The external id of the user.
    pub external_id: String,
    /// What is wrong now because of the change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ActWarningDocument>,
}

impl From<&PersonalDetails> for PersonDocument {
    fn from(details: &PersonalDetails) -> Self {
        let value = |field: &str| details.value(field).map(str::to_owned);
        Self {
            external_id: details.external_id.clone(),
            civility: value("civility"),
            first_name: value("firstName"),
            last_name: value("lastName"),
            email: value("email"),
            phone: value("phone"),
            company: value("company"),
        }
    }
}

impl From<CustomerAccount> for CustomerAccountDocument {
    fn from(account: CustomerAccount) -> Self {
        Self {
            account: account.account,
            level: account.level,
            login: account.login,
        }
    }
}

impl From<LoggedInCustomer> for CustomerDocument {
    fn from(customer: LoggedInCustomer) -> Self {
        Self {
            person: (&customer.details).into(),
            must_change_password: customer.must_change_password,
            accounts: customer.accounts.into_iter().map(Into::into).collect(),
        }
    }
}

impl LoginReply {
    pub fn new(token: String, customer: LoggedInCustomer) -> Self {
        let customer = CustomerDocument::from(customer);
        Self {
            token,
            must_change_password: customer.must_change_password,
            user: customer.person,
            accounts: customer.accounts,
        }
    }
}

impl From<AccountUser> for AccountUserDocument {
    fn from(user: AccountUser) -> Self {
        Self {
            person: (&user.details).into(),
            level: user.level,
            login: user.login,
            status: user.status,
            access: user.access,
            blocked: user.is_blocked,
            other_accounts: user.has_other_accounts,
        }
    }
}

impl ChangedUserDocument {
    /// `None` if the change was for nobody who is in the account.
    pub fn new(reply: SelfServiceReply) -> Option<Self> {
        Some(Self {
            user: reply.user?.into(),
            warnings: warnings(reply.warnings),
        })
    }
}

impl RemovedUserDocument {
    pub fn new(external_id: String, reply: SelfServiceReply) -> Self {
        Self {
            external_id,
            warnings: warnings(reply.warnings),
        }
    }
}

fn warnings(all: Vec<ActWarning>) -> Vec<ActWarningDocument> {
    let documents = all.into_iter().map(|warning| ActWarningDocument {
        code: warning.code,
        message: warning.message,
    });
    documents.collect()
}

/// The details that a request changes, by field. `None` clears one.
type ChangedDetails = BTreeMap<&'static str, Option<String>>;

/// Reads a value that was given, `null` included. What is absent is left to the default.
#[allow(clippy::option_option)]
fn given_or_null<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(input).map(Some)
}

impl NewAccountUserRequest {
    /// The details that it gives, by field.
    #[must_use]
    pub fn into_details(self) -> ChangedDetails {
        let given = [
            ("civility", self.civility),
            ("firstName", Some(self.first_name)),
            ("lastName", Some(self.last_name)),
            ("email", Some(self.email)),
            ("phone", self.phone),
            ("company", self.company),
        ];
        let given = given.into_iter().filter(|(_, value)| value.is_some());
        given.collect()
    }
}

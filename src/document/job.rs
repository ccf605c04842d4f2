//! Jobs, orders, and whether a user may submit.

use crate::store::{JobFile, StoredJob, StoredOrder, SubmissionFacts};
use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most characters of an id.
pub const MAX_RECORD_ID_LENGTH: usize = 255;
/// The most characters of a name or a status.
pub const MAX_NAME_LENGTH: usize = 255;
/// A pattern for a text without control characters that is not blank.
const ONE_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u00a0][^\u0000-\u001f\u007f-\u009f]*$";
/// A pattern for an id.
pub const RECORD_ID: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

/// A job to record.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSubmission {
    /// The external id of the user. A user who may not submit gets no new job.
    #[schemars(length(min = 1, max = MAX_RECORD_ID_LENGTH), regex(pattern = RECORD_ID))]
    pub user: String,
    /// The external id of the account, a usable one of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = MAX_RECORD_ID_LENGTH), regex(pattern = RECORD_ID))]
    pub account: Option<String>,
    /// The name of the job.
    #[schemars(length(min = 1, max = MAX_NAME_LENGTH), regex(pattern = ONE_LINE))]
    pub name: String,
    /// `New`, `Incoming`, `Processing`, `Completed` or any other text.
    #[schemars(length(min = 1, max = MAX_NAME_LENGTH), regex(pattern = ONE_LINE))]
    pub status: String,
}

/// A job of a user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDocument {
    /// The external id of the job.
    pub id: String,
    /// The external id of the user.
    pub user: String,
    /// The external id of the account.
    pub account: Option<String>,
    /// The name of the job.
    pub name: String,
    /// `New`, `Incoming`, `Processing`, `Completed` or any other text.
    pub status: String,
    /// When it was submitted.
    pub created_at: String,
    /// Its files.
    pub files: Vec<JobFileDocument>,
}

/// A file of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobFileDocument {
    /// `input`, `model` or `support`.
    pub role: String,
    /// The name that the user gave it.
    pub name: String,
    /// Whether somebody saved changes in it.
    pub edited: bool,
}

impl From<StoredJob> for JobDocument {
    fn from(job: StoredJob) -> Self {
        Self {
            id: job.external_id,
            user: job.user,
            account: job.account,
            name: job.name,
            status: job.status,
            created_at: job.created_at,
            files: job.files.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<JobFile> for JobFileDocument {
    fn from(file: JobFile) -> Self {
        Self {
            role: file.role,
            name: file.name,
            edited: file.edited,
        }
    }
}

/// Whether it was ordered or only quoted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrderKind {
    /// An order.
    #[default]
    Order,
    /// A quote.
    Quote,
}

impl OrderKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Quote => "quote",
        }
    }
}

/// An order or a quote to record.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OrderSubmission {
    /// `order` or `quote`.
    #[serde(default)]
    pub kind: OrderKind,
    /// The external id of the user who placed it.
    #[schemars(length(min = 1, max = MAX_RECORD_ID_LENGTH), regex(pattern = RECORD_ID))]
    pub user: String,
    /// The external id of the account for which it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = MAX_RECORD_ID_LENGTH), regex(pattern = RECORD_ID))]
    pub account: Option<String>,
    /// When it was placed, such as `2026-03-31T09:30:00Z`.
    #[schemars(regex(pattern = MOMENT))]
    pub placed_at: String,
}

/// The moments of 1900 to 2099, as a pattern: the days of each month, February 29 in leap years.
const MOMENT: &str = "^((19|20)[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])\
    |(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))\
    |((19|20)(0[48]|[2468][048]|[13579][26])|2000)-02-29)\
    T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?\
    (Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$";

impl OrderSubmission {
    /// When it was placed, in milliseconds since 1970; `None` if that is no moment.
    pub fn placed_at(&self) -> Option<i64> {
        let moment = DateTime::parse_from_rfc3339(&self.placed_at).ok()?;
        Some(moment.timestamp_millis())
    }
}

/// An order or a quote.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderDocument {
    /// The external id of the order.
    pub id: String,
    /// `order` or `quote`.
    pub kind: String,
    /// The external id of the user who placed it.
    pub user: Option<String>,
    /// The external id of the account for which it was placed.
    pub account: Option<String>,
    /// The name with which the user had logged in. It stays after the user is gone.
    pub login: Option<String>,
    /// When it was placed.
    pub placed_at: String,
}

impl From<StoredOrder> for OrderDocument {
    fn from(order: StoredOrder) -> Self {
        Self {
            id: order.external_id,
            kind: order.kind,
            user: order.user,
            account: order.account,
            login: order.login,
            placed_at: order.placed_at,
        }
    }
}

/// Whether a user may log in, submit jobs and follow them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubmitCheckDocument {
    /// The answer.
    pub may_submit: bool,
    /// What it depends on.
    pub why: String,
}

impl From<&SubmissionFacts> for SubmitCheckDocument {
    fn from(facts: &SubmissionFacts) -> Self {
        Self {
            may_submit: facts.may_submit,
            why: submission_reasons(facts),
        }
    }
}

/// What keeps a user from submitting jobs, or what lets one.
fn submission_reasons(facts: &SubmissionFacts) -> String {
    if facts.may_submit {
        let accounts = match facts.accounts {
            0 => "no account is needed".to_owned(),
            all => format!("{} of {all} accounts can be used", facts.usable_accounts),
        };
        return format!(
            "the user is {}, the access is {}, and {accounts}",
            facts.status, facts.access
        );
    }
    let mut reasons = Vec::new();
    if facts.status != "active" {
        reasons.push(format!("the user is {}", facts.status));
    }
    if let Some(block) = &facts.block {
        reasons.push(format!("the user is blocked: {block}"));
    }
    if facts.access != "enabled" {
        reasons.push(format!("the access is {}", facts.access));
    }
    if facts.usable_accounts == 0 {
        reasons.push(if facts.accounts == 0 {
            "the user has no account".to_owned()
        } else {
            "no account of the user can be used".to_owned()
        });
    }
    reasons.join("; ")
}

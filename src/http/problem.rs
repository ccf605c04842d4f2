//! Problems as of RFC 9457: every response that is not a success is one of these. The list of kinds
//! below is the list of codes in the documentation.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::time::Duration;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A kind of problem: an entry of [`ALL`].
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// The stable name, kebab case.
    pub code: &'static str,
    /// Its HTTP status.
    pub status: StatusCode,
    /// What it means in general.
    pub title: &'static str,
    /// When it happens, and what to do about it.
    pub advice: &'static str,
}

macro_rules! kinds {
    ($($constant:ident $code:literal $status:ident $title:literal $advice:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $title, ".")]
            pub const $constant: &ProblemKind = &ProblemKind {
                code: $code,
                status: StatusCode::$status,
                title: $title,
                advice: $advice,
            };
        )*
        /// All of them.
        pub const ALL: &[&ProblemKind] = &[$($constant),*];
    };
}

kinds! {
    BAD_REQUEST "bad-request" BAD_REQUEST "Malformed request"
        "The body is not JSON, has a member that does not exist, or a member has another type. Compare it with `roster openapi`.";
    NOT_A_LIST "json-not-list" BAD_REQUEST "The body is not a list of records"
        "A push is a list of objects, also for one record. Put `[` and `]` around it.";
    NOT_DATA "feed-not-data" BAD_REQUEST "The body is not data"
        "The body is a web page, a login form or empty. Send what the mapping of the source reads.";
    TRUNCATED "feed-truncated" BAD_REQUEST "The body is incomplete"
        "The body ends in the middle of a record. Nothing of it was kept; send it again.";
    UNAUTHORIZED "unauthorized" UNAUTHORIZED "A valid token is required"
        "The request has no token, or one that is unknown or expired. `roster token create` makes one.";
    LOGIN_FAILED "login-failed" UNAUTHORIZED "The login or the password is wrong"
        "The login, the password, or both are wrong, or the user may not log in. Roster does not say which. An operator sees the state with `roster get User/ID`.";
    NO_PERMISSION "no-permission" FORBIDDEN "Permission denied"
        "The role of the token lacks the permission, `approvers` of the configuration does not name its holder, or a user of the level `user` asked for what an administrator may do.";
    PASSWORD_WRONG "password-wrong" FORBIDDEN "The current password is wrong"
        "A new password needs the current one. Somebody who forgot it needs a new invitation: `roster user invite ID`.";
    FORGED "forged" FORBIDDEN "The request does not come from a page of this server"
        "A browser sent the form from another site, or the session ended meanwhile. Load the page again.";
    MISDIRECTED "misdirected" MISDIRECTED_REQUEST "This server does not serve the requested host"
        "The name in the address is not that of the server. Set `serve.url`, or `serve.customers.url` for customers.";
    NOT_FOUND "not-found" NOT_FOUND "Not found"
        "Nothing has this id, or the token may not see it. `roster get KIND` lists what is stored.";
    METHOD "method-not-allowed" METHOD_NOT_ALLOWED "This path does not support the method"
        "The path exists, but not for this method. See `roster openapi`.";
    NOT_ACCEPTABLE "not-acceptable" NOT_ACCEPTABLE "The requested media type is not available"
        "The server has none of the media types that `Accept` names.";
    TIMEOUT "timeout" REQUEST_TIMEOUT "The request took too long"
        "The request took longer than `serve.limits` allows. Ask for less, or raise the limit.";
    SUSPENDED "suspended" CONFLICT "The source is suspended"
        "A person suspended the source. `roster resume NAME` ends that.";
    WRONG_STATE "wrong-state" CONFLICT "The act is not possible in the current state"
        "An act is possible only in certain states: only an enabled user can be deactivated, for example. The answer names the state and, as `possible`, the acts that are possible now. For a branch with a proposal: it exists already, files have uncommitted changes, or nothing is proposed.";
    DECLARED "declared" CONFLICT "A source enforces the field"
        "A source enforces the field or the user, so that the change would be undone. Change it in the source that the answer names.";
    SEVERAL_ACCOUNTS "several-accounts" CONFLICT "The user has other accounts too"
        "An administrator of one account changes only the level and the link of a user who has other accounts too.";
    EMAIL_TAKEN "email-duplicate" CONFLICT "Another user has the e-mail address"
        "With this login mode, two active users cannot have one e-mail address, letter case aside.";
    JOBS_OPEN "jobs-open" CONFLICT "Somebody still works on jobs of the user"
        "Only new, incoming and completed jobs go with their user. Finish the others first; the answer lists them.";
    WINDOW_CLOSED "window-closed" CONFLICT "No window is open"
        "The source applies only within its windows. Wait for the next one, or override it with a reason.";
    ALREADY_DECIDED "already-decided" CONFLICT "Already decided"
        "Somebody approved or rejected it before. A rejected account can be approved later; to shut out an approved one, use `roster block Account/ID`.";
    FOREIGN_USER "policy-foreign-user" CONFLICT "The user does not belong to the account"
        "The policy is evaluated for a user and an account, and the user does not belong to the account.";
    STALE_PLAN "stale-plan" CONFLICT "The database or the source changed after the plan"
        "A row, the configuration or the source changed after the plan was made. Make a new plan and review it.";
    IN_PROGRESS "in-progress" CONFLICT "The same act is still in progress"
        "The same request with the same idempotency key has not ended yet. Ask again later.";
    NOT_CONFIGURED "not-configured" CONFLICT "The configuration lacks something that is needed"
        "The answer names the setting that is missing, such as `serve.url` for links or `mail` for sending.";
    TERMS_OUTDATED "terms-outdated" CONFLICT "These are not the current terms"
        "The accepted version is not the current one. Show the current document and accept its SHA-256.";
    LINK_USED "link-used" GONE "The link was used before"
        "A link of an invitation works once. If the password is not set, send a new invitation: `roster user invite ID --send`.";
    LINK_EXPIRED "link-expired" GONE "The link does not work any more"
        "The link is too old, a newer one replaced it, or the user is blocked or inactive. Send a new invitation: `roster user invite ID --send`.";
    TOO_LARGE "too-large" PAYLOAD_TOO_LARGE "The body is too large"
        "The body exceeds `serve.limits`. Send less at once, or raise the limit.";
    MEDIA "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type"
        "Send JSON with `Content-Type: application/json`; a push may also be CSV or a workbook.";
    INVALID "invalid" UNPROCESSABLE_ENTITY "Invalid request"
        "A value is not allowed here. The answer says which and why.";
    PASSWORD_WEAK "password-weak" UNPROCESSABLE_ENTITY "The password is too weak"
        "A password has 8 to 255 characters, among them a lower-case letter, an upper-case letter and a digit.";
    UNREADABLE "source-unreadable" UNPROCESSABLE_ENTITY "The body cannot be used"
        "The body cannot be read as what the source expects.";
    REFUSED "refused" UNPROCESSABLE_ENTITY "Errors refused the whole push"
        "With `atomic=true`, one record with an error refuses the whole push. The answer lists the errors of each record.";
    KEY_REUSED "idempotency-key-reused" UNPROCESSABLE_ENTITY "The idempotency key was used for another request"
        "Use a new `Idempotency-Key` for each request. The same key repeats only the same request.";
    UNCONFIRMED "confirmation-needed" PRECONDITION_REQUIRED "The id has to be given once more"
        "The act is final. Give the id once more: `--confirm ID`, or `confirm` in the request.";
    TOO_MANY "too-many-requests" TOO_MANY_REQUESTS "Too many requests"
        "Wait as long as `Retry-After` says. Wrong logins and wrong links are counted by address and by name.";
    INTERNAL "internal" INTERNAL_SERVER_ERROR "Internal error"
        "This is a fault of Roster. The log has the details under the request id.";
    UNAVAILABLE "unavailable" SERVICE_UNAVAILABLE "Temporarily unavailable"
        "The database, a remote or the daemon cannot be reached now. Roster tries again by itself; repeat the request later.";
    LOCK_TIMEOUT "lock-timeout" SERVICE_UNAVAILABLE "Another process holds the lease"
        "Another process is applying the same source. Try again when it has ended.";
}

/// A failure and its response.
#[derive(Clone, Debug)]
pub struct HttpProblem {
    pub kind: &'static ProblemKind,
    /// What is wrong in this case, for people; contains no secrets.
    pub detail: String,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Additional members for programs.
    pub extensions: Map<String, Value>,
}

/// A problem (RFC 9457).
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemDetails {
    /// `urn:roster:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The stable code of the problem.
    pub code: Cow<'static, str>,
    /// The meaning of the code.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// What is wrong in this case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The id of the request in the daemon's log.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    /// Additional members, depending on the code.
    #[serde(flatten)]
    extensions: Map<String, Value>,
}

impl HttpProblem {
    /// A problem of this kind. The detail is for people and contains no secrets.
    pub fn new(kind: &'static ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
            extensions: Map::new(),
        }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(NOT_FOUND, detail)
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(BAD_REQUEST, detail)
    }

    /// An internal error. The reason only goes to the log, because it may contain what the caller
    /// must not see.
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        tracing::error!("{reason}");
        Self::new(INTERNAL, "")
    }

    /// Adds a member for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The problem that a bare status stands for.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let kind = match status {
            StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => BAD_REQUEST,
            _ if status.is_client_error() => ALL
                .iter()
                .find(|kind| kind.status == status)
                .unwrap_or(&BAD_REQUEST),
            StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
            _ => INTERNAL,
        };
        Self::new(kind, "")
    }

    pub fn to_details(&self, request: Option<&str>) -> ProblemDetails {
        ProblemDetails {
            kind: format!("urn:roster:problem:{}", self.kind.code),
            code: self.kind.code.into(),
            title: self.kind.title.into(),
            status: self.kind.status.as_u16(),
            detail: self.detail.clone(),
            request: request.map(str::to_owned),
            extensions: self.extensions.clone(),
        }
    }

    /// The response, with the id of the request.
    pub(super) fn to_response(&self, request: Option<&str>) -> Response {
        let mut response = (self.kind.status, Json(self.to_details(request))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(wait) = self.retry_after {
            // Rounded up, because 0 seconds would invite the client to retry at once.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        // HTTP requires the header with a 401.
        if self.kind.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"roster\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        // For the outermost layer, which knows the request's id and whether a person reads the
        // response.
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl IntoResponse for HttpProblem {
    fn into_response(self) -> Response {
        self.to_response(None)
    }
}

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
}

macro_rules! kinds {
    ($($constant:ident $code:literal $status:ident $title:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`: ", $title, ".")]
            pub const $constant: &ProblemKind = &ProblemKind {
                code: $code,
                status: StatusCode::$status,
                title: $title,
            };
        )*
        /// All of them.
        pub const ALL: &[&ProblemKind] = &[$($constant),*];
    };
}

kinds! {
    BAD_REQUEST "bad-request" BAD_REQUEST "Malformed request";
    NOT_A_LIST "json-not-list" BAD_REQUEST "The body is not a list of records";
    NOT_DATA "feed-not-data" BAD_REQUEST "The body is not data";
    TRUNCATED "feed-truncated" BAD_REQUEST "The body is incomplete";
    UNAUTHORIZED "unauthorized" UNAUTHORIZED "A valid token is required";
    LOGIN_FAILED "login-failed" UNAUTHORIZED "The login or the password is wrong";
    NO_PERMISSION "no-permission" FORBIDDEN "Permission denied";
    PASSWORD_WRONG "password-wrong" FORBIDDEN "The current password is wrong";
    FORGED "forged" FORBIDDEN "The request does not come from a page of this server";
    MISDIRECTED "misdirected" MISDIRECTED_REQUEST "This server does not serve the requested host";
    NOT_FOUND "not-found" NOT_FOUND "Not found";
    METHOD "method-not-allowed" METHOD_NOT_ALLOWED "This path does not support the method";
    NOT_ACCEPTABLE "not-acceptable" NOT_ACCEPTABLE "The requested media type is not available";
    TIMEOUT "timeout" REQUEST_TIMEOUT "The request took too long";
    SUSPENDED "suspended" CONFLICT "The source is suspended";
    WRONG_STATE "wrong-state" CONFLICT "The act is not possible in the current state";
    DECLARED "declared" CONFLICT "A source enforces the field";
    SEVERAL_ACCOUNTS "several-accounts" CONFLICT "The user has other accounts too";
    EMAIL_TAKEN "email-duplicate" CONFLICT "Another user has the e-mail address";
    JOBS_OPEN "jobs-open" CONFLICT "Somebody still works on jobs of the user";
    WINDOW_CLOSED "window-closed" CONFLICT "No window is open";
    ALREADY_DECIDED "already-decided" CONFLICT "Already decided";
    FOREIGN_USER "policy-foreign-user" CONFLICT "The user does not belong to the account";
    STALE_PLAN "stale-plan" CONFLICT "The database or the source changed after the plan";
    IN_PROGRESS "in-progress" CONFLICT "The same act is still in progress";
    NOT_CONFIGURED "not-configured" CONFLICT "The configuration lacks something that is needed";
    TERMS_OUTDATED "terms-outdated" CONFLICT "These are not the current terms";
    LINK_USED "link-used" GONE "The link was used before";
    LINK_EXPIRED "link-expired" GONE "The link does not work any more";
    TOO_LARGE "too-large" PAYLOAD_TOO_LARGE "The body is too large";
    MEDIA "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type";
    INVALID "invalid" UNPROCESSABLE_ENTITY "Invalid request";
    PASSWORD_WEAK "password-weak" UNPROCESSABLE_ENTITY "The password is too weak";
    UNREADABLE "source-unreadable" UNPROCESSABLE_ENTITY "The body cannot be used";
    REFUSED "refused" UNPROCESSABLE_ENTITY "Errors refused the whole push";
    KEY_REUSED "idempotency-key-reused" UNPROCESSABLE_ENTITY "The idempotency key was used for another request";
    UNCONFIRMED "confirmation-needed" PRECONDITION_REQUIRED "The id has to be given once more";
    TOO_MANY "too-many-requests" TOO_MANY_REQUESTS "Too many requests";
    INTERNAL "internal" INTERNAL_SERVER_ERROR "Internal error";
    UNAVAILABLE "unavailable" SERVICE_UNAVAILABLE "Temporarily unavailable";
    LOCK_TIMEOUT "lock-timeout" SERVICE_UNAVAILABLE "Another process holds the lease";
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

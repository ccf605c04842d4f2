//! What the table of routes says of each.

use super::operation::OperationBuilder;
use super::role::Permission;
use axum::http::Method;
use serde_json::Value;

/// What one needs to be let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessRequirement {
    /// Nothing.
    Public,
    /// To be somebody, whoever it is.
    Authenticated,
    /// A role with this permission.
    Permission(Permission),
}

impl From<Permission> for AccessRequirement {
    fn from(permission: Permission) -> Self {
        Self::Permission(permission)
    }
}

/// Who reads the answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteAudience {
    /// Programs; it stands in the OpenAPI document.
    Program,
    /// People with a browser: without a session they are sent to the login.
    Person,
}

/// How much the body of a request may weigh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodySizeLimit {
    /// As `serve.limits.body` has it.
    Usual,
    /// As `serve.limits.tree` has it; few at once.
    Tree,
}

/// What the table says of a route.
#[derive(Clone, Debug)]
pub struct RouteSpec {
    /// The method; `GET` also answers `HEAD`.
    pub method: Method,
    /// The path, parameters as `{name}`. `{source}` is held against the sources of the token.
    pub path: &'static str,
    /// The name of the operation in the document.
    pub id: &'static str,
    pub needs: AccessRequirement,
    /// Who reads the answers.
    pub audience: RouteAudience,
    /// In a few words.
    pub summary: &'static str,
    /// In whole sentences, Markdown.
    pub description: &'static str,
    /// How much the body may weigh.
    pub weight: BodySizeLimit,
    /// Whether it answers under load too: health.
    pub exempt_from_limits: bool,
    /// Whether a token for some sources may come here although the path names none: the handler
    /// shows it only what is its own.
    pub filters_by_source: bool,
    /// Whether the answer takes its time: no time limit.
    pub no_timeout: bool,
    /// Whether the handler itself sees to it that an act with a key is done once.
    pub handles_idempotency: bool,
    pub example_body: Option<Value>,
    /// An example of the answer.
    pub example: Option<Value>,
    /// Codes of problems of its own.
    pub problems: Vec<&'static super::problem::ProblemKind>,
    pub(super) describe: fn(&mut OperationBuilder<'_>),
}

impl RouteSpec {
    /// Whether it changes something, so that an idempotency key makes sense.
    pub fn is_act(&self) -> bool {
        !self.method.is_safe()
            && matches!(self.needs, AccessRequirement::Permission(may) if may.allows_changes())
    }
}

/// The path of [`HealthReply`].
pub(super) const HEALTH: &str = "/healthz";

/// The path of readiness.
pub(super) const READY: &str = "/readyz";

/// Whether a path is answered also when there is room for nothing else.
pub(super) fn is_vital(path: &str) -> bool {
    matches!(path, HEALTH | READY)
}

//! The description of a route: who may use it, what it accepts, and its part of the OpenAPI
//! document.

use super::operation::OperationBuilder;
use super::role::Permission;
use axum::http::Method;
use serde_json::Value;

/// What a caller needs to use a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessRequirement {
    /// Nothing.
    Public,
    /// The token of a customer. The handler looks it up, and tokens of roles do not count.
    Customer,
    /// A valid token or session, with any role.
    Authenticated,
    /// A role with this permission.
    Permission(Permission),
}

impl From<Permission> for AccessRequirement {
    fn from(permission: Permission) -> Self {
        Self::Permission(permission)
    }
}

/// Who reads the responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteAudience {
    /// Programs. The route is part of the OpenAPI document.
    Program,
    /// People with a browser. Without a session they are redirected to the login page.
    Person,
}

/// At which address a route answers where customers have one of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteAddress {
    /// At the operators' address.
    Operators,
    /// At the customers' address.
    Customers,
    /// At both.
    Both,
}

/// The largest body of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodySizeLimit {
    /// `serve.limits.body`.
    Usual,
    /// `serve.limits.tree`. Only a few such requests are handled at once.
    Tree,
    /// `serve.limits.file`. The handler reads it as it arrives.
    File,
}

/// An entry of the table of routes, without its handler.
#[derive(Clone, Debug)]
pub struct RouteSpec {
    /// The method; `GET` also answers `HEAD`.
    pub method: Method,
    /// The path, with parameters as `{name}`. `{source}` is checked against the sources of the
    /// token.
    pub path: &'static str,
    /// The id of the operation in the OpenAPI document.
    pub id: &'static str,
    pub needs: AccessRequirement,
    pub audience: RouteAudience,
    pub address: RouteAddress,
    /// A few words for the OpenAPI document.
    pub summary: &'static str,
    /// Full sentences for the OpenAPI document, in Markdown.
    pub description: &'static str,
    pub weight: BodySizeLimit,
    /// Whether it is answered under any load, like a health check.
    pub exempt_from_limits: bool,
    /// Whether a token for certain sources may use it although the path names no source. The
    /// handler then shows only what belongs to these sources.
    pub filters_by_source: bool,
    /// Whether it has no time limit.
    pub no_timeout: bool,
    /// Whether its answers are personal, so that none is kept for a repeated request unless the
    /// handler says which.
    pub answers_are_personal: bool,
    /// Whether the handler itself makes sure that an act with an idempotency key is done once.
    pub handles_idempotency: bool,
    pub example_body: Option<Value>,
    /// An example of the response.
    pub example: Option<Value>,
    /// The problems that only this route can answer with.
    pub problems: Vec<&'static super::problem::ProblemKind>,
    pub(super) describe: fn(&mut OperationBuilder<'_>),
}

impl RouteSpec {
    /// Whether the same request with the same idempotency key is done once.
    pub fn takes_key(&self) -> bool {
        self.is_act() || (self.handles_idempotency && self.needs == AccessRequirement::Customer)
    }

    /// Whether it changes something, so that it accepts an idempotency key.
    pub fn is_act(&self) -> bool {
        !self.method.is_safe()
            && matches!(self.needs, AccessRequirement::Permission(may) if may.allows_changes())
    }
}

/// The path of the health check.
pub(super) const HEALTH: &str = "/healthz";

/// The path of the readiness check.
pub(super) const READY: &str = "/readyz";

/// Whether a path is answered even if every other request is refused.
pub(super) fn is_vital(path: &str) -> bool {
    matches!(path, HEALTH | READY)
}

//! Routes as data: one table yields the router with its checks and the OpenAPI document, so that
//! neither a check nor the documentation can be forgotten. Start at [`Route`] and [`router`].

use super::gate::RequestGate;
use super::operation::{OperationBuilder, OperationHandler};
use super::role::Permission;
use super::route_guard::{RouteGuard, guard_route};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::Value;
use std::sync::Arc;

/// What a caller needs to use a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessRequirement {
    Public,
    /// To be authenticated, with any role.
    Authenticated,
    /// A role with this permission.
    Permission(Permission),
}

impl From<Permission> for AccessRequirement {
    fn from(permission: Permission) -> Self {
        Self::Permission(permission)
    }
}

/// Who uses a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteAudience {
    /// Programs; the route is in the OpenAPI document.
    Program,
    /// People with a browser; without a session they are redirected to the login page.
    Person,
}

/// The limit for a request body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodySizeLimit {
    /// `serve.limits.body`.
    Usual,
    /// `serve.limits.tree`; only a few at once.
    Tree,
}

/// Everything the table says about a route.
#[derive(Clone, Debug)]
pub struct RouteSpec {
    /// The method; `GET` also answers `HEAD`.
    pub method: Method,
    /// The path with parameters as `{name}`. `{source}` is checked against the sources of the
    /// token.
    pub path: &'static str,
    /// The name of the operation in the document.
    pub id: &'static str,
    pub needs: AccessRequirement,
    /// Who uses it.
    pub audience: RouteAudience,
    /// A few words.
    pub summary: &'static str,
    /// Full sentences in Markdown.
    pub description: &'static str,
    pub weight: BodySizeLimit,
    /// Whether it is answered under load as well, like health checks.
    pub exempt_from_limits: bool,
    /// Whether a token for certain sources may use it although the path names none; the handler
    /// then shows only these sources.
    pub filters_by_source: bool,
    /// Whether it has no time limit.
    pub no_timeout: bool,
    /// Whether the handler itself takes care of idempotency keys.
    pub handles_idempotency: bool,
    pub example_body: Option<Value>,
    pub example: Option<Value>,
    /// The problems of its own.
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

/// An entry of the table with its handler.
#[derive(Debug)]
pub struct Route<S> {
    pub spec: RouteSpec,
    handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A route of the API; its part of the document comes from the handler's signature.
    pub fn new<H, T, D>(
        method: Method,
        path: &'static str,
        id: &'static str,
        needs: impl Into<AccessRequirement>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S> + OperationHandler<D>,
        T: 'static,
    {
        let handler = on(filter(&method), handler);
        Self::build(method, path, id, needs.into(), handler, H::describe)
    }

    pub fn get<H, T, D>(
        path: &'static str,
        id: &'static str,
        needs: impl Into<AccessRequirement>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S> + OperationHandler<D>,
        T: 'static,
    {
        Self::new(Method::GET, path, id, needs, handler)
    }

    pub fn post<H, T, D>(
        path: &'static str,
        id: &'static str,
        needs: impl Into<AccessRequirement>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S> + OperationHandler<D>,
        T: 'static,
    {
        Self::new(Method::POST, path, id, needs, handler)
    }

    /// A page or the form of one: any handler, not in the document.
    pub fn page<H, T>(
        method: Method,
        path: &'static str,
        needs: impl Into<AccessRequirement>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = on(filter(&method), handler);
        let mut route = Self::build(method, path, "", needs.into(), handler, |_| {});
        route.spec.audience = RouteAudience::Person;
        route
    }

    fn build(
        method: Method,
        path: &'static str,
        id: &'static str,
        needs: AccessRequirement,
        handler: MethodRouter<S>,
        describe: fn(&mut OperationBuilder<'_>),
    ) -> Self {
        let about = RouteSpec {
            method,
            path,
            id,
            needs,
            audience: RouteAudience::Program,
            summary: "",
            description: "",
            weight: BodySizeLimit::Usual,
            exempt_from_limits: false,
            filters_by_source: false,
            no_timeout: false,
            handles_idempotency: false,
            example_body: None,
            example: None,
            problems: Vec::new(),
            describe,
        };
        Self {
            spec: about,
            handler,
        }
    }

    /// Describes it in a few words and in full sentences.
    #[must_use]
    pub fn with_docs(mut self, summary: &'static str, description: &'static str) -> Self {
        self.spec.summary = summary;
        self.spec.description = description;
        self
    }

    #[must_use]
    pub fn problems(mut self, problems: &'static [&'static super::problem::ProblemKind]) -> Self {
        self.spec.problems.extend(problems);
        self
    }

    #[must_use]
    pub fn example(mut self, example: Value) -> Self {
        self.spec.example = Some(example);
        self
    }

    #[must_use]
    pub fn example_body(mut self, example: Value) -> Self {
        self.spec.example_body = Some(example);
        self
    }

    /// Accepts bodies up to `serve.limits.tree`, a few at once.
    #[must_use]
    pub fn with_tree_limit(mut self) -> Self {
        self.spec.weight = BodySizeLimit::Tree;
        self
    }

    /// Is answered under load as well.
    #[must_use]
    pub fn exempt_from_limits(mut self) -> Self {
        self.spec.exempt_from_limits = true;
        self
    }

    /// Its handler shows the holder of a token for certain sources only these.
    #[must_use]
    pub fn filters_by_source(mut self) -> Self {
        self.spec.filters_by_source = true;
        self
    }

    /// Its handler stores idempotency keys and answers longer than this process lives.
    #[must_use]
    pub fn handles_idempotency(mut self) -> Self {
        self.spec.handles_idempotency = true;
        self
    }

    /// Has no time limit.
    #[must_use]
    pub fn without_timeout(mut self) -> Self {
        self.spec.no_timeout = true;
        self
    }
}

/// The router of a table; no route is without its checks.
pub fn router<S: Clone + Send + Sync + 'static>(
    routes: Vec<Route<S>>,
    gate: &Arc<RequestGate>,
) -> Router<S> {
    let mut router = Router::new();
    for route in routes {
        let pass_state = Arc::new(RouteGuard {
            gate: Arc::clone(gate),
            spec: route.spec,
        });
        let path = pass_state.spec.path;
        let handler = route
            .handler
            // The body has been limited and read before this point.
            .route_layer(DefaultBodyLimit::disable())
            .route_layer(from_fn_with_state(pass_state, guard_route));
        router = router.route(path, handler);
    }
    router
}

fn filter(method: &Method) -> MethodFilter {
    // The table only contains methods that axum knows; any other would never match.
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE)
}

//! Routes as data: one table yields the router with its checks and the OpenAPI document, so that
//! neither a check nor the documentation can be forgotten. Start at [`Route`] and [`router`].

use super::gate::RequestGate;
use super::operation::{OperationBuilder, OperationHandler};
use super::route_guard::{RouteGuard, guard_route};
use super::route_spec::{AccessRequirement, BodySizeLimit, RouteAddress, RouteAudience, RouteSpec};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::Value;
use std::sync::Arc;

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
            address: RouteAddress::Operators,
            summary: "",
            description: "",
            weight: BodySizeLimit::Usual,
            exempt_from_limits: false,
            filters_by_source: false,
            no_timeout: false,
            answers_are_personal: false,
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

    /// Its handler reads a body of up to `serve.limits.file` as it arrives.
    #[must_use]
    pub fn with_file_body(mut self) -> Self {
        self.spec.weight = BodySizeLimit::File;
        // The body has a limit of its own, and how long it takes depends on its size. Sending it
        // again stores the same, so it needs no key.
        self.spec.no_timeout = true;
        self.spec.handles_idempotency = true;
        self
    }

    /// Answers at this address where customers have one of their own.
    #[must_use]
    pub fn at(mut self, address: RouteAddress) -> Self {
        self.spec.address = address;
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

    /// Its answers are not kept for repeated requests; see `PersonalResponse`.
    #[must_use]
    pub fn answers_are_personal(mut self) -> Self {
        self.spec.answers_are_personal = true;
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

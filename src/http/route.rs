//! Routes as data: one table makes the router, with its checks, and the OpenAPI document.

use super::describe::{Described, Operation};
use super::gate::Gate;
use super::pass::{Pass, pass};
use super::role::Permission;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::Value;
use std::sync::Arc;

/// What one needs to be let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// To be somebody, whoever it is.
    Somebody,
    /// A role with this permission.
    May(Permission),
}

impl From<Permission> for Needs {
    fn from(permission: Permission) -> Self {
        Self::May(permission)
    }
}

/// Who reads the answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Programs; it stands in the OpenAPI document.
    Program,
    /// People with a browser: without a session they are sent to the login.
    Person,
}

/// How much the body of a request may weigh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// As `serve.limits.body` has it.
    Usual,
    /// As `serve.limits.tree` has it; few at once.
    Tree,
}

/// What the table says of a route.
#[derive(Clone, Debug)]
pub struct About {
    /// The method; `GET` also answers `HEAD`.
    pub method: Method,
    /// The path, parameters as `{name}`. `{source}` is held against the sources of the token.
    pub path: &'static str,
    /// The name of the operation in the document.
    pub id: &'static str,
    /// What one needs.
    pub needs: Needs,
    /// Who reads the answers.
    pub audience: Audience,
    /// In a few words.
    pub summary: &'static str,
    /// In whole sentences, Markdown.
    pub description: &'static str,
    /// How much the body may weigh.
    pub weight: Weight,
    /// Whether it answers under load too: health.
    pub vital: bool,
    /// Whether a token for some sources may come here although the path names none: the handler
    /// shows it only what is its own.
    pub sifted: bool,
    /// Whether the answer takes its time: no time limit.
    pub lasting: bool,
    /// Whether the handler itself sees to it that an act with a key is done once.
    pub keyed: bool,
    /// An example of the body.
    pub example_body: Option<Value>,
    /// An example of the answer.
    pub example: Option<Value>,
    /// Codes of problems of its own.
    pub problems: Vec<&'static super::problem::Kind>,
    pub(super) describe: fn(&mut Operation<'_>),
}

impl About {
    /// Whether it changes something, so that an idempotency key makes sense.
    pub fn acts(&self) -> bool {
        !self.method.is_safe() && matches!(self.needs, Needs::May(may) if may.acts())
    }
}

/// An entry of the table with its handler.
#[derive(Debug)]
pub struct Route<S> {
    /// What the table says.
    pub about: About,
    handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A route of the API: what its handler takes and gives makes its part of the document.
    pub fn new<H, T, D>(
        method: Method,
        path: &'static str,
        id: &'static str,
        needs: impl Into<Needs>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S> + Described<D>,
        T: 'static,
    {
        let handler = on(filter(&method), handler);
        Self::made(method, path, id, needs.into(), handler, H::describe)
    }

    /// `GET`.
    pub fn get<H, T, D>(
        path: &'static str,
        id: &'static str,
        needs: impl Into<Needs>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S> + Described<D>,
        T: 'static,
    {
        Self::new(Method::GET, path, id, needs, handler)
    }

    /// `POST`.
    pub fn post<H, T, D>(
        path: &'static str,
        id: &'static str,
        needs: impl Into<Needs>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S> + Described<D>,
        T: 'static,
    {
        Self::new(Method::POST, path, id, needs, handler)
    }

    /// A page or a form of it: any handler; not in the document.
    pub fn page<H, T>(
        method: Method,
        path: &'static str,
        needs: impl Into<Needs>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let handler = on(filter(&method), handler);
        let mut route = Self::made(method, path, "", needs.into(), handler, |_| {});
        route.about.audience = Audience::Person;
        route
    }

    fn made(
        method: Method,
        path: &'static str,
        id: &'static str,
        needs: Needs,
        handler: MethodRouter<S>,
        describe: fn(&mut Operation<'_>),
    ) -> Self {
        let about = About {
            method,
            path,
            id,
            needs,
            audience: Audience::Program,
            summary: "",
            description: "",
            weight: Weight::Usual,
            vital: false,
            sifted: false,
            lasting: false,
            keyed: false,
            example_body: None,
            example: None,
            problems: Vec::new(),
            describe,
        };
        Self { about, handler }
    }

    /// What it does: in a few words, and in whole sentences.
    #[must_use]
    pub fn says(mut self, summary: &'static str, description: &'static str) -> Self {
        self.about.summary = summary;
        self.about.description = description;
        self
    }

    /// The problems that are its own.
    #[must_use]
    pub fn problems(mut self, problems: &'static [&'static super::problem::Kind]) -> Self {
        self.about.problems.extend(problems);
        self
    }

    /// An example of the answer.
    #[must_use]
    pub fn example(mut self, example: Value) -> Self {
        self.about.example = Some(example);
        self
    }

    /// An example of the body.
    #[must_use]
    pub fn example_body(mut self, example: Value) -> Self {
        self.about.example_body = Some(example);
        self
    }

    /// Takes bodies as heavy as `serve.limits.tree`, a few at once.
    #[must_use]
    pub fn heavy(mut self) -> Self {
        self.about.weight = Weight::Tree;
        self
    }

    /// Answers under load too.
    #[must_use]
    pub fn vital(mut self) -> Self {
        self.about.vital = true;
        self
    }

    /// Its handler shows the holder of a token for some sources only what is its own.
    #[must_use]
    pub fn sifted(mut self) -> Self {
        self.about.sifted = true;
        self
    }

    /// Its handler keeps the keys of acts, and their answers, longer than this process lives.
    #[must_use]
    pub fn keyed(mut self) -> Self {
        self.about.keyed = true;
        self
    }

    /// May take as long as it takes.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.about.lasting = true;
        self
    }
}

/// The router of a table: no route without its check.
pub fn router<S: Clone + Send + Sync + 'static>(
    routes: Vec<Route<S>>,
    gate: &Arc<Gate>,
) -> Router<S> {
    let mut router = Router::new();
    for route in routes {
        let pass_state = Arc::new(Pass {
            gate: Arc::clone(gate),
            about: route.about,
        });
        let path = pass_state.about.path;
        let handler = route
            .handler
            // The gate has weighed the body by then.
            .route_layer(DefaultBodyLimit::disable())
            .route_layer(from_fn_with_state(pass_state, pass));
        router = router.route(path, handler);
    }
    router
}

fn filter(method: &Method) -> MethodFilter {
    // The table names methods that axum knows; another one would be answered by nobody.
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE)
}

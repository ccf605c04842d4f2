//! A server with a few routes of each sort, and what it logged.

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use reqwest::RequestBuilder;
use roster::config::ServeConfig;
use roster::http::token::TokenGrant;
use roster::http::{
    self, AccessRequirement, Caller, HttpProblem, HttpServer, JsonBody, PathParams, PeerAddress,
    Permission, QueryParams, ReadinessCheck, RequestGate, Role, Route, problem,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The state of the server under test.
#[derive(Clone)]
pub struct App {
    pub gate: Arc<RequestGate>,
    pub acts: Arc<AtomicUsize>,
    pub entered: Arc<Notify>,
    pub go: Arc<Notify>,
    pub unready: Arc<Mutex<Option<String>>>,
}

impl ReadinessCheck for App {
    async fn ready(&self) -> Result<(), String> {
        let reason = self.unready.lock().expect("whole").clone();
        reason.map_or(Ok(()), Err)
    }
}

#[derive(Deserialize, JsonSchema)]
pub struct Named {
    /// The source.
    source: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// At most so many.
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why.
    reason: String,
}

#[derive(Serialize, JsonSchema)]
pub struct Said {
    /// What.
    said: String,
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

fn said(text: &impl ToString) -> Json<Said> {
    let said = text.to_string();
    Json(Said { said })
}

async fn read(query: QueryParams<Page>) -> Result<Json<Said>, HttpProblem> {
    Ok(said(&query.0.limit.unwrap_or(10)))
}

async fn source(path: PathParams<Named>) -> Result<Json<Said>, HttpProblem> {
    Ok(said(&path.0.source))
}

async fn act(
    State(app): State<App>,
    caller: Caller,
    input: JsonBody<Reason>,
) -> Result<Json<Said>, HttpProblem> {
    let count = app.acts.fetch_add(1, Ordering::SeqCst) + 1;
    let Reason { reason } = input.0;
    Ok(said(&format!("{count} {} {reason}", caller.name)))
}

async fn slow(State(app): State<App>) -> Result<Json<Said>, HttpProblem> {
    app.entered.notify_one();
    app.go.notified().await;
    Ok(said(&"done"))
}

/// More than the system takes from a server before the client reads.
async fn large() -> Html<Vec<u8>> {
    Html(vec![b'x'; 16 << 20])
}

async fn panics() -> Result<Json<Said>, HttpProblem> {
    panic!("planted panic")
}

async fn refuses() -> Result<Json<Said>, HttpProblem> {
    Err(HttpProblem::new(problem::SUSPENDED, "since Monday").with("source", "directory"))
}

async fn home(caller: Caller) -> Html<String> {
    Html(caller.csrf.as_deref().unwrap_or("none").to_owned())
}

async fn login(
    State(app): State<App>,
    peer: PeerAddress,
    headers: HeaderMap,
    form: Form<Login>,
) -> Response {
    match app.gate.login(peer, &headers, &form.token) {
        Ok(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn logout(State(app): State<App>, headers: HeaderMap) -> Response {
    let cookie = app.gate.logout(&headers);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

pub fn routes() -> Vec<Route<App>> {
    use Permission::{Administer, Approve, Operate, Plan, Read};
    vec![
        Route::post("/api/v1/plan", "plan", Plan, act).with_tree_limit(),
        Route::post("/api/v1/push", "push", Operate, act).with_tree_limit(),
        Route::get("/api/v1/read", "read", Read, read),
        Route::get("/api/v1/sources/{source}", "source", Read, source),
        Route::post("/api/v1/operate", "operate", Operate, act),
        Route::post("/api/v1/approve", "approve", Approve, act),
        Route::post("/api/v1/administer", "administer", Administer, act),
        Route::get("/api/v1/slow", "slow", Read, slow),
        Route::post("/api/v1/slow-act", "slowAct", Operate, slow),
        Route::get("/api/v1/panics", "panics", Read, panics),
        Route::post("/api/v1/panics", "panicsToo", Operate, panics),
        Route::get("/api/v1/refuses", "refuses", Read, refuses).problems(&[problem::SUSPENDED]),
        Route::page(Method::GET, "/", Read, home),
        Route::page(Method::GET, "/large", Read, large),
        Route::page(Method::POST, "/operate", Operate, home),
        Route::page(Method::POST, "/login", AccessRequirement::Public, login),
        Route::page(
            Method::POST,
            "/logout",
            AccessRequirement::Authenticated,
            logout,
        ),
    ]
}

/// A server that runs, with a token of each role.
pub struct Scene {
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
    pub app: App,
    pub client: reqwest::Client,
    pub tokens: BTreeMap<Role, String>,
    pub stop: CancellationToken,
    pub running: tokio::task::JoinHandle<Result<(), http::ServerError>>,
}

/// As the configuration says, with tokens.
pub async fn scene(change: impl FnOnce(&mut ServeConfig)) -> Scene {
    log();
    let dir = tempfile::tempdir().expect("a directory");
    let mut tokens = BTreeMap::new();
    let mut lines = String::new();
    for role in Role::ALL {
        let (grant, token) = TokenGrant::create(role.name(), role, None, None).expect("a token");
        lines.push_str(&grant.line());
        lines.push('\n');
        tokens.insert(role, token);
    }
    let path = dir.path().join("tokens");
    write_tokens(&path, &lines);
    let mut serve = ServeConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tokens: Some(path),
        ..ServeConfig::default()
    };
    change(&mut serve);
    start(dir, &serve, tokens)
}

fn start(dir: tempfile::TempDir, serve: &ServeConfig, tokens: BTreeMap<Role, String>) -> Scene {
    let gate = RequestGate::new(serve).expect("valid tokens");
    let gate = Arc::new(gate.with_page(|problem, id| {
        let status = problem.kind.status;
        (
            status,
            Html(format!("<h1>{} {id}</h1>", problem.kind.title)),
        )
            .into_response()
    }));
    let app = App {
        gate: Arc::clone(&gate),
        acts: Arc::default(),
        entered: Arc::default(),
        go: Arc::default(),
        unready: Arc::default(),
    };
    let server = HttpServer::bind(serve).expect("an address");
    let address = server.address();
    let stop = CancellationToken::new();
    let router = http::app(routes(), &gate, app.clone());
    let running = tokio::spawn(server.run(router, stop.clone()));
    Scene {
        dir,
        address,
        app,
        client: client(|builder| builder),
        tokens,
        stop,
        running,
    }
}

pub fn client(
    change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Only the first one counts, and it is always the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    change(builder).build().expect("a client")
}

pub fn write_tokens(path: &PathBuf, lines: &str) {
    std::fs::write(path, lines).expect("the tokens");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("their mode");
}

impl Scene {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub fn get(&self, role: Role, path: &str) -> RequestBuilder {
        self.bare(Method::GET, path)
            .bearer_auth(&self.tokens[&role])
    }

    pub fn post(&self, role: Role, path: &str, reason: &str) -> RequestBuilder {
        self.bare(Method::POST, path)
            .bearer_auth(&self.tokens[&role])
            .json(&serde_json::json!({"reason": reason}))
    }
}

/// As a form; the values need no escapes.
pub fn posted(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(pairs.join("&"))
}

pub async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

/// The problem that a request is answered with.
pub async fn refused(request: RequestBuilder) -> Value {
    told(request.send().await.expect("an answer")).await
}

pub async fn told(response: reqwest::Response) -> Value {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.expect("a body");
    assert_eq!(
        headers["content-type"], "application/problem+json",
        "{text}"
    );
    let problem: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(problem["status"], status);
    assert_eq!(
        problem["requestId"].as_str(),
        headers["x-request-id"].to_str().ok()
    );
    let code = problem["code"].as_str().expect("a code");
    assert_eq!(problem["type"], format!("urn:roster:problem:{code}"));
    problem
}

type Lines = Arc<Mutex<Vec<u8>>>;

/// What all servers of this process logged so far.
pub fn logged() -> String {
    String::from_utf8_lossy(&log().lock().expect("whole")).into_owned()
}

fn log() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let into = Arc::clone(&lines);
        let writer = move || Into(Arc::clone(&into));
        tracing_subscriber::fmt()
            .with_env_filter("roster=trace")
            .with_ansi(false)
            .with_writer(writer)
            .init();
        lines
    })
}

struct Into(Lines);

impl std::io::Write for Into {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

//! GitHub, GitLab and Gitea on this machine: the part of their APIs that comments on pull requests
//! use, over real HTTP, with their paging, their ids and their refusals.

use super::http_exchange::{HttpReply, HttpRequest};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex, MutexGuard};
use std::thread;

/// Which API is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlatformKind {
    GitHub,
    GitLab,
    Gitea,
}

impl PlatformKind {
    pub const ALL: [Self; 3] = [Self::GitHub, Self::GitLab, Self::Gitea];

    /// The root of the API.
    fn base(self) -> &'static str {
        match self {
            Self::GitHub => "",
            Self::GitLab => "/api/v4",
            Self::Gitea => "/api/v1",
        }
    }

    /// The comments of pull request 7 of the repository.
    fn comments(self) -> &'static str {
        match self {
            Self::GitHub | Self::Gitea => "/repos/acme/customers/issues/7/comments",
            Self::GitLab => "/projects/42/merge_requests/7/notes",
        }
    }

    /// One comment, but for its id.
    fn comment(self) -> &'static str {
        match self {
            Self::GitHub | Self::Gitea => "/repos/acme/customers/issues/comments/",
            Self::GitLab => "/projects/42/merge_requests/7/notes/",
        }
    }
}

/// The token that may write.
pub const TOKEN: &str = "tok-Xq7-secret";
/// A token that may only read.
pub const READ_TOKEN: &str = "tok-read-only";
/// Whose these tokens are.
pub const BOT: &str = "roster[bot]";

/// A comment as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredComment {
    pub id: u64,
    pub author: String,
    pub body: String,
}

/// What the server knows.
#[derive(Default)]
struct PlatformState {
    comments: Vec<StoredComment>,
    next_id: u64,
    /// Answers for the next requests that would be carried out, with whether they are carried out
    /// all the same.
    faults: VecDeque<(HttpReply, bool)>,
    /// Answers for the next new comments, which are stored only when the one after them comes.
    late_answers: VecDeque<HttpReply>,
    late_comments: Vec<String>,
    hides_identity: bool,
    refuses_deletion: bool,
    /// Where the next lists of comments wait for each other, and how many of them do.
    gathering: Option<(Arc<Barrier>, usize)>,
    requests: Vec<HttpRequest>,
}

/// The server; its threads end with the test.
pub struct ReviewPlatform {
    pub kind: PlatformKind,
    port: u16,
    state: Arc<Mutex<PlatformState>>,
}

impl ReviewPlatform {
    pub fn start(kind: PlatformKind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(Mutex::new(PlatformState {
            next_id: 1_000_000_001,
            ..PlatformState::default()
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || answer(&stream, kind, port, &state));
            }
        });
        Self { kind, port, state }
    }

    /// The address of the API, as CI sets it.
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.kind.base())
    }

    /// The variables that CI sets for a job of pull request 7.
    pub fn variables(&self, token: &str) -> Vec<(&'static str, String)> {
        let repository = || "acme/customers".to_owned();
        match self.kind {
            PlatformKind::GitHub => vec![
                ("GITHUB_API_URL", self.api()),
                ("GITHUB_REPOSITORY", repository()),
                ("GITHUB_TOKEN", token.to_owned()),
            ],
            PlatformKind::GitLab => vec![
                ("CI_API_V4_URL", self.api()),
                ("CI_PROJECT_ID", "42".to_owned()),
                ("GITLAB_TOKEN", token.to_owned()),
            ],
            // Gitea sets the names of GitHub.
            PlatformKind::Gitea => vec![
                ("GITEA_ACTIONS", "true".to_owned()),
                ("GITHUB_API_URL", self.api()),
                ("GITHUB_REPOSITORY", repository()),
                ("GITHUB_TOKEN", token.to_owned()),
            ],
        }
    }

    fn state(&self) -> MutexGuard<'_, PlatformState> {
        self.state.lock().expect("no panic in a thread")
    }

    /// Writes a comment as somebody.
    pub fn comment_as(&self, author: &str, body: &str) -> u64 {
        self.state().add(author, body)
    }

    pub fn comments(&self) -> Vec<StoredComment> {
        self.state().comments.clone()
    }

    /// What the token has written.
    pub fn written(&self) -> Vec<StoredComment> {
        let mut comments = self.comments();
        comments.retain(|comment| comment.author == BOT);
        comments
    }

    pub fn requests(&self) -> Vec<HttpRequest> {
        self.state().requests.clone()
    }

    /// Gives the next request this answer instead of carrying it out.
    pub fn refuse_next(&self, reply: HttpReply) {
        self.state().faults.push_back((reply, false));
    }

    /// Tells no token whose it is, as Gitea does without the scope `read:user`.
    pub fn hide_identity(&self) {
        self.state().hides_identity = true;
    }

    /// Deletes no comment for the token.
    pub fn refuse_deletion(&self) {
        self.state().refuses_deletion = true;
    }

    /// Answers the next lists of comments only when so many of them were read, so that as many jobs
    /// know of the same comments.
    pub fn gather_lists(&self, count: usize) {
        self.state().gathering = Some((Arc::new(Barrier::new(count)), count));
    }

    /// Answers this to the next new comment, and stores it only when another one comes.
    pub fn create_late_and_answer(&self, reply: HttpReply) {
        self.state().late_answers.push_back(reply);
    }

    /// Carries the next request that writes out, and answers this as if it had not.
    pub fn carry_out_and_answer(&self, reply: HttpReply) {
        self.state().faults.push_back((reply, true));
    }
}

impl PlatformState {
    fn add(&mut self, author: &str, body: &str) -> u64 {
        let id = self.next_id;
        // Ids are those of the whole platform, so there are gaps.
        self.next_id += 17;
        self.comments.push(StoredComment {
            id,
            author: author.to_owned(),
            body: body.to_owned(),
        });
        id
    }

    /// The answer of the next planned fault. One that is carried out waits for a request that writes.
    fn fault(&mut self, writes: bool) -> Option<(HttpReply, bool)> {
        let (_, carried_out) = self.faults.front()?;
        if *carried_out && !writes {
            return None;
        }
        self.faults.pop_front()
    }
}

fn answer(stream: &TcpStream, kind: PlatformKind, port: u16, state: &Mutex<PlatformState>) {
    let Some(request) = HttpRequest::read(stream) else {
        return;
    };
    let mut state = state.lock().expect("no panic in a thread");
    state.requests.push(request.clone());
    let writes = request.method != "GET" && !request.path.ends_with("/graphql");
    let mut meeting = None;
    if request.method == "GET"
        && request.path.ends_with(kind.comments())
        && let Some((barrier, left)) = &mut state.gathering
        && *left > 0
    {
        *left -= 1;
        meeting = Some(Arc::clone(barrier));
    }
    let reply = match state.fault(writes) {
        Some((reply, true)) => {
            carry_out(&request, kind, port, &mut state);
            reply
        }
        Some((reply, false)) => reply,
        None => carry_out(&request, kind, port, &mut state),
    };
    drop(state);
    if let Some(barrier) = meeting {
        barrier.wait();
    }
    reply.send(stream);
}

fn refusal(kind: PlatformKind, status: u16, message: &str) -> HttpReply {
    HttpReply::json(
        status,
        &match kind {
            PlatformKind::GitLab => json!({"message": format!("{status} {message}")}),
            _ => json!({"message": message, "documentation_url": "https://docs.example"}),
        },
    )
}

/// The token of a request, in the header that the platform takes.
fn token(request: &HttpRequest, kind: PlatformKind) -> Option<String> {
    let bare = |prefix: &str| {
        let value = request.header("authorization")?.strip_prefix(prefix);
        value.map(str::to_owned)
    };
    match kind {
        PlatformKind::GitHub => bare("Bearer "),
        PlatformKind::Gitea => bare("token "),
        PlatformKind::GitLab => request
            .header("private-token")
            .or(request.header("job-token"))
            .map(str::to_owned),
    }
}

fn carry_out(
    request: &HttpRequest,
    kind: PlatformKind,
    port: u16,
    state: &mut PlatformState,
) -> HttpReply {
    let token = token(request, kind);
    let may_write = match token.as_deref() {
        Some(TOKEN) => true,
        Some(READ_TOKEN) => false,
        // A server that repeats what it was told.
        other => {
            let message = format!("Bad credentials {}", other.unwrap_or_default());
            return refusal(kind, 401, &message);
        }
    };
    let path = request.path.strip_prefix(kind.base()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = body["body"].as_str().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("POST", "/graphql") | ("GET", "/user") if state.hides_identity => forbidden(kind),
        ("POST", "/graphql") if kind == PlatformKind::GitHub => {
            HttpReply::json(200, &json!({"data": {"viewer": {"login": BOT}}}))
        }
        ("GET", "/user") => user(kind),
        ("GET", path) if path == kind.comments() => page(request, kind, port, state),
        ("POST", path) if path == kind.comments() => {
            if !may_write {
                return forbidden(kind);
            }
            if text.chars().count() > 65_536 && kind == PlatformKind::GitHub {
                return refusal(kind, 422, "Body is too long (maximum is 65536 characters)");
            }
            if let Some(reply) = state.late_answers.pop_front() {
                state.late_comments.push(text.to_owned());
                return reply;
            }
            for late in std::mem::take(&mut state.late_comments) {
                state.add(BOT, &late);
            }
            let id = state.add(BOT, text);
            let comment = state.comments.iter().find(|comment| comment.id == id);
            HttpReply::json(201, &shown(comment.expect("just added"), kind))
        }
        (method, path) if path.starts_with(kind.comment()) => {
            let takes = match kind {
                PlatformKind::GitLab => "PUT",
                _ => "PATCH",
            };
            let id: Option<u64> = path[kind.comment().len()..].parse().ok();
            let refuses_deletion = state.refuses_deletion;
            let mut comments = state.comments.iter_mut();
            let found = comments.find(|comment| Some(comment.id) == id);
            match found {
                Some(_) if method == "DELETE" => {
                    // The owner of a repository may delete any comment.
                    if !may_write || refuses_deletion {
                        return forbidden(kind);
                    }
                    state.comments.retain(|comment| Some(comment.id) != id);
                    HttpReply {
                        status: 204,
                        headers: Vec::new(),
                        body: String::new(),
                    }
                }
                _ if method != takes => refusal(kind, 405, "Method Not Allowed"),
                None => refusal(kind, 404, "Not Found"),
                Some(_) if !may_write => forbidden(kind),
                Some(comment) => {
                    text.clone_into(&mut comment.body);
                    HttpReply::json(200, &shown(comment, kind))
                }
            }
        }
        _ => refusal(kind, 404, "Not Found"),
    }
}

fn forbidden(kind: PlatformKind) -> HttpReply {
    match kind {
        PlatformKind::GitHub => refusal(kind, 403, "Resource not accessible by integration")
            .with("X-RateLimit-Remaining", 4999)
            .with(
                "X-Accepted-GitHub-Permissions",
                "issues=write; pull_requests=write",
            ),
        PlatformKind::GitLab => HttpReply::json(
            403,
            &json!({"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"}),
        ),
        PlatformKind::Gitea => refusal(
            kind,
            403,
            "token does not have at least one of required scope(s): [write:issue]",
        ),
    }
}

/// Of GitHub, the token of a workflow may not ask.
fn user(kind: PlatformKind) -> HttpReply {
    match kind {
        PlatformKind::GitHub => refusal(kind, 403, "Resource not accessible by integration"),
        PlatformKind::GitLab => HttpReply::json(200, &json!({"id": 3, "username": BOT})),
        PlatformKind::Gitea => HttpReply::json(200, &json!({"id": 3, "login": BOT})),
    }
}

fn shown(comment: &StoredComment, kind: PlatformKind) -> Value {
    let StoredComment { id, author, body } = comment;
    match kind {
        PlatformKind::GitLab => {
            json!({"id": id, "body": body, "author": {"id": 3, "username": author}, "system": false, "noteable_iid": 7})
        }
        _ => json!({
            "id": id,
            // Browsers send these line ends.
            "body": body.replace('\n', "\r\n"),
            "user": {"login": author, "type": "User"},
            "html_url": format!("https://git.example/acme/customers/pull/7#issuecomment-{id}"),
        }),
    }
}

/// Gitea gives all comments at once, whatever page is asked for.
fn page(request: &HttpRequest, kind: PlatformKind, port: u16, state: &PlatformState) -> HttpReply {
    let size = request.number("per_page").unwrap_or(30).min(100);
    let page = request.number("page").unwrap_or(1).max(1);
    let mut comments: Vec<&StoredComment> = state.comments.iter().collect();
    if kind == PlatformKind::GitLab && !request.query.contains("sort=asc") {
        // The newest first, unless it is asked otherwise.
        comments.reverse();
    }
    let total = comments.len();
    let start = ((page - 1) * size).min(total);
    let part = if kind == PlatformKind::Gitea {
        &comments[..]
    } else {
        &comments[start..(start + size).min(total)]
    };
    let items: Vec<Value> = part.iter().map(|comment| shown(comment, kind)).collect();
    let reply = HttpReply::json(200, &json!(items));
    let more = page * size < total;
    match kind {
        PlatformKind::Gitea => reply.with("X-Total-Count", total),
        PlatformKind::GitLab => reply.with(
            "X-Next-Page",
            if more {
                (page + 1).to_string()
            } else {
                String::new()
            },
        ),
        PlatformKind::GitHub if more => {
            let next = format!("http://127.0.0.1:{port}/repositories/9/issues/7/comments");
            let link = format!("<{next}?per_page={size}&page={}>; rel=\"next\"", page + 1);
            reply.with("Link", link)
        }
        PlatformKind::GitHub => reply,
    }
}

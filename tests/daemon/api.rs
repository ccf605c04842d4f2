//! The daemon's API as a program sees it, and a receiver of its notices.

use crate::support::workspace::{LIMIT, Workspace};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long between two looks.
const LOOK: Duration = Duration::from_millis(30);

/// Looks again and again until something is so.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < LIMIT, "it never came to this: {what}");
        thread::park_timeout(LOOK);
    }
}

/// What somebody with a token is answered.
pub struct Api {
    pub address: String,
    pub token: Option<String>,
}

/// A status and a document; what is no JSON is a string.
pub type Answer = (u16, Value);

impl Api {
    /// The API of a daemon, in the name of `name`.
    pub fn new(address: &str, token: &str) -> Self {
        Self {
            address: address.to_owned(),
            token: Some(token.to_owned()),
        }
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &[], &body.to_string())
    }

    /// The document at a path.
    #[track_caller]
    pub fn document(&self, path: &str) -> Value {
        let (status, document) = self.get(path);
        assert_eq!(status, 200, "{path}: {document}");
        document
    }

    /// How a source stands.
    #[track_caller]
    pub fn source(&self, name: &str) -> Value {
        self.document(&format!("/api/v1/sources/{name}"))
    }

    /// The document of a path, once it is as it should be.
    #[track_caller]
    pub fn once(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        until(path, || Some(self.get(path).1).filter(&fits))
    }

    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Answer {
        let (status, _, document) = self.exchange(method, path, headers, body);
        (status, document)
    }

    /// The same, with the head of the answer.
    #[track_caller]
    pub fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let mut request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        if headers.iter().all(|(name, _)| *name != "Content-Type") {
            request += "Content-Type: application/json\r\n";
        }
        if let Some(token) = &self.token {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("\r\n{body}");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status");
        let document =
            serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        (status.parse().expect("a number"), head.to_owned(), document)
    }

    /// A push as GitHub tells of it.
    #[track_caller]
    pub fn github(&self, source: &str, secret: &str, delivery: &str) -> Answer {
        let commit = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";
        self.github_push(source, secret, delivery, commit)
    }

    /// A push of this commit.
    #[track_caller]
    pub fn github_push(&self, source: &str, secret: &str, delivery: &str, commit: &str) -> Answer {
        let body = json!({"ref": "refs/heads/main", "after": commit,
            "repository": {"clone_url": "https://github.example/acme/customers.git"}})
        .to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
        mac.update(body.as_bytes());
        let signature: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .fold("sha256=".to_owned(), |text, byte| {
                text + &format!("{byte:02x}")
            });
        let headers = [
            ("X-GitHub-Event", "push".to_owned()),
            ("X-GitHub-Delivery", delivery.to_owned()),
            ("X-Hub-Signature-256", signature),
        ];
        self.ask("POST", &format!("/api/v1/hooks/{source}"), &headers, &body)
    }
}

/// A new token for the file `tokens` of the workspace.
#[track_caller]
pub fn token(ws: &Workspace, name: &str, role: &str, more: &[&str]) -> String {
    let create = ["token", "create", "--name", name, "--role", role];
    let arguments = [&create[..], &["--file", "tokens"], more].concat();
    let made = ws.run(&arguments).exits(0);
    made.stdout.trim().to_owned()
}

/// `serve:` of a configuration: anywhere on this machine, with the tokens of the workspace.
pub fn serve(more: &str) -> String {
    format!(
        "serve: {{listen: '127.0.0.1:0', tokens: tokens, limits: {{rate: 100000, burst: 100000}}{more}}}\n"
    )
}

/// Whoever is sent notices.
pub struct Pager {
    pub port: u16,
    notices: Receiver<Value>,
}

impl Pager {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self::at(listener)
    }

    /// A port at which nobody listens.
    pub fn free() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    }

    /// One that begins to listen only now.
    pub fn on(port: u16) -> Self {
        Self::at(TcpListener::bind(("127.0.0.1", port)).expect("the port"))
    }

    fn at(listener: TcpListener) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let (told, notices) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Some(notice) = received(&stream)
                    && told.send(notice).is_err()
                {
                    return;
                }
            }
        });
        Self { port, notices }
    }

    /// The next notice.
    #[track_caller]
    pub fn next(&self) -> Value {
        self.notices.recv_timeout(LIMIT).expect("a notice")
    }

    /// The next notice of this event; others are passed over.
    #[track_caller]
    pub fn told(&self, event: &str) -> Value {
        loop {
            let notice = self.next();
            if notice["event"] == event {
                return notice;
            }
        }
    }

    /// Those that came and nobody asked for.
    pub fn rest(&self) -> Vec<Value> {
        self.notices.try_iter().collect()
    }
}

fn received(stream: &TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut stream = stream;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .ok()?;
    serde_json::from_slice(&body).ok()
}

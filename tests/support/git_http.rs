//! A web server on loopback that serves repositories by `git http-backend`, to who has the token.

use super::http_exchange::HttpRequest;
use base64::Engine as _;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

/// The server; its threads end with the test.
pub struct Server {
    port: u16,
    /// While true, requests are taken and not answered.
    pub silent: Arc<AtomicBool>,
    /// A word for each request that is not answered: its connection, which ends when dropped.
    pub waiting: mpsc::Receiver<TcpStream>,
}

impl Server {
    /// Serves the repositories below a folder.
    pub fn start(root: PathBuf, token: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let silent = Arc::new(AtomicBool::new(false));
        let (wait, waiting) = mpsc::channel();
        let (mute, token) = (Arc::clone(&silent), token.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if mute.load(Ordering::SeqCst) {
                    let _ = wait.send(stream);
                    continue;
                }
                let (root, token) = (root.clone(), token.clone());
                thread::spawn(move || answer(stream, &root, &token));
            }
        });
        Self {
            port,
            silent,
            waiting,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/remote.git", self.port)
    }
}

fn answer(mut stream: TcpStream, root: &Path, token: &str) {
    let Some(request) = HttpRequest::read(&stream) else {
        return;
    };
    let given = request.header("authorization").map(|value| {
        let basic = value.trim_start_matches("Basic ");
        let bytes = base64::engine::general_purpose::STANDARD.decode(basic);
        String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    });
    let password = given.as_deref().and_then(|given| given.split_once(':'));
    let response = match password {
        Some((_, password)) if password == token => served(&request, root),
        // A server that repeats what it was told.
        given => format!(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nthe token {given:?} is none\n"
        )
        .into_bytes(),
    };
    // A client that has gone away needs no answer.
    let _ = stream.write_all(&response);
}

fn served(request: &HttpRequest, root: &Path) -> Vec<u8> {
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("REMOTE_USER", "somebody")
        .env("CONTENT_LENGTH", request.body.len().to_string());
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git http-backend");
    let mut stdin = child.stdin.take().expect("a pipe");
    let body = request.body.clone();
    let writing = thread::spawn(move || {
        // It may know enough before it has read all.
        let _ = stdin.write_all(&body);
    });
    let out = child.wait_with_output().expect("its answer").stdout;
    writing.join().expect("written");
    let end = out.windows(4).position(|four| four == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&out[..end.unwrap_or_default()]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: "));
    let mut response = format!(
        "HTTP/1.1 {}\r\nConnection: close\r\n",
        status.unwrap_or("200 OK")
    )
    .into_bytes();
    response.extend(out);
    response
}

//! A web server on loopback that answers what a test says, byte for byte, and remembers what it was
//! asked.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path, and what stands after the `?`.
    pub target: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The server; its threads end with the test.
pub struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Answer = dyn Fn(&Asked) -> Vec<u8> + Send + Sync;

impl Server {
    /// One that answers as told; an empty answer is none, and the connection stays.
    pub fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Answer> = Arc::new(answer);
        let all = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                thread::spawn(move || converse(stream, &all, &*answer));
            }
        });
        Self { port, asked }
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://127.0.0.1:{}{target}", self.port)
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

fn converse(mut stream: TcpStream, all: &Mutex<Vec<Asked>>, answer: &Answer) {
    let Some(asked) = read(&stream) else { return };
    let bytes = answer(&asked);
    all.lock().expect("no panic").push(asked);
    if bytes.is_empty() {
        // Until the other side has had enough.
        let _ = stream.read(&mut [0]);
        return;
    }
    // A client that has gone away needs no answer.
    let _ = stream.write_all(&bytes);
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let target = words.nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut asked = Asked {
        target,
        headers,
        body: String::new(),
    };
    let length = asked.header("content-length");
    let length: u64 = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_string(&mut asked.body).ok()?;
    Some(asked)
}

/// An answer with its length.
pub fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let mut head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("a text");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

pub fn ok(media: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", &[("Content-Type", media)], body)
}

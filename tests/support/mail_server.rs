//! A mail server on this machine that keeps what it is sent.

use super::workspace::LIMIT;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

/// A mail as it was sent, whatever it was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedMail {
    pub to: String,
    /// Headers and text, decoded.
    pub text: String,
}

impl ReceivedMail {
    /// The line of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.text.lines();
        let line = lines.find(|line| line.starts_with(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name}: {}", self.text))
    }

    /// The address that the mail has on a line of its own.
    #[track_caller]
    pub fn link(&self) -> &str {
        let mut lines = self.text.lines();
        let line = lines.find(|line| line.starts_with("http"));
        line.unwrap_or_else(|| panic!("no link: {}", self.text))
    }
}

/// A mail server.
pub struct MailServer {
    pub port: u16,
    mails: Receiver<ReceivedMail>,
}

impl MailServer {
    /// One that accepts everything.
    pub fn new() -> Self {
        Self::on(0, &[])
    }

    /// One at a port that gives these answers to the first mails, and accepts the others.
    pub fn on(port: u16, answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        let port = listener.local_addr().expect("an address").port();
        let (kept, mails) = mpsc::channel();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answers) = (kept.clone(), Arc::clone(&answers));
                // A client that goes away ends its session.
                thread::spawn(move || session(&stream, &kept, &answers));
            }
        });
        Self { port, mails }
    }

    /// `mail:` of a configuration.
    pub fn config(port: u16) -> String {
        format!("mail: {{smtp: 'smtp://127.0.0.1:{port}', from: 'Shop <shop@example.com>'}}\n")
    }

    #[track_caller]
    pub fn next(&self) -> ReceivedMail {
        self.mails.recv_timeout(LIMIT).expect("a mail")
    }

    /// Those that came and nobody asked for.
    pub fn rest(&self) -> Vec<ReceivedMail> {
        self.mails.try_iter().collect()
    }
}

fn session(
    stream: &TcpStream,
    kept: &Sender<ReceivedMail>,
    answers: &Mutex<VecDeque<&'static str>>,
) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let say = |line: &str| {
        let mut stream = stream;
        stream.write_all(format!("{line}\r\n").as_bytes()).ok()
    };
    let mut to = String::new();
    say("220 mail.test")?;
    while let Some(line) = lines.next() {
        match line.split([' ', ':']).next().unwrap_or_default() {
            "RCPT" => {
                to.clone_from(&line);
                say("250 ok")?;
            }
            "DATA" => {
                say("354 go ahead")?;
                let text: Vec<String> = lines.by_ref().take_while(|line| line != ".").collect();
                let mail = ReceivedMail {
                    to: std::mem::take(&mut to),
                    text: decoded(&text.join("\n")),
                };
                kept.send(mail).ok()?;
                let answer = answers.lock().ok()?.pop_front();
                say(answer.unwrap_or("250 queued"))?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
    None
}

fn decoded(mail: &str) -> String {
    let Some((head, body)) = mail.split_once("\n\n") else {
        return mail.to_owned();
    };
    let bytes = if head.contains("Content-Transfer-Encoding: base64") {
        let body: String = body.split_whitespace().collect();
        STANDARD.decode(body).expect("base64")
    } else if head.contains("quoted-printable") {
        quoted_printable(&body.replace("=\n", ""))
    } else {
        body.as_bytes().to_vec()
    };
    let body = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    format!("{head}\n\n{body}")
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let pair: Vec<u8> = rest.by_ref().take(2).collect();
            let pair = String::from_utf8_lossy(&pair).into_owned();
            bytes.push(u8::from_str_radix(&pair, 16).expect("two digits"));
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

//! What systemd is told, at a socket as it gives one.

use super::remotes::{TOKEN, people};
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_http::Server;
use crate::support::git_remote::Remote;
use crate::support::workspace::{LIMIT, Workspace, sqlite};
use nix::sys::signal::Signal;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// Whoever started the daemon, and wants to hear of it every 400 ms.
struct Systemd(Receiver<String>);

impl Systemd {
    fn start(ws: &Workspace) -> (Self, DaemonProcess) {
        let path = ws.path("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let mut command = ws.command(&["serve", "--config", "roster.yaml"]);
        command
            .env("NOTIFY_SOCKET", path)
            .env("WATCHDOG_USEC", "400000")
            .env_remove("WATCHDOG_PID");
        let (told, heard) = mpsc::channel();
        // Who tells waits for who listens.
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(length) = socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if told.send(text).is_err() {
                    return;
                }
            }
        });
        (Self(heard), DaemonProcess::run(command))
    }

    /// What it is told next, if it is within a time.
    fn next(&self, within: Duration) -> Option<String> {
        self.0.recv_timeout(within).ok()
    }

    /// Waits until it is told so, and says what else it was told.
    #[track_caller]
    fn hears(&self, word: &str) -> Vec<String> {
        let (begin, mut heard) = (Instant::now(), Vec::new());
        loop {
            let left = LIMIT.saturating_sub(begin.elapsed());
            let Some(next) = self.next(left) else {
                panic!("it was never told {word}: {heard:?}");
            };
            let found = next.lines().any(|line| line == word);
            heard.push(next);
            if found {
                return heard;
            }
        }
    }
}

#[test]
fn systemd_hears_when_it_is_ready_lives_reloads_and_ends() {
    let ws = sqlite();
    ws.tree(people("Karin"));
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: shop, directory: manifests}]\nserve: {listen: '127.0.0.1:0'}\n",
    );
    let (systemd, mut served) = Systemd::start(&ws);
    systemd.hears("READY=1");
    let listens = served.address();
    std::net::TcpStream::connect(listens).expect("it listens when it says that it is ready");
    systemd.hears("WATCHDOG=1");
    systemd.hears("WATCHDOG=1");

    served.signal(Signal::SIGHUP);
    let told = systemd.hears("RELOADING=1");
    let told = told.last().expect("it was told");
    assert!(told.contains("MONOTONIC_USEC="), "{told}");
    systemd.hears("READY=1");
    systemd.hears("WATCHDOG=1");

    served.signal(Signal::SIGTERM);
    systemd.hears("STOPPING=1");
    served.ends();
}

#[test]
fn a_daemon_whose_pass_hangs_says_no_more_that_it_lives() {
    let ws = sqlite();
    let remote = Remote::with(&people("Karin"));
    let root = remote.bare().parent().expect("a folder").to_owned();
    let server = Server::start(root, TOKEN);
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - name: shop\n    git: {{url: '{}', auth: {TOKEN}, path: manifests}}\n    \
             interval: 1s\nserve: {{listen: '127.0.0.1:0', stuckAfter: 3s}}\n",
            server.url()
        ),
    );
    let (systemd, mut served) = Systemd::start(&ws);
    served.says(&["created 3", "run 1"]);
    systemd.hears("WATCHDOG=1");

    server.silent.store(true, Ordering::SeqCst);
    served.says(&["source shop: a pass has been running for 3 s"]);
    while systemd.next(Duration::from_millis(100)).is_some() {}
    assert_eq!(systemd.next(Duration::from_secs(2)), None);

    server.silent.store(false, Ordering::SeqCst);
    // Whom it waits for goes away.
    server.waiting.try_iter().for_each(drop);
    systemd.hears("WATCHDOG=1");
    served.ends();
}

//! A daemon at work: its log as it comes, and its end.

use super::workspace::{LIMIT, Workspace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

/// A daemon; killed when the test is done with it.
pub struct DaemonProcess {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl DaemonProcess {
    /// Starts one on a workspace, with a configuration of one directory called `directory`.
    pub fn start(ws: &Workspace, more: &str) -> Self {
        let config = format!(
            "apiVersion: roster/v1\nsources: [{{name: directory, directory: manifests{more}}}]\nserve: {{listen: '127.0.0.1:0'}}\n"
        );
        ws.write("roster.yaml", config);
        Self::on(ws, &[])
    }

    /// Starts one on a workspace whose configuration stands.
    pub fn on(ws: &Workspace, options: &[&str]) -> Self {
        let arguments = [&["serve", "--config", "roster.yaml"], options].concat();
        Self::run(ws.command(&arguments))
    }

    /// Runs a command that is a daemon.
    pub fn run(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the daemon");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        let (told, lines) = mpsc::channel();
        thread::spawn(move || {
            // Nobody listens any more when the test is over.
            log.lines()
                .map_while(Result::ok)
                .all(|line| told.send(line).is_ok())
        });
        Self {
            child,
            lines,
            log: Vec::new(),
        }
    }

    /// Waits for a line of the log that has all of these words, after the one last waited for.
    #[track_caller]
    pub fn says(&mut self, words: &[&str]) -> String {
        let begin = Instant::now();
        loop {
            let left = LIMIT.saturating_sub(begin.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it never said {words:?}:\n{}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    /// Waits until it listens, and says where.
    #[track_caller]
    pub fn address(&mut self) -> String {
        let line = self.says(&["listening at http://"]);
        let (_, address) = line.split_once("http://").expect("an address");
        address.split_whitespace().next().expect("one").to_owned()
    }

    /// Everything it said so far.
    pub fn said(&mut self) -> String {
        self.log.extend(self.lines.try_iter());
        self.log.join("\n")
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a process");
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// Asks it to end, and waits.
    #[track_caller]
    pub fn ends(mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.child.wait().expect("its end");
        assert!(status.success(), "{status}:\n{}", self.said());
    }
}

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

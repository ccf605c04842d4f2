//! Programs that do a part of the work: each in a process group of its own, for so long and no
//! longer.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// What a program came to.
pub struct ProcessOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: Vec<u8>,
}

/// Why a program did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It cannot be run.
    #[error(transparent)]
    Program(#[from] io::Error),
    /// It took too long, and was killed with all that it started.
    #[error("timed out")]
    Timeout,
}

/// Runs a program to its end, whether that is good or bad.
pub fn run(mut command: Command, timeout: Duration) -> Result<ProcessOutput, ProcessError> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let deadline = Instant::now() + timeout;
    let mut child = command.spawn()?;
    let (done, ended) = mpsc::channel();
    let stdout = drain_pipe(child.stdout.take(), done.clone());
    let stderr = drain_pipe(child.stderr.take(), done);
    if !both_pipes_closed(&ended, deadline) {
        kill(&mut child);
        return Err(ProcessError::Timeout);
    }
    let status = child.wait()?;
    let take = |thread: thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    Ok(ProcessOutput {
        status,
        stdout: take(stdout),
        stderr: take(stderr),
    })
}

/// How many bytes of what a program prints are handed over at a time.
const CHUNK_SIZE: usize = 64 << 10;

/// Runs a program and hands over what it prints as it comes, until `take` has enough. A program that
/// was cut short so has ended well.
pub fn stream(
    mut command: Command,
    timeout: Duration,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<Option<ProcessOutput>, ProcessError> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let deadline = Instant::now() + timeout;
    let mut child = command.spawn()?;
    let (done, _ended) = mpsc::channel();
    let stderr = drain_pipe(child.stderr.take(), done);
    let parts = read_chunks(child.stdout.take());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match parts.recv_timeout(left.max(Duration::from_millis(1))) {
            Ok(part) if take(&part) => {}
            Ok(_) => {
                kill(&mut child);
                return Ok(None);
            }
            Err(RecvTimeoutError::Timeout) => {
                kill(&mut child);
                return Err(ProcessError::Timeout);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(Some(ProcessOutput {
        status: child.wait()?,
        stdout: Vec::new(),
        stderr: stderr.join().unwrap_or_default(),
    }))
}

/// What comes through a pipe, a part at a time; a few of them wait.
fn read_chunks(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, parts) = mpsc::sync_channel(4);
    thread::spawn(move || {
        let Some(mut from) = from else { return };
        let mut buffer = vec![0; CHUNK_SIZE];
        while let Ok(read) = from.read(&mut buffer) {
            if read == 0 || sender.send(buffer[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    parts
}

/// Reads as it comes: a full pipe would stop the process.
fn drain_pipe(
    from: Option<impl Read + Send + 'static>,
    done: mpsc::Sender<()>,
) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was read until then is told.
            let _ = from.read_to_end(&mut bytes);
        }
        // Nobody waits any more after the time is up.
        let _ = done.send(());
        bytes
    })
}

/// Whether both pipes were closed in time.
fn both_pipes_closed(ended: &mpsc::Receiver<()>, deadline: Instant) -> bool {
    (0..2).all(|_| {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        !matches!(ended.recv_timeout(left), Err(RecvTimeoutError::Timeout))
    })
}

/// Ends a process and all that it started.
pub fn kill(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // Whoever has ended already needs no end.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _: io::Result<_> = child.wait();
}

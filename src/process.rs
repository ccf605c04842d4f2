//! Runs external programs (git, sftp) with a time limit, each in a process group of its own, so
//! that a timeout also ends whatever they started. Start reading at `run` and `stream`.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

pub struct ProcessOutput {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Why a program did not finish.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error(transparent)]
    Program(#[from] io::Error),
    /// It took too long and was killed, with everything that it started.
    #[error("timed out")]
    Timeout,
}

/// Runs a program to its end and returns its result, whatever it is.
pub fn run(command: Command, timeout: Duration) -> Result<ProcessOutput, ProcessError> {
    let ended = run_while(command, timeout, || true)?;
    ended.ok_or(ProcessError::Timeout)
}

/// How often `run_while` asks whether the program may go on.
const WATCH: Duration = Duration::from_millis(100);

/// Runs a program as long as `may_go_on` says so. Ending it early is not an error, and returns
/// `None`.
pub fn run_while(
    mut command: Command,
    timeout: Duration,
    mut may_go_on: impl FnMut() -> bool,
) -> Result<Option<ProcessOutput>, ProcessError> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let deadline = Instant::now() + timeout;
    let mut child = command.spawn()?;
    let (done, ended) = mpsc::channel();
    // Both pipes at once: a program that fills the one nobody reads would stop, and so would
    // Roster.
    let stdout = drain_pipe(child.stdout.take(), done.clone());
    let stderr = drain_pipe(child.stderr.take(), done);
    // The pipes are watched and not the process: a grandchild that keeps them open would otherwise
    // let `join` below wait for ever.
    let mut open = 2;
    while open > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        // At least a millisecond, so that an end at the deadline still counts.
        let wait = left.clamp(Duration::from_millis(1), WATCH);
        match ended.recv_timeout(wait) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => open -= 1,
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                kill(&mut child);
                return Err(ProcessError::Timeout);
            }
            Err(RecvTimeoutError::Timeout) if may_go_on() => {}
            Err(RecvTimeoutError::Timeout) => {
                kill(&mut child);
                return Ok(None);
            }
        }
    }
    let status = child.wait()?;
    let take = |thread: thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    Ok(Some(ProcessOutput {
        status,
        stdout: take(stdout),
        stderr: take(stderr),
    }))
}

/// The size of the pieces that are passed on.
const CHUNK_SIZE: usize = 64 << 10;

/// Runs a program and passes on its output as it arrives, until `take` returns false. Ending it
/// early is not an error, and returns `None`.
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
        // At least a millisecond, so that output that is there already is still taken at the
        // deadline.
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
            // The end of the output is the end of the program, for all that is run here.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(Some(ProcessOutput {
        status: child.wait()?,
        stdout: Vec::new(),
        stderr: stderr.join().unwrap_or_default(),
    }))
}

/// Reads a pipe in pieces.
fn read_chunks(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    // A few pieces may wait. A slow reader then slows the program down instead of filling the
    // memory.
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

/// Reads a pipe to its end. A full pipe would stop the program.
fn drain_pipe(
    from: Option<impl Read + Send + 'static>,
    done: mpsc::Sender<()>,
) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was read before a failure is still returned.
            let _ = from.read_to_end(&mut bytes);
        }
        // After the time limit, nobody is waiting for this.
        let _ = done.send(());
        bytes
    })
}

/// Kills a process and everything that it started.
pub fn kill(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // Fails if the group has ended already.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    // Without this, the process would stay as a zombie.
    let _: io::Result<_> = child.wait();
}

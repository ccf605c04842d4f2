//! The bytes of a commit's files: long-lived `git cat-file` children, one a reading thread.

use super::command::local;
use super::location::GitLocation;
use super::mirror::GitMirror;
use crate::manifest::BlobSource;
use crate::process::kill;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a file begins with whose content is in Git LFS.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The objects of a mirror.
#[derive(Debug)]
pub(super) struct GitBlobs {
    mirror: GitMirror,
    place: GitLocation,
    /// Those that nobody asks just now.
    idle: Mutex<Vec<CatFileProcess>>,
    begun: AtomicBool,
}

/// One child, which answers one question after the other.
#[derive(Debug)]
struct CatFileProcess {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl GitBlobs {
    pub(super) fn new(mirror: GitMirror, place: GitLocation) -> Self {
        Self {
            mirror,
            place,
            idle: Mutex::new(Vec::new()),
            begun: AtomicBool::new(false),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<CatFileProcess>> {
        // A reader is put back whole, so another thread's panic leaves nothing half done.
        let idle = self.idle.lock();
        idle.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn reader(&self) -> io::Result<CatFileProcess> {
        if let Some(reader) = self.idle().pop() {
            return Ok(reader);
        }
        if !self.begun.swap(true, Ordering::Relaxed) {
            tracing::info!("reading files of {}", self.place);
        }
        CatFileProcess::start(&self.mirror)
    }
}

impl BlobSource for GitBlobs {
    fn read(&self, id: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut reader = self.reader()?;
        match reader.ask(id, limit) {
            Ok(bytes) => {
                self.idle().push(reader);
                if bytes.starts_with(POINTER) {
                    return Err(io::Error::other(
                        "it is a Git LFS pointer, which Roster does not read; move the file out of LFS",
                    ));
                }
                Ok(bytes)
            }
            Err(error) => {
                // What it would say next belongs to this question.
                if error.kind() != io::ErrorKind::FileTooLarge {
                    self.mirror.mark_damaged();
                }
                Err(error)
            }
        }
    }
}

impl CatFileProcess {
    fn start(mirror: &GitMirror) -> io::Result<Self> {
        let mut command = local(&mirror.path);
        command
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            child,
            questions,
            answers: BufReader::with_capacity(64 << 10, answers),
        })
    }

    /// `id type size`, then so many bytes and a line break.
    fn ask(&mut self, id: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.questions.write_all(format!("{id}\n").as_bytes())?;
        let mut head = String::new();
        self.answers.read_line(&mut head)?;
        let size = head.trim_end().strip_prefix(id);
        let size = size.and_then(|rest| rest.strip_prefix(" blob "));
        let size: u64 = size
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| io::Error::other("the mirror is damaged; the next run recreates it"))?;
        if size > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let read = self.answers.by_ref().take(size).read_to_end(&mut bytes)?;
        let mut end = [0];
        self.answers.read_exact(&mut end)?;
        if read as u64 == size && end == *b"\n" {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

impl Drop for CatFileProcess {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

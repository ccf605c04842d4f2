//! Reads the files of a commit from a mirror, through long-lived `git cat-file --batch` children:
//! starting git once per file would make a directory of thousands of manifests slow. Start reading
//! at `GitBlobs::read`.

use super::command::local;
use super::location::GitLocation;
use super::mirror::GitMirror;
use crate::manifest::BlobSource;
use crate::process::kill;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The beginning of a file whose content is in Git LFS.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The objects of a mirror.
#[derive(Debug)]
pub(super) struct GitBlobs {
    mirror: GitMirror,
    place: GitLocation,
    /// Children that nobody is using.
    idle: Mutex<Vec<CatFileProcess>>,
    begun: AtomicBool,
}

/// A child process that answers one request at a time.
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
        // A child is put back as a whole, so a panic in another thread leaves nothing half done.
        let idle = self.idle.lock();
        idle.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes an idle child or starts one. There are never more than threads that read at once.
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
            // Only after a complete answer is the child reusable; otherwise the rest of an answer
            // is still in its pipe.
            Ok(bytes) => {
                self.idle().push(reader);
                // A pointer parsed as a manifest would be an error about YAML that nobody
                // understands.
                if bytes.starts_with(POINTER) {
                    return Err(io::Error::other(
                        "it is a Git LFS pointer, which Roster does not read; move the file out of LFS",
                    ));
                }
                Ok(bytes)
            }
            Err(error) => {
                // The child is dropped here, since its next output belongs to this request. A file
                // that is too large is no damage.
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

    /// Asks for an object. The answer is `id type size`, then that many bytes and a line break.
    fn ask(&mut self, id: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.questions.write_all(format!("{id}\n").as_bytes())?;
        let mut head = String::new();
        self.answers.read_line(&mut head)?;
        let size = head.trim_end().strip_prefix(id);
        let size = size.and_then(|rest| rest.strip_prefix(" blob "));
        let size: u64 = size
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| io::Error::other("the mirror is damaged; the next run recreates it"))?;
        // Checked before reading: the size of a file in a repository is under the control of
        // whoever can push.
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
    // Without this, a child that still has output to write would never end.
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

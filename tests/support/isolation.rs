//! A world of its own for one process: a small disk in memory that only it sees and that is really
//! full when it is full, or process numbers that only count there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Mounts it, and becomes the program.
const SCRIPT: &str = r#"mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@""#;

/// A folder that is a disk of its own for whoever is run with it.
pub struct Disk {
    at: PathBuf,
    options: String,
}

impl Disk {
    /// One of so many megabytes; `None` where that is not allowed, which is said, and under `CI=true`
    /// is a failure.
    pub fn new(at: PathBuf, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(&at).expect("the folder");
        let disk = Self {
            at,
            options: format!("size={megabytes}m,mode=0700"),
        };
        let tried = disk.around(&Command::new("true")).output();
        if tried.as_ref().is_ok_and(|tried| tried.status.success()) {
            return Some(disk);
        }
        refused(&format!("{tried:?}"));
        None
    }

    /// The same, whose folder belongs to a user.
    pub fn of(mut self, uid: u32, gid: u32) -> Self {
        self.options += &format!(",uid={uid},gid={gid}");
        self
    }

    /// The same command with the disk; where its input and output go has to be said again.
    pub fn around(&self, command: &Command) -> Command {
        let me = fs::metadata("/proc/self").expect("/proc");
        let mut around = Command::new("unshare");
        if me.uid() != 0 {
            // Whoever may not mount may in a world of their own.
            around.args(["--user", "--map-root-user"]);
        }
        around.args(["--mount", "sh", "-c", SCRIPT, "sh"]);
        around.arg(&self.options).arg(&self.at);
        if me.uid() != 0 {
            around.args(["unshare", "--user"]);
            around.args([
                format!("--map-user={}", me.uid()),
                format!("--map-group={}", me.gid()),
            ]);
        }
        around.arg(command.get_program()).args(command.get_args());
        carry(command, &mut around);
        around
    }

    /// Where a process that was run with it finds it, for everybody else.
    pub fn seen(&self, pid: impl std::fmt::Display) -> PathBuf {
        let at = self.at.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{pid}/root")).join(at)
    }
}

fn set(command: &mut Command, name: &OsStr, value: Option<&OsStr>) {
    match value {
        Some(value) => command.env(name, value),
        None => command.env_remove(name),
    };
}

/// A command as in a container: it is process 1 there, sees no other one, and has the name of this
/// host all the same. `None` as for a disk.
pub fn container(command: &Command) -> Option<Command> {
    let around = |program: &OsStr| {
        let mut around = Command::new("unshare");
        if fs::metadata("/proc/self").expect("/proc").uid() != 0 {
            around.args(["--user", "--map-root-user"]);
        }
        around
            .args(["--pid", "--fork", "--kill-child"])
            .arg(program);
        around
    };
    let tried = around(OsStr::new("true")).output();
    if !tried.as_ref().is_ok_and(|tried| tried.status.success()) {
        refused(&format!("{tried:?}"));
        return None;
    }
    let mut around = around(command.get_program());
    around.args(command.get_args());
    carry(command, &mut around);
    Some(around)
}

fn refused(why: &str) {
    let message = format!("NO NAMESPACE CAN BE MADE, what needs one is not tested: {why}");
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{message}; unprivileged user namespaces have to be allowed"
    );
    writeln!(io::stderr(), "\n{message}\n").expect("standard error");
}

/// Folder and environment go with the command.
fn carry(from: &Command, to: &mut Command) {
    if let Some(folder) = from.get_current_dir() {
        to.current_dir(folder);
    }
    for (name, value) in from.get_envs() {
        set(to, name, value);
    }
}

/// Fills a disk to the last page; it has room again when this is dropped.
pub struct Ballast(PathBuf);

impl Ballast {
    pub fn fill(disk: &Path) -> Self {
        let path = disk.join("ballast");
        let mut file = File::create(&path).expect("the disk");
        loop {
            if let Err(error) = file.write_all(&[1; 4096]) {
                assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
                return Self(path);
            }
        }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // Whoever saw the disk may be gone, and the disk with it.
        let _ = fs::remove_file(&self.0);
    }
}

/// A folder to mount on.
pub fn folder() -> TempDir {
    TempDir::with_prefix("roster-disk-").expect("a folder")
}

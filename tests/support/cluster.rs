//! A PostgreSQL cluster that a test may stop, start again, follow and promote.

use super::isolation::Disk;
use super::postgres::{User, absent, as_user, binaries, run, scratch, template};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use tempfile::TempDir;

/// A cluster; gone when it is dropped, or when the thread that started it ends.
pub struct Cluster {
    binaries: PathBuf,
    dir: TempDir,
    user: Option<User>,
    pub port: u16,
    server: Option<Child>,
    disk: Option<Disk>,
}

impl Cluster {
    /// An empty one at work; `None` where PostgreSQL is not installed, which is said.
    pub fn new() -> Option<Self> {
        let mut cluster = Self::at_rest()?;
        let data = cluster.data();
        run(Command::new("cp")
            .arg("-a")
            .args([template(&cluster.binaries), data]));
        cluster.start();
        Some(cluster)
    }

    /// An empty one at work whose folder [`Self::disk`] is a disk of so many megabytes.
    pub fn with_disk(megabytes: u32) -> Option<Self> {
        let mut cluster = Self::at_rest()?;
        let disk = Disk::new(cluster.dir.path().join("disk"), megabytes)?;
        cluster.disk = Some(match &cluster.user {
            Some(user) => disk.of(user.uid, user.gid),
            None => disk,
        });
        let data = cluster.data();
        run(Command::new("cp")
            .arg("-a")
            .args([template(&cluster.binaries), data]));
        cluster.start();
        Some(cluster)
    }

    /// The folder of its disk, as the server sees it, and as we do.
    pub fn disk(&self) -> (PathBuf, PathBuf) {
        let server = self.server.as_ref().expect("at work");
        let disk = self.disk.as_ref().expect("it has one");
        (self.dir.path().join("disk"), disk.seen(server.id()))
    }

    /// One at work that follows another.
    pub fn following(other: &Self) -> Self {
        let mut cluster = Self::at_rest().expect("the other one is there");
        let backup = cluster.binaries.join("pg_basebackup");
        run(as_user(&backup, cluster.user)
            .args(["--host=127.0.0.1", "--username=postgres", "--no-password"])
            .args(["--port", &other.port.to_string()])
            .args(["--checkpoint=fast", "--write-recovery-conf", "--no-sync"])
            .arg("-D")
            .arg(cluster.data()));
        cluster.start();
        cluster
    }

    fn at_rest() -> Option<Self> {
        let Some(binaries) = binaries() else {
            absent();
            return None;
        };
        let (dir, user) = scratch();
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr());
        let port = port.expect("a free port").port();
        Some(Self {
            binaries,
            dir,
            user,
            port,
            server: None,
            disk: None,
        })
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&mut self) {
        let postgres = as_user(&self.binaries.join("postgres"), self.user);
        let mut server = Command::new("setpriv");
        server
            .current_dir("/")
            // Ends with whoever started it.
            .arg("--pdeathsig=QUIT")
            .arg(postgres.get_program())
            .args(postgres.get_args())
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.dir.path())
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        if let Some(disk) = &self.disk {
            server = disk.around(&server);
        }
        let mut server = server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("setpriv");
        let mut lines = BufReader::new(server.stderr.take().expect("a pipe"));
        let mut log = String::new();
        while !log.contains("database system is ready to accept") {
            let read = lines.read_line(&mut log).expect("the server's log");
            assert!(read > 0, "PostgreSQL did not start:\n{log}");
        }
        // A full pipe would stop the server.
        thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
        self.server = Some(server);
    }

    /// Stops it in order, or at once as if the power went.
    pub fn stop(&mut self, in_order: bool) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        let signal = if in_order {
            Signal::SIGINT
        } else {
            Signal::SIGQUIT
        };
        let pid = i32::try_from(server.id()).expect("a process id");
        // It may be gone already.
        let _ = kill(Pid::from_raw(pid), signal);
        server.wait().expect("its end");
    }

    /// Makes the one that follows the one that takes writes.
    pub fn promote(&self) {
        run(as_user(&self.binaries.join("pg_ctl"), self.user)
            .args(["promote", "--wait", "-D"])
            .arg(self.data()));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(false);
    }
}

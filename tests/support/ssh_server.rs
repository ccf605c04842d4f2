//! A real sshd on loopback, with keys of its own.

use std::env;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The server, which is killed with it.
pub struct Server {
    child: Child,
    folder: TempDir,
    port: u16,
    user: User,
}

struct User {
    name: String,
    uid: u32,
    gid: u32,
}

/// Where sshd is; Debian keeps it off the PATH.
fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join("sshd"));
    programs.find(|program| program.is_file())
}

impl Server {
    /// Starts one that serves the repository, or a folder of files; none where sshd is not installed, which fails in CI.
    pub fn start(bare: &Path) -> Option<Self> {
        let Some(program) = program() else {
            assert!(
                env::var_os("CI").is_none(),
                "sshd is missing: install openssh-server"
            );
            super::workspace::say("NOT TESTED: sshd is missing; install openssh-server");
            return None;
        };
        let folder = TempDir::with_prefix("roster-ssh-").expect("a folder");
        let user = user();
        open(folder.path());
        for name in ["host", "client", "stranger"] {
            let key = folder.path().join(name);
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(key));
        }
        let port = free_port();
        let at = folder.path().display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/client.pub\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n\
             Subsystem sftp internal-sftp\n"
        );
        fs::write(folder.path().join("config"), config).expect("its configuration");
        give(&folder.path().join("host"), &user);
        give(bare, &user);
        open(bare.parent().expect("a folder"));
        let mut command = as_user(&program, &user);
        command
            .args(["-D", "-e", "-f"])
            .arg(folder.path().join("config"));
        let mut child = command.stderr(Stdio::piped()).spawn().expect("sshd");
        let said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut lines = said.lines().map_while(Result::ok);
        let listens = lines.any(|line| line.contains("listening on"));
        // What it says later must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        assert!(listens, "sshd does not listen");
        Some(Self {
            child,
            folder,
            port,
            user,
        })
    }

    pub fn url(&self, bare: &Path) -> String {
        format!(
            "ssh://{}@127.0.0.1:{}{}",
            self.user.name,
            self.port,
            bare.display()
        )
    }

    pub fn key(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A file of known hosts with a key in it.
    pub fn known_hosts(&self, key: &str) -> String {
        let public = fs::read_to_string(self.key(&format!("{key}.pub"))).expect("a key");
        let file = self.folder.path().join(format!("known hosts of {key}"));
        fs::write(&file, format!("[127.0.0.1]:{} {public}", self.port)).expect("known hosts");
        file.display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("its end");
    }
}

/// Whom it runs as: ourselves, or somebody with a shell when we are root, since root needs a whole
/// system around its sshd.
fn user() -> User {
    let me = fs::metadata("/proc/self").expect("/proc").uid();
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let users = users.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        Some(User {
            name: (*fields.first()?).to_owned(),
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
        })
    });
    let mut users = users.filter(|user| {
        if me == 0 {
            user.name == "postgres"
        } else {
            user.uid == me
        }
    });
    users.next().expect("ourselves, or the user postgres")
}

fn as_user(program: &Path, user: &User) -> Command {
    if fs::metadata("/proc/self").expect("/proc").uid() != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            format!("--reuid={}", user.uid),
            format!("--regid={}", user.gid),
        ])
        .arg("--clear-groups")
        .arg(program);
    command
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// Gives a file, or all of a folder, to a user.
fn give(path: &Path, user: &User) {
    chown(path, Some(user.uid), Some(user.gid)).expect("chown");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder").flatten() {
            give(&entry.path(), user);
        }
    }
}

fn open(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("chmod");
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}");
}

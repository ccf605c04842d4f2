//! Exports on their way here: real files, and real servers on loopback.

#[path = "transport/files.rs"]
mod files;
#[path = "transport/ftp.rs"]
mod ftp;
#[path = "transport/scene.rs"]
mod scene;
#[path = "transport/server.rs"]
mod server;
#[path = "transport/sftp.rs"]
mod sftp;
#[path = "git/ssh.rs"]
mod ssh;
#[path = "transport/web.rs"]
mod web;
#[path = "transport/pages.rs"]
mod web_pages;

/// What the sshd of the git tests says.
mod workspace {
    pub use crate::scene::say;
}

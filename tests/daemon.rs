//! `roster serve`, the real one: what it does by itself, and what it says of it.

mod daemon {
    pub mod acts;
    pub mod api;
    pub mod clock;
    pub mod daemon_process;
    pub mod directory;
    pub mod disk;
    pub mod faults;
    pub mod feeds;
    pub mod git;
    pub mod health;
    pub mod notices;
    pub mod pushes;
    pub mod remotes;
    pub mod replicas;
    pub mod systemd;
}
#[allow(dead_code)]
#[path = "git/remote.rs"]
mod remote;
mod support;
#[allow(dead_code)]
#[path = "git/http.rs"]
mod web;
mod workspace;

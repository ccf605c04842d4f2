//! The page, of a real daemon: what it answers, and what a browser makes of it.

#[path = "daemon/daemon_process.rs"]
mod daemon_process;
mod page {
    pub mod browser;
    pub mod chrome;
    pub mod responses;
    pub mod site;
}
mod support;
mod workspace;

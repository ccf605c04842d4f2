//! Exports on their way here: real files, and real servers on loopback.

mod files;
mod ftp;
mod scene;
mod server;
mod sftp;
mod web;
#[path = "pages.rs"]
mod web_pages;

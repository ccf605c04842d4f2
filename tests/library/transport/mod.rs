//! Exports on their way here: real files, and real servers on loopback.

mod files;
mod ftp;
mod pages;
mod scene;
mod server;
mod sftp;
mod web;

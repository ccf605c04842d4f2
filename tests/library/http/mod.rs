//! The server as its clients meet it: real connections on loopback.

mod connections;
mod crowds;
mod document;
mod limits;
mod permissions;
mod scene;
mod sessions;

//! The server as its clients meet it: real connections on loopback.

#[path = "http/connections.rs"]
mod connections;
#[path = "http/crowds.rs"]
mod crowds;
#[path = "http/document.rs"]
mod document;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/permissions.rs"]
mod permissions;
#[path = "http/scene.rs"]
mod scene;
#[path = "http/sessions.rs"]
mod sessions;

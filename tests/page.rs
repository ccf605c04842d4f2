//! The page, of a real daemon: what it answers, and what a browser makes of it.

// Only a part of it is used here.
#[allow(dead_code)]
#[path = "daemon/served.rs"]
mod served;
mod page {
    pub mod answers;
    pub mod browser;
    pub mod chrome;
    pub mod site;
}
mod support;
mod workspace;

//! The page, of a real daemon: what it answers, and what a browser makes of it.

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

//! The page, of a real daemon: what it answers, and what a browser makes of it.

mod browser;
mod chrome;
mod proposals;
mod responses;
mod site;

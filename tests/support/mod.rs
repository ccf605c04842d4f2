//! What the integration tests share.

pub mod clock;
pub mod cluster;
pub mod daemon_process;
pub mod dice;
pub mod directory;
pub mod git_http;
pub mod git_remote;
pub mod http_exchange;
pub mod isolation;
pub mod mail_server;
pub mod pages;
pub mod parallel;
pub mod postgres;
pub mod program;
pub mod review_platform;
pub mod signing;
pub mod ssh_server;
pub mod workspace;

//! The daemon: real processes with their API, page, notices, replicas and repositories.

mod acts;
mod api;
mod clock;
mod customer_address;
mod directory;
mod disk;
mod dossier;
mod erasure;
mod faults;
mod feeds;
mod git;
mod gone_people;
mod health;
mod invitations;
mod jobs;
mod limited_tokens;
mod notices;
mod page;
mod paging;
mod proposals;
mod pull_request_story;
mod pushes;
mod remotes;
mod replicas;
mod resource_acts;
mod reverts;
mod row_matches;
mod self_service;
mod sent_notices;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;
mod systemd;
mod tags;
mod visibility;

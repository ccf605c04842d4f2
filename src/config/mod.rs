//! `roster.yaml`: what the operator decides. Guards, authority and deletes come only from here and
//! never from the reviewed tree, so a pull request cannot loosen its own rules. `load` finds and
//! reads the file, `file` has its keys, and `Config` in `effective` is the result. Each other file
//! reads one key.

mod approval_keys;
mod cron;
mod effective;
mod export;
mod feed;
mod file;
mod git;
mod git_ref;
mod impact;
mod invitations;
mod load;
mod network;
mod notices;
mod rules;
mod schedule;
mod schema;
mod schema_parts;
mod scopes;
mod serve;
mod severity;
mod source;
mod values;

pub use approval_keys::ApprovalKey;
pub use cron::CronSchedule;
pub use effective::{Config, moment};
pub use export::{ExportConfig, MappingReference, export, readable};
pub use feed::{CompletenessRule, FeedConfig, FeedLocation, RELEASED_AFTER};
pub use file::ConfigFile;
pub use impact::ImpactQuery;
pub use invitations::InvitationsConfig;
pub use load::{ConfigError, ConfigOverrides, FILE_NAME};
pub use network::{IpNetwork, is_loopback};
pub use notices::{
    MailServer, NoticeChannel, NoticeEvent, NoticeFormat, NoticeTarget, NoticesSpec,
};
pub use schedule::{ApplyWindow, PassTimer, SourceTiming, WindowEffect};
pub use schema::schema;
pub use scopes::FolderScope;
pub use serve::{CustomerAddress, ServeConfig, ServeLimits, TlsFiles};
pub use source::{Source, SourceLocation};
pub use values::parse_duration;

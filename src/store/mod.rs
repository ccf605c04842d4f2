//! The database, and the only place that knows SQL: read, apply, history, leases, migration.
//!
//! Statements are rendered from the table of kinds (`tables`) once for two engines; what differs
//! between SQLite and PostgreSQL is data in `dialect` or a bulk path in `connection`.
//!
//! Decisions:
//! - Keys are text: a row's primary key is its external id, references and link rows hold external
//!   ids, and both engines sort them by bytes.
//! - Customer numbers have a plain index and a registry of every number ever given, by which the
//!   rules see that none comes back: they are never swapped or moved.
//! - No insert trigger: a column default gives a foreign insert its random negative version.
//! - Times of Roster's own tables are milliseconds since 1970; those that shops read
//!   (`created_at`, `updated_at`) are the engine's own.

mod apply;
mod approval;
mod bulk;
mod chain;
mod claim;
mod claimants;
mod codec;
mod connection;
mod copy;
mod dialect;
mod embedded;
mod error;
mod feeds;
mod held;
mod history;
mod imports;
mod last_changes;
mod lease;
mod lent;
mod migrate;
mod moment;
mod open;
mod outbox;
mod own;
mod packed;
mod param;
mod presence;
mod read;
mod record;
mod runs;
mod schema;
mod search;
mod servers;
mod source;
mod tables;
mod triggers;
mod views;
mod watched;

pub use apply::{Applied, Apply};
pub use approval::Approval;
pub use error::{ApplyError, StoreError};
pub use feeds::{Accepted, Counted, Filled};
pub use history::{ChangeRecord, RunRecord, Verification};
pub use imports::{Ending, Import, Standing as ImportStanding, Taken, Wanted};
pub use lease::{Held, Holder, Lease, LeaseError, TTL};
pub use migrate::{Migrated, Schema};
pub use moment::{Claimed, Moment};
pub use open::{Access, Store};
pub use outbox::Outgoing;
pub use presence::Absent;
pub use read::Query;
pub use record::Record;
pub use search::Search;
pub use source::{Beside, FileRead, Keys, Remember, Remembered, Standing};
pub use watched::{Act, EVERY, Suspension, Watched};

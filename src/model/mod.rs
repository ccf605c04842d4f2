//! The data that the whole program passes around. No I/O and no rules.
//!
//! A source is read into a [`Desired`], the database into a [`Snapshot`]. Both consist of
//! [`Value`]s in one canonical form, so two values are the same exactly if `==` says so. Start with
//! [`DeclaredResource`], [`Row`] and [`Claim`], then [`Cell`] for what a source can state about a
//! field. A first load has millions of these, so several types trade convenience for size.

mod cell;
mod change;
pub mod digest;
pub mod export_rows;
mod folder_pattern;
mod held_step;
mod hmac_digest;
mod key;
mod keyed_list;
mod login;
mod recorded_change;
mod resource;
mod reverted_fields;
mod revision;
mod row_match;
mod rows;
mod secret_text;
mod small_map;
mod state;
pub mod timestamp;
mod value;

pub use cell::{Cell, LineColumn, ListAmendment, StatedField};
pub use change::FieldChange;
pub use digest::{Digest, FieldDigests};
pub use folder_pattern::{FolderPattern, account_of_folder};
pub use held_step::HeldStep;
pub use hmac_digest::hmac_digest;
pub use key::{FieldRef, Key, KindId};
pub use keyed_list::{HasKey, KeyedList};
pub use login::{LoginParts, RowLogin, StoredLogins, TakenLogin};
pub use recorded_change::{RecordedChange, RecordedField, RecordedValues, RecordedVerb};
pub use resource::{Claim, ClaimState, DeclaredResource, Row};
pub use reverted_fields::{RevertedField, RevertedFields};
pub use revision::{SHORT_REVISION, is_commit};
pub use row_match::{MatchTerm, MatchedRow, RowMatches};
pub use rows::{FEW_OF_A_KIND, GuardBase, LookupRecorder, SnapshotLookup, SnapshotRows};
pub use secret_text::SecretText;
pub use small_map::SmallMap;
pub use state::{Desired, NamelessResource, SalvagedReferences, SecretState, Snapshot};
pub use value::{Link, Value};

/// Short text, kept inline up to 24 bytes: most ids, names and cities need no allocation.
pub type CompactText = compact_str::CompactString;

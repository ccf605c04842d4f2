//! The database, and the only place that knows SQL. Plans read a `Snapshot` from it (`read`,
//! `read_transaction`) and are applied in one transaction (`apply`); history, leases, holds,
//! imports and the daemon's state are kept here too.
//!
//! Statements are rendered from the table of kinds (`tables`), once for both engines. What differs
//! between SQLite and PostgreSQL is data in `dialect`, or a bulk path in `connection`. Start at
//! `open`, then `apply`.
//!
//! Decisions:
//! - Keys are text: a row's primary key is its external id, references and link rows hold external
//!   ids, and both engines sort them by bytes.
//! - Customer numbers have a plain index and a registry of every number ever given. They are never
//!   swapped or moved, and the registry lets the rules refuse one that was used before.
//! - No insert trigger: a column default gives a foreign insert its random negative version.
//! - Times of Roster's own tables are milliseconds since 1970; those that shops read
//!   (`created_at`, `updated_at`) are the engine's own.

mod accepted_exports;
mod access;
mod account_lookup;
mod act_deletion;
mod act_history;
mod act_keys;
mod act_request;
mod act_warnings;
mod acts;
mod apply;
mod approval;
mod approval_notices;
mod claim;
mod claimed_rows;
mod codec;
mod connection;
mod customer_tokens;
mod daemon_state;
mod departed_users;
mod dialect;
mod embedded;
mod erased_bodies;
mod erased_ids;
mod erased_texts;
mod erasure;
mod erasure_report;
mod error;
mod export_rows;
mod foreign_writes;
mod guard_bases;
mod hash_chain;
mod held_steps;
mod history;
mod history_redaction;
mod history_verification;
mod history_writer;
mod id_words;
mod impact_query;
mod imports;
mod incremental_tables;
mod internal_tables;
mod invitation_acceptance;
mod invitations;
mod job_tables;
mod jobs;
mod last_changes;
mod lease;
mod letter_case;
mod links_by_others;
mod migrate;
mod newest_changes;
mod open;
mod orders;
mod outbox;
mod paused_invitations;
mod pending_accounts;
mod people_tables;
mod person_history;
mod person_reasons;
mod person_records;
mod person_texts;
mod person_words;
mod policies;
mod postgres_binary;
mod postgres_copy;
mod postgres_servers;
mod presence;
mod read;
mod read_transaction;
mod resource_pages;
mod retry;
mod revert_holds;
mod reverted_fields;
mod row_matches;
mod row_pages;
mod row_writer;
mod runs;
mod schema;
mod schema_versions;
mod search;
mod search_cursor;
mod search_query;
mod search_statement;
mod search_words;
mod self_service;
mod some_rows;
mod source;
mod source_claims;
mod sql_condition;
mod sql_value;
mod sqlite_bulk;
mod sqlite_scan;
mod stale_claims;
mod stored_logins;
mod stored_resource;
mod submission;
mod table_scan;
mod tables;
mod tag_offers;
mod terms_acceptances;
mod triggers;
mod two_tier_pool;
mod user_backup;
mod views;
mod visibility;
mod visibility_state;
mod whole_words;

pub use accepted_exports::{AcceptedExport, AcceptedExportStats, FieldFillCounts};
pub use access::StoreAccess;
pub use act_request::{
    ActError, ActRefusal, ActReport, ActRequest, ActWarning, ActedResource, IdempotentRequest,
    OpenJob, RefusedResource, SourceMappings,
};
pub use apply::{ApplyRequest, ApplySummary, RevertFacts};
pub use approval::{Approval, HoldRejection};
pub use approval_notices::NewPendingAccounts;
pub use claimed_rows::ClaimedRow;
pub use customer_tokens::LoginCandidate;
pub use daemon_state::{ALL_SOURCES, ActPosition, ActRecord, StoredSourceState, Suspension};
pub use erased_ids::DroppedRecord;
pub use error::MissingDirectory;
pub use error::{ApplyError, StoreError};
pub use export_rows::{ExportRowsUpdate, ExportRowsWrite};
pub use history::{ChangeRecord, HistoryVerification, RunRecord};
pub use id_words::has_id_word;
pub use impact_query::{ImpactFault, ImpactRows};
pub use imports::{
    ImportEnding, ImportReceipt, ImportRequest, ImportState as ImportStanding, StoredImport,
    new_import_id,
};
pub use invitation_acceptance::{
    InvitationAcceptance, InvitationError, require_current_terms, require_open,
};
pub use invitations::{
    InvitationState, NewInvitation, NewInvitations, StoredInvitation, TokenDigest,
};
pub use jobs::{JobError, JobFile, JobFileRequest, JobQuery, JobRefusal, JobRequest, StoredJob};
pub use lease::{HeldLease, Lease, LeaseError, LeaseHolder, TTL};
pub use links_by_others::AccountLink;
pub use migrate::{MigrationResult, SchemaState};
pub use open::Store;
pub use orders::{OrderError, OrderQuery, OrderRequest, StoredOrder};
pub use outbox::{OutboxEntry, OutboxNotice};
pub use pending_accounts::PendingAccount;
pub use person_history::ListChange;
pub use person_records::{
    HeldStepRecord, InvitationRecord, ListMembership, LoginName, PersonRecords,
};
pub use person_texts::PersonText;
pub use policies::{AppliedPolicy, IdlePolicy, PolicyEvaluation, PolicyRefusal};
pub use read::{SnapshotQuery, latest_day};
pub use read_transaction::{ClaimSummary, ReadTransaction};
pub use resource_pages::ResourcePages;
pub use revert_holds::StoredRevertHolds;
pub use reverted_fields::RevertedRemoval;
pub use runs::ChangeCount;
pub use search::SearchPage;
pub use search_query::SearchQuery;
pub use search_statement::has_account;
pub use self_service::{
    AccountUser, CustomerAccount, EnforcedField, EnforcementRules, LoggedInCustomer,
    NewAccountUser, PersonalDetails, SelfServiceError, SelfServiceOrder, SelfServiceRefusal,
    SelfServiceReply, UserChanges, UserPage, fold_login,
};
pub use source::{
    CheckpointUpdate, FileCheckpoint, IncrementalUpdate, PackedKeys, SourceCheckpoint,
};
pub use stale_claims::StaleClaim;
pub use stored_resource::StoredResource;
pub use submission::SubmissionFacts;
pub use tag_offers::OfferUse;
pub use terms_acceptances::{CurrentTerms, TermsAcceptance, TermsVersion};
pub use user_backup::UserBackup;
pub use visibility::VisibleResources;
pub use whole_words::contains_word;

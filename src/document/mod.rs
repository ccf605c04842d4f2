//! Everything that leaves the program as JSON, as serde types. Writing and reading a document use
//! the same type: `--output json`, saved plans, the API and its OpenAPI document, the page, and the
//! commands that talk to a daemon. Doc comments on these types are shown in the OpenAPI document.
//! Start reading at `plan.rs`.

mod account_entries;
mod act_request;
mod apply;
mod baseline;
mod change;
mod change_reading;
mod command_output;
mod daemon_status;
mod diagnostic;
mod dossier;
mod effect;
mod feed_inspection;
mod gitlab_report;
mod history;
mod hold;
mod html_report;
mod impact;
mod job;
mod junit;
mod known_diagnostic;
mod list;
mod markdown_html;
mod notice;
mod origin;
mod output_format;
mod past_state;
mod plan;
mod plan_lines;
mod policy_check;
mod proposal;
mod remote_plan;
mod render;
mod resource;
mod revert;
mod run_cause;
mod sarif;
mod saved_plan;
mod schema_choice;
mod self_service;
mod shown_plan;
mod source_diagnostics;
mod source_state;
mod step;
mod stored_holds;
mod tag_offers;
mod undone_change;
mod upload_files;
mod upload_proposal;
mod user_backup;
mod visibility_change;
mod visible;
mod word;

pub use account_entries::AccountEntriesDocument;
pub use act_request::{
    AcceptedInvitationReply, ActReason, ActWarningDocument, ActedResourceDocument, ExportApproval,
    HoldApproval, InvitationAcceptanceRequest, InvitationRequest, MAX_ACT_IDS, MAX_REASON_LENGTH,
    NamingPlaceDocument, ReconcileRequest, ResourceActReply, ResourceActRequest,
    TermsAcceptanceRequest,
};
pub use apply::{ApplyDocument, ApplyListDocument, ApplyResultDocument, SkippedFieldDocument};
pub use baseline::{BaselineDocument, DiagnosticBaseline};
pub use change::{
    AttributeDocument, ChangedLinkDocument, FieldChangeDocument, LinkAttributes, LinkDocument,
    MemberDocument, RedactedDocument, ValueDocument,
};
pub use command_output::{
    CommentDocument, DoneDocument, GoneResourceDocument, LeaseDocument, TestNoticeDocument,
    TruncatedLine, VerificationDocument,
};
pub use daemon_status::{
    ActView, ApprovalView, ClosedWindow, DaemonStatus, HoldListDocument, HoldView, PartApproval,
    ReconcileReply, RejectionView, SourceView, SuspensionView, WorkerActivity,
};
pub use diagnostic::{DiagnosticDocument, OmittedDocument, ValidationCounts, ValidationDocument};
pub use dossier::{
    DeclaringFileDocument, DossierDocument, DossierRowDocument, HeldStepDocument,
    InvitationDocument, ListChangeDocument, ListMembershipDocument, LoginNameDocument,
    MadeChangeDocument, MissedExportsDocument, QuoteDocument, StepApprovalDocument,
    WaitingMailDocument,
};
pub use effect::EffectDocument;
pub(crate) use effect::read_effects;
pub use feed_inspection::{
    InspectedCellDocument, InspectedListDocument, InspectedRowDocument, InspectionDocument,
    PresetFitDocument, RivalPresetsDocument,
};
pub use history::{ChangeDocument, FieldHistory, FieldHistoryDocument, RunDocument};
pub use hold::HoldDocument;
pub use impact::ImpactDocument;
pub use job::{
    JobDocument, JobFileDocument, JobSubmission, MAX_NAME_LENGTH, MAX_RECORD_ID_LENGTH,
    OrderDocument, OrderKind, OrderSubmission, RECORD_ID, SubmitCheckDocument,
};
pub use known_diagnostic::{KnownDiagnostic, KnownSeverity};
pub use list::DocumentList;
pub use notice::{NoticeDetailDocument, NoticeDocument, NoticeOriginDocument};
pub use origin::OriginDocument;
pub use output_format::OutputFormat;
pub use past_state::{PastResourceDocument, PastResourceMeta};
pub use plan::{
    BudgetDocument, FORMAT_VERSION, PlanBaseDocument, PlanDocument, PlanListDocument,
    SourceRefDocument, plan_id, write, write_plan,
};
pub use plan_lines::write_lines;
pub use policy_check::{AppliedPolicyDocument, PolicyCheckReply, PolicyCheckRequest};
pub use proposal::{
    ConversionCounts, ConversionDocument, HandoverCounts, HandoverDocument, KeyNames,
    ProposalCounts, ProposalDocument, ProposedFileDocument, ProposedValueDocument,
    UnwrittenValueDocument,
};
pub use remote_plan::{
    MAX_REVISION_LENGTH, RemotePlanDetail, RemotePlanReply, RemotePlanRequest, StoredPlanDocument,
    UploadContent,
};
pub use render::{render, render_all, render_validation};
pub use resource::{
    FieldOriginDocument, ProvenanceClaimDocument, ProvenanceDocument, ResourceClaimDocument,
    ResourceDocument, ResourceMeta, StatementDocument, TermsAcceptanceDocument,
    ValueChangeDocument,
};
pub use revert::{RevertReply, RevertRequest, RevertSkippedField};
pub use run_cause::RunCause;
pub use saved_plan::{SavedPlanError, parse_plan, parse_plans};
pub use self_service::{
    AccountLevel, AccountUserDocument, AccountUserPage, AccountUserRequest, ChangedUserDocument,
    CustomerAccountDocument, CustomerDocument, LoginReply, LoginRequest, NewAccountUserRequest,
    NewPasswordRequest, OwnDetailsRequest, PersonDocument, RemovedUserDocument,
};
pub use shown_plan::ShownPlan;
pub use source_diagnostics::SourceDiagnostics;
pub use source_state::{
    CommitList, CommitSummary, DiagnosticState, ExportRejection, FeedState, HeldResource,
    HoldState, MissingResources, PassOutcome, RevisionMark, SourceState, UsedApproval,
};
pub use step::{
    ClaimDocument, ConsequenceDocument, KeyDocument, RememberedStepDocument, StepDocument,
    TakenLoginDocument, UndeclaredDocument,
};
pub use stored_holds::{revert_holds_list, stored_holds, stored_revert_holds, with_holds};
pub use tag_offers::TagOffers;
pub use undone_change::UndoneChangeDocument;
pub use upload_proposal::{
    ChangedFileReply, ExportContent, ProposedBranchReply, ProposedItemReply, UnwrittenItemReply,
    UploadProposalReply, UploadProposalRequest, UploadedExport,
};
pub use visibility_change::{OmittedVisible, VisibilityChangeDocument, VisibilityDeltaDocument};
pub use visible::VisibleDocument;

pub use user_backup::{BackupJobDocument, UserProfileDocument};

use serde::{Deserialize, Deserializer};

/// Reads a member that is present as `Some`, even if it is `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

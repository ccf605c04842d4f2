//! Everything that leaves the program as JSON, as serde types. Writing and reading a document use
//! the same type: `--output json`, saved plans, the API and its OpenAPI document, the page, and the
//! commands that talk to a daemon. Doc comments on these types are shown in the OpenAPI document.
//! Start reading at `plan.rs`.

mod act_request;
mod apply;
mod change;
mod change_reading;
mod daemon_status;
mod diagnostic;
mod history;
mod list;
mod notice;
mod origin;
mod plan;
mod plan_lines;
mod remote_plan;
mod render;
mod resource;
mod saved_plan;
mod source_state;
mod step;
mod upload_files;
mod word;

pub use act_request::{
    ActReason, ActedResourceDocument, ExportApproval, HoldApproval, MAX_ACT_IDS, MAX_REASON_LENGTH,
    ReconcileRequest, ResourceActReply, ResourceActRequest, TermsAcceptanceRequest,
};
pub use apply::{ApplyDocument, ApplyListDocument, ApplyResultDocument};
pub use change::{
    AttributeDocument, ChangedLinkDocument, FieldChangeDocument, LinkAttributes, LinkDocument,
    MemberDocument, RedactedDocument, ValueDocument,
};
pub use daemon_status::{
    ActView, ApprovalView, ClosedWindow, DaemonStatus, HoldView, ReconcileReply, SourceView,
    SuspensionView, WorkerActivity,
};
pub use diagnostic::{DiagnosticDocument, OmittedDocument, ValidationCounts, ValidationDocument};
pub use history::{ChangeDocument, FieldHistory, FieldHistoryDocument, RunDocument};
pub use list::DocumentList;
pub use notice::{NoticeDetailDocument, NoticeDocument, NoticeOriginDocument};
pub use origin::OriginDocument;
pub use plan::{
    BudgetDocument, FORMAT_VERSION, PlanDocument, PlanListDocument, SourceRefDocument, plan_id,
    write, write_plan,
};
pub use plan_lines::write_lines;
pub use remote_plan::{
    MAX_REVISION_LENGTH, RemotePlanDetail, RemotePlanFormat, RemotePlanReply, RemotePlanRequest,
    StoredPlanDocument, UploadContent,
};
pub use render::{PlanFormat, render};
pub use resource::{
    FieldOriginDocument, ProvenanceClaimDocument, ProvenanceDocument, ResourceClaimDocument,
    ResourceDocument, ResourceMeta, StatementDocument, TermsAcceptanceDocument,
    ValueChangeDocument,
};
pub use saved_plan::{SavedPlanError, parse_plan};
pub use source_state::{
    CommitList, CommitSummary, DiagnosticState, ExportRejection, FeedState, HoldState,
    MissingResources, PassOutcome, RevisionMark, SourceState,
};
pub use step::{
    ClaimDocument, HoldDocument, KeyDocument, RememberedStepDocument, StepDocument,
    UndeclaredDocument,
};

use serde::{Deserialize, Deserializer};

/// Reads a member that is present as `Some`, even if it is `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

//! The dossier of a user: everything that the database keeps about a person, as one document. Hashes
//! of passwords and of links are left out: they say nothing about the person, and would help whoever
//! finds the file.

use super::{
    ActView, ChangeDocument, JobDocument, OrderDocument, ResourceClaimDocument, ResourceDocument,
    TermsAcceptanceDocument,
};
use crate::kinds::USER;
use crate::model::{KindId, timestamp};
use crate::store::{
    Approval, ChangeRecord, HeldStepRecord, InvitationRecord, ListChange, ListMembership,
    LoginName, PersonRecords, PersonText,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Everything that is stored about a user.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DossierDocument {
    /// `User`.
    pub kind: KindId,
    /// The external id of the user.
    pub external_id: String,
    /// The stored user. `null` if the user was deleted.
    pub user: Option<ResourceDocument>,
    /// What the row says beside that. `null` if the user was deleted.
    pub row: Option<DossierRowDocument>,
    /// The names with which the user logs in.
    pub login_names: Vec<LoginNameDocument>,
    /// The lists of other resources that the user is in.
    pub lists: Vec<ListMembershipDocument>,
    /// The claims of sources on the user, also on one who was deleted.
    pub claims: Vec<ResourceClaimDocument>,
    /// The files of sources that declare the user.
    pub files: Vec<DeclaringFileDocument>,
    /// The invitations, without anything of their links.
    pub invitations: Vec<InvitationDocument>,
    /// The terms that the user has accepted, in whatever version.
    pub terms: Vec<TermsAcceptanceDocument>,
    /// The jobs. A backup of the user has their files.
    pub jobs: Vec<JobDocument>,
    /// The orders and quotes that the user placed.
    pub orders: Vec<OrderDocument>,
    /// The changes of the user, oldest first.
    pub history: Vec<ChangeDocument>,
    /// The changes of other resources that put the user into a list or took the user out of one.
    pub list_changes: Vec<ListChangeDocument>,
    /// The changes of others that the user made in self-service, oldest first, without what they say
    /// of them.
    pub made_changes: Vec<MadeChangeDocument>,
    /// The entries of the audit log about the user, oldest first.
    pub acts: Vec<ActView>,
    /// The steps on the user that a guard holds until somebody decides.
    pub held_steps: Vec<HeldStepDocument>,
    /// The approvals of such steps.
    pub approvals: Vec<StepApprovalDocument>,
    /// The exports in which the user was missing.
    pub missed_exports: Vec<MissedExportsDocument>,
    /// The parts that quote the user in pushes and their answers, reports on exports, plans, states
    /// and passes of the daemon, notices, answers of acts, and reasons of acts on others.
    pub quotes: Vec<QuoteDocument>,
}

/// What the row of a user says beside its fields and `meta`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DossierRowDocument {
    /// When the row was created.
    pub created_at: String,
    /// When the row was last changed.
    pub updated_at: String,
    /// When the last invitation was sent.
    pub invited_at: Option<String>,
    /// Whether there is a password. The database has only its hash.
    pub has_password: bool,
    /// Whether the password must be changed at the next login.
    pub must_change_password: bool,
}

/// A name with which a user logs in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct LoginNameDocument {
    /// The external id of the account.
    pub account: String,
    /// The number within the account.
    pub number: i64,
    /// The name.
    pub name: String,
}

/// A list of another resource that the user is in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListMembershipDocument {
    /// The kind of the other resource.
    pub kind: KindId,
    /// The external id of the other resource.
    pub external_id: String,
    /// The name of the list.
    pub field: String,
}

/// A file that declares the user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct DeclaringFileDocument {
    /// The name of the source.
    pub source: String,
    /// The path below the root of the source.
    pub path: String,
}

/// An invitation of a user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationDocument {
    /// The id of the invitation.
    pub id: String,
    /// When it was made.
    pub created_at: String,
    /// Until when its link works. `null` until the mail is sent.
    pub expires_at: Option<String>,
    /// When it was voided.
    pub voided_at: Option<String>,
    /// When it was used.
    pub used_at: Option<String>,
    /// The mail, while it waits to be sent.
    pub mail: Option<WaitingMailDocument>,
}

/// A mail that waits to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct WaitingMailDocument {
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A change of another resource that put the user into a list or took the user out of one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListChangeDocument {
    /// The place in the sequence of all changes.
    pub seq: i64,
    /// The run that committed it.
    pub run: i64,
    /// When the run committed it.
    pub at: String,
    /// The kind of the other resource.
    pub kind: String,
    /// The external id of the other resource.
    pub external_id: Option<String>,
    /// The name of the list.
    pub field: String,
    /// Whether the user came into the list.
    pub added: bool,
    /// Whether the user left the list.
    pub removed: bool,
}

/// A change that the user made in self-service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeChangeDocument {
    /// The place in the sequence of all changes.
    pub seq: i64,
    /// The run that committed it.
    pub run: i64,
    /// When the run committed it.
    pub at: String,
    /// The kind of the resource that was changed.
    pub kind: String,
    /// What the user did.
    pub verb: String,
}

/// A step that a guard holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct HeldStepDocument {
    /// The name of the source.
    pub source: String,
    /// The id of the hold.
    pub hold: String,
    /// What would happen.
    pub verb: String,
    /// The budget of the guard.
    pub budget: String,
    /// The held field. Empty if the whole step is held.
    pub field: String,
}

/// The approval of a held step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct StepApprovalDocument {
    /// The id of the hold.
    pub hold: String,
    /// Who approved it.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: String,
}

/// In how many exports of a source in a row the user was missing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct MissedExportsDocument {
    /// The name of the source.
    pub source: String,
    /// The number of exports.
    pub missed: i64,
}

/// The parts of a stored text that quote the user. What it says about others is left out.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct QuoteDocument {
    /// The table and the column.
    pub place: String,
    /// What the text belongs to: the name of the source, or the id of the push or notice.
    pub subject: String,
    /// When it was written.
    pub at: String,
    /// The parts: objects of a JSON text, or rows of a table.
    pub parts: Vec<Value>,
}

impl DossierDocument {
    pub fn new(records: PersonRecords, quotes: Vec<QuoteDocument>) -> Self {
        let row = DossierRowDocument::new(&records);
        let missed = records.missed_exports.into_iter();
        let files = records.files.into_iter();
        Self {
            kind: USER,
            external_id: records.external_id,
            user: records.user.as_ref().map(Into::into),
            row,
            login_names: all(records.login_names),
            lists: all(records.lists),
            claims: records.claims.iter().map(Into::into).collect(),
            files: files
                .map(|(source, path)| DeclaringFileDocument { source, path })
                .collect(),
            invitations: all(records.invitations),
            terms: records.terms.iter().map(Into::into).collect(),
            jobs: all(records.jobs),
            orders: all(records.orders),
            history: all(records.history),
            list_changes: all(records.list_changes),
            made_changes: all(records.made_changes),
            acts: all(records.acts),
            held_steps: all(records.held_steps),
            approvals: all(records.approvals),
            missed_exports: missed
                .map(|(source, missed)| MissedExportsDocument { source, missed })
                .collect(),
            quotes,
        }
    }
}

fn all<T, D: From<T>>(records: Vec<T>) -> Vec<D> {
    records.into_iter().map(Into::into).collect()
}

impl DossierRowDocument {
    fn new(records: &PersonRecords) -> Option<Self> {
        let (user, times) = (records.user.as_ref()?, records.row_times.as_ref()?);
        let [created_at, updated_at] = times.clone();
        Some(Self {
            created_at,
            updated_at,
            invited_at: user.fact("invitedAt").map(str::to_owned),
            has_password: user.fact("passwordHash").is_some(),
            must_change_password: user.fact("passwordTemporary") == Some("true"),
        })
    }
}

impl From<LoginName> for LoginNameDocument {
    fn from(login: LoginName) -> Self {
        Self {
            account: login.account,
            number: login.number,
            name: login.name,
        }
    }
}

impl From<ListMembership> for ListMembershipDocument {
    fn from(list: ListMembership) -> Self {
        Self {
            kind: list.owner.kind,
            external_id: list.owner.id.to_string(),
            field: list.field.to_owned(),
        }
    }
}

impl From<InvitationRecord> for InvitationDocument {
    fn from(invitation: InvitationRecord) -> Self {
        let time = |at: Option<i64>| at.map(timestamp::format_utc);
        let mail = invitation.mail;
        Self {
            id: invitation.id,
            created_at: timestamp::format_utc(invitation.created_at),
            expires_at: time(invitation.expires_at),
            voided_at: time(invitation.voided_at),
            used_at: time(invitation.used_at),
            mail: mail.map(|(attempts, error)| WaitingMailDocument { attempts, error }),
        }
    }
}

impl From<ChangeRecord> for MadeChangeDocument {
    fn from(change: ChangeRecord) -> Self {
        Self {
            seq: change.seq,
            run: change.run,
            at: timestamp::format_utc(change.at),
            kind: change.kind,
            verb: change.verb,
        }
    }
}

impl From<ListChange> for ListChangeDocument {
    fn from(change: ListChange) -> Self {
        Self {
            seq: change.seq,
            run: change.run,
            at: timestamp::format_utc(change.at),
            kind: change.kind,
            external_id: change.external_id,
            field: change.field,
            added: change.added,
            removed: change.removed,
        }
    }
}

impl From<HeldStepRecord> for HeldStepDocument {
    fn from(step: HeldStepRecord) -> Self {
        Self {
            source: step.source,
            hold: step.hold,
            verb: step.verb,
            budget: step.budget,
            field: step.field,
        }
    }
}

impl From<Approval> for StepApprovalDocument {
    fn from(approval: Approval) -> Self {
        Self {
            hold: approval.hold,
            approver: approval.approver,
            reason: approval.reason,
            at: timestamp::format_utc(approval.at),
        }
    }
}

impl QuoteDocument {
    pub fn new(text: &PersonText, parts: Vec<Value>) -> Self {
        Self {
            place: text.place.to_owned(),
            subject: text.subject.clone(),
            at: timestamp::format_utc(text.at),
            parts,
        }
    }
}

//! Uses the link of an invitation, once: sets a password, records the accepted terms, and lets the
//! person log in. Start at `Store::accept_invitation`.

use super::act_request::{ActError, ActRequest, SourceMappings};
use super::acts::RecordedAct;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::history_writer::lock_write_row;
use super::invitations::{InvitationState, StoredInvitation, TokenDigest, find};
use super::retry::{TRIES, pause_before_retry};
use super::sql_value::SqlValue;
use super::terms_acceptances::{self, CurrentTerms, TermsVersion};
use super::{Store, migrate};
use crate::kinds::USER;
use crate::kinds::act::ACCEPT_INVITATION;
use crate::model::Key;
use std::collections::{BTreeMap, BTreeSet};

/// The actor of an act that somebody performs with a link. The name of the person would be
/// personal, and an actor cannot be erased.
const LINK_ACTOR: &str = "invitation";

/// What a person sends with a link.
#[derive(Clone, Copy, Debug)]
pub struct InvitationAcceptance<'a> {
    pub token_hash: &'a TokenDigest,
    pub password_hash: &'a str,
    /// The SHA-256 of each accepted document, by its external id.
    pub terms: &'a BTreeMap<String, String>,
}

/// Why a link was not used. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    #[error("no such link")]
    Unknown,
    #[error("the link was used before")]
    Used,
    #[error("the link does not work any more")]
    Expired,
    /// Not exactly the current versions were accepted. These are the current ones.
    #[error("the terms are not the current ones")]
    TermsOutdated(Vec<CurrentTerms>),
    #[error(transparent)]
    Act(#[from] ActError),
}

impl From<StoreError> for InvitationError {
    fn from(error: StoreError) -> Self {
        Self::Act(error.into())
    }
}

impl Store {
    /// Uses a link: sets the password, records the accepted terms and lets the person log in, once.
    pub async fn accept_invitation(
        &self,
        acceptance: &InvitationAcceptance<'_>,
    ) -> Result<(), InvitationError> {
        let mut tries = 1;
        loop {
            match self.try_accept(acceptance).await {
                Err(InvitationError::Act(ActError::Store(error)))
                    if error.transient() && tries < TRIES =>
                {
                    pause_before_retry(tries).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn try_accept(&self, given: &InvitationAcceptance<'_>) -> Result<(), InvitationError> {
        let mut tx = self.begin_write("use the invitation").await?;
        migrate::require_current(&mut tx).await?;
        // All writers are serial from here on. Of two people with one link, the second finds it
        // used.
        lock_write_row(&mut tx).await?;
        migrate::require_current(&mut tx).await?;
        let hash = SqlValue::Bytes(given.token_hash.to_vec());
        let found = find(&mut tx, "i.token_hash = ?", hash).await?;
        let invitation = require_open(found)?;
        let current = terms_acceptances::current(&mut tx).await?;
        require_current_terms(current, given.terms)?;
        let act = ActRequest {
            act: &ACCEPT_INVITATION,
            resources: &BTreeSet::from([Key::new(USER, &invitation.user)]),
            actor: LINK_ACTOR,
            reason: "with the link of an invitation",
            confirm: None,
            terms: None,
            idempotency: None,
            invitations: None,
            mappings: &SourceMappings::new(),
        };
        let act = RecordedAct::perform(&mut tx, &act).await;
        let act = act.map_err(|error| match error {
            // The access was changed while this transaction waited.
            ActError::Refused(_) => InvitationError::Expired,
            other => other.into(),
        })?;
        set_password(&mut tx, &invitation.user, given.password_hash).await?;
        record_terms_acceptance(&mut tx, &invitation.user, given.terms, act.at).await?;
        let sql = "UPDATE invitations SET used_at = ? WHERE id = ?";
        let params = [act.at.into(), invitation.id.as_str().into()];
        tx.run(sql, &params).await?;
        self.commit_act(tx, act).await?;
        Ok(())
    }
}

/// Returns the invitation if its link works now.
pub fn require_open(found: Option<StoredInvitation>) -> Result<StoredInvitation, InvitationError> {
    let invitation = found.ok_or(InvitationError::Unknown)?;
    match invitation.state {
        InvitationState::Open => Ok(invitation),
        InvitationState::Used => Err(InvitationError::Used),
        InvitationState::Paused | InvitationState::Expired => Err(InvitationError::Expired),
    }
}

/// Fails unless exactly the current version of every document was accepted.
pub fn require_current_terms(
    current: Vec<CurrentTerms>,
    accepted: &BTreeMap<String, String>,
) -> Result<(), InvitationError> {
    let is_accepted = |terms: &CurrentTerms| {
        let version = accepted.get(&terms.current.terms);
        version.is_some_and(|version| version.eq_ignore_ascii_case(&terms.current.version))
    };
    if accepted.len() == current.len() && current.iter().all(is_accepted) {
        Ok(())
    } else {
        Err(InvitationError::TermsOutdated(current))
    }
}

async fn set_password(tx: &mut SqlTransaction, user: &str, hash: &str) -> Result<(), StoreError> {
    let sql = "UPDATE users SET password_hash = ? WHERE external_id = ?";
    tx.run_guarded(sql, &[hash.into(), user.into()]).await
}

/// Records that a user accepts these versions, which are the current ones.
async fn record_terms_acceptance(
    tx: &mut SqlTransaction,
    user: &str,
    terms: &BTreeMap<String, String>,
    now: i64,
) -> Result<(), StoreError> {
    for (terms, version) in terms {
        let accepted = TermsVersion {
            terms: terms.clone(),
            version: version.to_ascii_lowercase(),
        };
        terms_acceptances::record(tx, &accepted, [user].into_iter(), now).await?;
    }
    Ok(())
}

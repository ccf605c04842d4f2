//! Sends an invitation that waits in the outbox, once. The outbox decides when to try again.

use super::key::{InvitationKey, token_digest};
use super::{letter, link};
use crate::config::{Config, MailServer};
use crate::daemon::notice::{DeliveryError, send_message};
use crate::store::{InvitationState, Store, StoreError};
use secrecy::ExposeSecret;
use std::path::PathBuf;

/// What became of an attempt.
#[derive(Debug)]
pub(in crate::daemon) enum InvitationDelivery {
    Sent,
    /// Nobody needs the mail any more.
    Superseded,
    /// The link ended before the mail could be sent.
    TooLate {
        user: String,
    },
    /// It cannot be sent now, for a reason that somebody has to remove.
    Waits(String),
    Failed {
        user: String,
        error: DeliveryError,
    },
}

/// Sends invitations as the configuration says.
pub(in crate::daemon) struct InvitationSender {
    server: Option<MailServer>,
    url: Option<String>,
    key: PathBuf,
}

impl InvitationSender {
    /// Fails if the mail server is configured wrongly.
    pub(in crate::daemon) fn new(config: &Config) -> Result<Self, String> {
        Ok(Self {
            server: config.notices.mail_server()?,
            url: config.serve.customer_url().map(str::to_owned),
            key: config.invitations.key.clone(),
        })
    }

    /// Whether anything could be sent.
    pub(in crate::daemon) fn is_configured(&self) -> bool {
        self.server.is_some()
    }

    pub(in crate::daemon) async fn send(
        &self,
        store: &Store,
        id: &str,
    ) -> Result<InvitationDelivery, StoreError> {
        let (Some(server), Some(url)) = (&self.server, &self.url) else {
            let why = "the daemon needs `mail` and `serve.url` to send invitations; set both";
            return Ok(InvitationDelivery::Waits(why.to_owned()));
        };
        let Some(invitation) = store.invitation(id).await? else {
            return Ok(InvitationDelivery::Superseded);
        };
        match invitation.state {
            InvitationState::Open => {}
            InvitationState::Used => return Ok(InvitationDelivery::Superseded),
            InvitationState::Expired => {
                let user = invitation.user;
                return Ok(InvitationDelivery::TooLate { user });
            }
            InvitationState::Paused => {
                let why = "the person is blocked or inactive, or may not log in";
                return Ok(InvitationDelivery::Waits(why.to_owned()));
            }
        }
        let key = match InvitationKey::load(&self.key) {
            Ok(key) => key,
            Err(why) => return Ok(InvitationDelivery::Waits(why)),
        };
        let token = key.token(id);
        // Before the mail leaves: a link that arrives must work.
        if !store
            .issue_invitation(id, &token_digest(token.expose_secret()))
            .await?
        {
            let why =
                "its link was made with another key; give all replicas the same `invitations.key`";
            return Ok(InvitationDelivery::Waits(why.to_owned()));
        }
        // Read again, with the time until which the link works.
        let Some(invitation) = store.invitation(id).await? else {
            return Ok(InvitationDelivery::Superseded);
        };
        let link = link(url, token.expose_secret());
        let sent = match letter::message(server, &invitation, &link) {
            Ok(message) => send_message(server, message).await,
            Err(error) => Err(DeliveryError::Invalid {
                to: server.shown.clone(),
                why: error.to_string(),
            }),
        };
        Ok(match sent {
            Ok(()) => InvitationDelivery::Sent,
            Err(error) => InvitationDelivery::Failed {
                user: invitation.user,
                error,
            },
        })
    }
}

//! What the act `invite` asks for: drafts or mails, with the links that they contain.

use super::key::{InvitationKey, token_digest};
use super::{letter, link};
use crate::config::Config;
use crate::http::problem::{self, HttpProblem};
use crate::model::Key;
use crate::store::{ActedResource, NewInvitation, Store, StoreError};
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};

/// An order for invitations.
#[derive(Debug)]
pub struct InvitationOrder {
    /// The key of the links of drafts. Without it, the daemon sends mails, with its own key.
    drafts: Option<InvitationKey>,
    url: String,
    from: Option<String>,
}

impl InvitationOrder {
    /// Drafts whose links come from a key, or mails without one.
    ///
    /// # Errors
    ///
    /// If the configuration lacks the address of links or the mail server.
    pub fn new(config: &Config, drafts: Option<InvitationKey>) -> Result<Self, HttpProblem> {
        let not_configured = |detail: &str| Err(HttpProblem::new(problem::NOT_CONFIGURED, detail));
        let Some(url) = config.serve.customer_url() else {
            return not_configured(
                "`serve.url` is not set, and links begin with it; set it to the address at which people reach the daemon",
            );
        };
        if drafts.is_none() && !config.notices.has_mail_server() {
            return not_configured(
                "no mail server is configured; set `mail: {smtp: …, from: …}`, or write a draft instead",
            );
        }
        Ok(Self {
            drafts,
            url: url.to_owned(),
            from: config.notices.mail_sender(),
        })
    }

    /// Whether the invitations are sent.
    pub(in crate::daemon) fn sends(&self) -> bool {
        self.drafts.is_none()
    }

    /// A new invitation for each user, by external id.
    pub(in crate::daemon) fn invitations(
        &self,
        users: &BTreeSet<Key>,
    ) -> BTreeMap<String, NewInvitation> {
        let new = users.iter().map(|user| {
            let invitation = NewInvitation::new(|id| {
                let token = self.drafts.as_ref().map(|key| key.token(id));
                token.map(|token| token_digest(token.expose_secret()))
            });
            (user.id.to_string(), invitation)
        });
        new.collect()
    }

    /// The drafts of invitations that an act made, by the external id of the user.
    pub(in crate::daemon) async fn drafts(
        &self,
        store: &Store,
        items: &[ActedResource],
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let mut drafts = BTreeMap::new();
        let Some(key) = &self.drafts else {
            return Ok(drafts);
        };
        for id in items.iter().filter_map(|item| item.invitation.as_deref()) {
            // A repeated request may come after the person was deleted.
            let Some(invitation) = store.invitation(id).await? else {
                continue;
            };
            let link = link(&self.url, key.token(id).expose_secret());
            let draft = letter::draft(&invitation, &link, self.from.as_deref());
            drafts.insert(invitation.user, draft);
        }
        Ok(drafts)
    }
}

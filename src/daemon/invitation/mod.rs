//! Invitations: how their links are made and how their mails are written and sent.
//!
//! A link ends with a token. The daemon derives it from the id of the invitation with a key that is
//! in a file beside the database (`key`), so every attempt to send a mail has the same link, and
//! the database holds only a hash. [`InvitationOrder`] is what the act `invite` asks for; `letter`
//! writes drafts and mails; `delivery` sends what waits in the outbox.

mod delivery;
mod key;
mod letter;
mod order;

pub(super) use delivery::{InvitationDelivery, InvitationSender};
pub use key::{InvitationKey, token_digest};
pub use order::InvitationOrder;

/// The path of a link, before its token.
const PATH: &str = "/invitation/";

/// The link of a token, below the public address of the daemon.
fn link(url: &str, token: &str) -> String {
    format!("{url}{PATH}{token}")
}

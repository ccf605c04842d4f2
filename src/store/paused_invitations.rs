//! Invitations that wait on purpose: their person is blocked or inactive, or may not log in. The mail
//! goes out when that ends.

use crate::kinds::act::ACCEPT_INVITATION;

/// The condition that an invitation `i` of the user `u` waits for its person, as
/// `InvitationState::Paused` says of one. Its parameter is the time.
pub(super) fn condition() -> String {
    let from = ACCEPT_INVITATION.from.join("', '");
    let initial = ACCEPT_INVITATION.state(None);
    format!(
        "i.used_at IS NULL AND i.voided_at IS NULL AND coalesce(i.expires_at > ?, TRUE) \
         AND (u.status <> 'active' OR u.blocked IS NOT NULL \
         OR coalesce(u.access, '{initial}') NOT IN ('{from}'))"
    )
}

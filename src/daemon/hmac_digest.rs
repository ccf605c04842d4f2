//! HMAC-SHA256: of webhooks that come in and of notices that go out.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The digest of the parts, one after the other.
pub(super) fn hmac_digest(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

//! HMAC-SHA256: signs notices, checks webhooks, and makes pseudonyms.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The digest over the concatenated parts.
pub fn hmac_digest(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // Cannot fail: HMAC accepts a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

//! Signs a webhook, so that the receiver knows who sent it and when.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;

pub(super) const HEADER: &str = "Roster-Signature";
/// The header with the id of the delivery, which is the same on every attempt.
pub(super) const DELIVERY: &str = "Roster-Delivery";

/// Returns `t=UNIX,v1=HEX`: an HMAC-SHA256 with the secret over the time, a dot and the body.
///
/// The time is signed too, so that a receiver can refuse a recorded request that is sent again
/// later.
#[must_use]
pub fn sign(secret: &str, unix: i64, body: &[u8]) -> String {
    let time = unix.to_string();
    let digest = digest(secret.as_bytes(), &[time.as_bytes(), b".", body]);
    let mut text = format!("t={unix},v1=");
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn digest(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

//! How a transaction is tried again that met another one.

use rand::Rng as _;
use std::time::Duration;

/// How often a serialization failure or a deadlock is retried.
pub(super) const TRIES: u32 = 6;

/// A growing random pause: two writers that deadlocked once must not meet again in step.
pub(super) async fn pause_before_retry(tries: u32) {
    let millis = rand::rng().random_range(5..(20 << tries));
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

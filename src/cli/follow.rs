//! Follows the committed changes until interrupted, for `roster changes --follow` and
//! `roster get --watch`.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How often the database is polled for changes.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Waits between two looks at the database; interrupts take effect there.
pub struct ChangeWaiter {
    interrupted: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

impl ChangeWaiter {
    pub fn new() -> Self {
        Self {
            interrupted: Box::pin(wait_for_interrupt()),
        }
    }

    /// Waits for the next look, which is due at once after one that found something. Returns `false`
    /// when interrupted.
    pub async fn wait(&mut self, found_some: bool) -> io::Result<bool> {
        let pause = if found_some {
            Duration::ZERO
        } else {
            POLL_INTERVAL
        };
        tokio::select! {
            biased;
            stopped = &mut self.interrupted => stopped.map(|()| false),
            () = tokio::time::sleep(pause) => Ok(true),
        }
    }
}

/// Waits for an interrupt or a termination signal.
async fn wait_for_interrupt() -> io::Result<()> {
    let (mut stop, mut end) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let heard = tokio::select! {
        heard = stop.recv() => heard,
        heard = end.recv() => heard,
    };
    heard.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

//! SIGTERM and SIGINT end the process in order, SIGHUP reloads its configuration.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the process is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ControlSignal {
    /// End in order.
    End,
    /// Read the configuration again.
    Reload,
}

/// Receives the signals.
pub(super) struct SignalListener {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl SignalListener {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> ControlSignal {
        tokio::select! {
            _ = self.terminate.recv() => ControlSignal::End,
            _ = self.interrupt.recv() => ControlSignal::End,
            _ = self.hangup.recv() => ControlSignal::Reload,
        }
    }
}

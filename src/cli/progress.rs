//! A progress display on a terminal for everything that takes longer than a second.

use super::GlobalOptions;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Nothing is shown before.
const PATIENCE: Duration = Duration::from_secs(1);

/// A progress display on stderr until it is dropped.
pub struct ProgressGuard {
    bar: ProgressBar,
    showing: tokio::task::JoinHandle<()>,
}

impl ProgressGuard {
    /// Starts the display, which appears after a second and only on a terminal.
    pub fn begin(global: &GlobalOptions, doing: &'static str) -> Self {
        // Hidden at first: quick commands must not flicker.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let shown = std::io::stderr().is_terminal() && !global.quiet;
        let begun = bar.clone();
        let showing = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            if shown {
                begun.set_draw_target(ProgressDrawTarget::stderr());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                    begun.set_style(style);
                }
                begun.set_message(doing);
                begun.enable_steady_tick(Duration::from_millis(100));
            }
        });
        Self { bar, showing }
    }
}

impl Drop for ProgressGuard {
    fn drop(&mut self) {
        self.showing.abort();
        self.bar.finish_and_clear();
    }
}

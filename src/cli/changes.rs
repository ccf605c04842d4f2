//! `roster changes`: every committed change in order.

use super::{Failure, Global, Outcome, Output, items, output, session};
use crate::config::Config;
use crate::reconcile::json;
use crate::store::{ChangeRecord, Store};
use clap::Args;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// How many changes are read at a time.
const PART: u32 = 2_000;
/// How often `--follow` looks.
const EVERY: Duration = Duration::from_secs(1);

/// Options of `roster changes`.
#[derive(Debug, Args)]
pub struct Options {
    /// The last change already seen, by its `seq`; 0 for all.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Waits for more until it is interrupted.
    #[arg(long)]
    follow: bool,
}

/// Prints them; a reader that has gone ends it.
pub async fn run(global: &Global, options: &Options) -> Outcome {
    if options.follow && global.output == Output::Json {
        return Err(Failure::usage(
            "`--follow` never ends, a JSON document does: use `--output ndjson`",
        ));
    }
    let config = session::config(global, None)?;
    let mut reader = Reader {
        store: session::reader(&config).await?,
        config,
        seq: options.after,
        left: options.limit.unwrap_or(u64::MAX),
    };
    let printed = match (global.output, options.follow) {
        (Output::Json, _) => reader.document(global).await,
        (_, false) => reader.lines().await,
        (_, true) => reader.follow().await,
    };
    match printed {
        // `changes --follow | head` has what it wanted.
        Err(failure) if failure.message.is_empty() => Ok(0),
        printed => printed.map(|()| 0),
    }
}

/// A place in the sequence of all changes.
struct Reader {
    store: Store,
    config: Config,
    seq: i64,
    left: u64,
}

impl Reader {
    /// The next changes, at most a part.
    async fn next(&mut self) -> Result<Vec<ChangeRecord>, Failure> {
        let limit = u32::try_from(self.left).unwrap_or(PART).min(PART);
        let found = self.store.changes_after(self.seq, limit).await?;
        self.left -= found.len() as u64;
        self.seq = found.last().map_or(self.seq, |change| change.seq);
        Ok(found)
    }

    async fn document(&mut self, global: &Global) -> Result<(), Failure> {
        let mut all = Vec::new();
        loop {
            let part = self.next().await?;
            if part.is_empty() {
                break;
            }
            all.extend(part);
        }
        let mut out = output::stdout();
        items::write(global, all.iter().map(json::change), &mut out)?;
        Ok(out.flush()?)
    }

    /// Prints what there is now.
    async fn lines(&mut self) -> Result<(), Failure> {
        while self.part().await? > 0 {}
        Ok(())
    }

    /// Prints a part; how many changes it had.
    async fn part(&mut self) -> Result<usize, Failure> {
        let part = self.next().await?;
        let mut out = output::stdout();
        part.iter()
            .try_for_each(|change| writeln!(out, "{}", json::change(change)))?;
        out.flush()?;
        Ok(part.len())
    }

    /// Prints what there is and what comes; an interrupt is heard between two parts.
    async fn follow(&mut self) -> Result<(), Failure> {
        let mut interrupted = std::pin::pin!(interrupted());
        while self.left > 0 {
            // A database that was not there may have come.
            if !self.store.exists() {
                self.store = session::reader(&self.config).await?;
            }
            let pause = if self.part().await? > 0 {
                Duration::ZERO
            } else {
                EVERY
            };
            tokio::select! {
                biased;
                stopped = &mut interrupted => return Ok(stopped?),
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }
}

/// Waits until somebody wants an end.
async fn interrupted() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
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

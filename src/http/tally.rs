//! Log lines that a stranger could cause without end. The first of each kind is logged as it is;
//! the others are counted and logged once a minute.

use super::rate::ClientKey;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// How often the counts are logged.
const MINUTE: Duration = Duration::from_mins(1);
/// How many addresses are counted separately.
const MOST: usize = 1000;

/// The counts since the last summary, by kind.
#[derive(Clone, Debug, Default)]
pub struct LogTallies(Arc<Mutex<HashMap<&'static str, LogTally>>>);

#[derive(Debug, Default)]
struct LogTally {
    count: u64,
    addresses: HashSet<ClientKey>,
}

impl LogTallies {
    /// Counts one; returns whether it is the first, which is logged on its own.
    pub fn is_first(&self, what: &'static str, address: Option<IpAddr>) -> bool {
        let mut open = self.lock();
        if let Some(tally) = open.get_mut(what) {
            tally.count += 1;
            // Bounded, because an attacker with many addresses must not fill the memory.
            if tally.addresses.len() <= MOST {
                tally.addresses.extend(address.map(ClientKey::address));
            }
            return false;
        }
        // Without a runtime nobody could log the summary later.
        let Ok(runtime) = Handle::try_current() else {
            return true;
        };
        open.insert(what, LogTally::default());
        let all = self.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(MINUTE).await;
                match all.take(what) {
                    Some(summary) => tracing::info!("{summary}"),
                    None => return,
                }
            }
        });
        true
    }

    /// The summary; `None` if nothing more came, and then the next one is the first again.
    fn take(&self, what: &'static str) -> Option<String> {
        let mut open = self.lock();
        let tally = open.get_mut(what).map(std::mem::take);
        let Some(LogTally { count, addresses }) = tally.filter(|tally| tally.count > 0) else {
            open.remove(what);
            return None;
        };
        let of = match addresses.len() {
            0 => String::new(),
            1 => " from 1 address".to_owned(),
            many if many > MOST => format!(" from more than {MOST} addresses"),
            many => format!(" from {many} addresses"),
        };
        Some(format!("{what}: {count} more in the last minute{of}"))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, LogTally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u16) -> IpAddr {
        let [high, low] = last.to_be_bytes();
        IpAddr::from([10, 0, high, low])
    }

    #[tokio::test]
    async fn the_first_is_told_at_once_and_the_others_once_a_minute() {
        let tallies = LogTallies::default();
        assert!(tallies.is_first("refused", Some(address(1))));
        assert!(tallies.is_first("closed", Some(address(1))));
        for last in [2, 3, 3] {
            assert!(!tallies.is_first("refused", Some(address(last))));
        }
        assert_eq!(
            tallies.take("refused").as_deref(),
            Some("refused: 3 more in the last minute from 2 addresses")
        );
        assert!(!tallies.is_first("refused", None));
        assert_eq!(
            tallies.take("refused").as_deref(),
            Some("refused: 1 more in the last minute")
        );
        assert_eq!(tallies.take("refused"), None);
        assert!(tallies.is_first("refused", Some(address(1))));
    }

    #[tokio::test]
    async fn many_addresses_take_no_more_memory() {
        let tallies = LogTallies::default();
        for last in 0..5000 {
            tallies.is_first("refused", Some(address(last)));
        }
        assert!(tallies.lock()["refused"].addresses.len() <= MOST + 1);
        assert_eq!(
            tallies.take("refused").as_deref(),
            Some("refused: 4999 more in the last minute from more than 1000 addresses")
        );
    }
}

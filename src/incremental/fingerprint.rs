//! The fingerprint of what decides, besides its files, what a source declares. A checkpoint stores it,
//! and a pass with another one reads everything.

use crate::config::{Config, Source};
use crate::kinds;
use crate::model::Digest;

/// A digest of everything besides the files that decides what a source declares: the kinds, the
/// release and the configuration. After a change of any, unchanged files may mean something else.
pub fn fingerprint(config: &Config, source: &Source) -> Digest {
    // The authority of the other sources too: it decides which fields this source may write.
    let peers: Vec<_> = config
        .sources
        .iter()
        .map(|peer| (&peer.name, &peer.authority))
        .collect();
    let decided = (
        kinds::fingerprint(),
        env!("CARGO_PKG_VERSION"),
        (source.prune, source.report_drift, &source.authority),
        (&config.order, &config.shop),
        source.feed().map(|feed| {
            (
                feed.mapping.digest,
                &feed.mapping.trailer,
                &feed.complete,
                feed.absence,
            )
        }),
        (peers, &config.severities, config.account_folders()),
    );
    Digest::of(format!("{decided:?}").as_bytes())
}

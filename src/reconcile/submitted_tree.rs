//! Plans a tree that somebody sends in place of a source's own, such as that of a pull request. It
//! may hold anything, so no secret is read for it and nothing is changed.

use super::source_reading::{self, SourceReading};
use super::{Pass, PassError, PassRequest, feeds};
use crate::config::Config;
use crate::manifest::Tree;
use crate::plan::Plan;
use crate::stop_flag::StopFlag;
use crate::store::Store;

/// The plan of source `index` if this were its tree.
pub async fn plan_submitted_tree(
    config: &Config,
    index: usize,
    tree: Tree,
    stop: StopFlag,
    store: &Store,
) -> Result<(Plan, SourceReading), PassError> {
    let request = PassRequest {
        source: Some(config.sources[index].name.to_string()),
        ignores_passwords: true,
        stop,
        ..PassRequest::default()
    };
    let mut sent = Some(tree);
    let sources = config.sources.iter().enumerate();
    let readings = sources.map(|(at, source)| {
        if let (true, Some(feed)) = (at != index, source.feed()) {
            return feeds::read(config, source, feed, &request);
        }
        let own = sent.take_if(|_| at == index);
        let tree = own.unwrap_or_else(|| source_reading::source_tree(config, source, &request));
        source_reading::read_tree(config, source, tree, &request.stop)
    });
    let mut pass = Pass {
        readings: readings.collect(),
        config,
        request: request.clone(),
        by_hand: super::ManualExport::NotManual,
    };
    let mut plan = pass.plan_whole(index, store, &[]).await?;
    pass.add_stored_facts(index, store, &[], &mut plan).await?;
    Ok((plan, pass.readings.swap_remove(index)))
}

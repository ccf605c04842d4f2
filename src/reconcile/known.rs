//! What did not change is not read again: of a source whose files are almost all as they were when
//! it was last applied, only the others are read, and of the database only what they touch.
//!
//! A part is planned by the same planner as the whole. Whatever a rule looks up beyond what was
//! read is read too, and the plan made again, until nothing is missing. What only everything can
//! answer is left to a pass over everything: whatever is no longer declared, is held, is wrong, or
//! is declared or changed in several places. So a part never decides about a removal or a hold.

use super::read::{self, Reading, Unread};
use super::{Pass, PassError, Request};
use crate::config::{Config, Source};
use crate::kinds::{self, Type};
use crate::manifest::{self, Tree};
use crate::model::{Ask, Desired, Digest, Key, KindId, Snapshot, Text};
use crate::plan::{Mode, Plan, SourceRef, Summary, Verb};
use crate::store::{Beside, FileRead, Moment, Remember, Remembered, Standing, Store};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often a part is planned before everything is read instead.
const ROUNDS: usize = 24;

/// The kinds that everything else is judged by.
const JUDGES: [KindId; 2] = [kinds::SETTINGS, kinds::CUSTOM_FIELD];

/// The sources, of which only what changed was read; `None` when everything has to be read.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn read(
    config: &Config,
    request: &Request,
    store: &Store,
) -> Result<Option<Vec<Reading>>, PassError> {
    let named = !request.paths.is_empty() || !request.targets.is_empty();
    if named || request.exact || request.scrub || !config.accepts.is_empty() {
        return Ok(None);
    }
    let Some(mut moment) = store.moment().await? else {
        return Ok(None);
    };
    let mut readings = Vec::new();
    for source in &config.sources {
        let Some(remembered) = moment.remembered(&source.name).await? else {
            return Ok(None);
        };
        let Some(reading) = changed(config, source, remembered) else {
            return Ok(None);
        };
        readings.push(reading);
    }
    let changed = readings.iter().filter(|reading| !reading.unchanged());
    Ok((changed.count() <= 1).then_some(readings))
}

impl Reading {
    /// Whether nothing of it had to be read.
    fn unchanged(&self) -> bool {
        let gone = self.unread.as_ref().map(|unread| &unread.gone);
        self.digests.is_empty() && gone.is_some_and(Vec::is_empty)
    }
}

/// A source of which only the files are read that are not as they were.
fn changed(config: &Config, source: &Source, remembered: Remembered) -> Option<Reading> {
    let judged = |kind: KindId| {
        let kind = kinds::get(kind);
        (0..kind.fields.len())
            .all(|field| source.authority.mode(kind, &kinds::own(field)) == Mode::Enforce)
    };
    let same_place = !source.unnamed || remembered.path == source.written;
    let comparable = same_place
        && !remembered.files.is_empty()
        && remembered.fingerprint == fingerprint(config, source)
        && JUDGES.into_iter().all(judged);
    if !comparable {
        return None;
    }
    let tree = Tree::read(&source.root);
    if !tree.diagnostics.is_empty() || !same_contents(source, &remembered.files) {
        return None;
    }
    let digests = manifest::digests(&tree)?;
    let differs = |path: &str, digest: Digest| remembered.files.get(path) != Some(&Some(digest));
    let others: BTreeMap<&str, Digest> = digests
        .iter()
        .map(|(path, digest)| (&**path, *digest))
        .filter(|(path, digest)| differs(path, *digest))
        .collect();
    // Reading a third again is no shorter than reading everything.
    if others.len() > 3 && others.len() * 3 > digests.len() {
        return None;
    }
    let now: BTreeSet<&str> = digests.iter().map(|(path, _)| &**path).collect();
    let known = remembered.files.keys().filter(|path| !is_content(path));
    let gone = known.filter(|path| !now.contains(path.as_str()));
    let unread = Unread {
        gone: gone.cloned().collect(),
        since: remembered.revision.clone(),
        ..Unread::default()
    };
    let some = tree.only(|path| others.contains_key(path));
    let mut reading = read::of_tree(source, &some);
    let raced = |(path, digest): &(Arc<str>, Digest)| others.get(&**path) != Some(digest);
    if reading.digests.iter().any(raced) || reading.diagnostics.iter().any(|it| it.is_error()) {
        return None;
    }
    let all = digests.iter().map(|(path, digest)| (&**path, *digest));
    let desired: &mut Desired = Arc::make_mut(&mut reading.desired);
    desired.revision = manifest::revision(all).to_string().into();
    tracing::info!(
        "source {}: {} of {} files read, the others are as they were applied",
        source.name,
        others.len(),
        digests.len()
    );
    Some(Reading {
        unread: Some(unread),
        ..reading
    })
}

/// The path of a file that a manifest names is remembered with this before it.
fn is_content(path: &str) -> bool {
    path.starts_with(read::CONTENT)
}

fn same_contents(source: &Source, known: &BTreeMap<Text, Option<Digest>>) -> bool {
    let mut contents = known.iter().filter(|(path, _)| is_content(path));
    contents.all(|(path, digest)| {
        let bytes = std::fs::read(source.root.join(&path[read::CONTENT.len()..]));
        bytes.is_ok_and(|bytes| digest.is_some_and(|it| Sha256::digest(bytes).starts_with(&it.0)))
    })
}

/// Plans a source of which only a part was read; `None` when that is not enough.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn plan(
    pass: &mut Pass<'_>,
    index: usize,
    store: &Store,
    earlier: &[Plan],
) -> Result<Option<Plan>, PassError> {
    let Some(mut moment) = store.moment().await? else {
        return Ok(None);
    };
    let Some(standing) = standing(pass, index, &mut moment).await? else {
        return Ok(None);
    };
    if pass.readings[index].unchanged() {
        tracing::info!(
            "source {}: nothing changed",
            pass.readings[index].source.name
        );
        return Ok(Some(nothing(pass, index, &moment, &standing, earlier)));
    }
    let Some(stored) = around(pass, index, &mut moment).await? else {
        return Ok(None);
    };
    let asked = planned(pass, index, &mut moment, stored).await?;
    let Some((mut plan, stored)) = asked.filter(|(plan, _)| decides(plan)) else {
        return Ok(None);
    };
    let new = |key: &Key| stored.rows.has_read(key) && !stored.claims.contains_key(key);
    let declared = &pass.readings[index].desired.resources;
    let adopted = declared.iter().filter(|it| new(&it.key)).count() as u64;
    let resources = pass.readings[index].unread.as_ref();
    let resources = resources.map_or(0, |unread| unread.resources);
    plan.summary.unchanged = resources - plan.steps.len() as u64;
    plan.summary.unclaimed = standing.unclaimed - adopted;
    Ok(Some(plan))
}

/// How the claims stand to the rows, if nobody else changed anything since the files were compared.
async fn standing(
    pass: &mut Pass<'_>,
    index: usize,
    moment: &mut Moment,
) -> Result<Option<Standing>, PassError> {
    let reading = &mut pass.readings[index];
    let name = reading.source.name.clone();
    let Some(remembered) = moment.remembered(&name).await? else {
        return Ok(None);
    };
    let standing = moment.standing(&name).await?;
    let Some(unread) = &mut reading.unread else {
        return Ok(None);
    };
    unread.resources = remembered.resources;
    unread.claimed = standing.claimed;
    tracing::debug!(source = %name, ?standing, "compared claims and rows");
    let same = remembered.revision == unread.since
        && remembered.claimed == standing.claimed
        && standing.foreign == 0;
    Ok(same.then_some(standing))
}

fn nothing(
    pass: &Pass<'_>,
    index: usize,
    moment: &Moment,
    standing: &Standing,
    earlier: &[Plan],
) -> Plan {
    let reading = &pass.readings[index];
    let adopted: u64 = earlier.iter().map(|plan| plan.summary.adopt).sum();
    let resources = reading.unread.as_ref().map(|unread| unread.resources);
    Plan {
        source: SourceRef {
            name: reading.source.name.clone(),
            revision: reading.desired.revision.clone(),
        },
        database: Some(moment.database().to_owned()),
        environment: moment.environment().map(ToOwned::to_owned),
        summary: Summary {
            unchanged: resources.unwrap_or_default(),
            unclaimed: standing.unclaimed.saturating_sub(adopted),
            ..Summary::default()
        },
        ..Plan::default()
    }
}

/// What is stored of all that the changed files declare; `None` when they no longer declare
/// something, or something that is declared elsewhere too.
async fn around(
    pass: &mut Pass<'_>,
    index: usize,
    moment: &mut Moment,
) -> Result<Option<Snapshot>, PassError> {
    let reading = &mut pass.readings[index];
    let (source, desired) = (reading.source.name.clone(), reading.desired.clone());
    let Some(unread) = &mut reading.unread else {
        return Ok(None);
    };
    let paths = reading.digests.iter().map(|(path, _)| &**path);
    let paths = paths.chain(unread.gone.iter().map(Text::as_str));
    let before = moment.declared_in(&source, paths).await?;
    if before.iter().any(|key| !desired.resources.contains(key)) {
        return Ok(None);
    }
    let new = desired.resources.len() - before.len();
    unread.resources += new as u64;
    let mut stored = moment.part(&pass.query(index)).await?;
    let keys = desired.resources.iter().map(|declared| &declared.key);
    let asks = keys.clone().flat_map(asks_of).collect();
    if !moment.answer(&mut stored, asks).await? {
        return Ok(None);
    }
    let claimed_elsewhere = |key: &Key| {
        let claims = stored.claims.get(key);
        let mut claims = claims.into_iter().flatten();
        claims.any(|claim| claim.source != source || !before.contains(key))
    };
    let mut elsewhere = keys.clone().filter(|key| claimed_elsewhere(key));
    let shared = |key: &Key| {
        let holders = stored.rows.iter().filter(|row| {
            row.values
                .iter()
                .zip(kinds::get(row.key.kind).fields)
                .any(|(value, field)| {
                    inline(&field.ty) == Some(key.kind)
                        && value
                            .iter()
                            .flat_map(|it| it.members())
                            .any(|id| *id == key.id)
                })
        });
        holders
            .into_iter()
            .any(|row| !desired.resources.contains(&row.key))
    };
    let apart = elsewhere.next().is_none() && !keys.clone().any(shared);
    Ok(apart.then_some(stored))
}

/// What is written within another resource: its row, and whoever else may hold it.
fn asks_of(key: &Key) -> Vec<Ask> {
    let mut asks = vec![Ask::Row(key.clone())];
    for kind in kinds::ALL {
        for (at, field) in kind.fields.iter().enumerate() {
            if inline(&field.ty) == Some(key.kind) {
                asks.push(Ask::Referrers(kind.id, at, key.clone()));
            }
        }
    }
    asks
}

/// The kind whose resources may be written out within a list.
fn inline(ty: &Type) -> Option<KindId> {
    match ty {
        Type::Links {
            kind, inline: true, ..
        } => Some(*kind),
        _ => None,
    }
}

/// Plans on a part that grows until the planner asks for nothing more.
async fn planned(
    pass: &mut Pass<'_>,
    index: usize,
    moment: &mut Moment,
    mut stored: Snapshot,
) -> Result<Option<(Plan, Snapshot)>, PassError> {
    let desired = pass.readings[index].desired.clone();
    for _ in 0..ROUNDS {
        let plan = pass.plan_on(index, &stored);
        let asked = stored.rows.asked();
        if asked.is_empty() {
            return Ok(Some((plan, stored)));
        }
        // Custom values are typed by the planner's definitions: anew each time.
        pass.readings[index].desired = desired.clone();
        if !moment.answer(&mut stored, asked).await? {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Whether a plan on a part may be taken: it changes what is declared, and nobody has to decide.
///
/// Shares of guards are of a part, so they are never smaller than those of the whole: a guard that
/// trips by the whole has tripped here.
fn decides(plan: &Plan) -> bool {
    let judges = |step: &crate::plan::Step| JUDGES.contains(&step.key.kind);
    !plan.errored
        && plan.held.is_empty()
        && plan.released.is_empty()
        && plan.orphans.is_empty()
        && plan.accepted.is_empty()
        && !plan.steps.iter().any(judges)
}

/// What an apply of a whole source leaves to be remembered.
pub(super) fn remember(config: &Config, reading: &Reading, plan: &Plan) -> Remember {
    let desired = &reading.desired;
    let mut files: BTreeMap<Text, FileRead> = BTreeMap::new();
    for (path, digest) in &reading.digests {
        let quiet = !reading.loud.contains(path);
        let file = FileRead {
            digest: quiet.then_some(*digest),
            ..FileRead::default()
        };
        files.insert(Text::new(path), file);
    }
    for declared in &desired.resources {
        if let Some(file) = files.get_mut(&*declared.path) {
            file.keys.push(&declared.key);
        }
    }
    // What is deleted is not there next time; a password may change while its reference stays.
    let deleted = plan.steps.iter().filter(|step| step.verb == Verb::Delete);
    let open = plan.unsettled.iter().chain(desired.secrets.keys());
    for key in open.chain(deleted.map(|step| &step.key)) {
        let declared = desired.resources.get(key);
        if let Some(file) = declared.and_then(|declared| files.get_mut(&*declared.path)) {
            file.digest = None;
        }
    }
    // What is held or unowned without being declared is in no file: it has to be looked for.
    let undeclared = plan
        .held
        .iter()
        .any(|held| !desired.resources.contains(&held.key));
    if undeclared || !plan.orphans.is_empty() || !desired.removals_off.is_empty() {
        files.clear();
    } else {
        files.extend(reading.contents.iter().map(|(path, digest)| {
            let file = FileRead {
                digest: Some(*digest),
                ..FileRead::default()
            };
            (Text::new(path), file)
        }));
    }
    let unread = reading.unread.as_ref();
    Remember {
        path: reading.source.written.clone(),
        revision: desired.revision.to_string(),
        fingerprint: fingerprint(config, &reading.source),
        resources: unread.map_or(desired.resources.len() as u64, |unread| unread.resources),
        files,
        beside: unread.map(|unread| beside(unread, plan)),
    }
}

/// What stays as it was remembered beside the files that were read again.
fn beside(unread: &Unread, plan: &Plan) -> Beside {
    let count = |verbs: &[Verb]| {
        let steps = plan.steps.iter();
        steps.filter(|step| verbs.contains(&step.verb)).count() as u64
    };
    Beside {
        gone: unread.gone.clone(),
        claimed: unread.claimed + count(&[Verb::Create, Verb::Adopt]) - count(&[Verb::Delete]),
    }
}

/// Whatever decides, besides the files, what a source comes to: the table of kinds, the release
/// and the configuration.
fn fingerprint(config: &Config, source: &Source) -> Digest {
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
        peers,
    );
    Digest::of(format!("{decided:?}").as_bytes())
}

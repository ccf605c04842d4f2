//! What did not change is not read again: of a source whose files are almost all as they were when
//! it was last applied, only the others are read, and of the database only what they touch.
//!
//! A part is planned by the same planner as the whole. Whatever a rule looks up beyond what was
//! read is read too, and the plan made again, until nothing is missing. What only everything can
//! answer is left to a pass over everything: whatever is no longer declared, is held, is wrong, or
//! is declared or changed in several places. So a part never decides about a removal or a hold.

use super::read::{self, Reading, Unread};
use super::{Pass, PassError, Request};
use crate::check;
use crate::config::{Config, Source};
use crate::diagnostic::Diagnostic;
use crate::kinds;
use crate::manifest::{self, Tree};
use crate::model::{Ask, Declared, Desired, Digest, Key, Keyed, KindId, Snapshot, Text};
use crate::plan::{self, Mode, Plan, Rules, SourceRef, Summary, Verb};
use crate::store::{
    Beside, Claimed, FileRead, Keys, Moment, Remember, Remembered, Standing, Store,
};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
        match changed(config, source, remembered) {
            Ok(reading) => readings.push(reading),
            Err(why) => return Ok(whole(source, why)),
        }
    }
    let mut changed = readings.iter().filter(|reading| !reading.unchanged());
    if let (Some(_), Some(second)) = (changed.next(), changed.next()) {
        return Ok(whole(&second.source, "another source changed too"));
    }
    Ok(Some(readings))
}

/// Every pass that reads everything says why.
fn whole<T>(source: &Source, why: &str) -> Option<T> {
    tracing::info!("source {}: everything is read: {why}", source.name);
    None
}

impl Reading {
    /// Whether nothing of it had to be read.
    fn unchanged(&self) -> bool {
        let gone = self.unread.as_ref().map(|unread| &unread.gone);
        self.digests.is_empty() && gone.is_some_and(Vec::is_empty)
    }
}

/// A source of which only the files are read that are not as they were.
fn changed(
    config: &Config,
    source: &Source,
    remembered: Remembered,
) -> Result<Reading, &'static str> {
    let judged = |kind: KindId| {
        let kind = kinds::get(kind);
        (0..kind.fields.len())
            .all(|field| source.authority.mode(kind, &kinds::own(field)) == Mode::Enforce)
    };
    if source.unnamed && remembered.path != source.written {
        return Err("it was applied from another path");
    }
    if remembered.files.is_empty() {
        return Err("its last apply left something open that is in no file");
    }
    let same_rules = remembered.fingerprint == fingerprint(config, source);
    if !same_rules || !JUDGES.into_iter().all(judged) {
        return Err("the release or the configuration is another one");
    }
    let tree = Tree::read(&source.root);
    if !tree.diagnostics.is_empty() || !same_contents(source, &remembered.files) {
        return Err("its folder, or a file that it names, is not as it was");
    }
    let digests = manifest::digests(&tree).ok_or("a file cannot be read")?;
    let differs = |path: &str, digest: Digest| remembered.files.get(path) != Some(&Some(digest));
    let others: BTreeMap<&str, Digest> = digests
        .iter()
        .map(|(path, digest)| (&**path, *digest))
        .filter(|(path, digest)| differs(path, *digest))
        .collect();
    // Reading a third again is no shorter than reading everything.
    if others.len() > 3 && others.len() * 3 > digests.len() {
        return Err("many files changed");
    }
    let now: BTreeSet<&str> = digests.iter().map(|(path, _)| &**path).collect();
    let known = remembered.files.keys().filter(|path| !is_content(path));
    let gone = known.filter(|path| !now.contains(path.as_str()));
    let mut unread = Unread {
        gone: gone.cloned().collect(),
        since: remembered.revision.clone(),
        ..Unread::default()
    };
    let some = tree.only(|path| others.contains_key(path));
    let mut reading = read::of_tree(source, &some);
    let raced = |(path, digest): &(Arc<str>, Digest)| others.get(&**path) != Some(digest);
    if reading.digests.iter().any(raced) || reading.diagnostics.iter().any(Diagnostic::is_error) {
        return Err("a changed file has errors");
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
    unread.read = reading.desired.clone();
    Ok(Reading {
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
    if pass.readings[index].unread.is_none() {
        return Ok(None);
    }
    let Some(mut moment) = store.moment().await? else {
        return Ok(None);
    };
    let source = pass.readings[index].source.clone();
    let Some(standing) = standing(pass, index, &mut moment).await? else {
        return Ok(whole(&source, "somebody else changed a row that it claims"));
    };
    if pass.readings[index].unchanged() {
        tracing::info!(
            "source {}: nothing changed",
            pass.readings[index].source.name
        );
        return Ok(Some(nothing(pass, index, &moment, &standing, earlier)));
    }
    let stored = match around(pass, index, &mut moment).await? {
        Ok(stored) => stored,
        Err(why) => return Ok(whole(&source, why)),
    };
    let Some((mut plan, stored)) = planned(pass, index, &mut moment, stored).await? else {
        return Ok(whole(&source, "what changed touches everything"));
    };
    let repeated = &pass.readings[index].repeated;
    let steps = plan.steps.iter().map(|step| &step.key);
    let mut touched = steps.chain(plan.agreed.iter().map(|agreed| &agreed.key));
    if touched.any(|key| repeated.contains_key(key)) {
        return Ok(whole(
            &source,
            "something changed is written out elsewhere too",
        ));
    }
    if !decides(&plan) {
        return Ok(whole(&source, "somebody has to decide about what changed"));
    }
    let new = |key: &Key| stored.rows.has_read(key) && !stored.claims.contains_key(key);
    let declared = &pass.readings[index].desired.resources;
    let adopted = declared.iter().filter(|it| new(&it.key)).count() as u64;
    if let Some(unread) = &pass.readings[index].unread {
        plan.summary.unchanged = unread.resources - plan.steps.len() as u64;
        plan.orphans.clone_from(&unread.orphans);
    }
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
    unread.orphans.clone_from(&remembered.orphans);
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
    let unread = reading.unread.as_ref();
    Plan {
        source: SourceRef {
            name: reading.source.name.clone(),
            revision: reading.desired.revision.clone(),
        },
        database: Some(moment.database().to_owned()),
        environment: moment.environment().map(ToOwned::to_owned),
        summary: Summary {
            unchanged: unread.map_or(0, |unread| unread.resources),
            unclaimed: standing.unclaimed.saturating_sub(adopted),
            ..Summary::default()
        },
        orphans: unread.map_or_else(Vec::new, |unread| unread.orphans.clone()),
        ..Plan::default()
    }
}

/// What is stored of all that the changed files declare, unless they no longer declare something,
/// or something that is declared elsewhere too.
async fn around(
    pass: &mut Pass<'_>,
    index: usize,
    moment: &mut Moment,
) -> Result<Result<Snapshot, &'static str>, PassError> {
    let reading = &mut pass.readings[index];
    let source = reading.source.name.clone();
    let Some(unread) = &mut reading.unread else {
        return Ok(Err("nothing is known of it"));
    };
    let desired = unread.read.clone();
    let paths = reading.digests.iter().map(|(path, _)| &**path);
    let paths = paths.chain(unread.gone.iter().map(Text::as_str));
    let before = moment.declared_in(&source, paths).await?;
    if before.keys().any(|key| !desired.resources.contains(key)) {
        return Ok(Err("something is no longer declared"));
    }
    let new = desired.resources.len() - before.len();
    unread.resources += new as u64;
    let mut stored = moment.part(&pass.query(index)).await?;
    let keys = desired.resources.iter().map(|declared| &declared.key);
    let claims = moment.claims_on(keys).await?;
    let elsewhere = |claim: &Claimed| claim.source != *source || !before.contains_key(&claim.key);
    if claims.iter().any(elsewhere) {
        return Ok(Err("something is declared in several places"));
    }
    let anew = anew(&desired, &stored, &claims, &pass.rules(index, &stored));
    let asks = anew.iter().map(|it| Ask::Row(it.key.clone())).collect();
    if !moment.answer(&mut stored, asks).await? {
        return Ok(Err("much changed"));
    }
    let changed = &mut pass.readings[index].desired;
    *changed = desired.clone();
    Arc::make_mut(changed).resources = anew;
    let repeated = before.into_iter().filter(|(_, repeated)| *repeated);
    let repeated = repeated.map(|(key, _)| (key, BTreeSet::new()));
    pass.readings[index].repeated.extend(repeated);
    Ok(Ok(stored))
}

/// What is declared otherwise than it was when the source was applied, and passwords, which may
/// change while their reference stays.
fn anew(
    desired: &Desired,
    stored: &Snapshot,
    claims: &[Claimed],
    rules: &Rules,
) -> Keyed<Arc<Declared>> {
    let mut typed = desired.clone();
    check::type_custom(&mut typed, &check::definitions(desired, stored));
    let known: HashMap<&Key, Digest> = claims
        .iter()
        .filter(|claim| claim.active)
        .map(|claim| (&claim.key, claim.digest))
        .collect();
    let pairs = desired.resources.iter().zip(&typed.resources);
    let differ = pairs.filter(|(declared, typed)| {
        known.get(&declared.key) != Some(&plan::current(typed, rules)) || read::secret(declared)
    });
    differ.map(|(declared, _)| declared.clone()).collect()
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
        let mut asked = stored.rows.asked();
        if asked.is_empty() {
            return Ok(Some((plan, stored)));
        }
        // What is missing may be all that is wrong, and nobody asks for everything once it is there.
        if asked.len() > 1 {
            asked.remove(&Ask::Everything);
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
        && plan.accepted.is_empty()
        && !plan.steps.iter().any(judges)
}

/// What an apply of a whole source leaves to be remembered.
pub(super) fn remember(config: &Config, reading: &Reading, plan: &Plan) -> Remember {
    let unread = reading.unread.as_ref();
    let desired = unread.map_or(&reading.desired, |unread| &unread.read);
    let mut files: BTreeMap<Text, FileRead> = BTreeMap::new();
    for (path, digest) in &reading.digests {
        let quiet = !reading.loud.contains(path);
        let file = FileRead {
            digest: quiet.then_some(*digest),
            ..FileRead::default()
        };
        files.insert(Text::new(path), file);
    }
    let again = reading.repeated.iter();
    let again = again.flat_map(|(key, paths)| paths.iter().map(move |path| (key, path)));
    for (key, path) in again {
        if let Some(file) = files.get_mut(&**path) {
            file.keys.push(key, true);
        }
    }
    for declared in &desired.resources {
        if let Some(file) = files.get_mut(&*declared.path) {
            let repeated = reading.repeated.contains_key(&declared.key);
            file.keys.push(&declared.key, repeated);
        }
    }
    // What is deleted is not there next time; a password may change while its reference stays.
    let deleted = plan.steps.iter().filter(|step| step.verb == Verb::Delete);
    let open = plan.unsettled.iter().chain(reading.desired.secrets.keys());
    for key in open.chain(deleted.map(|step| &step.key)) {
        let declared = desired.resources.get(key);
        if let Some(file) = declared.and_then(|declared| files.get_mut(&*declared.path)) {
            file.digest = None;
        }
    }
    // What is held without being declared is in no file: it has to be looked for.
    let undeclared = plan
        .held
        .iter()
        .any(|held| !desired.resources.contains(&held.key));
    if undeclared || !desired.removals_off.is_empty() {
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
    let mut orphans = Keys::default();
    plan.orphans.iter().for_each(|key| orphans.push(key, false));
    Remember {
        path: reading.source.written.clone(),
        revision: desired.revision.to_string(),
        fingerprint: fingerprint(config, &reading.source),
        resources: unread.map_or(desired.resources.len() as u64, |unread| unread.resources),
        orphans,
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

//! Applying a plan: the lease of its source, what the plan needs from outside the database
//! (passwords and the contents of files), and the write itself.
//!
//! [`apply`] writes a plan that was just made and remembers what the source looked like;
//! [`apply_saved`] writes one from a file. Both expect a [`LeaseGuard`] of the source and end in
//! one call of `Store::apply`, which is one transaction. Start reading at [`apply`].

use super::database::environment_name;
use super::phase::PhaseTimer;
use super::run_cause::run_cause;
use super::{Pass, PassError, drop_folder, feeds, impact, row_reading};
use crate::config::Config;
use crate::document;
use crate::incremental::{CheckpointBasis, PassFacts, checkpoint, with_rows};
use crate::kinds::{self, FieldType};
use crate::manifest::Tree;
use crate::model::{Desired, Key};
use crate::plan::{Plan, StepVerb};
use crate::secrets::SecretReader;
use crate::store::{ApplyError, ApplyRequest, CheckpointUpdate, Lease, LeaseHolder, Store, TTL};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use crate::store::ApplySummary;

/// How often a lease is renewed while a person looks at the plan: a third of its time to live, so
/// that one missed renewal does not lose it.
const RENEW_INTERVAL: Duration = Duration::from_secs(5);
/// The pause between attempts to give a lease up.
const RELEASE_RETRY: Duration = Duration::from_millis(500);

/// This process as the holder of a lease.
#[must_use]
pub fn this_process() -> LeaseHolder {
    LeaseHolder {
        name: super::actor().unwrap_or("roster").to_owned(),
        host: host_identity().to_owned(),
        pid: i64::from(std::process::id()),
    }
}

/// The host name with a digest of its boot and process namespace. Containers often share a name,
/// and each has a process 1, so the name alone would take another container's live process for a
/// dead one here.
fn host_identity() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .or_else(|_| std::env::var("HOSTNAME").map_err(std::io::Error::other))
            .unwrap_or_default();
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id");
        let namespace = std::fs::read_link("/proc/self/ns/pid");
        let mut hasher = Sha256::new();
        match (boot, namespace) {
            (Ok(boot), Ok(namespace)) => {
                hasher.update(boot);
                hasher.update(namespace.as_os_str().as_encoded_bytes());
            }
            // Not Linux, or /proc is hidden: a random identity matches no other process, so no
            // lease is taken over because its pid looks dead here.
            _ => hasher.update(rand::random::<[u8; 16]>()),
        }
        let digest = hasher.finalize();
        let digest: String = digest[..5]
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        format!("{}#{digest}", name.trim())
    })
}

/// A lease that is renewed until it is dropped or released.
pub struct LeaseGuard {
    lease: Lease,
    renewing: tokio::task::JoinHandle<()>,
}

impl LeaseGuard {
    /// Takes the lease of a source, waiting at most `wait`.
    pub async fn take(store: &Store, source: &str, wait: Duration) -> Result<Self, PassError> {
        let lease = store
            .acquire(&format!("source:{source}"), &this_process(), wait)
            .await?;
        let (renewer, renewed) = (store.clone(), lease.clone());
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_INTERVAL).await;
                // A database that cannot be reached is tried again: it may come back before the
                // lease ends.
                if let Ok(false) = renewer.renew(&renewed).await {
                    return;
                }
            }
        });
        Ok(Self { lease, renewing })
    }

    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Gives the lease up, in the background when the database cannot be reached.
    pub async fn release(self, store: &Store) {
        self.renewing.abort();
        if store.release(&self.lease).await.is_ok() {
            return;
        }
        // Without another attempt, the next run of this very process would wait for its own lease.
        let (store, lease) = (store.clone(), self.lease);
        tokio::spawn(async move {
            let begun = Instant::now();
            // After its time to live the lease has expired by itself, and another process may hold
            // it.
            while begun.elapsed() < TTL && store.release(&lease).await.is_err() {
                tokio::time::sleep(RELEASE_RETRY).await;
            }
        });
    }
}

/// Applies a plan that was just made.
pub async fn apply(
    pass: &Pass<'_>,
    index: usize,
    store: &Store,
    plan: &Plan,
    lease: &LeaseGuard,
    actor: &str,
) -> Result<ApplySummary, PassError> {
    let reading = &pass.readings[index];
    // A person may have looked at the plan for a while.
    let what = impact::exceeded_since(pass.config, store, plan).await;
    if !what.is_empty() {
        return Err(ApplyError::Stale { what }.into());
    }
    // Only a pass over the whole source may be remembered: after `--target` or a PATH, the rest of
    // the source was not applied, and the next pass must not take it for settled.
    let whole = pass.request.paths.is_empty() && pass.request.targets.is_empty();
    let remember = whole.then(|| {
        let nothing = CheckpointBasis::default();
        let basis = reading.judged.basis.as_ref().unwrap_or(&nothing);
        let facts = PassFacts {
            config: pass.config,
            source: &reading.source,
            desired: &reading.desired,
            files: &reading.files,
            incremental: reading.incremental().map(|unread| (unread, basis)),
        };
        let accepted = feeds::accepted(reading, plan);
        let rows = row_reading::rows_update(reading, plan, accepted.as_ref());
        let update = CheckpointUpdate {
            accepted,
            import_endings: pass.request.push_endings.clone(),
            ..checkpoint(&facts, plan)
        };
        with_rows(update, rows)
    });
    let wanted = PlanWrite {
        plan,
        id: &document::plan_id(plan),
        actor,
        single_use: false,
        cause: run_cause(pass.config, Some(reading), store, plan).await?,
    };
    let applied = write(
        store,
        wanted,
        Some((&reading.desired, &reading.tree)),
        pass,
        lease,
        remember.as_ref(),
    )
    .await?;
    // After the commit: an export moved out of the drop folder before a failed write would be lost.
    drop_folder::settle(reading, plan)?;
    Ok(applied)
}

/// Writes a plan that was just made and takes everything back. The lease is nobody's: an apply that is
/// under way is waited for, and nothing of this stays.
pub async fn rehearse(
    pass: &Pass<'_>,
    index: usize,
    store: &Store,
    plan: &Plan,
    actor: &str,
) -> Result<ApplySummary, PassError> {
    let reading = &pass.readings[index];
    let input = WriteInput::read(plan, Some((&reading.desired, &reading.tree)), pass)?;
    let id = document::plan_id(plan);
    let wanted = PlanWrite {
        plan,
        id: &id,
        actor,
        single_use: false,
        cause: None,
    };
    Ok(store.rehearse(&input.request(&wanted, None, None)).await?)
}

/// Applies a saved plan as it is, once. It is stale when the guards no longer let it through,
/// counting what its source did since the plan was made, or when a later pass held one of its
/// steps.
pub async fn apply_saved(
    pass: &Pass<'_>,
    store: &Store,
    plan: &Plan,
    id: &str,
    lease: &LeaseGuard,
    actor: &str,
) -> Result<ApplySummary, PassError> {
    let reading = pass
        .readings
        .iter()
        .find(|reading| reading.source.name == plan.source.name);
    let from = reading.map(|reading| (&*reading.desired, &reading.tree));
    // The lease is held, so no other apply of this source changes these sums before the write.
    let since = super::millis_before_now(pass.config.window);
    let spent = store.spent(&plan.source.name, since).await?;
    let mut what = crate::plan::over_budget(plan, &pass.config.guards, &spent);
    what.extend(crate::plan::held_since(
        plan,
        &store.held_steps(&plan.source.name).await?,
    ));
    what.extend(impact::exceeded_since(pass.config, store, plan).await);
    if !what.is_empty() {
        return Err(ApplyError::Stale { what }.into());
    }
    let wanted = PlanWrite {
        plan,
        id,
        actor,
        single_use: true,
        cause: run_cause(pass.config, reading, store, plan).await?,
    };
    write(store, wanted, from, pass, lease, None).await
}

/// Checks that the database is the one a saved plan was made for. It only reads: another database
/// is left as it is, and a missing one is not created.
pub async fn check_same_database(store: &Store, plan: &Plan) -> Result<(), PassError> {
    let Some(planned) = &plan.database else {
        return Ok(());
    };
    let here = match store.identity().await? {
        Some(here) if here == *planned => return Ok(()),
        Some(here) => format!("this is database {here}"),
        None => "there is no database here".to_owned(),
    };
    Err(PassError::Elsewhere(format!(
        "it was made for database {planned}, but {here}"
    )))
}

/// Checks that a saved plan was made for the environment of this run. A plan for a database that does
/// not exist yet knows nothing else of where it belongs.
pub fn check_same_environment(config: &Config, plan: &Plan) -> Result<(), PassError> {
    if plan.environment == config.environment {
        return Ok(());
    }
    Err(PassError::PlanEnvironment {
        plan: environment_name(plan.environment.as_deref()),
        run: environment_name(config.environment.as_deref()),
    })
}

/// Checks that the source of a saved plan can be found, if a file or password is read from it
/// again.
pub fn check_source_located(config: &Config, plan: &Plan) -> Result<(), PassError> {
    let source = &plan.source.name;
    let known = config.sources.iter().any(|known| known.name == *source);
    let Some(needs) = first_external_input(plan).filter(|_| !known) else {
        return Ok(());
    };
    let way = if config.path.is_some() {
        "roster.yaml has no source with this name"
    } else {
        "pass the directory of manifests after the plan, `roster apply PLAN.json PATH`, or run in the folder of its roster.yaml"
    };
    Err(PassError::Rootless(format!(
        "{needs} must be read again from source {source}, whose location is unknown; {way}"
    )))
}

struct PlanWrite<'a> {
    plan: &'a Plan,
    id: &'a str,
    actor: &'a str,
    single_use: bool,
    cause: Option<String>,
}

async fn write(
    store: &Store,
    wanted: PlanWrite<'_>,
    from: Option<(&Desired, &Tree)>,
    pass: &Pass<'_>,
    lease: &LeaseGuard,
    remember: Option<&CheckpointUpdate>,
) -> Result<ApplySummary, PassError> {
    let input = WriteInput::read(wanted.plan, from, pass)?;
    let _phase = PhaseTimer::begin("applying");
    let request = input.request(&wanted, Some(&lease.lease), remember);
    Ok(store.apply(&request).await?)
}

/// What a plan needs from outside the database.
struct WriteInput {
    passwords: BTreeMap<Key, String>,
    contents: BTreeMap<Key, Vec<u8>>,
}

impl WriteInput {
    /// Reads it before the transaction begins: reading can be slow, and every other writer waits
    /// while the transaction holds the write row.
    fn read(
        plan: &Plan,
        from: Option<(&Desired, &Tree)>,
        pass: &Pass<'_>,
    ) -> Result<Self, PassError> {
        let secrets = SecretReader {
            dir: pass.config.secrets.clone(),
            sealed: pass.request.ignores_passwords,
        };
        let nothing = Desired::default();
        let desired = from.map_or(&nothing, |(desired, _)| desired);
        Ok(Self {
            passwords: secrets.hashes(plan, desired)?,
            contents: contents(plan, from.map(|(_, tree)| tree))?,
        })
    }

    fn request<'a>(
        &'a self,
        wanted: &'a PlanWrite<'a>,
        lease: Option<&'a Lease>,
        remember: Option<&'a CheckpointUpdate>,
    ) -> ApplyRequest<'a> {
        ApplyRequest {
            plan: wanted.plan,
            plan_id: wanted.id,
            actor: wanted.actor,
            lease,
            single_use: wanted.single_use,
            contents: &self.contents,
            passwords: &self.passwords,
            remember,
            reverts: None,
            cause: wanted.cause.as_deref(),
        }
    }
}

/// The first file or password that a plan refers to without carrying it.
fn first_external_input(plan: &Plan) -> Option<String> {
    let steps = plan
        .steps
        .iter()
        .filter(|step| step.verb != StepVerb::Delete);
    steps.into_iter().find_map(|step| {
        let kind = kinds::get(step.key.kind);
        step.changes().iter().find_map(|change| {
            let value = change.after.as_ref()?;
            match kind.field(&change.field)?.ty {
                FieldType::File => {
                    let path = value.as_text()?.split(" sha256:").next()?;
                    Some(format!("the file `{path}` of {}", step.key))
                }
                FieldType::Secret => Some(format!("the password of {}", step.key)),
                _ => None,
            }
        })
    })
}

/// The contents of the files that the plan stores, read again and checked against their digests.
fn contents(plan: &Plan, tree: Option<&Tree>) -> Result<BTreeMap<Key, Vec<u8>>, PassError> {
    let mut contents = BTreeMap::new();
    for step in plan
        .steps
        .iter()
        .filter(|step| step.verb != StepVerb::Delete)
    {
        let kind = kinds::get(step.key.kind);
        if !kind
            .fields
            .iter()
            .any(|field| matches!(field.ty, FieldType::File))
        {
            continue;
        }
        for change in step.changes().iter() {
            let file = kind
                .field(&change.field)
                .is_some_and(|field| matches!(field.ty, FieldType::File));
            let value = change.after.as_ref().and_then(|value| value.as_text());
            if let (true, Some(value)) = (file, value) {
                contents.insert(step.key.clone(), content(&step.key, value, tree)?);
            }
        }
    }
    Ok(contents)
}

fn content(key: &Key, value: &str, tree: Option<&Tree>) -> Result<Vec<u8>, PassError> {
    let gone = |why: &str| PassError::File(format!("{key}: the file of `{value}` {why}"));
    let lost = || gone("is missing");
    let (path, digest) = value.split_once(" sha256:").ok_or_else(lost)?;
    let bytes = tree.ok_or_else(lost)?.file(path).map_err(|_| lost())?;
    let found: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // The plan was reviewed with this digest. Other contents were seen by nobody.
    if found == digest {
        Ok(bytes)
    } else {
        Err(PassError::File(format!(
            "{key}: {path} changed after the plan was made"
        )))
    }
}
